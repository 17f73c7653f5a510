import type { Index, Term } from '../raft/entry.ts';

/** What accompanies each command. Equal on every replica, so `apply` may depend on it. */
export interface ApplyMeta {
  readonly index: Index;
  readonly term: Term;
}

/**
 * The user's replicated program. `apply` must be deterministic: the same commands in the same order give
 * the same state and results on every replica. Commands may be applied again after a restart, from the
 * start of the log or from the last snapshot, into a fresh state machine.
 *
 * @typeParam Command - what is proposed.
 * @typeParam Result - what `apply`, and so `propose`, returns.
 * @typeParam Query - what `read` takes.
 * @typeParam Answer - what `query`, and so `read`, returns.
 */
export interface StateMachine<Command, Result, Query, Answer> {
  /** Applies one committed command. A promise delays the next command until it settles. */
  apply(command: Command, meta: ApplyMeta): Result | Promise<Result>;
  /** Answers from the present state and changes nothing. */
  query(query: Query): Answer | Promise<Answer>;
  /** The state as of this call, in chunks. Reserved: replicas do not take snapshots yet. */
  snapshot?(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Replaces the state with a snapshot's. Reserved: replicas do not take snapshots yet. */
  restore?(chunks: AsyncIterable<Uint8Array>): void | Promise<void>;
}

/** How commands become the bytes of log entries. The default packs any value msgpackr can. */
export interface CommandCodec<Command> {
  encode(command: Command): Uint8Array;
  decode(bytes: Uint8Array): Command;
}
