import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import { nodeClock } from '../doors/node-clock.ts';
import { nodeRandom } from '../doors/node-random.ts';
import { emptyConfiguration } from '../raft/configuration.ts';
import type { NodeId } from '../raft/identity.ts';
import type { RaftState } from '../raft/state.ts';
import type { StorageStats } from '../storage/contract.ts';
import { Applier } from './applier.ts';
import { msgpackCodec } from './command-codec.ts';
import { Closed, ProposalDropped, ReadFailed } from './errors.ts';
import type { RaftNodeEvents } from './events.ts';
import { logEvents } from './logging.ts';
import { type Metrics, metricsOf } from './metrics.ts';
import { type RaftNodeOptions, resolveRaftOptions } from './options.ts';
import { PendingRequests } from './pending-requests.ts';
import { Replica, type ReplicaParts } from './replica.ts';
import type { RequestOptions } from './request.ts';
import { RequestQueue } from './request-queue.ts';
import type { CommandCodec } from './state-machine.ts';
import { latestConfiguration, leaderOf, type NodeStatus, peersOf } from './status.ts';

const COMMAND_BYTES_MAX = 16 * 1024 * 1024;
const noStorage: StorageStats = { writes: 0, blocks: 0, syncs: 0, bytesWritten: 0, pendingWrites: 0 };

/**
 * One replica of a user's state machine, in this process.
 *
 * ```ts
 * await using node = await RaftNode.open({ id, storage, transport, stateMachine, bootstrap });
 * const result = await node.propose(command);
 * ```
 *
 * @typeParam Command - what is proposed. @typeParam Result - what `apply` returns for it.
 * @typeParam Query - what `read` takes. @typeParam Answer - what `query` returns for it.
 */
export class RaftNode<Command, Result, Query, Answer>
  extends EventEmitter<RaftNodeEvents>
  implements AsyncDisposable
{
  readonly id: NodeId;
  readonly #replica: Replica;
  readonly #queue: RequestQueue<Result, Query, Answer>;
  readonly #applier: Applier<Command, Result>;
  readonly #codec: CommandCodec<Command>;
  readonly #options: RaftNodeOptions<Command, Result, Query, Answer>;
  #lastState: RaftState | null = null;
  #lastStorage: StorageStats = noStorage;

  /**
   * Opens the storage, begins to listen, and takes part. Resolves as soon as that stands, with or
   * without a leader; see `waitForLeader`.
   *
   * @throws InvalidOptions with every mistake in the options.
   * @throws StorageRefused when the storage cannot be opened as it is.
   * @throws TransportFailed when the transport cannot listen.
   */
  static async open<Command, Result, Query, Answer>(
    options: RaftNodeOptions<Command, Result, Query, Answer>,
  ): Promise<RaftNode<Command, Result, Query, Answer>> {
    const raft = resolveRaftOptions(options);
    const node = new RaftNode(options, raft);
    await node.#replica.open();
    return node;
  }

  private constructor(
    options: RaftNodeOptions<Command, Result, Query, Answer>,
    raft: ReturnType<typeof resolveRaftOptions>,
  ) {
    super();
    this.id = options.id;
    this.#options = options;
    this.#codec = options.codec ?? msgpackCodec<Command>();
    const { clock, random } = options.doors ?? { clock: nodeClock(), random: nodeRandom() };
    const pending = new PendingRequests();
    this.#queue = new RequestQueue(
      clock,
      { timeoutMs: options.requestTimeoutMs ?? 10_000, pendingMax: options.pendingRequestsMax ?? 65_536 },
      pending,
      (query) => options.stateMachine.query(query),
    );
    const observer = options.observer ?? null;
    this.#applier = new Applier(options.stateMachine, this.#codec, pending, (entry, result) =>
      observer?.({ kind: 'applied', entry, result: result ?? null }),
    );
    const parts: ReplicaParts = {
      queue: this.#queue,
      pending,
      applier: this.#applier,
      emit: (name, ...args) => this.#emitGuarded(name, ...args),
    };
    this.#replica = new Replica(
      {
        id: options.id,
        group: options.group ?? 'default',
        raft,
        bootstrap: options.bootstrap?.members ?? null,
        storage: options.storage,
        transport: options.transport,
        clock,
        random,
        observer,
      },
      parts,
    );
    if (options.logger !== undefined)
      logEvents(this, options.logger.child({ replica: options.id }) as Logger);
  }

  /**
   * Replicates a command and resolves with what this replica's state machine returned for it.
   *
   * @throws NotLeader, Overloaded, Closed: nothing was proposed.
   * @throws ProposalDropped: it never will be applied, for example because it is too large.
   * @throws OutcomeUnknown: timeout, abort or stop came first; it may still be applied.
   */
  async propose(command: Command, options: RequestOptions = {}): Promise<Result> {
    this.#refuseWhenStopped();
    const payload = this.#codec.encode(command);
    const bytesMax = this.#options.commandBytesMax ?? COMMAND_BYTES_MAX;
    if (payload.length > bytesMax) {
      throw new ProposalDropped(
        `the command has ${payload.length} bytes, more than commandBytesMax (${bytesMax}); propose smaller ones`,
      );
    }
    const result = this.#queue.propose(payload, options);
    this.#replica.counters.proposals += 1;
    this.#replica.wake();
    return result;
  }

  /**
   * A linearizable read: the answer reflects everything acknowledged anywhere before the call. On the
   * leader only; it costs one log entry for all reads of a turn of the event loop.
   *
   * @throws NotLeader, Overloaded, Closed, ReadFailed, or what the state machine's `query` threw.
   */
  async read(query: Query, options: RequestOptions = {}): Promise<Answer> {
    this.#refuseWhenStopped();
    const answer = this.#queue.read(query, options);
    this.#replica.counters.reads += 1;
    this.#replica.wake();
    return answer;
  }

  /**
   * Resolves once a leader is known, with its id and address.
   *
   * @throws ReadFailed when none is within `timeoutMs` (default: `requestTimeoutMs`), or when aborted.
   */
  async waitForLeader(options: RequestOptions = {}): Promise<{ id: NodeId; address: string }> {
    const { clock } = this.#options.doors ?? { clock: nodeClock() };
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs ?? 10_000;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clock.clearTimer(timer);
        this.off('leader-changed', look).off('configuration-changed', look).off('stopped', onStopped);
        options.signal?.removeEventListener('abort', onAbort);
        act();
      };
      const look = (): void => {
        const leader = this.#leader();
        if (leader !== null) settle(() => resolve(leader));
      };
      const onStopped = (): void => settle(() => reject(new Closed(this.#replica.stopped ?? null)));
      const onAbort = (): void =>
        settle(() => reject(new ReadFailed('aborted by the caller', { cause: options.signal?.reason })));
      const timer = clock.setTimer(timeoutMs, () =>
        settle(() => reject(new ReadFailed(`no leader was known within ${timeoutMs} ms`))),
      );
      // The leader's address comes with the configuration, which may follow it.
      this.on('leader-changed', look).on('configuration-changed', look).on('stopped', onStopped);
      options.signal?.addEventListener('abort', onAbort, { once: true });
      if (this.#replica.stopped !== undefined) onStopped();
      else if (options.signal?.aborted === true) onAbort();
      else look();
    });
  }

  /** This replica's view at this moment. */
  status(): NodeStatus {
    const { session, stopped, bootstrapWaiting } = this.#replica;
    const state = this.#state();
    return {
      id: this.id,
      incarnation: state?.self.incarnation ?? '',
      boot: state?.self.boot ?? 0,
      clusterId: state?.clusterId ?? null,
      state: stopped !== undefined ? 'stopped' : session === null ? 'reopening' : 'running',
      role: session === null ? 'follower' : session.core.state.role,
      term: state?.hardState.term ?? 0,
      leader: this.#leader(),
      commitIndex: state?.commitIndex ?? 0,
      appliedIndex: this.#applier.appliedIndex,
      lastIndex: state?.log.lastIndex ?? 0,
      durableIndex: state?.durable.index ?? 0,
      configuration: state === null ? emptyConfiguration : latestConfiguration(state),
      peers: session === null ? [] : peersOf(session.core.state, session.core.state.now),
      ...(bootstrapWaiting === null ? {} : { bootstrap: bootstrapWaiting }),
    };
  }

  /** A snapshot of this replica's metrics; see `Metrics` for names and units. */
  metrics(): Metrics {
    const state = this.#state();
    if (state === null) return {};
    this.#lastStorage = this.#replica.session?.instance.stats() ?? this.#lastStorage;
    return metricsOf({
      state,
      appliedIndex: this.#applier.appliedIndex,
      pendingRequests: this.#queue.unsettled,
      counters: this.#replica.counters,
      storage: this.#lastStorage,
      transport: this.#options.transport.stats(),
    });
  }

  /** Stops taking part and releases everything. What waits is told. Idempotent. */
  close(): Promise<void> {
    return this.#replica.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The core's state, or its last one while the storage is being reopened. */
  #state(): RaftState | null {
    this.#lastState = this.#replica.session?.core.state ?? this.#lastState;
    return this.#lastState;
  }

  #leader(): { id: NodeId; address: string } | null {
    const { session } = this.#replica;
    return session === null ? null : leaderOf(session.core.state);
  }

  #refuseWhenStopped(): void {
    const { stopped } = this.#replica;
    if (stopped !== undefined) throw new Closed(stopped);
  }

  /**
   * A listener's exception is its owner's, reported as uncaught: neither the replica's loop nor the other
   * listeners hear of it.
   */
  #emitGuarded<Name extends keyof RaftNodeEvents>(name: Name, ...args: RaftNodeEvents[Name]): void {
    const listeners = this.rawListeners(name) as ((...args: RaftNodeEvents[Name]) => void)[];
    for (const listener of listeners) {
      try {
        listener.apply(this, args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
