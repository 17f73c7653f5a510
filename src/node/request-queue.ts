import type { Clock } from '../doors/clock.ts';
import type { Proposal, ProposeResult } from '../raft/raft.ts';
import { channels, type ProposeMessage } from './channels.ts';
import { OutcomeUnknown, Overloaded } from './errors.ts';
import type { Instruments } from './instruments.ts';
import type { PendingRequests } from './pending-requests.ts';
import { type GiveUp, giveUpProposal, Request, type RequestOptions, refusalOf } from './request.ts';
import type { SessionOutcome } from './sessions/session-table.ts';

interface QueuedProposal {
  readonly kind: 'command' | 'session';
  readonly payload: Uint8Array;
  /** Settled with what the applier makes of the entry. */
  readonly request: Request<unknown>;
  /** null unless somebody listens. */
  readonly message: ProposeMessage | null;
}

/** Proposals of one turn of the event loop, handed to the core as one batch at its end. */
export class RequestQueue<Result> {
  readonly #clock: Clock;
  readonly #limits: { readonly timeoutMs: number; readonly pendingMax: number };
  readonly #pending: PendingRequests;
  readonly #instruments: Instruments;
  #proposals: QueuedProposal[] = [];
  #unsettled = 0;

  constructor(
    clock: Clock,
    limits: { readonly timeoutMs: number; readonly pendingMax: number },
    pending: PendingRequests,
    instruments: Instruments,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#pending = pending;
    this.#instruments = instruments;
  }

  /** Requests of this process that wait for their outcome. */
  get unsettled(): number {
    return this.#unsettled;
  }

  propose(payload: Uint8Array, options: RequestOptions): Promise<Result> {
    return this.#traced('command', payload, options) as Promise<Result>;
  }

  /** Of the sessions of clients; resolves with what became of it. */
  proposeSession(payload: Uint8Array, options: RequestOptions): Promise<SessionOutcome> {
    return this.#traced('session', payload, options) as Promise<SessionOutcome>;
  }

  #traced(kind: QueuedProposal['kind'], payload: Uint8Array, options: RequestOptions): Promise<unknown> {
    if (!channels.propose.hasSubscribers) return this.#propose({ kind, payload, message: null }, options);
    const message: ProposeMessage = { ...this.#instruments.node, payloadBytes: payload.length, entry: null };
    return channels.propose.tracePromise(() => this.#propose({ kind, payload, message }, options), message);
  }

  #propose(proposal: Omit<QueuedProposal, 'request'>, options: RequestOptions): Promise<unknown> {
    const refused = this.#refusal(options, giveUpProposal);
    if (refused !== null) {
      this.#instruments.requestRefused('proposal', refused);
      return Promise.reject(refused);
    }
    const request = this.#request<unknown>(options, giveUpProposal);
    this.#proposals.push({ ...proposal, request });
    return request.promise;
  }

  get isEmpty(): boolean {
    return this.#proposals.length === 0;
  }

  /**
   * Hands everything queued to the core; while leadership is being handed over it stays queued, for that takes no
   * longer than an election. `refusal` makes the error for a core that did not take it.
   */
  flush(
    propose: (proposals: readonly Proposal[]) => ProposeResult,
    refusal: (reason: 'not-leader' | 'overloaded') => Error,
  ): void {
    const proposals = this.#proposals.filter(({ request }) => !request.settled);
    this.#proposals = [];
    if (proposals.length === 0) return;

    let result: ProposeResult;
    try {
      result = propose(proposals.map(({ kind, payload }) => ({ kind, payload })));
    } catch (error) {
      // The core stopped half way: whatever it had appended may still be committed by others.
      for (const { request } of proposals) {
        request.fail(new OutcomeUnknown('the replica stopped while it proposed this', { cause: error }));
      }
      throw error;
    }
    if (!result.accepted) {
      if (result.reason === 'handing-over') {
        this.#proposals = proposals;
        return;
      }
      const error = refusal(result.reason);
      for (const { request } of proposals) request.fail(error);
      return;
    }
    this.#instruments.appended(proposals.length, result);
    for (const [position, { request, message }] of proposals.entries()) {
      request.inLog = true;
      if (message !== null) {
        this.#instruments.tracedAppend(message, { index: result.from + position, term: result.term });
      }
      this.#pending.register(result.from + position, result.term, {
        applied: (value) => request.succeed(value),
        failed: (error) => request.fail(error),
      });
    }
  }

  /** Refuses everything queued: it never reached the core. */
  failQueued(error: Error): void {
    for (const { request } of this.#proposals.splice(0)) request.fail(error);
  }

  #refusal(options: RequestOptions, giveUp: GiveUp): Error | null {
    const refused = refusalOf(options, giveUp);
    if (refused !== null) return refused;
    if (this.#unsettled >= this.#limits.pendingMax) {
      return new Overloaded(`${this.#unsettled} requests are under way; wait for some to finish, then retry`);
    }
    return null;
  }

  #request<T>(options: RequestOptions, giveUp: GiveUp): Request<T> {
    this.#unsettled += 1;
    const beganAt = this.#instruments.requestBegan('proposal');
    return new Request<T>(
      this.#clock,
      { timeoutMs: options.timeoutMs ?? this.#limits.timeoutMs, signal: options.signal },
      giveUp,
      (failure) => {
        this.#unsettled -= 1;
        this.#instruments.requestEnded('proposal', beganAt, failure);
      },
    );
  }
}
