import type { GroupId } from '../../../raft/identity.ts';
import type { SealedBlock } from '../block.ts';
import type { BlockHeader } from '../block-header.ts';
import type { StrayBytes } from '../stray-bytes.ts';

/** Where a backend keeps a block. Opaque to all others. */
export type BlockLocation = { readonly backendLocation: unknown };

/** Something found by a scan that has, or had, the form of a block. */
export type ScannedBlock =
  | { readonly intact: true; readonly header: BlockHeader; readonly location: BlockLocation }
  | { readonly intact: false; readonly group: GroupId; readonly number: number; readonly torn: boolean };

export interface Scan {
  readonly blocks: readonly ScannedBlock[];
  readonly stray: StrayBytes;
  /** Why a part, or all, of what is there could not be read, so that its blocks are missing; null when all was. */
  readonly unreadable: string | null;
}

export interface ScanOptions {
  /**
   * Reads every byte. Else a backend may believe what it noted of blocks when it wrote them: that they are damaged
   * shows when they are read.
   */
  readonly isThorough: boolean;
}

/** Keeps the blocks of one shard. One append is under way at a time. */
export interface Backend {
  /** Everything there; first, and once. It changes nothing. */
  scan(options: ScanOptions): Promise<Scan>;
  /** Makes what the scan read durable, whatever became of the syncs of earlier runs. Before any append. */
  settle(): Promise<void>;
  /**
   * All of them, durable when it resolves, with their locations in the same order. `meanwhile` is called once the disk
   * is at work: what is done in it makes nobody wait.
   */
  append(blocks: readonly SealedBlock[], meanwhile?: () => void): Promise<BlockLocation[]>;
  /** The bytes of one block as they are now. */
  read(location: BlockLocation): Promise<Buffer>;
  /** A block turned out to be damaged: the next scan reads all that it may have believed with it. */
  doubt(location: BlockLocation): Promise<void>;
  /** Removes blocks of the group with smaller numbers, now or later. */
  dropBelow(group: GroupId, number: number): Promise<void>;
  /**
   * Moves what the scan could not read to a folder that is not there yet. Until then nothing is appended, if there is
   * any. It is durable once the folders that names were moved between are synced, which is done here but for the one
   * that `folder` is in.
   */
  putAside(folder: string): Promise<void>;
  close(): Promise<void>;
  /** Instead of a scan: removes every block there is, whatever is wrong with it. Durable when it resolves. */
  erase(): Promise<void>;
}
