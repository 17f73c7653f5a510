import type { Entry, Index, Term, TermRun } from '../../raft/entry.ts';

/** The terms of a log from its floor to its end, without the entries: what every consistency check needs. */
export class TermRuns {
  readonly floorIndex: Index;
  readonly floorTerm: Term;
  #lastIndex: Index;
  readonly #runs: TermRun[] = [];

  constructor(floor: { readonly index: Index; readonly term: Term }) {
    this.floorIndex = floor.index;
    this.floorTerm = floor.term;
    this.#lastIndex = floor.index;
  }

  /** The terms that a recovered log says it has. */
  static of(log: {
    readonly floor: { readonly index: Index; readonly term: Term };
    readonly runs: readonly TermRun[];
    readonly lastIndex: Index;
  }): TermRuns {
    const terms = new TermRuns(log.floor);
    for (const [at, run] of log.runs.entries()) {
      const to = (log.runs[at + 1]?.firstIndex ?? log.lastIndex + 1) - 1;
      terms.appendRun(run.term, run.firstIndex, to);
    }
    return terms;
  }

  /** `floorIndex` when there is nothing after the floor. */
  get lastIndex(): Index {
    return this.#lastIndex;
  }

  get lastTerm(): Term {
    return this.#runs.at(-1)?.term ?? this.floorTerm;
  }

  get runs(): readonly TermRun[] {
    return this.#runs;
  }

  /** null before the floor and beyond the end. */
  termAt(index: Index): Term | null {
    if (index === this.floorIndex) return this.floorTerm;
    if (index < this.floorIndex || index > this.#lastIndex) return null;
    for (let at = this.#runs.length - 1; at >= 0; at -= 1) {
      const run = this.#runs[at];
      if (run !== undefined && run.firstIndex <= index) return run.term;
    }
    return null;
  }

  /** Removes everything from `index` on; `index` lies after the floor. */
  cutFrom(index: Index): void {
    if (index > this.#lastIndex) return;
    this.#lastIndex = index - 1;
    while ((this.#runs.at(-1)?.firstIndex ?? 0) >= index) this.#runs.pop();
  }

  append(entry: Entry): void {
    this.appendRun(entry.term, this.#lastIndex + 1, entry.index);
  }

  /** Appends `from` .. `to` inclusive, all of one term; `from` follows the end. */
  appendRun(term: Term, from: Index, to: Index): void {
    if (this.#runs.length === 0 || this.lastTerm !== term) this.#runs.push({ term, firstIndex: from });
    this.#lastIndex = to;
  }

  /** The same log with a floor further on; empty when the two disagree at that place. */
  withFloor(floor: { readonly index: Index; readonly term: Term }): TermRuns {
    if (this.termAt(floor.index) !== floor.term) return new TermRuns(floor);
    const runs: TermRun[] = [];
    for (const [at, run] of this.#runs.entries()) {
      const to = (this.#runs[at + 1]?.firstIndex ?? this.#lastIndex + 1) - 1;
      const firstIndex = Math.max(run.firstIndex, floor.index + 1);
      if (firstIndex <= to) runs.push({ term: run.term, firstIndex });
    }
    return TermRuns.of({ floor, runs, lastIndex: this.#lastIndex });
  }
}
