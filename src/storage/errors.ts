import type { Configuration } from '../raft/configuration.ts';

export type StorageRefusal =
  | 'in-use'
  | 'other-replica'
  | 'other-cluster'
  | 'other-format'
  | 'damaged'
  | 'missing-codec'
  | 'not-writable'
  | 'wrong-options';

/** Who this replica is, how it voted, or where its log begins is lost: nobody may go on as the server it was. */
export interface LostPromises {
  /** What is lost, for an operator. */
  readonly what: string;
  /** The latest that can still be read of each group there is; null where none can. Empty when not even groups can. */
  readonly configurations: readonly (Configuration | null)[];
}

/** A storage that cannot be opened as it is. Nothing was changed. The message says what to do. */
export class StorageRefused extends Error {
  readonly code = 'KONTIKI_STORAGE_REFUSED';
  readonly reason: StorageRefusal;
  /** null unless these are what is damaged: then `open` with `putAside` makes another server of the storage. */
  readonly lostPromises: LostPromises | null;
  constructor(
    reason: StorageRefusal,
    message: string,
    options?: { cause?: unknown; lostPromises?: LostPromises },
  ) {
    super(message, options);
    this.name = 'StorageRefused';
    this.reason = reason;
    this.lostPromises = options?.lostPromises ?? null;
  }
}

export type RecoveryRefusal =
  | 'wrong-options'
  | 'target-exists'
  | 'unreadable'
  | 'not-a-backup'
  | 'other-version'
  | 'damaged'
  | 'in-use'
  | 'other-cluster'
  | 'several-groups'
  | 'nothing-to-recover';

/** No cluster is made of a backup or of survivors. Nothing was written. The message says what to do. */
export class RecoveryRefused extends Error {
  readonly code = 'KONTIKI_RECOVERY_REFUSED';
  readonly reason: RecoveryRefusal;
  constructor(reason: RecoveryRefusal, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'RecoveryRefused';
    this.reason = reason;
  }
}

export type InspectionRefusal = 'not-a-storage' | 'in-use' | 'other-format' | 'unreadable' | 'no-room';

/** A directory that cannot be inspected. Nothing was changed. The message says what to do. */
export class InspectionRefused extends Error {
  readonly code = 'KONTIKI_INSPECTION_REFUSED';
  readonly reason: InspectionRefusal;
  constructor(reason: InspectionRefusal, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'InspectionRefused';
    this.reason = reason;
  }
}

/** A write, sync or read failed while running. The instance is poisoned; reopen it. */
export class StorageFailed extends Error {
  readonly code = 'KONTIKI_STORAGE_FAILED';
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StorageFailed';
  }
}

/** The log does not hold these entries any more: compacted into a snapshot, or cut. The storage is well. */
export class EntriesGone extends Error {
  readonly code = 'KONTIKI_ENTRIES_GONE';
  constructor(message: string) {
    super(message);
    this.name = 'EntriesGone';
  }
}

/** Bytes of a kept snapshot are not what was written: its disk changed or lost them. The rest of the storage is well. */
export class SnapshotDamaged extends StorageFailed {
  constructor(message: string) {
    super(message);
    this.name = 'SnapshotDamaged';
  }
}

/** A snapshot's content is not what it was said to be. Nothing of it is kept; the storage is well. */
export class SnapshotMismatch extends Error {
  readonly code = 'KONTIKI_SNAPSHOT_MISMATCH';
  constructor(message: string) {
    super(message);
    this.name = 'SnapshotMismatch';
  }
}
