import type { GroupId } from '../../../raft/identity.ts';
import type { SealedBlock } from '../block.ts';
import type { BlockHeader } from '../block-header.ts';
import type { Tail } from '../recover.ts';

/** Where a backend keeps a block. Opaque to all others. */
export type BlockLocation = { readonly backendLocation: unknown };

/** Something found by a scan that has, or had, the form of a block. */
export type ScannedBlock =
  | { readonly intact: true; readonly header: BlockHeader; readonly location: BlockLocation }
  | { readonly intact: false; readonly group: GroupId; readonly number: number; readonly torn: boolean };

export interface Scan {
  readonly blocks: readonly ScannedBlock[];
  /** What follows the last block and belongs to none that can be named. */
  readonly tail: Tail;
}

/** Keeps the blocks of one shard. One append is under way at a time. */
export interface Backend {
  /** Everything there; first, and once. What was read is synced again before it is returned. */
  scan(): Promise<Scan>;
  /** All of them, durable when it resolves, with their locations in the same order. */
  append(blocks: readonly SealedBlock[]): Promise<BlockLocation[]>;
  /** The bytes of one block as they are now. */
  read(location: BlockLocation): Promise<Buffer>;
  /** Removes blocks of the group with smaller numbers, now or later. */
  dropBelow(group: GroupId, number: number): Promise<void>;
  close(): Promise<void>;
}
