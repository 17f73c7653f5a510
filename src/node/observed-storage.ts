import { sumOf } from '../metrics/histogram.ts';
import type { Entry, Index, Term } from '../raft/entry.ts';
import { entryBytes } from '../raft/entry.ts';
import type { ClusterId, GroupId } from '../raft/identity.ts';
import type {
  LogStorage,
  OpenLogOptions,
  RecoveredLog,
  SnapshotStorage,
  Storage,
  StorageIdentity,
  StorageInstance,
  StorageOpenRequest,
  StorageStats,
  WriteRequest,
} from '../storage/contract.ts';
import type { StorageFailed } from '../storage/errors.ts';
import { channels } from './channels.ts';
import type { Instruments } from './instruments.ts';

/**
 * The user's storage, with every write measured and told on its channel. Its counts go on where those of the
 * instance before ended, so that a reopened storage does not count backwards.
 */
export class ObservedStorage implements Storage {
  readonly #storage: Storage;
  readonly #instruments: Instruments;
  #instance: StorageInstance | null = null;
  /** What earlier instances counted. */
  #before: StorageStats | null = null;

  constructor(storage: Storage, instruments: Instruments) {
    this.#storage = storage;
    this.#instruments = instruments;
  }

  async open(request: StorageOpenRequest): Promise<StorageInstance> {
    const instance = await this.#storage.open(request);
    this.#before = this.#instance === null ? null : this.stats();
    this.#instance = instance;
    return new ObservedInstance(instance, this.#instruments);
  }

  /** Of all instances since the node was opened. @throws Error when none was. */
  stats(): StorageStats {
    if (this.#instance === null) throw new Error('the storage was never opened');
    const { writes, blocks, syncs, bytesWritten, rawBytes, pendingWrites, syncLatency } =
      this.#instance.stats();
    const before = this.#before;
    if (before === null) return { writes, blocks, syncs, bytesWritten, rawBytes, pendingWrites, syncLatency };
    return {
      writes: before.writes + writes,
      blocks: before.blocks + blocks,
      syncs: before.syncs + syncs,
      bytesWritten: before.bytesWritten + bytesWritten,
      rawBytes: before.rawBytes + rawBytes,
      pendingWrites,
      syncLatency: sumOf(before.syncLatency, syncLatency),
    };
  }
}

class ObservedInstance implements StorageInstance {
  readonly #instance: StorageInstance;
  readonly #instruments: Instruments;

  constructor(instance: StorageInstance, instruments: Instruments) {
    this.#instance = instance;
    this.#instruments = instruments;
  }

  get identity(): StorageIdentity {
    return this.#instance.identity;
  }

  get failed(): Promise<StorageFailed> {
    return this.#instance.failed;
  }

  adoptCluster(clusterId: ClusterId): Promise<void> {
    return this.#instance.adoptCluster(clusterId);
  }

  async openLog(group: GroupId, options?: OpenLogOptions): Promise<LogStorage> {
    return new ObservedLog(await this.#instance.openLog(group, options), this.#instruments);
  }

  snapshots(group: GroupId): SnapshotStorage {
    return this.#instance.snapshots(group);
  }

  stats(): StorageStats {
    return this.#instance.stats();
  }

  close(): Promise<void> {
    return this.#instance.close();
  }
}

class ObservedLog implements LogStorage {
  readonly #log: LogStorage;
  readonly #instruments: Instruments;

  constructor(log: LogStorage, instruments: Instruments) {
    this.#log = log;
    this.#instruments = instruments;
  }

  get recovered(): RecoveredLog {
    return this.#log.recovered;
  }

  read(range: Parameters<LogStorage['read']>[0]): ReturnType<LogStorage['read']> {
    return this.#log.read(range);
  }

  termAt(index: Index): Term | null {
    return this.#log.termAt(index);
  }

  repair(entries: readonly Entry[]): Promise<RecoveredLog | null> {
    return this.#log.repair(entries);
  }

  write(request: WriteRequest): Promise<void> {
    if (!channels.storageWrite.hasSubscribers) return this.#write(request);
    let bytes = 0;
    for (const entry of request.entries) bytes += entryBytes(entry);
    const message = { ...this.#instruments.node, entries: request.entries.length, bytes };
    return channels.storageWrite.tracePromise(() => this.#write(request), message);
  }

  #write(request: WriteRequest): Promise<void> {
    const { clock, latencies } = this.#instruments;
    const beganAt = clock.now();
    return this.#log.write(request).then(() => latencies.storageWrite.observe(clock.now() - beganAt));
  }
}
