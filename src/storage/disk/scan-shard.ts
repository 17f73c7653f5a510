import { isDamagedDatabase } from '../../doors/database.ts';
import { StorageRefused } from '../errors.ts';
import type { Backend, Scan, ScanOptions } from './backends/backend.ts';

/** @throws StorageRefused (`damaged`). */
export function scanShard(backend: Backend, folder: string, options: ScanOptions): Promise<Scan> {
  return closingOnFailure(backend, () => refusingDamage(folder, () => backend.scan(options)));
}

/** @throws StorageRefused (`damaged`). */
export function eraseShard(backend: Backend, folder: string): Promise<void> {
  return closingOnFailure(backend, () => refusingDamage(folder, () => backend.erase()));
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

/** A database that is damaged is told as such; what a disk did is left as it is. */
async function refusingDamage<T>(folder: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!isDamagedDatabase(error)) throw error;
    throw new StorageRefused(
      'damaged',
      `${folder}: the database does not open, so all of its blocks are missing. Keep a copy; restore the ` +
        'directory from where it is intact, or replace this replica.',
      { cause: error },
    );
  }
}
