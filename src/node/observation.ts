import type { WriteEffect } from '../raft/effect.ts';
import type { Entry, Index } from '../raft/entry.ts';
import type { RaftEvent } from '../raft/event.ts';
import type { RequestId } from '../raft/identity.ts';
import type { Envelope } from '../raft/message.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { RaftState } from '../raft/state.ts';
import type { RecoveredLog, StorageIdentity } from '../storage/contract.ts';

/**
 * What a replica does, as it does it, for a lab that checks it from outside. Objects are live: look,
 * copy what must be kept, and never change them.
 */
export type Observation =
  /** The storage was opened or reopened; what it holds. `appliedIndex` is the running state machine's. */
  | {
      readonly kind: 'opened';
      readonly identity: StorageIdentity;
      readonly recovered: RecoveredLog;
      readonly appliedIndex: Index;
    }
  | { readonly kind: 'write'; readonly write: WriteEffect }
  | { readonly kind: 'persisted'; readonly writeId: RequestId }
  | { readonly kind: 'write-failed'; readonly error: unknown }
  | { readonly kind: 'sent'; readonly envelope: Envelope }
  | { readonly kind: 'received'; readonly envelope: Envelope }
  /**
   * One entry was applied by the state machine. `result` is null for entries that are no commands; for an entry
   * of a session it is the `SessionOutcome`.
   */
  | { readonly kind: 'applied'; readonly entry: Entry; readonly result: unknown }
  /** A snapshot is durable and verified: one of the own state machine, or a leader's. */
  | { readonly kind: 'snapshot-stored'; readonly meta: SnapshotMeta; readonly origin: 'taken' | 'received' }
  /** The state machine holds what this snapshot holds, and nothing else. */
  | { readonly kind: 'restored'; readonly meta: SnapshotMeta }
  | { readonly kind: 'raft-event'; readonly event: RaftEvent }
  /** After each drain of the core's effects. */
  | { readonly kind: 'step'; readonly state: RaftState }
  | { readonly kind: 'stopped'; readonly error: unknown };

export type Observer = (observation: Observation) => void;
