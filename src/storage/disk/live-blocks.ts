import type { Index, Term, TermRun } from '../../raft/entry.ts';
import type { LogHole, LogPosition } from '../contract.ts';
import type { BlockHeader } from './block-header.ts';

/** What of a block says which entries it brings. */
export type ReplayedHeader = Pick<
  BlockHeader,
  'number' | 'firstIndex' | 'entryCount' | 'runs' | 'predecessor' | 'repairs'
>;

/** Entries `firstIndex` .. `lastIndex` of a block, both inclusive, that are part of the log, or may be. */
export interface LiveBlock<B extends { readonly header: ReplayedHeader }> {
  readonly block: B;
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  /** The last age in which they were part of the log for sure. */
  readonly age: number;
}

/** Entries that no block gives. `anchor` is null where nothing tells their terms. */
export interface Gap {
  readonly from: Index;
  readonly to: Index;
  readonly anchor: LogPosition | null;
}

export function isHole(gap: Gap): gap is Gap & LogHole {
  return gap.anchor !== null;
}

/** The last entry before the first that is missing. */
export function lastBefore(gaps: readonly { readonly from: Index }[], end: { readonly index: Index }): Index {
  const [first] = gaps;
  return first === undefined ? end.index : first.from - 1;
}

/**
 * Which block holds which entry of a log: pieces of blocks in the order of their indexes.
 *
 * Blocks that are lost may have cut the log, and nobody knows how deep: what was held before them is in doubt, and
 * another *age* begins. But the block after them names the last entry of the log that it was written upon, and later
 * ones bring entries of that log. By Log Matching (paper 5.3) two logs with an entry of the same index and term agree
 * up to it; and all entries of one term come from one leader, which only appends. So an entry in doubt is
 * part of the log, with all that stood before it in its age, if its term is that of the next entry known above it.
 */
export class LiveBlocks<B extends { readonly header: ReplayedHeader }> {
  #pieces: LiveBlock<B>[] = [];
  #age = 0;
  /** Of this age, in order: entries that no block gives, whose terms are known all the same. */
  #named: LogPosition[] = [];
  /** The log has this entry, whatever becomes of its blocks: it is committed. */
  #committed: LogPosition | null;
  /** Some piece is in doubt, and nothing above it is known. */
  #isUnanchored = false;
  #hasDoubts = false;

  /** @param committed - an entry that the log has for sure, though blocks may not give it. */
  constructor(committed: LogPosition | null = null) {
    this.#committed = committed;
  }

  /** A block cuts at its first index, then brings its entries. */
  add(block: B): void {
    const { firstIndex, entryCount } = block.header;
    const hasCut = this.cutFrom(firstIndex);
    if (entryCount > 0) {
      this.#pieces.push({ block, firstIndex, lastIndex: firstIndex + entryCount - 1, age: this.#age });
    }
    if (this.#hasDoubts && (hasCut || this.#isUnanchored)) this.#settleDoubts();
  }

  /** A repair takes its place, whatever in doubt stands there, and leaves the rest. */
  fill(block: B): void {
    const { firstIndex, entryCount } = block.header;
    const lastIndex = firstIndex + entryCount - 1;
    const from = this.#positionOf((piece) => piece.lastIndex >= firstIndex);
    const to = this.#positionOf((piece) => piece.firstIndex > lastIndex);
    const [lowest, highest] = [this.#pieces[from], this.#pieces[to - 1]];
    const placed: LiveBlock<B>[] = [{ block, firstIndex, lastIndex, age: this.#age }];
    // Of all in its place only the first and the last may reach beyond it; they may be one.
    if (lowest !== undefined && lowest.firstIndex < firstIndex) {
      placed.unshift({ ...lowest, lastIndex: firstIndex - 1 });
    }
    if (highest !== undefined && highest.lastIndex > lastIndex) {
      placed.push({ ...highest, firstIndex: lastIndex + 1 });
    }
    this.#pieces.splice(from, to - from, ...placed);
    if (this.#hasDoubts) this.#settleDoubts();
  }

  /** @returns whether there was anything from there on. */
  cutFrom(index: Index): boolean {
    let hasCut = (this.#named.at(-1)?.index ?? 0) >= index;
    if (hasCut) this.#named = this.#named.filter((position) => position.index < index);
    let last = this.#pieces.at(-1);
    while (last !== undefined && last.firstIndex >= index) {
      hasCut = true;
      this.#pieces.pop();
      last = this.#pieces.at(-1);
    }
    if (last !== undefined && last.lastIndex >= index) {
      hasCut = true;
      this.#pieces[this.#pieces.length - 1] = { ...last, lastIndex: index - 1 };
    }
    return hasCut;
  }

  /** Blocks are lost here. After them the log ended with `end`; term 0 says that its term is not known. */
  lose(end: LogPosition): void {
    this.#age += 1;
    this.#named = [];
    this.cutFrom(end.index + 1);
    this.name(end);
  }

  /** The log has this entry, though no block may give it. */
  name({ index, term }: LogPosition): void {
    if (term > 0) this.#named.push({ index, term });
    this.#settleDoubts();
  }

  /** The piece that holds an entry; null when none does, or none for sure. */
  find(index: Index): LiveBlock<B> | null {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const piece = this.#pieces[middle];
      if (piece === undefined) break;
      if (index < piece.firstIndex) high = middle - 1;
      else if (index > piece.lastIndex) low = middle + 1;
      else return piece.age === this.#age ? piece : null;
    }
    return null;
  }

  /** The term of an entry that is held; null when it is not. */
  termAt(index: Index): Term | null {
    const piece = this.find(index);
    return piece === null ? null : termIn(piece, index);
  }

  /** Also of an entry that is only named. */
  knownTermAt(index: Index): Term | null {
    return this.termAt(index) ?? this.#known().find((position) => position.index === index)?.term ?? null;
  }

  /** What is held for sure, in the order of indexes. */
  held(): LiveBlock<B>[] {
    return this.#pieces.filter(({ age }) => age === this.#age);
  }

  /** What is missing between the floor and the log's last entry. Only the last of them may be without an anchor. */
  gaps({ floorIndex, lastIndex }: { readonly floorIndex: Index; readonly lastIndex: Index }): Gap[] {
    const gaps: Gap[] = [];
    const named = new Map(this.#known().map((position) => [position.index, position]));
    let next = floorIndex + 1;
    for (const piece of this.held()) {
      if (piece.firstIndex > next) {
        const after = { index: piece.firstIndex, term: termIn(piece, piece.firstIndex) };
        const to = piece.firstIndex - 1;
        gaps.push({ from: next, to, anchor: named.get(to) ?? after });
      }
      next = Math.max(next, piece.lastIndex + 1);
    }
    if (next <= lastIndex) gaps.push({ from: next, to: lastIndex, anchor: named.get(lastIndex) ?? null });
    return gaps;
  }

  /** Terms of the entries after the floor up to `lastIndex`, all of which are held. */
  runs({ floorIndex, lastIndex }: { readonly floorIndex: Index; readonly lastIndex: Index }): TermRun[] {
    const runs: TermRun[] = [];
    for (const piece of this.held()) {
      for (const [position, run] of piece.block.header.runs.entries()) {
        const end = (piece.block.header.runs[position + 1]?.firstIndex ?? piece.lastIndex + 1) - 1;
        const firstIndex = Math.max(run.firstIndex, piece.firstIndex, floorIndex + 1);
        if (firstIndex > Math.min(end, piece.lastIndex, lastIndex)) continue;
        if (runs.at(-1)?.term !== run.term) runs.push({ term: run.term, firstIndex });
      }
    }
    return runs;
  }

  /**
   * Forgets blocks whose entries all lie at or below the floor.
   *
   * @returns the lowest number still needed. A repair has a high one and low indexes, so it is not that of the first.
   */
  dropThrough(floorIndex: Index, nextNumber: number): number {
    this.#pieces = this.#pieces.filter(({ lastIndex }) => lastIndex > floorIndex);
    let lowest = nextNumber;
    for (const { block } of this.#pieces) lowest = Math.min(lowest, block.header.number);
    return lowest;
  }

  clear(): void {
    this.#pieces = [];
    this.#named = [];
    this.#committed = null;
    this.#hasDoubts = false;
  }

  /** Entries whose terms are known without a block, in order. */
  #known(): LogPosition[] {
    const committed = this.#committed;
    if (committed === null) return [...this.#named];
    const isBefore = ({ index }: LogPosition): boolean => index < committed.index;
    const isAfter = ({ index }: LogPosition): boolean => index > committed.index;
    return [...this.#named.filter(isBefore), committed, ...this.#named.filter(isAfter)];
  }

  /** Of the first piece that is so; behind the last one when none is. */
  #positionOf(isSo: (piece: LiveBlock<B>) => boolean): number {
    const position = this.#pieces.findIndex(isSo);
    return position === -1 ? this.#pieces.length : position;
  }

  /** From the top down: whatever is found to be part of the log takes all of its age below it along. */
  #settleDoubts(): void {
    if (this.#age === 0) return;
    const sure = new Set([this.#age]);
    const named = this.#known();
    const settled: LiveBlock<B>[] = [];
    let above: Term | null = null;
    this.#hasDoubts = false;
    this.#isUnanchored = false;
    for (const piece of this.#pieces.toReversed()) {
      while ((named.at(-1)?.index ?? 0) >= piece.lastIndex) above = named.pop()?.term ?? above;
      const upTo: Index | null = sure.has(piece.age) ? piece.lastIndex : lastOfTerm(piece, above);
      if (upTo === null || upTo < piece.lastIndex) {
        settled.push(upTo === null ? piece : { ...piece, firstIndex: upTo + 1 });
        this.#hasDoubts = true;
        if (above === null) this.#isUnanchored = true;
      }
      if (upTo === null) continue;
      sure.add(piece.age);
      settled.push({ ...piece, lastIndex: upTo, age: this.#age });
      above = termIn(piece, piece.firstIndex);
    }
    this.#pieces = settled.reverse();
  }
}

function termIn(piece: LiveBlock<{ readonly header: ReplayedHeader }>, index: Index): Term {
  let term: Term = 0;
  for (const run of piece.block.header.runs) if (run.firstIndex <= index) term = run.term;
  return term;
}

function lastOfTerm(piece: LiveBlock<{ readonly header: ReplayedHeader }>, term: Term | null): Index | null {
  const { runs } = piece.block.header;
  const position = runs.findIndex((run) => run.term === term);
  const run = runs[position];
  if (run === undefined) return null;
  const end = Math.min((runs[position + 1]?.firstIndex ?? piece.lastIndex + 1) - 1, piece.lastIndex);
  return end >= Math.max(run.firstIndex, piece.firstIndex) ? end : null;
}
