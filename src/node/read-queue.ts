import type { Clock } from '../doors/clock.ts';
import type { Index } from '../raft/entry.ts';
import type { RequestId } from '../raft/identity.ts';
import { channels } from './channels.ts';
import { Overloaded, ReadFailed, TooStale } from './errors.ts';
import type { Instruments } from './instruments.ts';
import { type GiveUp, Request, type RequestOptions, refusalOf } from './request.ts';

export type ReadConsistency = 'linearizable' | 'lease' | 'local';

export interface ReadOptions extends RequestOptions {
  /**
   * `linearizable`: reflects everything acknowledged anywhere before the call; costs one round of heartbeats, which
   * reads at the same time share. `lease`: the same promise, without that round, as long as no clock drifts
   * by more than `raft.clockDriftMaxRatio`. `local`: what this replica holds, at once. Default: the node's
   * `readConsistency`.
   */
  readonly consistency?: ReadConsistency;
  /** `local` only: refused unless the state is proven to lag by no more than this; milliseconds. Default: no bound. */
  readonly maxStalenessMs?: number;
}

/** What the queue needs of the core. */
export interface ReadGranter {
  /** null: there is no core at present. */
  requestRead(lease: boolean): RequestId | null;
  cancelRead(readId: RequestId): void;
  /** By how many milliseconds the state lags at most; null: not known. */
  staleness(): number | null;
  /** What keeps reads from being granted at present, for the error of one that gives up. */
  whyNotGranted(): string;
}

/** The state machine, as what is read from. */
export class AppliedState<Query, Answer> {
  readonly #stateMachine: { query(query: Query): Answer | Promise<Answer> };
  readonly #applier: { readonly appliedIndex: Index; readonly midCommand: boolean };

  constructor(
    stateMachine: { query(query: Query): Answer | Promise<Answer> },
    applier: { readonly appliedIndex: Index; readonly midCommand: boolean },
  ) {
    this.#stateMachine = stateMachine;
    this.#applier = applier;
  }

  /** The last entry it holds; null when there is no state to read: a command is half applied, or a snapshot restored. */
  get index(): Index | null {
    return this.#applier.midCommand ? null : this.#applier.appliedIndex;
  }

  query(query: Query): Answer | Promise<Answer> {
    return this.#stateMachine.query(query);
  }
}

interface QueuedRead<Query, Answer> {
  readonly query: Query;
  readonly request: Request<Answer>;
  readonly maxStalenessMs: number | null;
}

/** The reads of one turn of one kind: they share one question to the core. */
interface Batch<Query, Answer> {
  readonly reads: readonly QueuedRead<Query, Answer>[];
  readonly lease: boolean;
  readId: RequestId | null;
  /** What has to be applied before they are answered; null until the core has granted them. */
  index: Index | null;
}

/**
 * Reads on their way: queued within a turn of the event loop, then granted by the core (see read-index.ts there),
 * then answered once the state machine holds what they must see. Whatever ends in between, a leader or the
 * storage, they wait on, up to their own timeout; nothing was changed by asking.
 *
 * An answer is taken between two commands only: a state machine that applies asynchronously shows half a command
 * otherwise, which nobody has been told of yet.
 */
export class ReadQueue<Query, Answer> {
  readonly #clock: Clock;
  readonly #limits: { readonly timeoutMs: number; readonly pendingMax: number };
  readonly #state: Pick<AppliedState<Query, Answer>, 'index' | 'query'>;
  readonly #granter: ReadGranter;
  readonly #instruments: Instruments;
  #fresh = { linearizable: [], lease: [], local: [] } as Record<ReadConsistency, QueuedRead<Query, Answer>[]>;
  #asked: Batch<Query, Answer>[] = [];
  #granted: Batch<Query, Answer>[] = [];
  #unsettled = 0;

  constructor(
    clock: Clock,
    limits: { readonly timeoutMs: number; readonly pendingMax: number },
    state: Pick<AppliedState<Query, Answer>, 'index' | 'query'>,
    granter: ReadGranter,
    instruments: Instruments,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#state = state;
    this.#granter = granter;
    this.#instruments = instruments;
  }

  /** Reads of this process that wait for their answer. */
  get unsettled(): number {
    return this.#unsettled;
  }

  read(query: Query, consistency: ReadConsistency, options: ReadOptions): Promise<Answer> {
    if (!channels.read.hasSubscribers) return this.#read(query, consistency, options);
    const message = { ...this.#instruments.node, consistency };
    return channels.read.tracePromise(() => this.#read(query, consistency, options), message);
  }

  #read(query: Query, consistency: ReadConsistency, options: ReadOptions): Promise<Answer> {
    const refused =
      refusalOf(options, this.#giveUp) ??
      stalenessMistake(consistency, options.maxStalenessMs) ??
      this.#overload();
    if (refused !== null) {
      this.#instruments.requestRefused('read', refused);
      return Promise.reject(refused);
    }
    this.#unsettled += 1;
    const beganAt = this.#instruments.requestBegan('read');
    const request = new Request<Answer>(
      this.#clock,
      { timeoutMs: options.timeoutMs ?? this.#limits.timeoutMs, signal: options.signal },
      this.#giveUp,
      (failure) => {
        this.#unsettled -= 1;
        this.#instruments.requestEnded('read', beganAt, failure);
        this.#cancelAbandoned();
      },
    );
    this.#fresh[consistency].push({ query, request, maxStalenessMs: options.maxStalenessMs ?? null });
    return request.promise;
  }

  /** At the end of a turn: asks the core for what was queued, and answers what can be answered. */
  flush(): void {
    for (const lease of [false, true]) {
      const reads = this.#fresh[lease ? 'lease' : 'linearizable'].splice(0);
      if (reads.length > 0) this.#ask({ reads, lease, readId: null, index: null });
    }
    this.look();
  }

  /** The core granted this read, and no other: one that goes by a lease proves nothing for those before it. */
  granted(readId: RequestId, index: Index): void {
    const isMeant = (batch: Batch<Query, Answer>): boolean =>
      batch.readId !== null && batch.readId.boot === readId.boot && batch.readId.sequence === readId.sequence;
    for (const batch of this.#asked.filter(isMeant)) {
      batch.index = index;
      this.#granted.push(batch);
    }
    this.#asked = this.#asked.filter((batch) => !isMeant(batch));
    this.look();
  }

  /** The state machine may be further, and between two commands. */
  look(): void {
    const appliedIndex = this.#state.index;
    if (appliedIndex === null) return;
    if (this.#granted.length > 0) {
      const ready = this.#granted.filter(({ index }) => index !== null && index <= appliedIndex);
      this.#granted = this.#granted.filter(({ index }) => index === null || index > appliedIndex);
      for (const { reads } of ready) for (const read of reads) this.#answer(read);
    }
    if (this.#fresh.local.length > 0)
      for (const read of this.#fresh.local.splice(0)) this.#answerLocally(read);
  }

  /** The core is another one: what the old one was asked for is asked anew. What it granted stands. */
  onSessionBegun(): void {
    for (const batch of this.#asked.splice(0)) this.#ask(batch);
  }

  /** The node stopped. */
  failAll(error: Error): void {
    const batches = [...this.#asked.splice(0), ...this.#granted.splice(0)];
    const queued = Object.values(this.#fresh).flatMap((reads) => reads.splice(0));
    for (const { request } of [...batches.flatMap(({ reads }) => reads), ...queued]) request.fail(error);
  }

  readonly #giveUp: GiveUp = (_inLog, why, cause) =>
    new ReadFailed(`the read did not finish: ${why}; ${this.#granter.whyNotGranted()}`, { cause });

  #overload(): Overloaded | null {
    if (this.#unsettled < this.#limits.pendingMax) return null;
    return new Overloaded(
      'pending-requests',
      `${this.#unsettled} reads are under way; wait for some to finish, then retry`,
    );
  }

  #ask(batch: Batch<Query, Answer>): void {
    if (isAbandoned(batch)) return;
    batch.readId = this.#granter.requestRead(batch.lease);
    this.#asked.push(batch);
  }

  #cancelAbandoned(): void {
    if (!this.#asked.some(isAbandoned)) return;
    for (const { readId } of this.#asked.filter(isAbandoned)) {
      if (readId !== null) this.#granter.cancelRead(readId);
    }
    this.#asked = this.#asked.filter((batch) => !isAbandoned(batch));
  }

  #answerLocally(read: QueuedRead<Query, Answer>): void {
    const { maxStalenessMs, request } = read;
    if (request.settled) return;
    const provenMs = maxStalenessMs === null ? null : this.#granter.staleness();
    if (maxStalenessMs !== null && (provenMs === null || provenMs > maxStalenessMs)) {
      request.fail(new TooStale(maxStalenessMs, provenMs));
    } else this.#answer(read);
  }

  /** A query that fails is its caller's business: it changed nothing, and the replica goes on. */
  #answer({ query, request }: QueuedRead<Query, Answer>): void {
    if (request.settled) return;
    try {
      const answer = this.#state.query(query);
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
}

function isAbandoned({
  reads,
}: {
  readonly reads: readonly { readonly request: { readonly settled: boolean } }[];
}): boolean {
  return reads.every(({ request }) => request.settled);
}

function stalenessMistake(consistency: ReadConsistency, maxStalenessMs: number | undefined): Error | null {
  if (maxStalenessMs === undefined) return null;
  if (consistency !== 'local') {
    return new RangeError(`maxStalenessMs is for local reads only; a ${consistency} read is never stale`);
  }
  return Number.isFinite(maxStalenessMs) && maxStalenessMs >= 0
    ? null
    : new RangeError(`maxStalenessMs: expected milliseconds from 0, found ${String(maxStalenessMs)}`);
}
