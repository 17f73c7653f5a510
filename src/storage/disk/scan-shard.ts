import { StorageRefused } from '../errors.ts';
import type { Backend, Scan } from './backends/backend.ts';

/** @throws StorageRefused (`damaged`). */
export function scanShard(backend: Backend, folder: string): Promise<Scan> {
  return refusingDamage(folder, () => backend.scan());
}

/** @throws StorageRefused (`damaged`). */
export function eraseShard(backend: Backend, folder: string): Promise<void> {
  return refusingDamage(folder, () => backend.erase());
}

/** A database that does not open is damage; a disk that does not answer is not. */
async function refusingDamage<T>(folder: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    if (code !== 'LEVEL_CORRUPTION' && cause?.code !== 'LEVEL_CORRUPTION') throw error;
    throw new StorageRefused(
      'damaged',
      `${folder}: the database does not open, so all of its blocks are missing. Keep a copy; restore the ` +
        'directory from where it is intact, or replace this replica.',
      { cause: error },
    );
  }
}
