import type { Disk } from '../../doors/disk.ts';
import type { GroupId } from '../../raft/identity.ts';
import { type FloorRecord, readFloor } from './floor-file.ts';
import type { FoundBlocks } from './found-blocks.ts';
import type { HardStateFiles } from './hard-state-file.ts';
import type { MarkFile } from './mark-file.ts';
import type { Records } from './recover.ts';

/** Where the records of a storage are found. */
export interface RecordPlaces {
  readonly disk: Disk;
  readonly directory: string;
  readonly seed: number;
  readonly hardStates: HardStateFiles;
  readonly marks: MarkFile;
}

/** The groups of which anything is there, sorted; `shards` is what was found in each. */
export function groupsIn(
  { hardStates, marks }: Pick<RecordPlaces, 'hardStates' | 'marks'>,
  shards: readonly { readonly found: FoundBlocks }[],
): GroupId[] {
  const found = shards.flatMap((shard) => shard.found.groups);
  return [...new Set([...hardStates.groups, ...marks.groups, ...found])].sort();
}

/** What a directory shows of one group, as `recover` takes it, and its floor; null when that is damaged too. */
export async function readRecords(
  group: GroupId,
  { disk, directory, seed, hardStates, marks }: RecordPlaces,
  found: FoundBlocks,
): Promise<{ readonly records: Records; readonly floor: FloorRecord | null }> {
  const mark = marks.find(group);
  const record = await readFloor(disk, directory, group, seed);
  // The mark says that there was a floor, or one further on.
  const isLost = record !== 'damaged' && (record?.lowestNumber ?? 0) < mark.lowestNumber;
  const floor = isLost ? 'damaged' : record;
  const records: Records = {
    blocks: found.of(group).map((block) => (block.intact ? { intact: true, ...block.header } : block)),
    stray: found.stray.after(group),
    hardState: hardStates.find(group),
    markedNumber: mark.durableNumber,
    floor,
  };
  return { records, floor: floor === 'damaged' ? null : floor };
}
