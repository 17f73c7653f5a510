import { crc32 } from '../../doors/checksum.ts';
import type { GroupId } from '../../raft/identity.ts';

/** Which of so many shards keeps the log of a group. It stands nowhere on disk, so it never changes. */
export function shardNumberOf(group: GroupId, shards: number): number {
  return crc32(Buffer.from(group, 'latin1')) % shards;
}
