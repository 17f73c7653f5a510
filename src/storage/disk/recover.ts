import type { HardState } from '../../raft/effect.ts';
import type { Index, Term, TermRun } from '../../raft/entry.ts';
import type { BlockHeader, LogEnd } from './block-header.ts';

/** What the disk shows of one group. Facts only; `recover` says what they mean. */
export interface Records {
  /** In any order. A number may be found twice, once whole and once not. */
  readonly blocks: readonly FoundBlock[];
  /** Bytes after the last block that are none: nothing, the rest of an interrupted write, or damage. */
  readonly tail: Tail;
  readonly hardState: FoundHardState;
  /** The highest block that the mark says was durable; 0 without a mark. */
  readonly markedNumber: number;
  readonly floor: FoundFloor | null;
}

export type Tail = 'none' | 'torn' | 'damaged';

export type FoundBlock =
  | ({ readonly intact: true } & Pick<
      BlockHeader,
      | 'number'
      | 'firstIndex'
      | 'entryCount'
      | 'runs'
      | 'predecessor'
      | 'hardStateTerm'
      | 'durableNumber'
      | 'voidFrom'
    >)
  /** `torn`: part of it was never written, as an interrupted write leaves it. Else it was changed. */
  | { readonly intact: false; readonly number: number; readonly torn: boolean };

type IntactBlock = Extract<FoundBlock, { intact: true }>;

export type FoundHardState =
  | { readonly kind: 'none' }
  | { readonly kind: 'found'; readonly hardState: HardState }
  | { readonly kind: 'damaged' };

export interface FoundFloor {
  readonly index: Index;
  readonly term: Term;
  /** Blocks below this number are dead, wherever their indexes lie. */
  readonly lowestNumber: number;
}

/** Numbers of blocks, both ends inclusive. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** What a disk means. Whatever is not `clean` is never guessed at. */
export type Verdict =
  | CleanVerdict
  /** Blocks in the middle are missing or changed: a crash cannot do that. The end of the log is known. */
  | { readonly kind: 'holes'; readonly holes: readonly NumberRange[]; readonly end: LogEnd }
  /** The end is missing, or may be: this replica may have promised more than it knows. */
  | { readonly kind: 'tail-lost'; readonly lost: NumberRange; readonly why: string }
  /** It may have voted, and does not know how. */
  | { readonly kind: 'hard-state-lost'; readonly why: string };

export interface CleanVerdict {
  readonly kind: 'clean';
  readonly hardState: HardState;
  /** Numbers of the blocks that make up the log, in order. */
  readonly live: readonly number[];
  readonly end: LogEnd;
  readonly runs: readonly TermRun[];
  /** Above every number ever seen: the next open record takes it. */
  readonly nextNumber: number;
  /** Blocks `voidFrom` .. `nextNumber - 1` were proven unacknowledged, and are cut. */
  readonly voidFrom: number;
}

const noHardState: HardState = { term: 0, votedFor: null };

/**
 * What one group's records mean. Pure, so that it can be tried on every disk a crash or damage can leave.
 *
 * Let D be the highest number that anything says was durable: the mark, or a block, for each names the
 * highest that was durable when it was submitted. Up to D every block must be there, or be voided.
 *
 * Beyond D lies at most one commit, the last, which may or may not have been synced: the shard has one
 * write in flight, so a block of a later commit would have named this one's blocks durable. A crash
 * may leave any part of it, and what is left up to the first gap is kept: those are writes that were
 * asked for, in order, acknowledged or not. The rest is cut: a gap in a commit proves that it was never
 * synced, hence never acknowledged. Only if the gap looks like damage and not like a write that did not
 * come to its end, is it not proven, and nothing is cut.
 *
 * Not seen: synced blocks that vanish together with their mark in one power cut.
 */
export function recover(records: Records): Verdict {
  const first = records.floor?.lowestNumber ?? 1;
  const blocks = records.blocks.filter(({ number }) => number >= first);
  const intact = new Map<number, IntactBlock>();
  for (const block of blocks) if (block.intact) intact.set(block.number, block);
  const voided = voidedBy([...intact.values()]);
  const durable = durableNumber(records, [...intact.values()], first);

  const missing = rangesOf(first, durable, (number) => !intact.has(number) && !voided(number));
  const highest = Math.max(first - 1, ...intact.keys());
  const lastMissing = missing.at(-1);
  if (lastMissing !== undefined && lastMissing.to >= highest) {
    return {
      kind: 'tail-lost',
      lost: lastMissing,
      why: `block ${durable} was durable, and the last one found is ${highest}`,
    };
  }

  let kept = durable;
  while (intact.has(kept + 1)) kept += 1;
  const seen = Math.max(kept, highest, ...blocks.map(({ number }) => number), records.markedNumber);
  const changed = blocks.find((block) => !block.intact && !block.torn && block.number > kept);
  if (changed !== undefined || (records.tail === 'damaged' && missing.length === 0)) {
    return {
      kind: 'tail-lost',
      lost: { from: kept + 1, to: Math.max(kept + 1, seen) },
      why: 'what follows the last whole block was changed after it was written, and may have been acknowledged',
    };
  }

  const live: IntactBlock[] = [];
  for (let number = first; number <= kept; number += 1) {
    const block = intact.get(number);
    if (block !== undefined && !voided(number)) live.push(block);
  }
  const replayed = replay(live, records.floor);
  const holes = [...missing, ...replayed.gaps];
  if (holes.length > 0) return { kind: 'holes', holes, end: replayed.end };

  const hardState = recoverHardState(records.hardState, live, replayed.end);
  if ('why' in hardState) return { kind: 'hard-state-lost', ...hardState };
  return {
    kind: 'clean',
    hardState,
    live: live.map(({ number }) => number),
    end: replayed.end,
    runs: replayed.runs,
    nextNumber: seen + 1,
    voidFrom: kept + 1,
  };
}

function voidedBy(blocks: readonly IntactBlock[]): (number: number) => boolean {
  const ranges = blocks
    .filter(({ voidFrom }) => voidFrom > 0)
    .map(({ number, voidFrom }) => ({ from: voidFrom, to: number - 1 }));
  return (number) => ranges.some(({ from, to }) => from <= number && number <= to);
}

/** An open record is submitted only when everything before it that is not void is durable. */
function durableNumber(records: Records, blocks: readonly IntactBlock[], first: number): number {
  let durable = Math.max(first - 1, records.markedNumber);
  for (const block of blocks) {
    const told = block.voidFrom > 0 ? block.number - 1 : block.durableNumber;
    if (told > durable) durable = told;
  }
  return durable;
}

/** The maximal runs of numbers in `from` .. `to` (inclusive) that are missing. */
function rangesOf(from: number, to: number, isMissing: (number: number) => boolean): NumberRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (let number = from; number <= to; number += 1) {
    if (!isMissing(number)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.to === number - 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges;
}

/** Each block cuts the log at its first index and appends. A block that does not fit shows a gap before it. */
function replay(
  live: readonly IntactBlock[],
  floor: FoundFloor | null,
): { end: LogEnd; runs: TermRun[]; gaps: NumberRange[] } {
  const floorIndex = floor?.index ?? 0;
  const floorTerm = floor?.term ?? 0;
  const gaps: NumberRange[] = [];
  let runs: TermRun[] = [];
  let index = floorIndex;
  let number = 0;
  for (const block of live) {
    const last = block.firstIndex + block.entryCount - 1;
    if (block.firstIndex > index + 1 && last > floorIndex) {
      gaps.push({ from: block.number, to: block.number });
    }
    runs = runs.filter((run) => run.firstIndex < block.firstIndex);
    for (const run of block.runs) {
      if (runs.at(-1)?.term !== run.term) runs.push(run);
    }
    index = Math.max(floorIndex, last);
    number = block.number;
  }
  runs = afterFloor(runs, floorIndex, index);
  return { end: { number, index, term: runs.at(-1)?.term ?? floorTerm }, runs, gaps };
}

function afterFloor(runs: readonly TermRun[], floorIndex: Index, lastIndex: Index): TermRun[] {
  const kept: TermRun[] = [];
  for (const [position, run] of runs.entries()) {
    const to = (runs[position + 1]?.firstIndex ?? lastIndex + 1) - 1;
    const firstIndex = Math.max(run.firstIndex, floorIndex + 1);
    if (firstIndex <= to) kept.push({ term: run.term, firstIndex });
  }
  return kept;
}

/** A block of a term is submitted only after that term's hard state is durable: one ahead of it proves it lost. */
function recoverHardState(
  found: FoundHardState,
  live: readonly IntactBlock[],
  end: LogEnd,
): HardState | { readonly why: string } {
  if (found.kind === 'damaged') return { why: 'both copies of the hard state are damaged' };
  const hardState = found.kind === 'found' ? found.hardState : noHardState;
  const needed = Math.max(end.term, ...live.map(({ hardStateTerm }) => hardStateTerm), 0);
  if (needed <= hardState.term) return hardState;
  return {
    why: `a block was written in term ${needed}, but the hard state found is of term ${hardState.term}`,
  };
}
