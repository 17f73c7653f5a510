import type { Configuration } from './configuration.ts';
import type { Entry, Index, Term } from './entry.ts';
import type { RaftEvent } from './event.ts';
import type { MemberId, RequestId } from './identity.ts';
import type { Envelope } from './message.ts';
import type { SnapshotMeta } from './snapshot.ts';

/** What the core wants done. Plain data, drained with `takeEffects()`, in any order. */
export type Effect =
  | WriteEffect
  | SendEffect
  | ApplyEffect
  | LoadEffect
  | LoadSnapshotEffect
  | ReceiveSnapshotEffect
  | AbandonSnapshotEffect
  | RestoreEffect
  | ReadGrantedEffect
  | EventEffect;

/** What must survive a crash besides the log (paper, figure 2: persistent state). */
export interface HardState {
  readonly term: Term;
  readonly votedFor: MemberId | null;
  /** Only while the log lacks entries that may have been acknowledged, because the disk lost them. */
  readonly missing?: MissingEntries;
}

/** Entries up to here may have been acknowledged, and not all of them are held; see damage.ts. */
export interface MissingEntries {
  readonly term: Term;
  /** null: not known, but nothing was acknowledged in a later term. */
  readonly index: Index | null;
}

/**
 * One atomic write. Hand it to the storage at once and in order; several may be under way. When it is
 * durable call `persisted(writeId)`; when it failed, `writeFailed`.
 */
export interface WriteEffect {
  readonly kind: 'write';
  readonly writeId: RequestId;
  readonly hardState?: HardState;
  /** Remove every entry from this index on, before appending. */
  readonly cutFrom?: Index;
  /** Consecutive; the first follows the log's end after the cut. May be empty. */
  readonly entries: readonly Entry[];
  /**
   * The log begins after `index` from now on: everything up to it is in a durable snapshot. Where the log
   * holds another term there, or ends before, it is replaced by the floor alone. Comes without entries.
   */
  readonly floor?: LogFloor;
}

/** Where a log begins: everything up to `index` is in a snapshot. All zero for a log from entry 1. */
export interface LogFloor {
  readonly index: Index;
  readonly term: Term;
  /** The configuration in force at `index`; null at index 0. */
  readonly configuration: Configuration | null;
}

/** A message that may leave now. */
export interface SendEffect {
  readonly kind: 'send';
  readonly envelope: Envelope;
}

/**
 * Committed entries to apply, `from` .. `to` inclusive. Entries that the core no longer caches are
 * durable and are read from the storage. Answer with `applied(to)`; the next range comes only then.
 */
export interface ApplyEffect {
  readonly kind: 'apply';
  readonly from: Index;
  readonly to: Index;
}

/** Entries wanted from the storage for a peer that lags behind the cache. Answer with `loaded`. */
export interface LoadEffect {
  readonly kind: 'load';
  readonly loadId: RequestId;
  readonly from: Index;
  /** Inclusive. Fewer may be returned, at least one. */
  readonly to: Index;
  readonly bytesMax: number;
}

/** Bytes of an own snapshot wanted for a peer. Answer with `snapshotLoaded`. */
export interface LoadSnapshotEffect {
  readonly kind: 'load-snapshot';
  readonly loadId: RequestId;
  readonly snapshot: SnapshotMeta;
  readonly offset: number;
  readonly length: number;
}

/**
 * The next bytes of a snapshot that a leader sends; the first chunk of a transfer has offset 0, the others
 * follow without gaps. Answer each with `snapshotWritten` once the next may come. After the last (it ends at
 * `snapshot.size`) verify the whole, make it durable, and answer `snapshotStored`; `snapshotFailed` when
 * it is not what `snapshot` says. An error of the disk is a failed write.
 */
export interface ReceiveSnapshotEffect {
  readonly kind: 'receive-snapshot';
  readonly transferId: RequestId;
  readonly snapshot: SnapshotMeta;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Nothing more comes of this transfer: what was written of it may go. */
export interface AbandonSnapshotEffect {
  readonly kind: 'abandon-snapshot';
  readonly transferId: RequestId;
}

/**
 * The log was replaced by this snapshot, which is stored: the state machine is to be restored from it. No
 * range is being applied. Answer with `restored(snapshot.index)`; ranges to apply come only then.
 */
export interface RestoreEffect {
  readonly kind: 'restore';
  readonly snapshot: SnapshotMeta;
}

/**
 * This read, asked for with `requestRead`, may be served: from a state machine that holds every entry up to `index`,
 * whenever it does. It says nothing of others: one that goes by a lease overtakes one that must not.
 */
export interface ReadGrantedEffect {
  readonly kind: 'read-granted';
  readonly readId: RequestId;
  readonly index: Index;
}

/** Something worth observing. No answer is expected. */
export interface EventEffect {
  readonly kind: 'event';
  readonly event: RaftEvent;
}
