import type { Index, Term } from '../raft/entry.ts';

/** What accompanies each command. Equal on every replica, so `apply` may depend on it. */
export interface ApplyMeta {
  readonly index: Index;
  readonly term: Term;
}

/**
 * The user's replicated program. `apply` must be deterministic: the same commands in the same order give
 * the same state and results on every replica. After a restart the last snapshot is restored, and commands
 * are applied again from there, or from the start of the log where there is none, into a fresh state machine.
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
  /**
   * The state as of this call, in chunks. Called between two commands; what it returns is read while further
   * commands are applied, and must not show them: copy, or share structure. The same state should give the same
   * bytes on every replica, so that a broken transfer can go on from another leader.
   *
   * Without it no snapshot is ever taken, and the log grows for ever.
   */
  snapshot?(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /**
   * Replaces the whole state by a snapshot's, whatever it was. Reading `chunks` fails when the content is not
   * what was stored; pass that on.
   *
   * Without it a replica that meets a snapshot, its own or a leader's, stops with StateMachineFailed.
   */
  restore?(chunks: AsyncIterable<Uint8Array>): void | Promise<void>;
}

/**
 * How commands become the bytes of log entries. The default packs any value msgpackr can; a Map comes back as an
 * object, an instance of a class as a plain one.
 */
export interface CommandCodec<Command> {
  /** The bytes are kept as they are: never changed afterwards. */
  encode(command: Command): Uint8Array;
  /** `bytes` stay in the log: copy what is to be changed later. @throws stops the replica, as `apply` does. */
  decode(bytes: Uint8Array): Command;
}
