import type { Clock } from '../doors/clock.ts';
import type { Index } from '../raft/entry.ts';
import type { RequestId } from '../raft/identity.ts';
import { channels } from './channels.ts';
import { Overloaded, ReadFailed, TooStale } from './errors.ts';
import type { Instruments } from './instruments.ts';
import { isPromiseLike } from './promise-like.ts';
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
  /** null for a local one, and until the core is asked. */
  batch: Batch<Query, Answer> | null;
}

/** The reads of one turn of one kind: they share one question to the core. */
interface Batch<Query, Answer> {
  readonly reads: readonly QueuedRead<Query, Answer>[];
  readonly lease: boolean;
  /** How many of them are not settled. */
  unsettled: number;
  /** null while there is no core to ask. */
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
 *
 * A replica without a leader, or whose state machine stands still, collects as many reads as `pendingMax` allows, each
 * a batch by itself perhaps. So whoever gives up leaves nothing behind, and nothing here looks through all the others.
 */
export class ReadQueue<Query, Answer> {
  readonly #clock: Clock;
  readonly #limits: { readonly timeoutMs: number; readonly pendingMax: number };
  readonly #state: Pick<AppliedState<Query, Answer>, 'index' | 'query'>;
  readonly #granter: ReadGranter;
  readonly #instruments: Instruments;
  /** Of this turn: the core is asked at its end. */
  readonly #fresh: Record<'linearizable' | 'lease', QueuedRead<Query, Answer>[]> = {
    linearizable: [],
    lease: [],
  };
  readonly #local = new Set<QueuedRead<Query, Answer>>();
  /** By the sequence of its id; all are of one boot. */
  readonly #asked = new Map<number, Batch<Query, Answer>>();
  readonly #unasked = new Set<Batch<Query, Answer>>();
  readonly #granted = new Set<Batch<Query, Answer>>();
  /** None of the granted ones waits for less. */
  #lowestGranted = Number.POSITIVE_INFINITY;
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
      refusalOf(options, neverBegan) ??
      stalenessMistake(consistency, options.maxStalenessMs) ??
      this.#overload();
    if (refused !== null) {
      this.#instruments.requestRefused('read', refused);
      return Promise.reject(refused);
    }
    this.#unsettled += 1;
    const beganAt = this.#instruments.requestBegan('read');
    const read: QueuedRead<Query, Answer> = {
      query,
      maxStalenessMs: options.maxStalenessMs ?? null,
      batch: null,
      request: new Request<Answer>(
        this.#clock,
        { timeoutMs: options.timeoutMs ?? this.#limits.timeoutMs, signal: options.signal },
        (_inLog, why, cause) =>
          new ReadFailed(`the read did not finish: ${why}; ${this.#whatKeeps(read)}`, { cause }),
        (failure) => {
          this.#unsettled -= 1;
          this.#instruments.requestEnded('read', beganAt, failure);
          this.#forget(read);
        },
      ),
    };
    if (consistency === 'local') this.#local.add(read);
    else this.#fresh[consistency].push(read);
    return read.request.promise;
  }

  /** At the end of a turn: asks the core for what was queued, and answers what can be answered. */
  flush(): void {
    for (const kind of ['linearizable', 'lease'] as const) {
      const reads = this.#fresh[kind].splice(0).filter(({ request }) => !request.settled);
      if (reads.length === 0) continue;
      const batch = { reads, lease: kind === 'lease', unsettled: reads.length, readId: null, index: null };
      for (const read of reads) read.batch = batch;
      this.#ask(batch);
    }
    this.look();
  }

  /** The core granted this read, and no other: one that goes by a lease proves nothing for those before it. */
  granted(readId: RequestId, index: Index): void {
    const batch = this.#takeAsked(readId);
    if (batch === null) return;
    batch.index = index;
    this.#granted.add(batch);
    if (index < this.#lowestGranted) this.#lowestGranted = index;
    this.look();
  }

  /** It could wait for long, and another replica would answer. */
  refuse(readId: RequestId, why: string): void {
    const reads = this.#takeAsked(readId)?.reads ?? [];
    for (const { request } of reads) request.fail(new ReadFailed(`the read is not answered here: ${why}`));
  }

  /** The state machine may be further, and between two commands. */
  look(): void {
    const appliedIndex = this.#state.index;
    if (appliedIndex === null) return;
    if (appliedIndex >= this.#lowestGranted) {
      const ready = [...this.#granted].filter(({ index }) => index !== null && index <= appliedIndex);
      for (const batch of ready) this.#granted.delete(batch);
      this.#lowestGranted = Number.POSITIVE_INFINITY;
      for (const { index } of this.#granted)
        if (index !== null && index < this.#lowestGranted) this.#lowestGranted = index;
      for (const { reads } of ready) for (const read of reads) this.#answer(read);
    }
    if (this.#local.size === 0) return;
    const local = [...this.#local];
    this.#local.clear();
    for (const read of local) this.#answerLocally(read);
  }

  /** The core is another one: what the old one was asked for is asked anew. What it granted stands. */
  onSessionBegun(): void {
    const batches = [...this.#asked.values(), ...this.#unasked];
    this.#asked.clear();
    this.#unasked.clear();
    for (const batch of batches) this.#ask(batch);
  }

  /** The node stopped. */
  failAll(error: Error): void {
    const batches = [...this.#asked.values(), ...this.#unasked, ...this.#granted];
    const { linearizable, lease } = this.#fresh;
    const queued = [...linearizable.splice(0), ...lease.splice(0), ...this.#local];
    for (const { request } of [...batches.flatMap(({ reads }) => reads), ...queued]) request.fail(error);
  }

  /** For the error of one that gives up. */
  #whatKeeps({ batch }: QueuedRead<Query, Answer>): string {
    const { index: appliedIndex } = this.#state;
    if (batch !== null && batch.index === null) return this.#granter.whyNotGranted();
    if (appliedIndex === null) return 'a command that has not ended, or a snapshot, is being applied here';
    return batch === null
      ? this.#granter.whyNotGranted()
      : `entries up to ${batch.index} have to be applied here first, and only ${appliedIndex} are`;
  }

  #overload(): Overloaded | null {
    if (this.#unsettled < this.#limits.pendingMax) return null;
    return new Overloaded(
      'pending-requests',
      `${this.#unsettled} reads are under way; wait for some to finish, then retry`,
    );
  }

  #takeAsked(readId: RequestId): Batch<Query, Answer> | null {
    const batch = this.#asked.get(readId.sequence);
    if (batch?.readId?.boot !== readId.boot) return null;
    this.#asked.delete(readId.sequence);
    return batch;
  }

  #ask(batch: Batch<Query, Answer>): void {
    batch.readId = this.#granter.requestRead(batch.lease);
    if (batch.readId === null) this.#unasked.add(batch);
    else this.#asked.set(batch.readId.sequence, batch);
  }

  /** It is settled. A question for whose answer nobody waits any more is withdrawn. */
  #forget(read: QueuedRead<Query, Answer>): void {
    this.#local.delete(read);
    const { batch } = read;
    if (batch === null) return;
    batch.unsettled -= 1;
    if (batch.unsettled > 0 || this.#granted.delete(batch) || this.#unasked.delete(batch)) return;
    const { readId } = batch;
    if (readId === null || this.#asked.get(readId.sequence) !== batch) return;
    this.#asked.delete(readId.sequence);
    this.#granter.cancelRead(readId);
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
      if (isPromiseLike(answer)) {
        answer.then(
          (value) => request.succeed(value),
          (error: unknown) => request.fail(error),
        );
      } else {
        request.succeed(answer);
      }
    } catch (error) {
      request.fail(error);
    }
  }
}

const neverBegan: GiveUp = (_inLog, why, cause) =>
  new ReadFailed(`the read was not begun: ${why}`, { cause });

function stalenessMistake(consistency: ReadConsistency, maxStalenessMs: number | undefined): Error | null {
  if (maxStalenessMs === undefined) return null;
  if (consistency !== 'local') {
    return new RangeError(`maxStalenessMs is for local reads only; a ${consistency} read is never stale`);
  }
  return Number.isFinite(maxStalenessMs) && maxStalenessMs >= 0
    ? null
    : new RangeError(`maxStalenessMs: expected milliseconds from 0, found ${String(maxStalenessMs)}`);
}
