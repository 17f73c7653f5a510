import type { LogStorage, SnapshotStorage, StorageInstance } from '../../src/storage/contract.ts';

/** One open of a storage whose logs, or snapshots, are another's where a test says so. */
export function changedInstance(
  instance: StorageInstance,
  change: {
    /** In place of what the log does. */
    log?(log: LogStorage): Partial<LogStorage> | Promise<Partial<LogStorage>>;
    snapshots?(snapshots: SnapshotStorage): Partial<SnapshotStorage>;
    closes?(): void;
  },
): StorageInstance {
  return {
    get identity() {
      return instance.identity;
    },
    failed: instance.failed,
    adoptCluster: (clusterId) => instance.adoptCluster(clusterId),
    stats: () => instance.stats(),
    close: () => {
      change.closes?.();
      return instance.close();
    },
    openLog: async (group, options) => {
      const log = await instance.openLog(group, options);
      return {
        recovered: log.recovered,
        read: (range) => log.read(range),
        termAt: (index) => log.termAt(index),
        repair: (entries) => log.repair(entries),
        write: (request) => log.write(request),
        ...(await change.log?.(log)),
      };
    },
    snapshots: (group) => {
      const snapshots = instance.snapshots(group);
      return {
        latest: () => snapshots.latest(),
        read: (meta, range) => snapshots.read(meta, range),
        hold: (meta) => snapshots.hold(meta),
        write: (at, chunks, expected) => snapshots.write(at, chunks, expected),
        ...change.snapshots?.(snapshots),
      };
    },
  };
}
