import type { TableChange } from '../world/simulated/database-content.ts';

/** All that a disk holds at one moment. Its bytes are shared and never changed. */
export interface Image {
  /** Parents before what is in them. Without the root. */
  readonly folders: readonly string[];
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly databases: ReadonlyMap<string, DatabaseImage>;
}

export interface DatabaseImage {
  /** Every batch that ever reached its log, in order: what it shows is what they make. */
  readonly batches: readonly (readonly TableChange[])[];
  /** false: it refuses to open, as LevelDB does when it finds that it is corrupt. */
  readonly opens: boolean;
}

export const emptyImage: Image = { folders: [], files: new Map(), databases: new Map() };
