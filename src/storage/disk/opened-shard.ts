import type { GroupId } from '../../raft/identity.ts';
import type { Backend } from './backends/backend.ts';
import { makeBackend } from './backends/make-backend.ts';
import { puttingAsideFirst, unreadableShard } from './backends/unreadable.ts';
import type { FileStorageSettings } from './file-storage.ts';
import { FoundBlocks } from './found-blocks.ts';
import type { MarkFile } from './mark-file.ts';
import { freeFolder } from './put-aside.ts';
import { noFolder, scanShard } from './scan-shard.ts';
import { Shard, type ShardHost } from './shard.ts';

export interface OpenedShard {
  readonly shard: Shard;
  readonly found: FoundBlocks;
  /** By group, a block that its log is known to have lost with its tail. */
  readonly lostNumbers: Map<GroupId, number>;
}

export interface ShardPlace
  extends Pick<FileStorageSettings, 'directory' | 'doors' | 'backend' | 'segmentBytes' | 'logAlone'> {
  readonly seed: number;
  readonly number: number;
  /** Its folder is made before a storage's identity is, so one that is missing was lost with all that was in it. */
  readonly isThere: boolean;
}

export function shardName(number: number): string {
  return `shard-${number}`;
}

/**
 * What of a shard cannot be read counts as missing. Nothing of it is changed before something is written, and not even
 * a folder is made that is missing: as long as nobody relies on what is left, all the evidence stays.
 */
export async function openShard(place: ShardPlace, marks: MarkFile, host: ShardHost): Promise<OpenedShard> {
  const backend = place.isThere ? await backendOf(place) : null;
  const name = shardName(place.number);
  const scan =
    backend === null
      ? unreadableShard(noFolder(name))
      : await scanShard(backend, name, { isThorough: place.logAlone === true });
  const lostNumbers = new Map<GroupId, number>();
  const replace = async (): Promise<Backend> => {
    await markLost(lostNumbers, marks);
    if (host.failure !== null) throw host.failure;
    return backend === null ? begin(place) : putAside(backend, place);
  };
  const isWhole = backend !== null && scan.unreadable === null;
  const used = isWhole ? backend : puttingAsideFirst(backend, replace);
  return { shard: new Shard(used, host), found: new FoundBlocks(scan), lostNumbers };
}

/**
 * What could not be read goes, and with it all that tells some groups that their tails are lost. So their marks tell it
 * first: of a block that was durable and is not there. That may claim too much, where a group never had that
 * block, and costs it no more than to take a leader's log. A crash after it finds the tail lost, whichever step came last.
 */
async function markLost(lostNumbers: ReadonlyMap<GroupId, number>, marks: MarkFile): Promise<void> {
  for (const [group, lost] of lostNumbers) {
    marks.set(group, { durableNumber: Math.max(lost, marks.find(group).durableNumber) });
  }
  await marks.settle();
}

async function putAside(backend: Backend, { directory, doors, number }: ShardPlace): Promise<Backend> {
  const { disk } = doors;
  const folder = `${directory}/${await freeFolder(disk, directory)}`;
  await disk.makeDirectory(folder);
  await disk.syncDirectory(directory);
  await backend.putAside(`${folder}/${shardName(number)}`);
  await disk.syncDirectory(folder);
  await disk.syncDirectory(directory);
  return backend;
}

async function begin(place: ShardPlace): Promise<Backend> {
  const backend = await backendOf(place);
  await place.doors.disk.syncDirectory(place.directory);
  await backend.scan({ isThorough: false });
  return backend;
}

async function backendOf(place: ShardPlace): Promise<Backend> {
  const folder = `${place.directory}/${shardName(place.number)}`;
  await place.doors.disk.makeDirectory(folder);
  return makeBackend(place, folder, place.seed);
}
