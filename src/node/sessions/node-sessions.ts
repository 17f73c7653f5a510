import type { Clock } from '../../doors/clock.ts';
import type { Random } from '../../doors/random.ts';
import type { ProposeOptions } from '../request.ts';
import type { CommandCodec } from '../state-machine.ts';
import { AppliedSessions } from './applied-sessions.ts';
import { ClientSession, newSessionToken, type SessionPort, type Unstamped } from './client-session.ts';
import { encodeSessionRecord, type SessionLimits, type SessionRecord } from './session-record.ts';
import { SessionStamps } from './session-stamps.ts';
import type { SessionOutcome } from './session-table.ts';
import type { SessionToken } from './session-token.ts';

/** What `node.session` takes. */
export interface SessionOptions extends ProposeOptions {
  /** A session to go on with, as its `token` gave it. */
  readonly resume?: SessionToken;
}

export interface NodeSessionsParts<Command, Result> {
  readonly clock: Clock;
  readonly random: Random;
  /** For what is opened by this replica. */
  readonly limits: SessionLimits;
  readonly resultCodec: CommandCodec<Result>;
  /** @throws ProposalDropped */
  encode(command: Command): Uint8Array;
  /** Proposes a session entry; resolves with what became of it when it was applied here. */
  propose(payload: Uint8Array, options: ProposeOptions): Promise<SessionOutcome>;
  /** Proposes one that nobody waits for: what is lost is made up for by the next. */
  proposeStamp(payload: Uint8Array): void;
}

/** The sessions of clients on one node: what is applied, what is stamped, and what callers hold. */
export class NodeSessions<Command, Result> {
  readonly applied: AppliedSessions;
  readonly stamps: SessionStamps;
  readonly #parts: NodeSessionsParts<Command, Result>;
  readonly #port: SessionPort<Command, Result>;

  constructor(parts: NodeSessionsParts<Command, Result>) {
    this.#parts = parts;
    this.applied = new AppliedSessions(parts.resultCodec);
    this.stamps = new SessionStamps(
      parts.clock,
      () => this.applied.table,
      (stampMs) => parts.proposeStamp(encodeSessionRecord({ kind: 'time', stampMs })),
    );
    this.#port = {
      encode: (command) => parts.encode(command),
      // A copy: what the caller does with it must not reach the bytes that are kept.
      decode: (result) => parts.resultCodec.decode(new Uint8Array(result)),
      propose: (record, options) => this.#propose(record, options),
    };
  }

  /** @throws as `RaftNode.session` does. */
  async session({ resume, ...options }: SessionOptions): Promise<ClientSession<Command, Result>> {
    if (resume !== undefined) return new ClientSession(this.#port, resume, { isResumed: true });
    return new ClientSession(this.#port, await this.#open(options), { isResumed: false });
  }

  async #open(options: ProposeOptions): Promise<SessionToken> {
    const { random, limits } = this.#parts;
    const salt = Buffer.from(random.bytes(8)).toString('hex');
    const outcome = await this.#propose({ kind: 'open', salt, ...limits }, options);
    if (outcome.kind !== 'opened') throw new Error(`opening a session was answered with ${outcome.kind}`);
    return newSessionToken(outcome);
  }

  #propose(record: Unstamped, options: ProposeOptions): Promise<SessionOutcome> {
    const stamped = { ...record, stampMs: this.stamps.stamp() } as SessionRecord;
    return this.#parts.propose(encodeSessionRecord(stamped), options);
  }
}
