import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Clock } from '../doors/clock.ts';
import { nodeClock } from '../doors/node-clock.ts';
import { nodeRandom } from '../doors/node-random.ts';
import type { Metrics } from '../metrics/catalogue.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { GroupId, NodeId } from '../raft/identity.ts';
import type { RaftOptions } from '../raft/options.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import { Applier } from './applier.ts';
import { streamBackup } from './backup.ts';
import { channels } from './channels.ts';
import { msgpackCodec } from './command-codec.ts';
import { Closed, InvalidOptions, ProposalDropped } from './errors.ts';
import type { RaftNodeEvents } from './events.ts';
import { Instruments, type RequestKind } from './instruments.ts';
import { waitForLeader } from './leader-wait.ts';
import { logEvents } from './logging.ts';
import type { MembershipOptions } from './membership-requests.ts';
import { countEvent, metricsOf, newCounters } from './metrics.ts';
import { observedStateMachine } from './observed-state-machine.ts';
import { ObservedStorage } from './observed-storage.ts';
import { COMMAND_BYTES_MAX, type RaftNodeOptions, readMistakes, resolveRaftOptions } from './options.ts';
import { PendingRequests } from './pending-requests.ts';
import { ProposalQueue } from './proposal-queue.ts';
import { AppliedState, type ReadOptions, ReadQueue } from './read-queue.ts';
import { Replica, type ReplicaParts } from './replica.ts';
import type { ProposeOptions, RequestOptions } from './request.ts';
import type { RequestedChange } from './requested-change.ts';
import type { ClientSession } from './sessions/client-session.ts';
import { NodeSessions, type SessionOptions } from './sessions/node-sessions.ts';
import { resolveSessionLimits } from './sessions/session-limits.ts';
import type { SessionOutcome } from './sessions/session-table.ts';
import { withSnapshotHead } from './sessions/snapshot-head.ts';
import { snapshotPolicy } from './snapshot-policy.ts';
import { SnapshotTaker } from './snapshot-taker.ts';
import type { CommandCodec } from './state-machine.ts';
import { leaderOf, type NodeStatus, statusOf } from './status.ts';

const TIMEOUT_MS = 10_000;

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
  readonly group: GroupId;
  readonly #replica: Replica;
  readonly #queue: ProposalQueue<Result>;
  readonly #reads: ReadQueue<Query, Answer>;
  readonly #applier: Applier<Command, Result>;
  readonly #codec: CommandCodec<Command>;
  readonly #options: RaftNodeOptions<Command, Result, Query, Answer>;
  readonly #clock: Clock;
  readonly #taker: SnapshotTaker;
  readonly #sessions: NodeSessions<Command, Result>;
  readonly #counters = newCounters();
  readonly #raft: RaftOptions;
  #closing: Promise<void> | null = null;
  readonly #instruments: Instruments;
  readonly #storage: ObservedStorage;

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

  private constructor(options: RaftNodeOptions<Command, Result, Query, Answer>, raft: RaftOptions) {
    super();
    this.id = options.id;
    this.group = options.group ?? 'default';
    this.#options = options;
    this.#raft = raft;
    this.#codec = options.codec ?? msgpackCodec<Command>();
    const { clock, random } = options.doors ?? { clock: nodeClock(), random: nodeRandom() };
    this.#clock = clock;
    this.#instruments = new Instruments({ id: this.id, group: this.group }, clock);
    this.#storage = new ObservedStorage(options.storage, this.#instruments);
    const pending = new PendingRequests();
    const limits = {
      timeoutMs: options.requestTimeoutMs ?? TIMEOUT_MS,
      pendingMax: options.pendingRequestsMax ?? 65_536,
    };
    this.#queue = new ProposalQueue(
      clock,
      { ...limits, queuedBytesMax: raft.uncommittedBytesMax, batchBytesMax: raft.messageBytesMax },
      pending,
      this.#instruments,
    );
    const observer = options.observer ?? null;
    const observed = observedStateMachine(options.stateMachine, this.#instruments);
    this.#sessions = new NodeSessions({
      clock,
      random,
      limits: resolveSessionLimits(options),
      resultCodec: options.resultCodec ?? msgpackCodec<Result>(),
      encode: (command) => this.#encode(command),
      propose: (payload, request) => this.#proposeSession(payload, request),
      proposeStamp: (payload) => {
        this.#queue.proposeStamp(payload);
        this.#replica.wake();
      },
    });
    this.#applier = new Applier(observed, this.#codec, pending, this.#sessions.applied, (entry, result) => {
      this.#instruments.applied(entry.index);
      observer?.({ kind: 'applied', entry, result: result ?? null });
      this.#taker.onApplied(entry);
      this.#reads.look();
    });
    const { stateMachine } = options;
    this.#taker = new SnapshotTaker(
      stateMachine.snapshot === undefined
        ? null
        : () => withSnapshotHead(this.#sessions.applied.table.content(), stateMachine.snapshot?.() ?? []),
      options.snapshots ?? snapshotPolicy(),
      () => ({ index: this.#applier.appliedIndex, midCommand: this.#applier.midCommand }),
      (index, error) => this.#emitGuarded('snapshot-failed', { index, origin: 'taken', error }),
    );
    this.#reads = new ReadQueue(
      clock,
      limits,
      new AppliedState(stateMachine, this.#applier),
      {
        requestRead: (lease) => this.#replica.requestRead(lease),
        cancelRead: (readId) => this.#replica.cancelRead(readId),
        staleness: () => this.#replica.staleness(),
        whyNotGranted: () => this.#replica.whyNotGranted(),
      },
      this.#instruments,
    );
    const parts: ReplicaParts = {
      queue: this.#queue,
      pending,
      applier: this.#applier,
      taker: this.#taker,
      stamps: this.#sessions.stamps,
      reads: this.#reads,
      instruments: this.#instruments,
      emit: (name, ...args) => this.#emitGuarded(name, ...args),
    };
    this.#replica = new Replica(
      {
        id: options.id,
        group: this.group,
        raft,
        bootstrap: options.bootstrap?.members ?? null,
        join: options.join?.seeds ?? null,
        address: options.address ?? null,
        metadata: options.metadata ?? {},
        storage: this.#storage,
        transport: options.transport,
        clock,
        random,
        observer,
        storageStallMs: options.storageStallMs ?? 2 * raft.electionTimeoutMaxMs,
        applyStallMs: options.applyStallMs ?? 10 * raft.electionTimeoutMaxMs,
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
  async propose(command: Command, options: ProposeOptions = {}): Promise<Result> {
    this.#refuseWhenStopped('proposal');
    // Before it is encoded: whoever has too much to do must not do more for what it refuses.
    const refused = this.#queue.earlyRefusal(options);
    if (refused !== null) throw this.#refused('proposal', refused);
    const result = this.#queue.propose(this.#encode(command), options);
    this.#replica.wake();
    return result;
  }

  /**
   * Opens a session, in which a command that is retried is applied once and always answered with its first result
   * (dissertation 6.3); on the leader only. Or goes on with one that was opened before, here or elsewhere, at
   * once and on any replica. It expires when nothing is proposed in it for `sessionTimeoutMs`.
   *
   * @throws NotLeader, Overloaded, ProposalDropped, Closed: none was opened.
   * @throws OutcomeUnknown: one may have been, which nobody will use and which expires; open another.
   * @throws RangeError when `resume` is no token.
   */
  async session(options: SessionOptions = {}): Promise<ClientSession<Command, Result>> {
    this.#refuseWhenStopped();
    return this.#sessions.session(options);
  }

  /**
   * Reads, on any replica. Unless told otherwise the answer reflects everything acknowledged anywhere before the
   * call: a replica that does not lead asks the leader up to where it has to be (dissertation 6.4).
   *
   * @throws ReadFailed when it was not granted or answered in time, with what it waited for.
   * @throws TooStale when a local read is not proven to be as fresh as asked.
   * @throws Overloaded, Closed, or what the state machine's `query` threw; InvalidOptions for a lease read without
   *   `raft.clockDriftMaxRatio`.
   */
  async read(query: Query, options: ReadOptions = {}): Promise<Answer> {
    this.#refuseWhenStopped('read');
    const consistency = options.consistency ?? this.#options.readConsistency ?? 'linearizable';
    const mistakes = readMistakes(consistency, this.#raft);
    if (mistakes.length > 0) throw new InvalidOptions(mistakes);
    const answer = this.#reads.read(query, consistency, options);
    this.#replica.wake();
    return answer;
  }

  /**
   * Hands leadership to the voter `to`, or to the fittest: resolves with the new leader once it is known here. The
   * leader takes no proposals meanwhile; they wait, and are proposed if it goes on leading, or refused with
   * NotLeader. It ends within one longest election timeout either way.
   *
   * @throws TransferFailed with the reason: nothing was begun, it did not succeed, or another was elected.
   */
  async transferLeadership(
    to: NodeId | null = null,
    options: RequestOptions = {},
  ): Promise<{ id: NodeId; address: string }> {
    this.#refuseWhenStopped();
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs ?? TIMEOUT_MS;
    return this.#replica.leadership.transfer(to, { ...options, timeoutMs });
  }

  /**
   * Leads no more, at once, and lets the others go first in the election that follows. What was proposed and is not
   * committed may still be. Prefer `transferLeadership`: it leaves no time without a leader.
   *
   * @throws NotLeader, StepDownRefused, Closed
   */
  stepDown(): void {
    this.#refuseWhenStopped();
    this.#replica.leadership.stepDown();
  }

  /**
   * Resolves once a leader is known, with its id and address.
   *
   * @throws ReadFailed when none is within `timeoutMs` (default: `requestTimeoutMs`), or when aborted.
   */
  async waitForLeader(options: RequestOptions = {}): Promise<{ id: NodeId; address: string }> {
    const source = { leader: () => this.#leader(), stopped: () => this.#replica.stopped };
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs ?? TIMEOUT_MS;
    return waitForLeader(this, source, this.#clock, { ...options, timeoutMs });
  }

  /**
   * Changes who is a member: on the leader only, one change at a time, by joint consensus (dissertation 4.3).
   * New voters catch up as learners first. Where incarnation or address of a newcomer is not given, it waits
   * for that server to ask to join. Resolves with the new configuration once it is committed.
   *
   * Whoever stops waiting leaves the change running; see `abortMembershipChange`. Default timeout: 60 s.
   *
   * @throws MembershipRefused, at once, with the reason; nothing was begun.
   * @throws MembershipAborted when it was given up: by an abort, or because a new member got no further.
   * @throws OutcomeUnknown when this replica leads no more, or timeout, abort of the signal or stop came first.
   */
  async changeMembership(change: RequestedChange, options: MembershipOptions = {}): Promise<Configuration> {
    this.#refuseWhenStopped();
    return this.#replica.membership.change(change, options);
  }

  /**
   * Gives up the change of the membership under way, and resolves with the configuration in force then: the
   * old one, appended anew.
   *
   * @throws MembershipRefused when there is none, it is too late, or this replica does not lead.
   * @throws ProposalDropped when the signal was aborted before the call; OutcomeUnknown.
   */
  async abortMembershipChange(options: RequestOptions = {}): Promise<Configuration> {
    this.#refuseWhenStopped();
    return this.#replica.membership.abort(options);
  }

  /**
   * Takes a snapshot of the state machine now, and resolves once it is durable, or at once when the latest
   * covers everything applied. null when nothing was applied, or the state machine has no `snapshot`.
   *
   * @throws what the state machine's iterator threw, or Closed.
   */
  async snapshot(): Promise<SnapshotMeta | null> {
    this.#refuseWhenStopped();
    return this.#taker.take();
  }

  /**
   * A backup of this replica, to be written to a file and made a cluster by `kontiki restore`:
   *
   * ```ts
   * await pipeline(node.backup(), createWriteStream(path));
   * ```
   *
   * It is the state machine after one entry of the log, and holds all that this replica had applied when the
   * first piece was asked for: so everything whose `propose` or `read` on this replica had resolved. It may hold
   * less than what others have acknowledged; where it must not, make a linearizable `read` here first.
   *
   * It goes on while commands are applied, reads as fast as it is asked for more, and holds one piece of at most 1 MiB.
   * The snapshot stays on the disk until the last piece was read, or until the iterator is ended (as `for await` and
   * `pipeline` do). Whatever breaks off is no backup, and `restore` refuses it.
   *
   * @throws BackupFailed when the state machine has no `snapshot`, nothing was applied yet, or the snapshot cannot
   *   be read; Closed; what the state machine's iterator threw.
   */
  backup(): AsyncGenerator<Uint8Array> {
    return streamBackup({
      group: this.#options.group ?? 'default',
      appliedIndex: () => this.#applier.appliedIndex,
      takesSnapshots: this.#options.stateMachine.snapshot !== undefined,
      snapshot: () => this.snapshot(),
      open: () => {
        this.#refuseWhenStopped();
        const { session } = this.#replica;
        return session === null
          ? null
          : { clusterId: session.core.state.clusterId, snapshots: session.snapshots };
      },
    });
  }

  /** This replica's view at this moment. */
  status(): NodeStatus {
    // It brings the core's time up to the present, by which all else is judged: an idle replica has no other input.
    const stalenessMs = this.#replica.staleness();
    const { session, stopped, bootstrapWaiting, damage, disk, lastState } = this.#replica;
    return statusOf({
      id: this.id,
      lastState,
      state: session === null ? null : session.core.state,
      isStopped: stopped !== undefined,
      appliedIndex: this.#applier.appliedIndex,
      sessions: this.#sessions.applied.table.size,
      stalenessMs,
      damage,
      disk,
      bootstrap: bootstrapWaiting,
    });
  }

  /** A snapshot of this replica's metrics: names, units and meaning stand in docs/metrics.md. */
  metrics(): Metrics {
    const { lastState: state, session, stopped, disk } = this.#replica;
    if (state === null) throw new Error('there are no metrics before the node is open');
    return metricsOf({
      state,
      running: session !== null && stopped === undefined,
      appliedIndex: this.#applier.appliedIndex,
      pendingRequests: this.#queue.unsettled + this.#reads.unsettled,
      counters: this.#counters,
      instruments: this.#instruments,
      sessions: this.#sessions.applied,
      storage: this.#storage.stats(),
      disk,
      transport: this.#options.transport.stats(),
    });
  }

  /**
   * Stops taking part and releases everything; a leader hands over first, which takes at most one longest election
   * timeout. What waits is told, and nothing new is taken from this call on. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#handOverAndClose();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #handOverAndClose(): Promise<void> {
    const state = this.#replica.session?.core.state;
    // A leader that hears no quorum has nobody to hand over to.
    if (state?.role === 'leader' && state.quorumConfirmedAt !== null) {
      await this.#replica.leadership.leaveTheLead(2 * this.#raft.electionTimeoutMaxMs);
    }
    await this.#replica.close();
  }

  #leader(): { id: NodeId; address: string } | null {
    const { session } = this.#replica;
    return session === null ? null : leaderOf(session.core.state);
  }

  async #proposeSession(payload: Uint8Array, options: ProposeOptions): Promise<SessionOutcome> {
    this.#refuseWhenStopped('proposal');
    const outcome = this.#queue.proposeSession(payload, options);
    this.#replica.wake();
    return outcome;
  }

  /** @throws ProposalDropped */
  #encode(command: Command): Uint8Array {
    const payload = this.#codec.encode(command);
    const bytesMax = this.#options.commandBytesMax ?? COMMAND_BYTES_MAX;
    if (payload.length <= bytesMax) return payload;
    throw this.#refused(
      'proposal',
      new ProposalDropped(
        `the command has ${payload.length} bytes, more than commandBytesMax (${bytesMax}); propose smaller ones`,
      ),
    );
  }

  /** @param kind - what is refused, where requests are counted. */
  #refuseWhenStopped(kind?: RequestKind): void {
    const { stopped } = this.#replica;
    if (stopped === undefined && this.#closing === null) return;
    const closed = new Closed(stopped ?? null);
    throw kind === undefined ? closed : this.#refused(kind, closed);
  }

  #refused(kind: RequestKind, error: Error): Error {
    this.#instruments.requestRefused(kind, error);
    return error;
  }

  /**
   * A listener's exception is its owner's, reported as uncaught: neither the replica's loop nor the other
   * listeners hear of it.
   */
  #emitGuarded<Name extends keyof RaftNodeEvents>(name: Name, ...args: RaftNodeEvents[Name]): void {
    countEvent(this.#counters, name, args);
    if (channels.event.hasSubscribers) {
      channels.event.publish({ ...this.#instruments.node, name, event: args[0] });
    }
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
