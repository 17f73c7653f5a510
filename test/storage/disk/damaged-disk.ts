import type { LogEnd } from '../../../src/storage/disk/block-header.ts';
import {
  type FoundBlock,
  type FoundFloor,
  type OpenVerdict,
  recover,
  type Verdict,
} from '../../../src/storage/disk/recover.ts';

type IntactBlock = Extract<FoundBlock, { intact: true }>;

/** The records of a damaged log once it was opened, and what is written to it then, told by terms alone. */
export class DamagedDisk {
  readonly #blocks: FoundBlock[];
  readonly #floor: FoundFloor | null;
  #term: number;
  #end: LogEnd;
  #marked: number;

  /** Writes the open record, as the first write does. */
  constructor(
    found: {
      readonly blocks: readonly FoundBlock[];
      readonly markedNumber: number;
      readonly floor: FoundFloor | null;
      readonly term: number;
    },
    verdict: OpenVerdict,
  ) {
    this.#blocks = [...found.blocks];
    this.#floor = found.floor;
    this.#term = found.term;
    this.#marked = found.markedNumber;
    this.#end = verdict.end;
    const { cutFrom, end, voidFrom, nextNumber } = verdict;
    this.#append(nextNumber, { firstIndex: cutFrom, terms: [], voidFrom, durableNumber: voidFrom - 1 });
    if (cutFrom <= end.index) {
      const term = verdict.runs.at(-1)?.term ?? found.floor?.term ?? 0;
      this.#end = { number: nextNumber, index: cutFrom - 1, term };
    }
  }

  judge(): Verdict {
    return recover({
      blocks: this.#blocks,
      stray: 'none',
      hardState: { kind: 'found', hardState: { term: this.#term, votedFor: null } },
      markedNumber: this.#marked,
      floor: this.#floor,
    });
  }

  holes(): Extract<Verdict, { kind: 'holes' }>['holes'] {
    const verdict = this.judge();
    return verdict.kind === 'holes' ? verdict.holes : [];
  }

  write(firstIndex: number, terms: readonly number[]): void {
    this.#term = Math.max(this.#term, ...terms);
    const number = this.#end.number + 1;
    this.#append(number, { firstIndex, terms });
    this.#end = { number, index: firstIndex + terms.length - 1, term: terms.at(-1) ?? 0 };
  }

  /** The last entry that is missing, then the one before it, as `log` has them: each must leave fewer missing. */
  repairAll(log: readonly number[]): void {
    for (let holes = this.holes(); holes.length > 0; ) {
      const last = holes.at(-1);
      const term = log[(last?.to ?? 0) - 1];
      if (last === undefined || term === undefined) throw new Error('a hole beyond the log');
      this.#append(this.#end.number + 1, { firstIndex: last.to, terms: [term], repairs: true });
      const left = this.holes();
      if (missing(left) >= missing(holes)) throw new Error(`${JSON.stringify(holes)} is not repaired`);
      holes = left;
    }
  }

  #append(
    number: number,
    block: { firstIndex: number; terms: readonly number[] } & Partial<
      Pick<IntactBlock, 'voidFrom' | 'repairs' | 'durableNumber'>
    >,
  ): void {
    const { firstIndex, terms, voidFrom = 0, repairs = false, durableNumber = number - 1 } = block;
    const runs = terms.map((term, i) => ({ term, firstIndex: firstIndex + i }));
    this.#blocks.push({
      intact: true,
      number,
      firstIndex,
      entryCount: terms.length,
      runs: runs.filter(({ term }, i) => runs[i - 1]?.term !== term),
      predecessor: this.#end,
      hardStateTerm: this.#term,
      durableNumber,
      voidFrom,
      repairs,
    });
    this.#marked = number;
    this.#end = { ...this.#end, number };
  }
}

function missing(holes: readonly { readonly from: number; readonly to: number }[]): number {
  return holes.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}
