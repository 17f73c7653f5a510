import { crc32 } from '../../doors/checksum.ts';
import type { Disk } from '../../doors/disk.ts';
import type { ClusterId, Incarnation, NodeId } from '../../raft/identity.ts';
import { readRecordFile, replaceRecordFile } from './record.ts';

/** 1 had configurations without an id and without the incarnations that were replaced. */
export const FORMAT_VERSION = 2;
const NAME = 'identity';
/** The identity names the storage, so its own checksum cannot begin with that name. */
const SEED = 0;

/** Who a directory is, replaced as a whole each time the storage is opened. */
export interface IdentityRecord {
  readonly format: number;
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  /** Grows by one at every open. 0 while the storage is being rid of what another left there. */
  readonly boot: number;
  readonly clusterId: ClusterId | null;
  readonly shards: number;
  readonly backend: 'files' | 'level';
  /** There when this began in the place of a storage whose promises were lost (put-aside.ts). */
  readonly putAside?: {
    /** In this directory. */
    readonly folder: string;
    readonly why: string;
    /** Nothing of the old storage is left here. */
    readonly isMoved: boolean;
  };
}

/** What all other checksums of a storage begin with, so that a file or block of another storage is none of its own. */
export function seedOf(incarnation: Incarnation): number {
  return crc32(Buffer.from(incarnation, 'latin1'));
}

export type FoundIdentity =
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'found'; readonly identity: IdentityRecord };

export async function readIdentity(disk: Disk, directory: string): Promise<FoundIdentity> {
  const record = await readRecordFile(disk, `${directory}/${NAME}`, SEED);
  if (record.kind === 'blank') return { kind: 'none' };
  if (record.kind === 'invalid') return { kind: 'damaged' };
  return { kind: 'found', identity: record.value as IdentityRecord };
}

export function writeIdentity(disk: Disk, directory: string, identity: IdentityRecord): Promise<void> {
  return replaceRecordFile(disk, { directory, name: NAME }, identity, SEED);
}
