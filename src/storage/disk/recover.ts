import type { HardState } from '../../raft/effect.ts';
import type { Index, Term, TermRun } from '../../raft/entry.ts';
import type { LogHole, LogPosition } from '../contract.ts';
import type { BlockHeader, LogEnd } from './block-header.ts';
import { isHole, lastBefore } from './live-blocks.ts';
import { type LogStart, replay } from './replay.ts';

/** What the disk shows of one group. Facts only; `recover` says what they mean. */
export interface Records {
  /** In any order. A number may be found twice, once whole and once not. */
  readonly blocks: readonly FoundBlock[];
  /** Bytes that belong to no block that can be named, and may be one of this group after its last whole one. */
  readonly stray: Stray;
  readonly hardState: FoundHardState;
  /** The highest block that the mark says was durable; 0 without a mark. */
  readonly markedNumber: number;
  readonly floor: FoundFloor | 'damaged' | null;
  /**
   * The snapshot that the floor stands on is lost: the newest whole one before it, all zero when there is none. Absent or
   * null when nothing is lost. See lost-snapshot.ts.
   */
  readonly below?: LogStart | null;
}

/** `torn`: the rest of an interrupted write. `damaged`: no interrupted write looks like this. */
export type Stray = 'none' | 'torn' | 'damaged';

export type FoundBlock =
  | ({ readonly intact: true } & Pick<
      BlockHeader,
      | 'number'
      | 'firstIndex'
      | 'entryCount'
      | 'runs'
      | 'predecessor'
      | 'repairs'
      | 'hardStateTerm'
      | 'durableNumber'
      | 'voidFrom'
    >)
  /** `torn`: part of it was never written, as an interrupted write leaves it. Else it was changed. */
  | { readonly intact: false; readonly number: number; readonly torn: boolean };

export type IntactBlock = Extract<FoundBlock, { intact: true }>;

export type FoundHardState =
  | { readonly kind: 'none' }
  | { readonly kind: 'found'; readonly hardState: HardState }
  | { readonly kind: 'damaged' };

export interface FoundFloor {
  readonly index: Index;
  readonly term: Term;
  /** Blocks below this number are dead, wherever their indexes lie. */
  readonly lowestNumber: number;
  /** The highest block that was durable when the floor was written. */
  readonly durableNumber: number;
}

/** Numbers of blocks, both ends inclusive. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** What a disk means. Whatever is not there is never guessed at. */
export type Verdict = OpenVerdict | RefusedVerdict;

/** The log can be opened: at least a part of it, from its floor on, is known. */
export type OpenVerdict = Opening &
  (
    | { readonly kind: 'clean' }
    /** Entries in the middle are missing: a crash cannot do that. The end of the log is known. */
    | {
        readonly kind: 'holes';
        readonly holes: readonly LogHole[];
        readonly end: LogPosition;
        /** The blocks that are not there. Empty when a floor made their numbers dead. */
        readonly missing: readonly NumberRange[];
      }
    /** The end is missing, or may be: this replica may have promised more than it knows. */
    | { readonly kind: 'tail-lost'; readonly lost: NumberRange; readonly why: string }
  );

export type RefusedVerdict =
  /** It may have voted, and does not know how. */
  | { readonly kind: 'hard-state-lost'; readonly why: string }
  /** It is not known where the log begins. */
  | { readonly kind: 'floor-lost'; readonly why: string };

/** How a log is opened: what it is, and the open record that is to be written first. */
export interface Opening {
  readonly hardState: HardState;
  /** Numbers of the blocks that make up the log, in order. */
  readonly live: readonly number[];
  /** The log's end as these blocks tell it, held or not: what the open record is written upon. */
  readonly end: LogEnd;
  /** The last entry before the first that is missing. */
  readonly lastIndex: Index;
  /** Terms of the entries up to there. */
  readonly runs: readonly TermRun[];
  /** Where the open record cuts: after `end`; after `lastIndex` when nothing behind it is sure. */
  readonly cutFrom: Index;
  /** Above every number ever seen: the open record takes it. */
  readonly nextNumber: number;
  /** Blocks `voidFrom` .. `nextNumber - 1` are none of the log: they were not acknowledged, or are given up. */
  readonly voidFrom: number;
}

const noHardState: HardState = { term: 0, votedFor: null };

/**
 * What one group's records mean. Pure, so that it can be tried on every disk a crash or damage can leave.
 *
 * Let D be the highest number that anything says was durable: the mark, the floor, or a block, for each names the
 * highest that was durable when it was submitted. Up to D every block must be there, or be voided.
 *
 * Beyond D lies at most one commit, the last, with at most one block of the group: a block of a later
 * commit would have named it durable. It may or may not have been synced. If it is whole it is kept: it
 * was asked for, acknowledged or not. If its write did not come to its end it was never synced, hence
 * never acknowledged, and is cut. If it looks changed, not interrupted, it may have been acknowledged:
 * that is damage, and nothing is cut.
 *
 * Not seen: the last synced block, torn or vanished together with its mark in one power cut.
 */
export function recover(records: Records): Verdict {
  const { floor } = records;
  const first = floor === null || floor === 'damaged' ? 1 : floor.lowestNumber;
  const blocks = records.blocks.filter(({ number }) => number >= first);
  const intact = new Map<number, IntactBlock>();
  for (const block of blocks) if (block.intact) intact.set(block.number, block);
  const voided = voidedBy([...intact.values()]);
  const isThere = (number: number): boolean => intact.has(number) || voided(number);
  const durable = durableNumber(records, [...intact.values()], first);

  let kept = durable;
  while (intact.has(kept + 1)) kept += 1;
  const live: IntactBlock[] = [];
  for (let number = first; number <= kept; number += 1) {
    const block = intact.get(number);
    if (block !== undefined && !voided(number)) live.push(block);
  }
  const below = records.below ?? null;
  const replayed = replay(live.map(asBlock), floor === 'damaged' ? null : floor, below);

  const hardState = recoverHardState(records.hardState, live, replayed.end);
  if ('why' in hardState) return { kind: 'hard-state-lost', ...hardState };
  if (floor === 'damaged') {
    const why = 'the floor file is damaged or missing, so it is not known where the log begins';
    return { kind: 'floor-lost', why };
  }

  const seen = blocks.reduce((highest, { number }) => Math.max(highest, number), kept);
  const found = { live, floor, below, hardState, nextNumber: seen + 1 };
  const missing = missingRanges(first, durable, isThere);
  const highest = live.at(-1)?.number ?? first - 1;
  const lastMissing = missing.at(-1);
  if (lastMissing !== undefined && lastMissing.to > highest) {
    const why = `block ${durable} was durable, and the last one found is ${highest}`;
    return { kind: 'tail-lost', lost: lastMissing, why, ...openingWithoutTail(lastMissing.from, found) };
  }
  const changed = blocks.some((block) => !block.intact && !block.torn && block.number > kept);
  // Without a hard state there never was a block.
  const strayDamage = records.stray === 'damaged' && records.hardState.kind === 'found';
  if (changed || strayDamage) {
    const lost = { from: kept + 1, to: Math.max(kept + 1, seen) };
    const why =
      'what follows the last whole block was changed after it was written, and may have been acknowledged';
    return { kind: 'tail-lost', lost, why, ...openingWithoutTail(lost.from, found) };
  }
  const holes = replayed.gaps.filter(isHole);
  if (holes.length < replayed.gaps.length) {
    const lost = lastMissing ?? { from: kept, to: kept };
    const why = 'the blocks after it cut into what is missing, and do not tell where that ends';
    return { kind: 'tail-lost', lost, why, ...openingWithoutTail(kept + 1, found) };
  }
  const { end } = replayed;
  const lastIndex = lastBefore(holes, end);
  const opening: Opening = {
    hardState,
    live: live.map(({ number }) => number),
    end,
    lastIndex,
    runs: replayed.blocks.runs({ floorIndex: (below ?? floor)?.index ?? 0, lastIndex }),
    cutFrom: end.index + 1,
    nextNumber: seen + 1,
    voidFrom: kept + 1,
  };
  if (holes.length > 0) return { ...opening, kind: 'holes', holes, missing };
  return { ...opening, kind: 'clean' };
}

/** Everything from one block on is given up, and whatever stands behind a hole before it. */
function openingWithoutTail(
  lost: number,
  found: {
    readonly live: readonly IntactBlock[];
    readonly floor: FoundFloor | null;
    readonly below: LogStart | null;
    readonly hardState: HardState;
    readonly nextNumber: number;
  },
): Opening {
  const { floor, below, hardState, nextNumber } = found;
  const live = found.live.filter(({ number }) => number < lost);
  const { blocks, end, gaps } = replay(live.map(asBlock), floor, below);
  const lastIndex = lastBefore(gaps, end);
  return {
    hardState,
    live: live.map(({ number }) => number),
    end,
    lastIndex,
    runs: blocks.runs({ floorIndex: (below ?? floor)?.index ?? 0, lastIndex }),
    cutFrom: lastIndex + 1,
    nextNumber,
    voidFrom: lost,
  };
}

function asBlock(header: IntactBlock): { readonly header: IntactBlock } {
  return { header };
}

/** Which numbers open records say were never part of the log. */
export function voidedBy(
  blocks: readonly Pick<BlockHeader, 'number' | 'voidFrom'>[],
): (number: number) => boolean {
  const ranges = blocks
    // Every clean opening leaves one that voids nothing.
    .filter(({ number, voidFrom }) => voidFrom > 0 && voidFrom < number)
    .map(({ number, voidFrom }) => ({ from: voidFrom, to: number - 1 }));
  return (number) => ranges.some(({ from, to }) => from <= number && number <= to);
}

/** An open record is submitted only when everything before it that is not void is durable. */
function durableNumber(records: Records, blocks: readonly IntactBlock[], first: number): number {
  const { floor } = records;
  const floorTold = floor === null || floor === 'damaged' ? 0 : floor.durableNumber;
  let durable = Math.max(first - 1, records.markedNumber, floorTold);
  for (const block of blocks) {
    const told = block.voidFrom > 0 ? block.number - 1 : block.durableNumber;
    if (told > durable) durable = told;
  }
  return durable;
}

/** The maximal runs of numbers in `from` .. `to` (inclusive) that are not there. */
function missingRanges(from: number, to: number, isThere: (number: number) => boolean): NumberRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (let number = from; number <= to; number += 1) {
    if (isThere(number)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.to === number - 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges;
}

/** As much of it as the blocks tell: no vote, which is never guessed to be one. Not to be promised upon. */
export function hardStateOf({ blocks }: Pick<Records, 'blocks'>): FoundHardState {
  let term = 0;
  for (const block of blocks) if (block.intact) term = Math.max(term, block.hardStateTerm);
  return { kind: 'found', hardState: { term, votedFor: null } };
}

/** A block of a term is submitted only after that term's hard state is durable: one ahead of it proves it lost. */
function recoverHardState(
  found: FoundHardState,
  live: readonly IntactBlock[],
  end: LogEnd,
): HardState | { readonly why: string } {
  if (found.kind === 'damaged') return { why: 'both copies of the hard state are damaged' };
  const hardState = found.kind === 'found' ? found.hardState : noHardState;
  let needed = end.term;
  for (const block of live) needed = Math.max(needed, block.hardStateTerm);
  if (needed <= hardState.term) return hardState;
  return {
    why: `a block was written in term ${needed}, but the hard state found is of term ${hardState.term}`,
  };
}
