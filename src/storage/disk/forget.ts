import type { Disk } from '../../doors/disk.ts';
import { makeBackend } from './backends/make-backend.ts';
import type { FileStorageSettings } from './file-storage.ts';
import { type IdentityRecord, writeIdentity } from './identity-file.ts';
import { eraseShard } from './scan-shard.ts';

/** What stands beside the folders of shards and snapshots; with the names that they are written under first. */
const FILES = /^(hard-state-[12]|mark|floor-[^~]+~?)$/;
const SNAPSHOTS = /^snapshots-/;

/**
 * Makes a storage that is to be forgotten one that was just created. The new identity comes first: with boot 0,
 * which no storage that was ever opened has, it says that whatever else is there is of another. So a
 * crash leaves the old storage whole, or one that is emptied before it is opened. Were anything of the
 * old one removed first, it might be opened again as if it had never voted.
 *
 * @param identity - that of the storage to be, with boot 0. It may stand there from an attempt that a crash
 *   ended; it is written again, since what a process before this one renamed may be in the cache only.
 */
export async function forgetStorage(settings: FileStorageSettings, identity: IdentityRecord): Promise<void> {
  const { directory, doors, shards } = settings;
  const { disk } = doors;
  await writeIdentity(disk, directory, identity);
  for (let number = 0; number < shards; number += 1) {
    const folder = `${directory}/shard-${number}`;
    await disk.makeDirectory(folder);
    await eraseShard(makeBackend(settings, folder, 0), folder);
  }
  for (const name of await disk.list(directory)) {
    if (SNAPSHOTS.test(name)) await removeFiles(disk, `${directory}/${name}`, /./);
  }
  await removeFiles(disk, directory, FILES);
}

/** The folder stays: an empty one is as good as none. */
async function removeFiles(disk: Disk, folder: string, names: RegExp): Promise<void> {
  for (const name of await disk.list(folder)) if (names.test(name)) await disk.remove(`${folder}/${name}`);
  await disk.syncDirectory(folder);
}
