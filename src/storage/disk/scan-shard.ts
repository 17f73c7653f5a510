import { StorageRefused } from '../errors.ts';
import type { Backend, Scan } from './backends/backend.ts';

/** A database that does not open is damage; a disk that does not answer is not. */
export async function scanShard(backend: Backend, folder: string): Promise<Scan> {
  try {
    return await backend.scan();
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
