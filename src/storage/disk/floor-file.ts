import type { Disk } from '../../doors/disk.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor } from '../contract.ts';
import { readRecordFile, replaceRecordFile } from './record.ts';

/** A group's floor, and what was known of its blocks when the floor was written. */
export interface FloorRecord extends LogFloor {
  /** Of the blocks that are still part of the log. */
  readonly lowestNumber: number;
  /** The highest block that was durable. */
  readonly durableNumber: number;
}

/** @returns null when the group never had one; `damaged` when it is there and cannot be read. */
export async function readFloor(
  disk: Disk,
  directory: string,
  group: GroupId,
  seed: number,
): Promise<FloorRecord | null | 'damaged'> {
  const record = await readRecordFile(disk, `${directory}/${nameOf(group)}`, seed);
  if (record.kind === 'blank') return null;
  return record.kind === 'invalid' ? 'damaged' : (record.value as FloorRecord);
}

export function writeFloor(
  disk: Disk,
  place: { readonly directory: string; readonly group: GroupId },
  floor: FloorRecord,
  seed: number,
): Promise<void> {
  return replaceRecordFile(disk, { directory: place.directory, name: nameOf(place.group) }, floor, seed);
}

function nameOf(group: GroupId): string {
  return `floor-${group}`;
}
