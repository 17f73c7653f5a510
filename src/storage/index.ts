/** Durable logs: what a RaftNode is opened with, and the contract for writing another (docs/storage.md). */

export { Histogram } from '../metrics/histogram.ts';
export { entryBytes } from '../raft/entry.ts';
export type { BackupHeader } from './backup-format.ts';
export { type StorageConformanceHooks, type StorageFixture, storageConformance } from './conformance.ts';
export type {
  CoveredDamage,
  LogDamage,
  LogFloor,
  LogHole,
  LogPosition,
  LogStorage,
  OpenLogOptions,
  PutAside,
  RecoveredLog,
  SnapshotMeta,
  SnapshotStorage,
  Storage,
  StorageIdentity,
  StorageInstance,
  StorageOpenRequest,
  StorageSpace,
  StorageStats,
  WriteRequest,
} from './contract.ts';
export { type FileSnapshots, type FileSnapshotsOptions, fileSnapshots } from './disk/file-snapshots.ts';
export { type FileStorageOptions, fileStorage } from './disk/file-storage.ts';
export type { StorageDoors } from './disk/storage-doors.ts';
export {
  EntriesGone,
  type LostPromises,
  type RecoveryRefusal,
  RecoveryRefused,
  SnapshotDamaged,
  SnapshotMismatch,
  StorageFailed,
  type StorageRefusal,
  StorageRefused,
} from './errors.ts';
export { memoryStorage } from './memory.ts';
export { refuseBadName } from './names.ts';
export type { NewCluster } from './offline/new-cluster.ts';
export type { NewMember } from './offline/new-members.ts';
export { type RecoverOptions, type Recovery, recoverCluster } from './offline/recover-cluster.ts';
export type { RecoveryAccount } from './offline/recovery-account.ts';
export { type RestoredCluster, type RestoreOptions, restoreBackup } from './offline/restore-backup.ts';
export { type LogOutline, mistakeIn } from './write-mistake.ts';
