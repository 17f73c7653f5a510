import type { Entry, Index, Term } from './entry.ts';
import type { RaftEvent } from './event.ts';
import type { MemberId, RequestId } from './identity.ts';
import type { Envelope } from './message.ts';

/** What the core wants done. Plain data, drained with `takeEffects()`, in any order. */
export type Effect = WriteEffect | SendEffect | ApplyEffect | LoadEffect | EventEffect;

/** What must survive a crash besides the log (paper, figure 2: persistent state). */
export interface HardState {
  readonly term: Term;
  readonly votedFor: MemberId | null;
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

/** Something worth observing. No answer is expected. */
export interface EventEffect {
  readonly kind: 'event';
  readonly event: RaftEvent;
}
