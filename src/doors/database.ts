import type { AbstractLevel } from 'abstract-level';

/** A key-value store with bytes for keys and values, as the `level` backend uses it. */
export type Database = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array>;

/** The door to LevelDB: makes the (not yet opened) database of one folder. */
export type OpenDatabase = (directory: string) => Database;
