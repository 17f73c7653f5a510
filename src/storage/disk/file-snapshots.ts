import type { Index } from '../../raft/entry.ts';
import type { Incarnation } from '../../raft/identity.ts';
import type { SnapshotStorage } from '../contract.ts';
import type { StorageFailed } from '../errors.ts';
import { seedOf } from './identity-file.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import { nodeStorageDoors, type StorageDoors } from './storage-doors.ts';

export interface FileSnapshotsOptions {
  /** Of one group. Made when it is missing. */
  readonly directory: string;
  /** Of the storage that they belong to: those of another are passed over. */
  readonly incarnation: Incarnation;
  /** Why nothing may be touched any more: the storage failed, or is closed. null while all is well. */
  readonly failure: () => StorageFailed | null;
  /** The machine's own by default. */
  readonly doors?: Pick<StorageDoors, 'disk'>;
}

/** The snapshots of one group, as files. */
export interface FileSnapshots extends SnapshotStorage {
  /** A floor became durable, or was found so when the log was opened: what lies below it goes. */
  dropBelow(floorIndex: Index): Promise<void>;
  /** Nothing is under way on the disk any more; to be awaited once `failure` tells that the storage is closed. */
  idle(): Promise<void>;
}

/** Snapshots as `fileStorage` keeps them, for a storage of one's own that keeps only its log elsewhere. */
export function fileSnapshots(options: FileSnapshotsOptions): FileSnapshots {
  const { directory, incarnation, failure } = options;
  const { disk } = options.doors ?? nodeStorageDoors();
  return new SnapshotFiles(disk, { directory, seed: seedOf(incarnation), failure });
}
