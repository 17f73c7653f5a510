import type { AbstractLevel } from 'abstract-level';

/** A key-value store with bytes for keys and values, as the `level` backend uses it. */
export type Database = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array> & {
  /** Gives back the room of what was deleted between these keys. Where it is not there, that takes its time. */
  compactRange?(start: Uint8Array, end: Uint8Array): Promise<void>;
};

/**
 * Whether this is the error of a database that is damaged: LevelDB says so, or a file that another one names is not
 * there. A disk that does not answer is no damage. abstract-level wraps the reason of a failed opening.
 */
export function isDamagedDatabase(error: unknown): boolean {
  const told = [error, (error as { readonly cause?: unknown }).cause];
  return told.some((one) => {
    const { code, message = '' } = (one ?? {}) as { readonly code?: unknown; readonly message?: string };
    return code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && /no such file/i.test(message));
  });
}

/** The door to LevelDB: makes the (not yet opened) database of one folder. */
export type OpenDatabase = (directory: string) => Database;
