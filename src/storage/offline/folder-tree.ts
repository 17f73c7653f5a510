import type { Disk } from '../../doors/disk.ts';
import { persistently } from '../disk/backends/unreadable.ts';

const COPY_BYTES = 1024 * 1024;

/** What is in a folder, as names; null when there is nothing of that name. @throws ENOTDIR when it is a file. */
export async function namesIn(disk: Disk, folder: string): Promise<string[] | null> {
  try {
    return await disk.list(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** What is to be copied cannot be read, so often as it is tried. */
export class UnreadableFile extends Error {
  readonly code = codeOf(this.cause);

  constructor(path: string, cause: Error) {
    super(`${path} cannot be read: ${cause.message}`, { cause });
  }
}

/**
 * Copies a folder with all that is in it. What is read is opened for reading only. Nothing is synced: a copy is
 * to be worked with, not to be relied upon.
 *
 * @param without - names in the topmost folder that are left out.
 * @throws UnreadableFile; what the disk says that the copy is on.
 */
export async function copyFolder(
  disk: Disk,
  paths: { readonly from: string; readonly to: string },
  options: { readonly without?: RegExp; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { from, to } = paths;
  await disk.makeDirectory(to);
  for (const name of await disk.list(from)) {
    if (options.without?.test(name) === true) continue;
    const inner = { from: `${from}/${name}`, to: `${to}/${name}` };
    if (await isFolder(disk, inner.from)) await copyFolder(disk, inner, { signal: options.signal });
    else await copyFile(disk, inner, options.signal);
  }
}

/** Removes a folder with all that is in it; a no-op when there is none. */
export async function removeFolder(disk: Disk, folder: string): Promise<void> {
  for (const name of (await namesIn(disk, folder)) ?? []) {
    const path = `${folder}/${name}`;
    if (await isFolder(disk, path)) await removeFolder(disk, path);
    else await disk.remove(path);
  }
  try {
    await disk.removeDirectory(folder);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

async function copyFile(
  disk: Disk,
  { from, to }: { readonly from: string; readonly to: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = await read(from, () => disk.open(from, { readOnly: true }));
  try {
    const target = await disk.open(to, { create: true, exclusive: true });
    try {
      for (let offset = 0; ; offset += COPY_BYTES) {
        signal?.throwIfAborted();
        const bytes = await read(from, () => source.read(offset, COPY_BYTES));
        if (bytes.length > 0) await target.append(bytes);
        if (bytes.length < COPY_BYTES) break;
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function read<T>(path: string, body: () => Promise<T>): Promise<T> {
  const done = await persistently(body);
  if ('error' in done) throw new UnreadableFile(path, done.error);
  return done.value;
}

async function isFolder(disk: Disk, path: string): Promise<boolean> {
  try {
    await disk.list(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}
