import { isDamagedDatabase } from '../../doors/database.ts';
import { StorageRefused } from '../errors.ts';
import type { Backend, Scan, ScanOptions } from './backends/backend.ts';
import { unreadableShard } from './backends/unreadable.ts';

/** A database that is damaged counts as all of its blocks missing; what a disk did is left as it is. */
export async function scanShard(backend: Backend, name: string, options: ScanOptions): Promise<Scan> {
  try {
    return await closingOnFailure(backend, () => backend.scan(options));
  } catch (error) {
    if (!isDamagedDatabase(error)) throw error;
    return unreadableShard(noDatabase(name, rootOf(error).message));
  }
}

/** For an operator. */
export function noFolder(name: string): string {
  return `${name} is missing, and with it all of its blocks`;
}

/** For an operator. */
export function noDatabase(name: string, why: string): string {
  return `the database in ${name} cannot be read, so all of its blocks are missing: ${why}`;
}

/** @throws StorageRefused (`damaged`). */
export async function eraseShard(backend: Backend, folder: string): Promise<void> {
  try {
    await closingOnFailure(backend, () => backend.erase());
  } catch (error) {
    if (!isDamagedDatabase(error)) throw error;
    throw new StorageRefused(
      'damaged',
      `${folder}: the database does not open, so it cannot be emptied. Keep a copy, and empty the directory.`,
      { cause: error },
    );
  }
}

/** What it has open, a database that turned out to be damaged among it, would keep the next opener out. */
async function closingOnFailure<T>(backend: Backend, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    await backend.close().catch(() => {});
    throw error;
  }
}

/** abstract-level wraps what LevelDB said. */
function rootOf(error: unknown): Error {
  let root = error as Error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}
