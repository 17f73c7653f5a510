import type { Entry, Index } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import { InspectionRefused } from '../errors.ts';
import { wholeBlocksOf } from './block-account.ts';
import type { JudgedGroup, StoppedDirectory } from './stopped-directory.ts';

/** Inclusive. */
export interface EntryRange {
  readonly from: Index;
  readonly to: Index;
}

/** An entry that is there, or what stands in the place of those that are not. */
export type FoundEntry =
  | { readonly kind: 'entry'; readonly entry: Entry; readonly block: number }
  | { readonly kind: 'missing'; readonly range: EntryRange; readonly why: string };

type WholeBlock = ReturnType<typeof wholeBlocksOf>[number];

/**
 * The entries of a range, in order. Of a damaged log those of its whole blocks: they were written, but what is missing
 * between them may have cut some of them off.
 *
 * @throws InspectionRefused (`not-a-storage`) when there is no such group.
 */
export async function* entriesIn(
  stopped: StoppedDirectory,
  group: GroupId,
  { from, to }: EntryRange,
): AsyncGenerator<FoundEntry> {
  if (!stopped.groups.includes(group)) {
    const groups = stopped.groups.join(', ');
    const found = groups === '' ? 'it holds no group yet' : `it holds ${groups}. Name one with --group`;
    throw new InspectionRefused('not-a-storage', `${stopped.directory} holds no group ${group}; ${found}`);
  }
  const judged = await stopped.judge(group);
  const floorIndex = judged.floor?.index ?? 0;
  const holders = holdersOf(liveBlocks(judged), { from: Math.max(from, floorIndex + 1), to });
  if (from <= floorIndex) {
    const range = { from, to: Math.min(to, floorIndex) };
    yield { kind: 'missing', range, why: `a snapshot took their place: the log begins at ${floorIndex + 1}` };
  }
  let next = Math.max(from, floorIndex + 1);
  for (const { block, first, last } of holders) {
    if (first > next)
      yield { kind: 'missing', range: { from: next, to: first - 1 }, why: 'no whole block has them' };
    stopped.step({ doing: `reading entries of group ${group}`, done: first - from, all: to - from + 1 });
    const { header, location } = block;
    try {
      for (const entry of await stopped.entriesOf(judged.shard, header, location)) {
        if (entry.index >= first && entry.index <= last) yield { kind: 'entry', entry, block: header.number };
      }
    } catch (error) {
      const why = `block ${header.number} cannot be decoded: ${(error as Error).message}`;
      yield { kind: 'missing', range: { from: first, to: last }, why };
    }
    next = last + 1;
  }
  if (next <= to) {
    const isEnd = judged.verdict.kind === 'clean';
    const why = isEnd ? `the log ends at ${judged.verdict.end.index}` : 'no whole block has them';
    yield { kind: 'missing', range: { from: next, to }, why };
  }
}

/** Of a clean log the blocks that make it up; else those that are whole and not void. */
function liveBlocks({ group, shard, verdict, floor }: JudgedGroup): WholeBlock[] {
  const whole = wholeBlocksOf(shard.found.of(group));
  if (verdict.kind === 'clean') {
    const live = new Set(verdict.live);
    return whole.filter(({ header }) => live.has(header.number));
  }
  const voids = whole.filter(({ header }) => header.voidFrom > 0).map(({ header }) => header);
  return whole.filter(({ header: { number } }) => {
    const isVoid = voids.some((open) => open.voidFrom <= number && number < open.number);
    return number >= (floor?.lowestNumber ?? 1) && !isVoid;
  });
}

/** Which block holds which part of the range: each cuts at its first index, and brings its entries. */
function holdersOf(
  blocks: readonly WholeBlock[],
  { from, to }: EntryRange,
): { readonly block: WholeBlock; readonly first: Index; readonly last: Index }[] {
  const held: { block: WholeBlock; first: Index; last: Index }[] = [];
  for (const block of blocks) {
    const { firstIndex, entryCount } = block.header;
    while ((held.at(-1)?.first ?? 0) >= firstIndex) held.pop();
    const cut = held.at(-1);
    if (cut !== undefined) cut.last = Math.min(cut.last, firstIndex - 1);
    const [first, last] = [Math.max(firstIndex, from), Math.min(firstIndex + entryCount - 1, to)];
    if (first <= last) held.push({ block, first, last });
  }
  return held;
}
