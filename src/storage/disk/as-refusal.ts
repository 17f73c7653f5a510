import { StorageFailed, StorageRefused } from '../errors.ts';

const NOT_WRITABLE: ReadonlySet<string> = new Set([
  // A database that does not open for a reason other than damage, or is held by a handle not closed yet.
  'LEVEL_IO_ERROR',
  'LEVEL_LOCKED',

  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'EIO',
]);

/** What a disk or a database says while a storage is opened, as a refusal; any other error as it is. */
export function asRefusal(directory: string, error: unknown): unknown {
  if (error instanceof StorageRefused || error instanceof StorageFailed) return error;
  const code = systemCode(error);
  const why = error instanceof Error ? error.message : String(error);
  if (code === 'ELOCKED') {
    return new StorageRefused(
      'in-use',
      `${directory} is in use by another process, or another node of this one. Stop that one first.`,
      { cause: error },
    );
  }
  if (code !== undefined && NOT_WRITABLE.has(code)) {
    return new StorageRefused(
      'not-writable',
      `${directory} cannot be read and written (${why}). Check permissions, mount options, space and the disk.`,
      { cause: error },
    );
  }
  return error;
}

/** That of the cause, where abstract-level wrapped it. */
function systemCode(error: unknown): string | undefined {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const inner = code === 'LEVEL_DATABASE_NOT_OPEN' ? cause?.code : code;
  return typeof inner === 'string' ? inner : undefined;
}
