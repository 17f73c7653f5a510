import type { Disk } from '../../doors/disk.ts';
import { StorageRefused } from '../errors.ts';
import type { FileStorageSettings } from './file-storage.ts';
import { type IdentityRecord, writeIdentity } from './identity-file.ts';
import { readWholeFile } from './record.ts';

/** What a storage is made of, beside its identity; with the names that files are written under first. */
const PARTS = /^(hard-state-[12]|mark|floor-[^~]+~?|shard-\d+|snapshots-.+)$/;
const IDENTITY = 'identity';

/**
 * Makes a storage whose promises are lost one that was just created, and keeps all that it was: in `damaged-1`, or the
 * first such folder that is free, as a directory of its own that `kontiki inspect` and `recover` can be given.
 *
 * The old identity is copied there first. Then comes the new one, with boot 0, which says that whatever else stands
 * beside it is of another and is to be moved. So a crash leaves the old storage whole, to be refused as before, or one
 * that is moved to its end before it is opened. Were any part moved first, what is left might open as if it were all.
 *
 * @param identity - that of the storage to be, with boot 0.
 */
export async function putAside(
  settings: FileStorageSettings,
  identity: IdentityRecord,
  why: string,
): Promise<IdentityRecord> {
  const { directory, doors } = settings;
  const { disk } = doors;
  const folder = await freeFolder(disk, directory);
  await disk.makeDirectory(`${directory}/${folder}`);
  await copyIdentity(disk, directory, folder);
  await disk.syncDirectory(directory);
  const begun = { ...identity, putAside: { folder, why, isMoved: false } };
  await writeIdentity(disk, directory, begun);
  return finishPuttingAside(settings, begun);
}

/** Moves what is left to be moved. Until it says so, nothing was made anew in the place of what was moved. */
export async function finishPuttingAside(
  { directory, doors }: FileStorageSettings,
  identity: IdentityRecord,
): Promise<IdentityRecord> {
  const { disk } = doors;
  const { putAside: aside } = identity;
  if (aside === undefined || aside.isMoved) return identity;
  const to = `${directory}/${aside.folder}`;
  const moved = await disk.list(to);
  for (const name of await disk.list(directory)) {
    if (!PARTS.test(name)) continue;
    if (moved.includes(name)) throw inTheWay(directory, `${aside.folder}/${name}`);
    await disk.rename(`${directory}/${name}`, `${to}/${name}`);
  }
  // A rename is durable with the folder it leads to. What a process before this one renamed is synced as well.
  await disk.syncDirectory(to);
  await disk.syncDirectory(directory);
  const done = { ...identity, putAside: { ...aside, isMoved: true } };
  await writeIdentity(disk, directory, done);
  return done;
}

/** The first of which nothing is there, but for what an attempt left that a crash ended. */
export async function freeFolder(disk: Disk, directory: string): Promise<string> {
  const names = await disk.list(directory);
  for (let number = 1; ; number += 1) {
    const folder = `damaged-${number}`;
    if (!names.includes(folder)) return folder;
    const inside = await disk.list(`${directory}/${folder}`);
    if (inside.every((name) => name === IDENTITY)) return folder;
  }
}

/** Byte by byte, damaged or not. */
async function copyIdentity(disk: Disk, directory: string, folder: string): Promise<void> {
  const bytes = await readWholeFile(disk, `${directory}/${IDENTITY}`);
  if (bytes === null) return;
  const copy = await disk.open(`${directory}/${folder}/${IDENTITY}`, { create: true });
  try {
    await copy.truncate(0);
    await copy.write(0, bytes);
    await copy.sync();
  } finally {
    await copy.close();
  }
  await disk.syncDirectory(`${directory}/${folder}`);
}

function inTheWay(directory: string, name: string): StorageRefused {
  return new StorageRefused(
    'damaged',
    `${directory}: what a damaged storage was is being put aside, and ${name} is there already. Move it elsewhere.`,
  );
}
