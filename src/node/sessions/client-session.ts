import { KontikiError, Overloaded } from '../errors.ts';
import type { ProposeOptions } from '../request.ts';
import { refusalError } from './refusal-error.ts';
import type { SessionId, SessionRecord } from './session-record.ts';
import type { SessionOutcome } from './session-table.ts';
import { formatSessionId, parseSessionToken, type SessionToken } from './session-token.ts';

/** A record without its stamp, which whoever proposes it adds. */
export type Unstamped<Record extends SessionRecord = SessionRecord> = Record extends SessionRecord
  ? Omit<Record, 'stampMs'>
  : never;

/** The node as a session needs it. */
export interface SessionPort<Command, Result> {
  /** @throws ProposalDropped */
  encode(command: Command): Uint8Array;
  decode(result: Uint8Array): Result;
  /** Rejects as `RaftNode.propose` does. */
  propose(record: Unstamped, options: ProposeOptions): Promise<SessionOutcome>;
}

/** A retry. */
export interface RetryOptions extends ProposeOptions {
  /** Which command is retried. Default: the lowest that has no answer, if only one has none. */
  readonly sequence?: number;
}

/**
 * A session of one client with the cluster (dissertation 6.3). Each command has a sequence number of the session,
 * and however often it is sent, to whichever replica, it is applied once, and every answer is the first result.
 *
 * A session belongs to one client at a time. To go on elsewhere, hand its `token` over and leave this one.
 */
export class ClientSession<Command, Result> {
  readonly id: string;
  readonly window: number;
  readonly #id: SessionId;
  readonly #port: SessionPort<Command, Result>;
  /**
   * Of attempts that this object does not know of. Who stored the token may have sent commands after that, under
   * sequences that are new here: no refusal of theirs says that nothing was applied.
   */
  readonly #earlierAttempts: 0 | 1;
  #nextSequence: number;
  /** By sequence: how many attempts may have had, or may yet have, an effect. Without an answer all of them. */
  readonly #unanswered = new Map<number, number>();
  #closed = false;

  /** @throws RangeError when it is no token. */
  constructor(
    port: SessionPort<Command, Result>,
    token: SessionToken,
    { isResumed }: { isResumed: boolean },
  ) {
    const parsed = parseSessionToken(token);
    this.#port = port;
    this.#earlierAttempts = isResumed ? 1 : 0;
    this.#id = parsed.id;
    this.id = parsed.token.id;
    this.window = parsed.token.window;
    this.#nextSequence = parsed.token.nextSequence;
    for (const sequence of parsed.token.unanswered) this.#unanswered.set(sequence, 1);
  }

  /** Plain data with which `node.session({ resume })` goes on with this session, on any replica. */
  get token(): SessionToken {
    return {
      id: this.id,
      unanswered: this.unanswered,
      nextSequence: this.#nextSequence,
      window: this.window,
    };
  }

  /** Sequences whose commands may be retried, ascending. */
  get unanswered(): readonly number[] {
    return [...this.#unanswered.keys()];
  }

  /** Of the latest command proposed here; set as soon as `propose` was called. 0 before the first. */
  get lastSequence(): number {
    return this.#nextSequence - 1;
  }

  /**
   * Replicates a command under the next sequence, and resolves with what the state machine returned for it.
   * Several may be under way, up to `window` from the lowest unanswered on; nothing orders them among each
   * other. Whenever it rejects, the sequence stays unanswered until it is retried or given up; only a command
   * that is too large (ProposalDropped) or a full window (Overloaded, `session-window`) takes none: propose it
   * again, for `lastSequence` is still that of the command before, and to retry under that is to mistake the two.
   *
   * @throws NotLeader: go on at the leader, with `token`, and retry there. @throws Closed: likewise.
   * @throws OutcomeUnknown, ProposalDropped: retry. @throws Overloaded: wait, then retry.
   * @throws SessionExpired, by its reason: this command, or nothing of the session, is applied any more.
   * @throws SessionRefused
   */
  async propose(command: Command, options: ProposeOptions = {}): Promise<Result> {
    const encoded = this.#port.encode(command);
    const sequence = this.#nextSequence;
    if (sequence - this.#lowestUnanswered >= this.window) {
      throw new Overloaded(
        'session-window',
        `sequence ${this.#lowestUnanswered} has no answer, and ${this.window} are the session's window: ` +
          'wait for it, retry it, or give it up',
      );
    }
    this.#nextSequence += 1;
    this.#unanswered.set(sequence, this.#earlierAttempts);
    return this.#attempt(sequence, encoded, options);
  }

  /**
   * Sends a command again under the sequence it had; it must be the same command. Resolves with its first
   * result, whether an earlier attempt was applied or this one is.
   *
   * @throws RangeError when the sequence is not one of `unanswered`, or none is given and several are.
   * @throws as `propose` does.
   */
  async retry(command: Command, { sequence, ...options }: RetryOptions = {}): Promise<Result> {
    const [lowest, ...others] = this.#unanswered.keys();
    if (sequence === undefined && others.length > 0) {
      throw new RangeError(`say which sequence to retry: ${this.unanswered.join(', ')} are unanswered`);
    }
    const which = sequence ?? lowest;
    if (which === undefined || !this.#unanswered.has(which)) {
      throw new RangeError(`sequence ${which ?? '?'} is not unanswered, so it cannot be retried`);
    }
    return this.#attempt(which, this.#port.encode(command), options);
  }

  /** The answer to a sequence is not wanted any more, and its place in the window is free. It may be applied yet. */
  giveUp(sequence: number): void {
    this.#unanswered.delete(sequence);
  }

  /**
   * Closes the session everywhere: nothing of it is applied from there on. One that is gone already is closed.
   *
   * @throws NotLeader, Overloaded, ProposalDropped, Closed, OutcomeUnknown: close it again; or leave it: it expires.
   */
  async close(options: ProposeOptions = {}): Promise<void> {
    if (this.#closed) return;
    await this.#port.propose({ kind: 'close', id: this.#id }, options);
    this.#closed = true;
  }

  get #lowestUnanswered(): number {
    const [lowest = this.#nextSequence] = this.#unanswered.keys();
    return lowest;
  }

  async #attempt(sequence: number, command: Uint8Array, options: ProposeOptions): Promise<Result> {
    if (this.#closed) {
      const why = 'the session was closed';
      throw this.#refusal(sequence, { kind: 'refused', reason: 'session-gone', why });
    }
    this.#doubt(sequence, 1);
    let outcome: SessionOutcome;
    try {
      // What is given up while its attempt is under way must not be below the lowest of the attempt itself.
      const lowestUnanswered = Math.min(this.#lowestUnanswered, sequence);
      outcome = await this.#port.propose(
        { kind: 'command', id: this.#id, sequence, lowestUnanswered, command },
        options,
      );
    } catch (error) {
      if (error instanceof KontikiError && error.outcomeKnown) this.#doubt(sequence, -1);
      throw error;
    }
    if (outcome.kind === 'executed' || outcome.kind === 'repeated') {
      this.#unanswered.delete(sequence);
      // The first attempt gets what a retry would get: the bytes that are kept, decoded.
      return this.#port.decode(outcome.result);
    }
    this.#doubt(sequence, -1);
    throw this.#refusal(sequence, outcome);
  }

  #doubt(sequence: number, by: 1 | -1): void {
    const attempts = this.#unanswered.get(sequence);
    if (attempts !== undefined) this.#unanswered.set(sequence, attempts + by);
  }

  #refusal(sequence: number, outcome: SessionOutcome): Error {
    if (outcome.kind !== 'refused')
      throw new Error(`a command of a session was answered with ${outcome.kind}`);
    return refusalError(outcome, (this.#unanswered.get(sequence) ?? 1) === 0);
  }
}

/** A session that was just opened, before its first command. */
export function newSessionToken({ id, window }: { id: SessionId; window: number }): SessionToken {
  return { id: formatSessionId(id), unanswered: [], nextSequence: 1, window };
}
