import type { Clock } from '../doors/clock.ts';
import type { Proposal, ProposeResult } from '../raft/raft.ts';
import { OutcomeUnknown, Overloaded } from './errors.ts';
import type { PendingRequests } from './pending-requests.ts';
import {
  type GiveUp,
  giveUpProposal,
  giveUpRead,
  Request,
  type RequestOptions,
  refusalOf,
} from './request.ts';

interface QueuedProposal<Result> {
  readonly payload: Uint8Array;
  readonly request: Request<Result>;
}

interface QueuedRead<Query, Answer> {
  readonly query: Query;
  readonly request: Request<Answer>;
}

/**
 * Proposals and reads of one turn of the event loop, handed to the core as one batch at its end. The
 * reads of a turn share one no-op barrier, appended after the turn's commands: it was appended after
 * each of those reads was called, so when it is applied here the state reflects everything acknowledged
 * before any of the calls, and the barrier's commit proves that nobody else led in between
 * (linearizable; dissertation 6.4 gives the cheaper ways).
 */
export class RequestQueue<Result, Query, Answer> {
  readonly #clock: Clock;
  readonly #limits: { readonly timeoutMs: number; readonly pendingMax: number };
  readonly #pending: PendingRequests;
  readonly #query: (query: Query) => Answer | Promise<Answer>;
  #proposals: QueuedProposal<Result>[] = [];
  #reads: QueuedRead<Query, Answer>[] = [];
  #unsettled = 0;

  constructor(
    clock: Clock,
    limits: { readonly timeoutMs: number; readonly pendingMax: number },
    pending: PendingRequests,
    query: (query: Query) => Answer | Promise<Answer>,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#pending = pending;
    this.#query = query;
  }

  /** Requests of this process that wait for their outcome. */
  get unsettled(): number {
    return this.#unsettled;
  }

  propose(payload: Uint8Array, options: RequestOptions): Promise<Result> {
    const refused = this.#refusal(options, giveUpProposal);
    if (refused !== null) return Promise.reject(refused);
    const request = this.#request<Result>(options, giveUpProposal);
    this.#proposals.push({ payload, request });
    return request.promise;
  }

  read(query: Query, options: RequestOptions): Promise<Answer> {
    const refused = this.#refusal(options, giveUpRead);
    if (refused !== null) return Promise.reject(refused);
    const request = this.#request<Answer>(options, giveUpRead);
    this.#reads.push({ query, request });
    return request.promise;
  }

  get isEmpty(): boolean {
    return this.#proposals.length === 0 && this.#reads.length === 0;
  }

  /** Hands everything queued to the core. `refusal` makes the error for a core that did not take it. */
  flush(
    propose: (proposals: readonly Proposal[]) => ProposeResult,
    refusal: (reason: 'not-leader' | 'overloaded' | 'handing-over') => Error,
  ): void {
    const proposals = this.#proposals.filter(({ request }) => !request.settled);
    const reads = this.#reads.filter(({ request }) => !request.settled);
    this.#proposals = [];
    this.#reads = [];
    if (proposals.length === 0 && reads.length === 0) return;

    const batch: Proposal[] = proposals.map(({ payload }) => ({ kind: 'command', payload }));
    if (reads.length > 0) batch.push({ kind: 'noop' });
    let result: ProposeResult;
    try {
      result = propose(batch);
    } catch (error) {
      // The core stopped half way: whatever it had appended may still be committed by others.
      for (const { request } of [...proposals, ...reads]) {
        request.fail(new OutcomeUnknown('the replica stopped while it proposed this', { cause: error }));
      }
      throw error;
    }
    if (!result.accepted) {
      const error = refusal(result.reason);
      for (const { request } of [...proposals, ...reads]) request.fail(error);
      return;
    }
    for (const [position, { request }] of proposals.entries()) {
      request.inLog = true;
      this.#pending.register(result.from + position, result.term, {
        kind: 'proposal',
        applied: (value) => request.succeed(value as Result),
        failed: (error) => request.fail(error),
      });
    }
    if (reads.length > 0) this.#registerReads(result.from + proposals.length, result.term, reads);
  }

  /** Refuses everything queued: it never reached the core. */
  failQueued(error: Error): void {
    const queued = [...this.#proposals, ...this.#reads];
    this.#proposals = [];
    this.#reads = [];
    for (const { request } of queued) request.fail(error);
  }

  #registerReads(index: number, term: number, reads: readonly QueuedRead<Query, Answer>[]): void {
    this.#pending.register(index, term, {
      kind: 'reads',
      applied: () => {
        for (const { query, request } of reads) if (!request.settled) this.#answer(query, request);
      },
      failed: (error) => {
        for (const { request } of reads) request.fail(error);
      },
    });
  }

  /** A query that fails is its caller's business: it changed nothing, and the replica goes on. */
  #answer(query: Query, request: Request<Answer>): void {
    try {
      const answer = this.#query(query);
      if (answer instanceof Promise) {
        answer.then(
          (value) => request.succeed(value),
          (error) => request.fail(error),
        );
      } else {
        request.succeed(answer);
      }
    } catch (error) {
      request.fail(error);
    }
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
    return new Request<T>(
      this.#clock,
      { timeoutMs: options.timeoutMs ?? this.#limits.timeoutMs, signal: options.signal },
      giveUp,
      () => {
        this.#unsettled -= 1;
      },
    );
  }
}
