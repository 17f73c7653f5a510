import { StorageRefused } from '../errors.ts';
import type { Backend, Scan } from './backends/backend.ts';

/** @throws StorageRefused (`damaged`). */
export function scanShard(backend: Backend, folder: string): Promise<Scan> {
  return closingOnFailure(backend, () => refusingDamage(folder, () => backend.scan()));
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

/** A database that does not open is damage; a disk that does not answer is not. */
async function refusingDamage<T>(folder: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new StorageRefused(
      'damaged',
      `${folder}: the database does not open, so all of its blocks are missing. Keep a copy; restore the ` +
        'directory from where it is intact, or replace this replica.',
      { cause: error },
    );
  }
}

/** A file of the database that another one names, and that is not there, is damage as well. */
function isDamage(error: unknown): boolean {
  const { code, cause } = error as { code?: string; cause?: { code?: string; message?: string } };
  if (code === 'LEVEL_CORRUPTION' || cause?.code === 'LEVEL_CORRUPTION') return true;
  return cause?.code === 'LEVEL_IO_ERROR' && /no such file/i.test(cause.message ?? '');
}
