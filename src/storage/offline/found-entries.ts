import type { Entry, Index } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import { LiveBlocks } from '../disk/live-blocks.ts';
import { voidedBy } from '../disk/recover.ts';
import { replay } from '../disk/replay.ts';
import type { StoredBlock } from '../disk/stored-block.ts';
import { InspectionRefused } from '../errors.ts';
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
  if (from <= floorIndex) {
    const range = { from, to: Math.min(to, floorIndex) };
    yield { kind: 'missing', range, why: `a snapshot took their place: the log begins at ${floorIndex + 1}` };
  }
  let next = Math.max(from, floorIndex + 1);
  for (const { block, firstIndex, lastIndex } of blocksOf(judged).held()) {
    const [first, last] = [Math.max(firstIndex, next), Math.min(lastIndex, to)];
    if (first > last) continue;
    if (first > next)
      yield { kind: 'missing', range: { from: next, to: first - 1 }, why: 'no whole block has them' };
    stopped.step({ doing: `reading entries of group ${group}`, done: first - from, all: to - from + 1 });
    const { number } = block.header;
    try {
      for (const entry of await stopped.entriesOf(judged.shard, block)) {
        if (entry.index >= first && entry.index <= last) yield { kind: 'entry', entry, block: number };
      }
    } catch (error) {
      const why = `block ${number} cannot be decoded: ${(error as Error).message}`;
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

/** Of a clean log what it is made of; else whatever is whole and not void. */
function blocksOf({ group, shard, verdict, floor }: JudgedGroup): LiveBlocks<StoredBlock> {
  if (verdict.kind === 'clean') return replay(shard.found.liveOf(group, verdict.live), floor).blocks;
  const whole = shard.found.wholeOf(group);
  const blocks = new LiveBlocks<StoredBlock>();
  const isVoid = voidedBy(whole.map(({ header }) => header));
  for (const block of whole) {
    const { number, repairs } = block.header;
    if (number < (floor?.lowestNumber ?? 1) || isVoid(number)) continue;
    // No block counts as lost here: that would put what was held before it in doubt.
    if (repairs) blocks.fill(block);
    else blocks.add(block);
  }
  return blocks;
}
