import type { Clock } from '../doors/clock.ts';
import type { Index, Term } from '../raft/entry.ts';
import type { Proposal, ProposeResult } from '../raft/raft.ts';
import { channels, type ProposeMessage } from './channels.ts';
import { NotLeader, OutcomeUnknown, Overloaded } from './errors.ts';
import type { Instruments } from './instruments.ts';
import type { PendingRequests } from './pending-requests.ts';
import {
  type GiveUp,
  giveUpProposal,
  type ProposeOptions,
  Request,
  type RequestOptions,
  refusalOf,
} from './request.ts';
import { type RefusedOutcome, refusalError } from './sessions/refusal-error.ts';
import type { SessionOutcome } from './sessions/session-table.ts';

interface QueuedProposal {
  readonly kind: 'command' | 'session';
  readonly payload: Uint8Array;
  /** Settled with what the applier makes of the entry. */
  readonly request: Request<unknown>;
  /** It would rather wait than hear that no leader is known. */
  readonly waits: boolean;
  /** null unless somebody listens. */
  readonly message: ProposeMessage | null;
}

export interface ProposalLimits {
  readonly timeoutMs: number;
  /** Requests that wait for their outcome. */
  readonly pendingMax: number;
  /** Bytes of commands queued at a time; one command always fits. */
  readonly queuedBytesMax: number;
  /** Bytes of commands handed to the core at a time; one command always fits. */
  readonly batchBytesMax: number;
}

type Refused = Extract<ProposeResult, { readonly accepted: false }>;

/** Proposals of one turn of the event loop, handed to the core as one batch at its end. */
export class ProposalQueue<Result> {
  readonly #clock: Clock;
  readonly #limits: ProposalLimits;
  readonly #pending: PendingRequests;
  readonly #instruments: Instruments;
  #proposals: QueuedProposal[] = [];
  #queuedBytes = 0;
  #unsettled = 0;

  constructor(clock: Clock, limits: ProposalLimits, pending: PendingRequests, instruments: Instruments) {
    this.#clock = clock;
    this.#limits = limits;
    this.#pending = pending;
    this.#instruments = instruments;
  }

  /** Requests of this process that wait for their outcome. */
  get unsettled(): number {
    return this.#unsettled;
  }

  propose(payload: Uint8Array, options: ProposeOptions): Promise<Result> {
    return this.#traced('command', payload, options) as Promise<Result>;
  }

  /** Of the sessions of clients; resolves with what became of it. */
  proposeSession(payload: Uint8Array, options: ProposeOptions): Promise<SessionOutcome> {
    return this.#traced('session', payload, options) as Promise<SessionOutcome>;
  }

  /** This replica's own, which nobody waits for: it is no request, and neither counted nor traced as one. */
  proposeStamp(payload: Uint8Array): void {
    if (this.#refusal({}) !== null || this.#refuseBytes(payload.length) !== null) return;
    this.#unsettled += 1;
    const request = new Request<unknown>(this.#clock, this.#limits, giveUpProposal, () => {
      this.#unsettled -= 1;
    });
    request.promise.catch(() => {});
    this.#enqueue({ kind: 'session', payload, waits: false, message: null, request });
  }

  #traced(kind: QueuedProposal['kind'], payload: Uint8Array, options: ProposeOptions): Promise<unknown> {
    if (!channels.propose.hasSubscribers) return this.#propose({ kind, payload, message: null }, options);
    const message: ProposeMessage = { ...this.#instruments.node, payloadBytes: payload.length, entry: null };
    return channels.propose.tracePromise(() => this.#propose({ kind, payload, message }, options), message);
  }

  #propose(proposal: Omit<QueuedProposal, 'request' | 'waits'>, options: ProposeOptions): Promise<unknown> {
    const refused =
      whenNoLeaderMistake(options) ?? this.#refusal(options) ?? this.#refuseBytes(proposal.payload.length);
    if (refused !== null) {
      this.#instruments.requestRefused('proposal', refused);
      return Promise.reject(refused);
    }
    const request = this.#request<unknown>(options, giveUpProposal);
    this.#enqueue({ ...proposal, waits: options.whenNoLeader === 'wait', request });
    return request.promise;
  }

  get isEmpty(): boolean {
    return this.#proposals.length === 0;
  }

  /**
   * Hands everything queued to the core, in pieces, so that of a burst that is too much as a whole the first part is
   * taken. While leadership is being handed over it stays queued, for that takes no longer than an election.
   * `refusal` makes the error for what the core did not take.
   */
  flush(
    propose: (proposals: readonly Proposal[]) => ProposeResult,
    refusal: (refused: Refused) => Error,
  ): void {
    let proposals = this.#takeQueued();
    while (proposals.length > 0) {
      const piece = proposals.slice(0, this.#pieceOf(proposals));
      let result: ProposeResult;
      try {
        result = propose(piece.map(({ kind, payload }) => ({ kind, payload })));
      } catch (error) {
        // The core stopped half way: whatever it had appended may still be committed by others.
        for (const { request } of proposals) {
          request.fail(new OutcomeUnknown('the replica stopped while it proposed this', { cause: error }));
        }
        throw error;
      }
      if (!result.accepted) {
        if (result.reason === 'transferring-leadership') {
          for (const proposal of proposals) this.#enqueue(proposal);
          return;
        }
        this.#refuse(proposals, refusal(result));
        return;
      }
      this.#register(piece, result);
      proposals = proposals.slice(piece.length);
    }
  }

  #register(
    piece: readonly QueuedProposal[],
    { from, term }: { readonly from: Index; readonly term: Term },
  ): void {
    this.#instruments.appended(piece.length, { from, term });
    for (const [position, { kind, request, message }] of piece.entries()) {
      request.inLog = true;
      if (message !== null) this.#instruments.tracedAppend(message, { index: from + position, term });
      this.#pending.register(from + position, term, {
        applied: (value) => request.succeed(value, kind === 'session' ? refusalIn(value) : null),
        failed: (error) => request.fail(error),
      });
    }
  }

  /** Refuses everything queued: it never reached the core. */
  failQueued(error: Error): void {
    for (const { request } of this.#takeQueued()) request.fail(error);
  }

  /** There is no core at present: who waits for a leader goes on waiting. */
  refuseQueued(error: NotLeader): void {
    this.#refuse(this.#takeQueued(), error);
  }

  #refuse(proposals: readonly QueuedProposal[], error: Error): void {
    const noLeader = error instanceof NotLeader && error.leader === null;
    for (const proposal of proposals) {
      if (noLeader && proposal.waits) this.#enqueue(proposal);
      else proposal.request.fail(error);
    }
  }

  /** Why nothing would be queued, whatever it is; null also while proposals are traced, refused ones included. */
  earlyRefusal(options: RequestOptions): Error | null {
    return channels.propose.hasSubscribers ? null : this.#refusal(options);
  }

  #refusal(options: RequestOptions): Error | null {
    const refused = refusalOf(options, giveUpProposal);
    if (refused !== null) return refused;
    // Who gave up waiting is still filed until its entry is applied or excluded.
    const pending = Math.max(this.#unsettled, this.#pending.size);
    if (pending < this.#limits.pendingMax) return null;
    return new Overloaded(
      'pending-requests',
      `${pending} requests are under way; wait for some to finish, then retry`,
    );
  }

  #refuseBytes(bytes: number): Error | null {
    const queued = this.#queuedBytes;
    if (queued === 0 || queued + bytes <= this.#limits.queuedBytesMax) return null;
    return new Overloaded(
      'queued-bytes',
      `${queued} bytes are queued already; wait for the end of this turn, then retry`,
    );
  }

  #enqueue(proposal: QueuedProposal): void {
    this.#queuedBytes += proposal.payload.length;
    this.#proposals.push(proposal);
  }

  /** Those that somebody waits for. */
  #takeQueued(): QueuedProposal[] {
    this.#queuedBytes = 0;
    return this.#proposals.splice(0).filter(({ request }) => !request.settled);
  }

  /** How many proposals make the next batch. */
  #pieceOf(proposals: readonly QueuedProposal[]): number {
    let count = 0;
    let bytes = 0;
    for (const { payload } of proposals) {
      bytes += payload.length;
      if (count > 0 && bytes > this.#limits.batchBytesMax) break;
      count += 1;
    }
    return count;
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

function whenNoLeaderMistake({ whenNoLeader }: ProposeOptions): Error | null {
  return whenNoLeader === undefined || whenNoLeader === 'fail' || whenNoLeader === 'wait'
    ? null
    : new RangeError(`whenNoLeader: expected "fail" or "wait", found ${String(whenNoLeader)}`);
}

/** Only the session knows of its other attempts; to count it, it does not matter. */
function refusalIn(outcome: unknown): Error | null {
  const { kind } = outcome as SessionOutcome;
  return kind === 'refused' ? refusalError(outcome as RefusedOutcome, false) : null;
}
