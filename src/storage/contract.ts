import type { HistogramValue } from '../metrics/histogram.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { HardState, LogFloor } from '../raft/effect.ts';
import type { ConfigurationEntry, Entry, Index, Term, TermRun } from '../raft/entry.ts';
import type { ClusterId, GroupId, Incarnation, NodeId, RequestId } from '../raft/identity.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { StorageFailed } from './errors.ts';

export type { LogFloor } from '../raft/effect.ts';
export type { SnapshotMeta } from '../raft/snapshot.ts';

/**
 * What a user hands to `RaftNode.open`: it can open (and reopen) one directory, or its like. Every open
 * makes a new instance with a boot greater by one.
 */
export interface Storage {
  /**
   * @throws StorageRefused when what is there cannot be opened as it is: another replica's or cluster's
   *   directory, one in use, a format from the future, damage. `reason` tells which.
   */
  open(request: StorageOpenRequest): Promise<StorageInstance>;
}

export interface StorageOpenRequest {
  readonly id: NodeId;
  /** When given, a storage that belongs to another cluster is refused. */
  readonly clusterId?: ClusterId;
  /**
   * The cluster does not take this incarnation for a member any more (its disk was copied or rolled back): a
   * storage that has it is emptied and gets another incarnation, boot 1. One that has another stays as it is.
   */
  readonly forget?: Incarnation;
  /**
   * Called with what the storage knows of its space, after it was opened and then as often as it asks, until it is
   * closed. One that has no bound, or does not know it, never calls.
   */
  readonly onSpace?: (space: StorageSpace) => void;
  /**
   * A storage that is refused for its lost promises is kept aside, and begins anew in its place, with another
   * incarnation. Any other is opened, or refused, as without this.
   */
  readonly putAside?: true;
}

/** How much room there is, at the moment when it was asked for. */
export interface StorageSpace {
  readonly directory: string;
  readonly freeBytes: number;
  /** How much is to stay free. */
  readonly reserveBytes: number;
  /** Once there is less than the reserve, and until there is so much again: to be given no entries meanwhile. */
  readonly enoughBytes: number;
  readonly nearlyFull: boolean;
}

/** One open of a storage. Serves many groups. */
export interface StorageInstance {
  readonly identity: StorageIdentity;
  /** Makes the cluster id durable. Only once in a storage's life, and only while it is empty. */
  adoptCluster(clusterId: ClusterId): Promise<void>;
  /** Opens the log of one group, which starts empty. At most once per group and instance. */
  openLog(group: GroupId, options?: OpenLogOptions): Promise<LogStorage>;
  snapshots(group: GroupId): SnapshotStorage;
  stats(): StorageStats;
  /**
   * Resolves when the instance has failed by what nobody waits for, such as a scrub; it may when a write failed. Never
   * for a storage that does nothing by itself.
   */
  readonly failed: Promise<StorageFailed>;
  /** Finishes what is under way, syncs the mark, releases the directory. Idempotent. */
  close(): Promise<void>;
}

export interface OpenLogOptions {
  /**
   * The group's latest snapshot, null when there is none. A log whose floor lies beyond it lacks what lies between the two
   * (docs/decisions/0010): it begins after this one, and says that it is damaged. Not given: the floor is taken at its word.
   */
  readonly snapshot?: SnapshotMeta | null;
}

export interface StorageIdentity {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly boot: number;
  /** null until adopted. */
  readonly clusterId: ClusterId | null;
  /** There for ever in a storage that began anew in the place of one whose promises were lost. */
  readonly putAside?: PutAside;
}

/** What a storage was before its promises were lost. */
export interface PutAside {
  /** Where all of it is kept. */
  readonly directory: string;
  /** What was lost, for an operator. */
  readonly why: string;
}

/** What was found when the log was opened. Of a damaged log: the part before what is missing. */
export interface RecoveredLog {
  readonly hardState: HardState;
  readonly floor: LogFloor;
  /** `floor.index` when there are no entries. */
  readonly lastIndex: Index;
  /** Terms of the entries after the floor, as runs. */
  readonly runs: readonly TermRun[];
  /** Every configuration entry after the floor, in order. */
  readonly configurations: readonly ConfigurationEntry[];
  /** null for a log that is whole, as far as can be known. */
  readonly damage: LogDamage | null;
  /** Missing, and of no consequence: a snapshot holds it, and the log begins after that. Absent when nothing is so. */
  readonly covered?: CoveredDamage;
}

/** What a disk lost of a log, and a snapshot makes up for. */
export interface CoveredDamage {
  /** Entries `from` .. `to`, both inclusive; in order. */
  readonly holes: readonly { readonly from: Index; readonly to: Index }[];
  /** For an operator: shard and indexes. */
  readonly report: string;
}

/** What is missing of a log, and may have been acknowledged (docs/decisions/0010). */
export interface LogDamage {
  /**
   * Missing in the middle, in order: the first begins after `lastIndex`. What lies between and after them is held, can
   * be read, and stays until a write begins at or before it. Empty when the end is missing.
   */
  readonly holes: readonly LogHole[];
  /** The log's last entry, held or not. null when it is not known: the end is missing. */
  readonly end: LogPosition | null;
  /** What is wrong, for an operator: shard, blocks and indexes. */
  readonly report: string;
  /**
   * Of a log that lost the snapshot it begins after: the configuration in force where that ended. The members are whom to
   * ask for what is missing, as the log itself may not name anybody any more. Absent where the snapshot is there.
   */
  readonly configuration?: Configuration;
}

export interface LogPosition {
  readonly index: Index;
  readonly term: Term;
}

/** Entries `from` .. `to`, both inclusive, are missing. */
export interface LogHole {
  readonly from: Index;
  readonly to: Index;
  /**
   * The last of them, or the entry after them: whoever holds an entry of this term at this index holds, before
   * it, the very entries that are missing (Log Matching, paper 5.3).
   */
  readonly anchor: LogPosition;
}

/**
 * The log of one group. `write` is ordered, and durable when it resolves; several may be under way and resolve in
 * the order of the calls. Of one that a crash interrupts the hard state may be found alone, or all but the floor;
 * cut and entries only together. When a write fails, what reached the disk is unknown: the whole instance is poisoned, every pending and later write of every group on it rejects with
 * StorageFailed, and nothing is retried. The way on is a new instance.
 */
export interface LogStorage {
  readonly recovered: RecoveredLog;
  write(request: WriteRequest): Promise<void>;
  /**
   * Durable entries `from` .. `to` inclusive, at least one, stopping once `bytesMax` (charged by
   * `entryBytes`) is reached. Rejects with EntriesGone when the log holds `from` no more (compacted or cut
   * meanwhile), which is no failure; with StorageFailed when they cannot be read or are damaged.
   */
  read(range: { from: Index; to: Index; bytesMax: number }): Promise<Entry[]>;
  /** The term of a durable entry, the floor's included; null when it is not held. Of a damaged log also beyond its holes. */
  termAt(index: Index): Term | null;
  /**
   * Fills the end of a hole: `entries` are consecutive, and the last of them is the last that is missing. Durable when
   * it resolves, and in order with writes.
   *
   * @returns what is still missing: the holes that are left, each with its anchor, or, once the last is filled, the whole
   *   log, with `damage` null. null when the log has no such hole (any more): a write began at or before it.
   */
  repair(entries: readonly Entry[]): Promise<RecoveredLog | null>;
}

/** The storage's half of a core's write effect; `floor` comes from compaction. */
export interface WriteRequest {
  readonly writeId: RequestId;
  readonly hardState?: HardState;
  readonly cutFrom?: Index;
  readonly entries: readonly Entry[];
  readonly floor?: LogFloor;
}

/**
 * Snapshots of one group: streamed, checksummed, written aside, synced, renamed, directory synced.
 * `latest` never shows one that is not complete and verified. Few are kept: the newest, the oldest that no
 * durable floor passed, the one read last, and those that are held; others go once a newer one is durable and
 * verified.
 */
export interface SnapshotStorage {
  /** The newest, also when the log ends before it or has another term there: a crash came before the floor. */
  latest(): Promise<SnapshotMeta | null>;
  /**
   * What of the range lies within the content. Rejects with SnapshotMismatch when that very snapshot is not
   * kept any more, which is no failure (a durable floor above it or a newer one lets it go, and one of the same
   * index and term takes its place); with StorageFailed when it cannot be read, and SnapshotDamaged when the disk changed
   * it, as far as the storage can tell from the range alone. Several may be read at once.
   */
  read(meta: SnapshotMeta, range: { offset: number; length: number }): Promise<Uint8Array>;
  /**
   * Keeps that very snapshot, whatever newer ones and floors come, until the returned function is called, which
   * may be called more than once. Rejects with SnapshotMismatch when it is not kept any more.
   */
  hold(meta: SnapshotMeta): Promise<() => void>;
  /**
   * Writes a snapshot from chunks; durable and verified when it resolves. The next chunk is asked for once the
   * last one is written. With `expected`, content of another size or digest rejects with SnapshotMismatch
   * and is never shown; that is no failure of the storage. When `chunks` throws, the write rejects with
   * what it threw, and nothing of it stays.
   */
  write(
    at: Pick<SnapshotMeta, 'index' | 'term' | 'configuration'>,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    expected?: Pick<SnapshotMeta, 'size' | 'digest'>,
  ): Promise<SnapshotMeta>;
}

/** Counters of one instance since it was opened; they can be asked for after it was closed as well. */
export interface StorageStats {
  readonly writes: number;
  readonly blocks: number;
  readonly syncs: number;
  /** Of the blocks, as they are stored. */
  readonly bytesWritten: number;
  /** As many as there would be without compression: how well that does is this over `bytesWritten`. */
  readonly rawBytes: number;
  /** Writes handed over and not yet durable. */
  readonly pendingWrites: number;
  /** How long each sync of the log took, the append before it included: as many as `syncs`. */
  readonly syncLatency: HistogramValue;
}
