import { nodesWithZstd, type Work } from '../../doors/work.ts';
import type { GroupId } from '../../raft/identity.ts';
import { StorageRefused } from '../errors.ts';
import type { ScannedBlock } from './backends/backend.ts';

/**
 * Refuses a log with blocks that this machine cannot decompress. They are whole, so that nothing else would
 * tell before they are read.
 *
 * @throws StorageRefused (`missing-codec`)
 */
export function refuseMissingCodec(
  blocks: readonly ScannedBlock[],
  where: { readonly directory: string; readonly group: GroupId; readonly lowestNumber: number },
  work: Work,
): void {
  if (work.zstd !== null) return;
  const { directory, group, lowestNumber } = where;
  let [count, first] = [0, Number.POSITIVE_INFINITY];
  for (const block of blocks) {
    if (!block.intact || block.header.codec !== 'zstd' || block.header.number < lowestNumber) continue;
    count += 1;
    first = Math.min(first, block.header.number);
  }
  if (count === 0) return;
  throw new StorageRefused(
    'missing-codec',
    `${directory}: ${count} blocks of group ${group}, from block ${first} on, are compressed with zstd, which this ` +
      `Node does not have. Open it with ${nodesWithZstd}.`,
  );
}
