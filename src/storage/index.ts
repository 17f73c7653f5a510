/** Durable logs: what a RaftNode is opened with, and the contract for writing another. */
export { type StorageConformanceHooks, type StorageFixture, storageConformance } from './conformance.ts';
export type {
  LogFloor,
  LogStorage,
  RecoveredLog,
  SnapshotMeta,
  SnapshotStorage,
  Storage,
  StorageIdentity,
  StorageInstance,
  StorageOpenRequest,
  StorageStats,
  WriteRequest,
} from './contract.ts';
export { type FileStorageOptions, fileStorage } from './disk/file-storage.ts';
export type { StorageDoors } from './disk/storage-doors.ts';
export { StorageFailed, type StorageRefusal, StorageRefused } from './errors.ts';
export { memoryStorage } from './memory.ts';
