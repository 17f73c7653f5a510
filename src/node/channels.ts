import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { Index, Term } from '../raft/entry.ts';
import type { GroupId, NodeId } from '../raft/identity.ts';
import type { RaftNodeEvents } from './events.ts';
import type { ReadConsistency } from './read-queue.ts';

/** Which node a message on a channel is about. */
export interface NodeMessage {
  readonly id: NodeId;
  readonly group: GroupId;
}

/**
 * `tracing:kontiki:propose:*`, from the call of `propose` to its outcome, and `kontiki:append`: one object for each
 * proposal, the same at every stage.
 */
export interface ProposeMessage extends NodeMessage {
  readonly payloadBytes: number;
  /** Its place, once this replica took it into its log as leader; null before. */
  entry: { readonly index: Index; readonly term: Term } | null;
  /**
   * With `asyncEnd`, of one that succeeded: what `apply` returned. Of one in a session: what became of it there,
   * a `kind`, and the result as bytes or the reason why it was refused.
   */
  result?: unknown;
  /** With `error`: why it failed. */
  error?: unknown;
}

/** `tracing:kontiki:read:*`, from the call of `read` to its outcome. */
export interface ReadMessage extends NodeMessage {
  readonly consistency: ReadConsistency;
  result?: unknown;
  error?: unknown;
}

/**
 * `kontiki:persist` and `kontiki:commit`: entries `from` .. `to` inclusive got there. What came in a snapshot is
 * not told.
 */
export interface RangeMessage extends NodeMessage {
  readonly from: Index;
  readonly to: Index;
  /** Of all of these entries. */
  readonly term: Term;
}

/** `tracing:kontiki:apply:*`: one call of the state machine's `apply`. */
export interface ApplyMessage extends NodeMessage {
  readonly index: Index;
  readonly term: Term;
  /**
   * A subscriber of `start` may set it: `apply` is then called through it, within an async context for example. It
   * calls what it is given once, at once, and returns what that returned. Who finds one there wraps it.
   */
  around: ((call: () => unknown) => unknown) | null;
  result?: unknown;
  error?: unknown;
}

/** `tracing:kontiki:storage-write:*`, from handing a write to the storage to its being durable. */
export interface StorageWriteMessage extends NodeMessage {
  readonly entries: number;
  readonly bytes: number;
  error?: unknown;
}

/** `kontiki:event`: an event of the node, as its listeners get it. */
export type EventMessage = {
  [Name in keyof RaftNodeEvents]: NodeMessage & {
    readonly name: Name;
    readonly event: RaftNodeEvents[Name][0];
  };
}[keyof RaftNodeEvents];

/** What a node tells on `node:diagnostics_channel`. Without subscribers nothing is made for it. */
export const channels = {
  propose: tracingChannel<unknown, ProposeMessage>('kontiki:propose'),
  read: tracingChannel<unknown, ReadMessage>('kontiki:read'),
  append: channel('kontiki:append'),
  persist: channel('kontiki:persist'),
  commit: channel('kontiki:commit'),
  apply: tracingChannel<unknown, ApplyMessage>('kontiki:apply'),
  storageWrite: tracingChannel<unknown, StorageWriteMessage>('kontiki:storage-write'),
  event: channel('kontiki:event'),
};
