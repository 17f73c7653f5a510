import type { NodeId } from '../../src/raft/identity.ts';

/** A scenario as checked and with its defaults filled in. Times are milliseconds. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** Where it was read from. */
  readonly file: string;
  readonly cluster: ClusterSpec;
  readonly network: NetworkSpec;
  readonly disk: DiskSpec;
  readonly workload: WorkloadSpec;
  /** How long clients run, from the first leader on. */
  readonly durationMs: number;
  /** In order of `atMs`. */
  readonly timeline: readonly TimelineStep[];
  readonly expect: Expectations;
}

/** Both ends inclusive; a fixed value has `fromMs === toMs`. */
export interface DurationRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface ClusterSpec {
  /** Those that found the cluster. Ids are n1, n2, ... */
  readonly replicas: number;
  /** Machines with the ids after those, which start when a step of the timeline takes them in. */
  readonly spares: number;
  readonly backend: 'files' | 'level';
  readonly codec: 'none' | 'gzip' | 'zstd';
  readonly shards: number;
  /** Files of the log are given up as a whole, so this is how much of it a disk keeps for nothing. */
  readonly segmentBytes: number;
  /** Between two scrubs of the log; 0: none. */
  readonly scrubIntervalMs: number;
  /** With less free on its disk a replica steps aside; 0: never. */
  readonly reserveBytes: number;
  readonly electionTimeout: DurationRange;
  readonly heartbeatMs: number;
  /** By how much the replicas take clocks to drift apart at most, in thousandths; null: leases are not allowed. */
  readonly clockDriftPerMille: number | null;
  readonly snapshots: SnapshotSpec;
  readonly sessions: SessionSpec;
  readonly limits: LimitSpec;
}

/** Of the clients' sessions, as far as a replica bounds them. */
export interface SessionSpec {
  readonly max: number;
  readonly timeoutMs: number;
  /** Of results kept. */
  readonly resultBytesMax: number;
}

/** What a replica holds in memory at most; see docs/bounds.md. */
export interface LimitSpec {
  readonly messageBytes: number;
  readonly windowMessages: number;
  readonly windowBytes: number;
  readonly uncommittedBytes: number;
  readonly diskBacklogBytes: number;
  readonly cacheBytes: number;
  readonly applyBytes: number;
  readonly pendingRequests: number;
}

export interface SnapshotSpec {
  /** Replicas take a snapshot at every multiple of this index. */
  readonly entries: number;
  /** Entries before a snapshot that stay in the log, for followers that lag. */
  readonly keepEntries: number;
  readonly chunkBytes: number;
  /** That a leader sends, to all together; 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

export interface NetworkSpec {
  readonly latency: DurationRange;
  /** Probabilities in thousandths, integers 0..1000, so that simulated arithmetic stays in integers. */
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
}

export interface DiskSpec {
  /** Of each write and each sync. */
  readonly latency: DurationRange;
}

export interface WorkloadSpec {
  readonly kind: 'kv';
  readonly clients: number;
  /** All clients together. */
  readonly operationsPerSecond: number;
  readonly keys: number;
  /** Weights. */
  readonly mix: { readonly read: number; readonly write: number; readonly cas: number };
  /** What clients ask of their reads. */
  readonly reads: 'linearizable' | 'lease';
  /**
   * After this an operation counts as unknown (write, cas) or failed (read); in a session it is when a write is
   * retried.
   */
  readonly timeoutMs: number;
  /** Of what replicas answer, lost on the way to the client: an integer 0..1000. */
  readonly lostAnswersPerMille: number;
  /** Writes go through sessions, and are retried until they are answered. */
  readonly sessions: boolean;
  readonly overload: OverloadSpec | null;
}

/** More operations for a while, offered however long others wait. */
export interface OverloadSpec {
  /** Counted from the first leader on. */
  readonly atMs: number;
  readonly forMs: number;
  /** Beside those of the clients. */
  readonly operationsPerSecond: number;
}

export interface TimelineStep {
  /** Counted from the first leader on. */
  readonly atMs: number;
  /** How long the fault lasts; null: until the end, or momentary. */
  readonly forMs: number | null;
  readonly fault: Fault;
  /** 1-based line in the file. */
  readonly line: number;
}

export type Fault =
  /** Links that carry nothing, in one of several shapes. */
  | ({ readonly kind: 'partition' } & PartitionShape)
  /** Worse links from and to the selected replicas. */
  | {
      readonly kind: 'network';
      readonly on: Selector;
      readonly latency: DurationRange | null;
      readonly lossPerMille: number | null;
      readonly duplicatePerMille: number | null;
    }
  /** What becomes of the replica's disk. */
  | ({ readonly kind: 'disk'; readonly on: Selector } & DiskTrouble)
  /** Moves both clocks of the replica by `offsetMs`, and back at the end; runs them at `ratePerMille`/1000. */
  | {
      readonly kind: 'clock';
      readonly on: Selector;
      readonly offsetMs: number;
      readonly ratePerMille: number;
    }
  /** The process dies; it restarts at the end. `power: true` also loses what was not synced. */
  | { readonly kind: 'crash'; readonly on: Selector; readonly power: boolean }
  /** The process stands still, as under SIGSTOP. */
  | { readonly kind: 'pause'; readonly on: Selector }
  /** The process dies and its disk is emptied; it restarts at the end, with the flags it had. */
  | { readonly kind: 'wipe'; readonly on: Selector }
  /** An operator's change of the membership. Changes wait for each other. */
  | ({ readonly kind: 'membership' } & MembershipWish);

/** Which links a partition cuts; `on` says whom it is about. */
export type PartitionShape =
  /** The selected replicas are cut off from `from` (null: from all others), both ways, or one way only. */
  | {
      readonly shape: 'cut-off';
      readonly on: Selector;
      readonly from: Selector | null;
      readonly direction: 'both' | 'outgoing' | 'incoming';
    }
  /** The selected replica sees everybody; the others fall in two halves that do not see each other. */
  | { readonly shape: 'bridge'; readonly on: Selector }
  /** Each replica sees only the one before and the one after it. */
  | { readonly shape: 'ring'; readonly on: Selector };

export type DiskTrouble =
  /** The next `times` such operations fail. It ends by itself. */
  | { readonly how: 'fails'; readonly operation: DiskOperation; readonly times: number }
  /** Only so many bytes more fit, until the end. */
  | { readonly how: 'fills'; readonly bytesLeft: number }
  /** So many durable places change, for good; or every one there is. */
  | { readonly how: 'rots'; readonly what: RottenFiles; readonly places: number | 'all' }
  /** Nothing that is asked of it is answered, until the end; then all of it is. */
  | { readonly how: 'hangs' }
  /** Each of its operations takes this long. */
  | { readonly how: 'slows'; readonly latency: DurationRange };

export type DiskOperation = 'read' | 'write' | 'sync';

/** Which files of a replica rot. */
export type RottenFiles = 'blocks' | 'hard-state' | 'identity' | 'mark' | 'floor' | 'snapshots';

/** What an operator wants to become of the membership: all of it in one change. */
export interface MembershipWish {
  readonly add: readonly NodeId[];
  readonly addLearners: readonly NodeId[];
  readonly promote: readonly NodeId[];
  /** Resolved when the change is asked for. */
  readonly demote: Selector | null;
  readonly remove: Selector | null;
  readonly replace: readonly { readonly id: NodeId; readonly by: NodeId }[];
}

/** Whom a fault strikes, among the voters of the time; resolved when it starts. */
export type Selector =
  | { readonly kind: 'ids'; readonly ids: readonly NodeId[] }
  | { readonly kind: 'leader' }
  /** `count` followers, at random. */
  | { readonly kind: 'followers'; readonly count: number | 'all' }
  /** The largest number of replicas that is less than half, at random; never less than one. */
  | { readonly kind: 'minority' }
  /** The smallest majority, at random. */
  | { readonly kind: 'majority' }
  | { readonly kind: 'random'; readonly count: number }
  | { readonly kind: 'all' };

/** Bounds that must hold besides safety; null where nothing is demanded. */
export interface Expectations {
  /** From the moment a fault takes the leader away from the majority until the majority has a leader of a higher term. */
  readonly newLeaderWithinMs: number | null;
  /** From the moment a leader is cut off from the majority until it no longer leads. */
  readonly stepDownWithinMs: number | null;
  /** From the end of the last fault until an operation called after it is acknowledged, and all replicas agree. */
  readonly recoveryWithinMs: number;
  /** The longest time with clients waiting and nothing acknowledged. */
  readonly unavailableAtMostMs: number | null;
  /** From each fault striking or ending until one leader stays and serves, up to the next; null: not judged. */
  readonly settlesWithinMs: number | null;
  /** Every replica struck by a disk fault reopened its storage. */
  readonly storageReopened: boolean;
  /** Every replica whose disk was filled stopped taking entries, and none of its writes failed. */
  readonly stepsAside: boolean;
  /** Some log was found damaged, and every one that was is whole again at the end. */
  readonly damageRepaired: boolean;
  /** Some read by a lease was stale: the scenario shows what a drift beyond the declared one does. */
  readonly staleRead: boolean;
  /** A leader went on with a transfer of a snapshot that another had begun. */
  readonly snapshotResumed: boolean;
  /** No replica ever holds more in memory than its limits allow. */
  readonly memoryBounded: boolean;
  /** Of the operations of an overload some are refused for it, and some acknowledged. */
  readonly overloadRefused: boolean;
  /** From the moment an operator asks for a change of the membership until it is done; null: not said. */
  readonly membershipWithinMs: number | null;
  /** Entries in each replica's log, after each of its steps. */
  readonly logAtMost: number | null;
  /** Bytes on each disk. */
  readonly diskAtMostBytes: number | null;
}
