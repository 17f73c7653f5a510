import type { HardState } from '../../raft/effect.ts';
import type { Index, Term, TermRun } from '../../raft/entry.ts';
import type { BlockHeader, LogEnd } from './block-header.ts';
import { type Replay, replay } from './replay.ts';

/** What the disk shows of one group. Facts only; `recover` says what they mean. */
export interface Records {
  /** In any order. A number may be found twice, once whole and once not. */
  readonly blocks: readonly FoundBlock[];
  /** Bytes of the shard that belong to no block that can be named. */
  readonly stray: Stray;
  readonly hardState: FoundHardState;
  /** The highest block that the mark says was durable; 0 without a mark. */
  readonly markedNumber: number;
  readonly floor: FoundFloor | 'damaged' | null;
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

/** Blocks that are not there, and the entries that they held at least; null when they held none. */
export interface Hole extends NumberRange {
  readonly entries: { readonly from: Index; readonly to: Index } | null;
}

/** What a disk means. Whatever is not `clean` is never guessed at. */
export type Verdict =
  | CleanVerdict
  /** Blocks in the middle are missing or changed: a crash cannot do that. The end of the log is known. */
  | {
      readonly kind: 'holes';
      readonly holes: readonly Hole[];
      readonly end: LogEnd;
      readonly why: string | null;
    }
  /** The end is missing, or may be: this replica may have promised more than it knows. */
  | {
      readonly kind: 'tail-lost';
      readonly lost: NumberRange;
      /** The end of what is left in one piece. */
      readonly after: LogEnd;
      readonly why: string;
    }
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
  const replayed = replay(live, floor === 'damaged' ? null : floor);

  const hardState = recoverHardState(records.hardState, live, replayed.end);
  if ('why' in hardState) return { kind: 'hard-state-lost', ...hardState };

  const missing = missingRanges(first, durable, isThere);
  const highest = live.at(-1)?.number ?? first - 1;
  const lastMissing = missing.at(-1);
  if (lastMissing !== undefined && lastMissing.to > highest) {
    const why = `block ${durable} was durable, and the last one found is ${highest}`;
    return { kind: 'tail-lost', lost: lastMissing, after: pieceBefore(live, lastMissing.from, floor), why };
  }
  const seen = Math.max(kept, ...blocks.map(({ number }) => number));
  const changed = blocks.some((block) => !block.intact && !block.torn && block.number > kept);
  const strayDamage = records.stray === 'damaged' && missing.length === 0;
  if (changed || strayDamage) {
    return {
      kind: 'tail-lost',
      lost: { from: kept + 1, to: Math.max(kept + 1, seen) },
      after: replayed.end,
      why: 'what follows the last whole block was changed after it was written, and may have been acknowledged',
    };
  }
  const holes = holesIn(missing, { live, replayed, floor });
  if (holes.length > 0 || floor === 'damaged') {
    const why =
      floor === 'damaged'
        ? 'the floor file is damaged or missing, so it is not known where the log begins'
        : null;
    return { kind: 'holes', holes, end: replayed.end, why };
  }
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

/** A block says where the log ended before it, so the entries of a hole are known as far as the log kept them. */
function holesIn(
  missing: readonly NumberRange[],
  found: {
    readonly live: readonly IntactBlock[];
    readonly replayed: Replay;
    readonly floor: Records['floor'];
  },
): Hole[] {
  const { live, replayed, floor } = found;
  const begin = floor === null || floor === 'damaged' ? 1 : floor.index + 1;
  // Where a block is missing, those that followed it cannot fit.
  const ranges =
    missing.length > 0 ? missing : replayed.misfits.map((number) => ({ from: number, to: number }));
  return ranges.map((range) => {
    const before = live.findLast(({ number }) => number < range.from);
    const after = live.find(({ number }) => number > range.to);
    const from = before === undefined ? begin : before.firstIndex + before.entryCount;
    const to = after?.predecessor.index ?? from - 1;
    return { ...range, entries: from <= to ? { from, to } : null };
  });
}

function pieceBefore(live: readonly IntactBlock[], lost: number, floor: Records['floor']): LogEnd {
  const piece = live.filter(({ number }) => number < lost);
  return replay(piece, floor === 'damaged' ? null : floor).end;
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
