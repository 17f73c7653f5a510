import type { Index, Term, TermRun } from '../../src/raft/entry.ts';
import type { LogPosition, RecoveredLog } from '../../src/storage/contract.ts';

/** Of an entry that a snapshot held, and that shows again because the snapshot is lost: nobody noted it. */
const UNKNOWN: Term = 0;

/**
 * The terms of one log, as runs: what is enough to compare logs, since (index, term) names an entry
 * (log matching, paper 5.3). Costs grow with the number of terms, not of entries.
 */
export class LogTerms {
  floorIndex: Index;
  floorTerm: Term;
  lastIndex: Index;
  #runs: TermRun[];

  constructor(start: Pick<RecoveredLog, 'floor' | 'lastIndex' | 'runs'> = emptyLog) {
    this.floorIndex = start.floor.index;
    this.floorTerm = start.floor.term;
    this.lastIndex = start.lastIndex;
    this.#runs = start.runs.map(({ term, firstIndex }) => ({ term, firstIndex }));
  }

  get runs(): readonly TermRun[] {
    return this.#runs;
  }

  get lastTerm(): Term {
    return this.#runs.at(-1)?.term ?? this.floorTerm;
  }

  get last(): LogPosition {
    return { index: this.lastIndex, term: this.lastTerm };
  }

  copy(): LogTerms {
    const { floorIndex, floorTerm, lastIndex } = this;
    const floor = { index: floorIndex, term: floorTerm, configuration: null };
    return new LogTerms({ floor, lastIndex, runs: this.#runs });
  }

  /** null outside floorIndex .. lastIndex. */
  termAt(index: Index): Term | null {
    if (index === this.floorIndex) return this.floorTerm;
    if (index < this.floorIndex || index > this.lastIndex) return null;
    return this.#runs[this.#runOf(index)]?.term ?? null;
  }

  /** Whether that entry stands there, as far as is known. */
  mayHold(index: Index, term: Term): boolean {
    const own = this.termAt(index);
    return own === term || own === UNKNOWN;
  }

  /** It begins earlier than it did: what lies between is in it as well. A no-op where it begins there already. */
  beginEarlier({ index, term }: LogPosition): void {
    if (index >= this.floorIndex) return;
    const runs: TermRun[] = [{ term: this.floorTerm, firstIndex: this.floorIndex }];
    if (this.floorIndex > index + 1) runs.unshift({ term: UNKNOWN, firstIndex: index + 1 });
    if (this.#runs[0]?.term === this.floorTerm) this.#runs.shift();
    this.#runs.unshift(...runs);
    this.floorIndex = index;
    this.floorTerm = term;
  }

  /** Removes `from` and everything after it. */
  cut(from: Index): void {
    if (from > this.lastIndex) return;
    this.lastIndex = Math.max(from - 1, this.floorIndex);
    while ((this.#runs.at(-1)?.firstIndex ?? 0) > this.lastIndex) this.#runs.pop();
  }

  /**
   * The log begins after this entry. Where the log holds it, what follows stays; where it holds another one
   * there, or ends before, nothing of it is left (paper, 7: what a snapshot does to a log).
   */
  beginAfter(index: Index, term: Term): void {
    if (index < this.floorIndex) return;
    if (this.mayHold(index, term)) {
      const at = this.#runOf(index + 1);
      const run = this.#runs[at];
      this.#runs.splice(0, at);
      if (run && run.firstIndex <= index) this.#runs[0] = { term: run.term, firstIndex: index + 1 };
      if (index === this.lastIndex) this.#runs = [];
    } else {
      this.lastIndex = index;
      this.#runs = [];
    }
    this.floorIndex = index;
    this.floorTerm = term;
  }

  /** Appends the entry after the last one. */
  append(term: Term): void {
    this.lastIndex += 1;
    if (this.#runs.at(-1)?.term !== term) this.#runs.push({ term, firstIndex: this.lastIndex });
  }

  /** The lowest index above both floors, up to `through`, that the two do not hold alike; null: none. */
  firstDifference(other: LogTerms, through: Index): Index | null {
    let index = Math.max(this.floorIndex, other.floorIndex) + 1;
    while (index <= through) {
      const [here, there] = [this.termAt(index), other.termAt(index)];
      if (here !== there && here !== UNKNOWN && there !== UNKNOWN) return index;
      if (here === null || there === null) return here === there ? null : index;
      index = Math.min(this.#nextChange(index), other.#nextChange(index));
    }
    return null;
  }

  /** The first index after this one that is of another run, or past the end. */
  #nextChange(index: Index): Index {
    return this.#runs[this.#runOf(index) + 1]?.firstIndex ?? this.lastIndex + 1;
  }

  /** Position of the last run that starts at or before `index`. */
  #runOf(index: Index): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#runs[middle]?.firstIndex ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Which of two logs is the less up-to-date one, by their last entries (paper, 5.4.1). */
export function isBefore(one: LogPosition, other: LogPosition): boolean {
  return one.term < other.term || (one.term === other.term && one.index < other.index);
}

const emptyLog = { floor: { index: 0, term: 0, configuration: null }, lastIndex: 0, runs: [] };
