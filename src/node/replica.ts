import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import type { Effect, ReadGrantedEffect } from '../raft/effect.ts';
import type { RaftEvent } from '../raft/event.ts';
import type { Incarnation, RequestId } from '../raft/identity.ts';
import type { Envelope } from '../raft/message.ts';
import type { Raft } from '../raft/raft.ts';
import type { RaftState } from '../raft/state.ts';
import type { Storage, StorageSpace } from '../storage/contract.ts';
import type { Transport } from '../transport/contract.ts';
import { AddressBook } from './address-book.ts';
import type { Applier } from './applier.ts';
import type { BootstrapWaiting } from './bootstrap.ts';
import { ClockWatch } from './clock-watch.ts';
import { ClusterEntry, type ClusterEntrySettings } from './cluster-entry.ts';
import { DiskSpace } from './disk-space.ts';
import { Closed, NotLeader, Removed, Retired } from './errors.ts';
import type { RaftNodeEvents } from './events.ts';
import type { Instruments } from './instruments.ts';
import { LeadershipRequests } from './leadership-requests.ts';
import { type DamageStatus, LogRepair } from './log-repair.ts';
import { MembershipRequests } from './membership-requests.ts';
import type { Observation, Observer } from './observation.ts';
import type { PendingRequests } from './pending-requests.ts';
import type { ProposalQueue } from './proposal-queue.ts';
import { mayBeProposed, proposalRefusal } from './proposal-refusal.ts';
import { tellRaftEvent } from './raft-events.ts';
import type { ReadQueue } from './read-queue.ts';
import { openSession, type Session, type SessionSettings } from './session.ts';
import { type SessionActions, SessionWork } from './session-work.ts';
import type { SessionStamps } from './sessions/session-stamps.ts';
import type { SnapshotTaker } from './snapshot-taker.ts';
import { StallWatch } from './stall-watch.ts';
import { latestConfiguration, leaderOf } from './status.ts';
import { StorageReopening } from './storage-reopening.ts';
import { WakeTimer } from './wake-timer.ts';
import { whyNotAnswered, whyReadsWait } from './why-reads-wait.ts';

export interface ReplicaSettings extends SessionSettings, Omit<ClusterEntrySettings, 'transport'> {
  readonly storage: Storage;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer | null;
  readonly storageStallMs: number;
  readonly applyStallMs: number;
}

/** What the replica's loop works with. */
export interface ReplicaParts {
  readonly queue: Pick<ProposalQueue<unknown>, 'isEmpty' | 'flush' | 'failQueued' | 'refuseQueued'>;
  readonly pending: PendingRequests;
  readonly applier: Applier<unknown, unknown>;
  readonly taker: SnapshotTaker;
  readonly stamps: SessionStamps;
  readonly reads: Pick<
    ReadQueue<unknown, unknown>,
    'flush' | 'granted' | 'refuse' | 'onSessionBegun' | 'failAll'
  >;
  readonly instruments: Instruments;
  emit<Name extends keyof RaftNodeEvents>(name: Name, ...args: RaftNodeEvents[Name]): void;
}

/** A session and everything that lives and ends with it. */
interface Running {
  readonly session: Session;
  readonly entry: ClusterEntry;
  readonly work: SessionWork;
  readonly repair: LogRepair;
}

/**
 * The one event loop of a replica. Inputs of a turn go into the core as they come; at the turn's end the
 * core's effects are drained once: writes to the storage, messages to the transport, committed entries
 * to the state machine, and the core's deadline to the timer. No effect waits for another: the core
 * says nothing that depends on a write before it was told that the write is durable.
 */
export class Replica {
  readonly membership: MembershipRequests;
  readonly leadership: LeadershipRequests;
  readonly #settings: ReplicaSettings;
  readonly #parts: ReplicaParts;
  readonly #timer: WakeTimer;
  readonly #clocks: ClockWatch;
  readonly #addresses: AddressBook;
  readonly #reopener: StorageReopening;
  readonly #disk: DiskSpace;
  #running: Running | null = null;
  #lastState: RaftState | null = null;
  #drainScheduled = false;
  /** Why it has to stop once the drain under way is done. */
  #stopAfterDrain: Error | null = null;
  /** undefined while running; then why it stopped, null for a plain close. */
  #stopped: Error | null | undefined;
  #stopping: Promise<void> | null = null;
  #reopening: Promise<void> = Promise.resolve();

  constructor(settings: ReplicaSettings, parts: ReplicaParts) {
    const { clock, random, transport } = settings;
    this.#settings = { ...settings, onSpace: (space) => this.#disk.note(space) };
    this.#parts = parts;
    this.#timer = new WakeTimer(clock, () => this.#input((now, core) => core.tick(now)));
    this.#clocks = new ClockWatch(clock, settings.raft.clockGapMs);
    this.#addresses = new AddressBook(transport, () => settings.address ?? transport.address);
    this.#reopener = new StorageReopening(clock, random, (error, retryInMs) =>
      parts.emit('storage-reopen-failed', { error, retryInMs }),
    );
    this.#disk = new DiskSpace({
      input: (give) => this.#input(give),
      nearlyFull: (event) => {
        parts.emit('disk-nearly-full', event);
        parts.taker.makeRoom(event.freeBytes);
      },
      hasSpace: (space) => parts.emit('disk-has-space', space),
      isHeard: () => this.#lastState !== null && this.#stopped === undefined,
    });
    this.membership = new MembershipRequests(clock, (act) => this.#withCore(act));
    this.leadership = new LeadershipRequests(
      clock,
      (act) => this.#withCore(act),
      () => (this.session === null ? null : leaderOf(this.session.core.state)),
    );
  }

  /** null while the storage is being reopened, and once stopped. */
  get session(): Session | null {
    return this.#running?.session ?? null;
  }

  /** The core's state, or its last one while the storage is being reopened, and once stopped. */
  get lastState(): RaftState | null {
    return this.#lastState;
  }

  get stopped(): Error | null | undefined {
    return this.#stopped;
  }

  /** null unless a cluster is to be founded, and something keeps it from being so. */
  get bootstrapWaiting(): BootstrapWaiting | null {
    return this.#running?.entry.waiting ?? null;
  }

  /** null while the log is whole, and while there is none. */
  get damage(): DamageStatus | null {
    return this.#running?.repair.damage ?? null;
  }

  async open(): Promise<void> {
    const { transport, storage } = this.#settings;
    const session = await openSession(storage, this.#settings, this.#parts.applier, null);
    try {
      await transport.open({
        identity: { ...session.self, clusterId: session.instance.identity.clusterId },
        receive: (envelope) => this.#receive(envelope),
        observe: (event) => this.#parts.emit('transport', event),
      });
    } catch (error) {
      await session.instance.close();
      throw error;
    }
    this.#begin(session);
  }

  /** Within a drain. null while there is no core to ask. */
  requestRead(lease: boolean): RequestId | null {
    return this.session?.core.requestRead(this.#settings.clock.now(), lease) ?? null;
  }

  cancelRead(readId: RequestId): void {
    this.#input((now, core) => core.cancelRead(now, readId));
  }

  staleness(): number | null {
    return this.#withCore((now, core) => core.staleness(now));
  }

  /** For the error of a read that gives up. */
  whyNotGranted(): string {
    return whyReadsWait(this.session?.core.state ?? null);
  }

  /** What the storage said last of its space; null: nothing. */
  get disk(): StorageSpace | null {
    return this.#disk.last;
  }

  /** Something was queued: the turn's end will see to it. */
  wake(): void {
    this.#scheduleDrain();
  }

  close(): Promise<void> {
    return this.#stop(null);
  }

  #begin(session: Session): void {
    const entry = this.#entryOf(session);
    const running: Running = {
      session,
      entry,
      repair: this.#repairOf(session, entry),
      work: new SessionWork(
        session,
        this.#parts.applier,
        this.#parts.taker,
        this.#watch(session),
        this.#sessionActions(session),
      ),
    };
    this.#running = running;
    this.#lastState = session.core.state;
    this.#observe({
      kind: 'opened',
      identity: session.instance.identity,
      recovered: session.log.recovered,
      appliedIndex: this.#parts.applier.appliedIndex,
    });
    this.#addresses.begin(session.log.recovered.damage?.configuration ?? null);
    running.work.begin();
    running.entry.start();
    this.#disk.tellCore();
    this.#parts.reads.onSessionBegun();
    this.#scheduleDrain();
  }

  // ---- inputs

  #input(give: (now: number, core: Raft) => void): void {
    if (this.#stopped !== undefined || this.#running === null) return;
    const { core } = this.#running.session;
    try {
      const now = this.#settings.clock.now();
      const divergedMs = this.#drainScheduled ? null : this.#clocks.divergence(now);
      if (divergedMs !== null) core.clockAnomaly(now, 'wall-divergence', divergedMs);
      give(now, core);
    } catch (error) {
      this.#stopWith(error);
      return;
    }
    this.#scheduleDrain();
  }

  #withCore<T>(act: (now: number, core: Raft) => T): T | null {
    const answer: { value: T | null } = { value: null };
    this.#input((now, core) => {
      answer.value = act(now, core);
    });
    return answer.value;
  }

  #receive(envelope: Envelope): void {
    const running = this.#running;
    if (running === null || this.#stopped !== undefined) return;
    this.#observe({ kind: 'received', envelope });
    try {
      if (running.entry.receive(envelope) || running.repair.receive(envelope)) return;
    } catch (error) {
      this.#stopWith(error);
      return;
    }
    this.#input((now, core) => core.receive(now, envelope));
  }

  // ---- the drain

  #scheduleDrain(): void {
    if (this.#drainScheduled || this.#stopped !== undefined) return;
    this.#drainScheduled = true;
    this.#settings.clock.endOfTurn(() => this.#drain());
  }

  #drain(): void {
    this.#drainScheduled = false;
    if (this.#stopped !== undefined) return;
    const running = this.#running;
    if (running === null) {
      this.#parts.queue.refuseQueued(new NotLeader(null));
      this.#parts.reads.flush();
      return;
    }
    const { core } = running.session;
    try {
      this.#flushProposals(core);
      this.#parts.reads.flush();
      const effects = core.takeEffects();
      this.#parts.instruments.look(core.state);
      // Addresses before messages: whoever just asked to be let in is answered in this drain.
      this.#followConfiguration(running);
      for (const effect of effects) this.#carryOut(running, effect);
      if (running !== this.#running) return;
      this.#parts.taker.look();
      this.#parts.stamps.look(core.state);
      running.entry.look();
      running.repair.look();
      this.#disk.announce();
      this.#timer.arm(core.deadline);
      // They waited for leadership to be handed over, and that has just ended: this replica leads on, or another does.
      if (!this.#parts.queue.isEmpty && mayBeProposed(core.state)) this.#scheduleDrain();
    } catch (error) {
      this.#stopWith(error);
      return;
    }
    this.#observe({ kind: 'step', state: core.state });
    this.#stopIfDone();
  }

  #flushProposals(core: Raft): void {
    if (this.#parts.queue.isEmpty) return;
    this.#parts.queue.flush(
      (proposals) => core.propose(this.#settings.clock.now(), proposals),
      (refused) => proposalRefusal(refused, core.state),
    );
  }

  #carryOut(running: Running, effect: Effect): void {
    if (effect.kind === 'send') this.#send(effect.envelope);
    else if (effect.kind === 'event') this.#onRaftEvent(effect.event);
    else if (effect.kind === 'read-granted') this.#onReadGranted(running.session, effect);
    else running.work.carryOut(effect);
  }

  #onReadGranted({ core }: Session, { readId, index }: ReadGrantedEffect): void {
    const why = whyNotAnswered(core.state, index);
    if (why === null) this.#parts.reads.granted(readId, index);
    else this.#parts.reads.refuse(readId, why);
  }

  #onRaftEvent(event: RaftEvent): void {
    this.#observe({ kind: 'raft-event', event });
    if (event.kind === 'removed') this.#stopAfterDrain ??= new Removed();
    this.membership.onEvent(event);
    this.leadership.onEvent(event);
    tellRaftEvent(event, this.#parts.emit);
  }

  #followConfiguration({ session, entry }: Running): void {
    const configuration = this.#addresses.follow(session.core.state, entry.hints);
    if (configuration !== null) this.#parts.emit('configuration-changed', { configuration });
  }

  // ---- what works for a session

  #sessionActions(session: Session): SessionActions {
    const isOver = (): boolean => session !== this.session;
    return {
      isOver,
      input: (give) => {
        if (!isOver()) this.#input(give);
      },
      storageFailed: (error) => this.#onStorageFailed(session, error),
      stop: (error) => this.#stopWith(error),
      observe: (observation) => this.#observe(observation),
      emit: this.#parts.emit,
    };
  }

  #watch(session: Session): StallWatch {
    const { clock, storageStallMs, applyStallMs } = this.#settings;
    const isOver = (): boolean => session !== this.session;
    return new StallWatch(clock, { storageStallMs, applyStallMs }, () => this.#parts.applier.appliedIndex, {
      stalled: (what, forMs) => {
        if (isOver()) return;
        this.#parts.emit('stalled', { what, forMs });
        this.#input((now, core) => core.stalled(now, what));
      },
      answered: (what) => {
        if (isOver()) return;
        this.#parts.emit('stall-ended', { what });
        this.#input((now, core) => core.answered(now, what));
      },
    });
  }

  #entryOf(session: Session): ClusterEntry {
    const isOver = (): boolean => session !== this.session;
    return new ClusterEntry(session, this.#settings, {
      input: (give) => {
        if (!isOver()) this.#input(give);
      },
      send: (envelope) => this.#send(envelope),
      waiting: (waiting) => this.#parts.emit('bootstrap-waiting', waiting),
      joining: (from, { answer, leader }) => this.#parts.emit('joining', { from, answer, leader }),
      retired: () => this.#stopWith(Retired.replaced(session.self)),
      bootWentBack: () => this.#forget(session),
      removed: () => {
        const configuration = latestConfiguration(session.core.state);
        this.#stopAfterDrain ??= new Removed();
        this.#parts.emit('removed', { configuration });
        this.#scheduleDrain();
      },
      putAside: (aside) => this.#parts.emit('storage-put-aside', aside),
      hintsChanged: () => this.#scheduleDrain(),
      storageFailed: (error) => this.#onStorageFailed(session, error),
    });
  }

  #repairOf(session: Session, entry: ClusterEntry): LogRepair {
    const isOver = (): boolean => session !== this.session;
    return new LogRepair(session, this.#settings, {
      input: (give) => {
        if (!isOver()) this.#input(give);
      },
      send: (envelope) => this.#send(envelope),
      others: () => entry.hints,
      found: (damage) => this.#parts.emit('damage-found', damage),
      covered: (covered) => this.#parts.emit('damage-covered', covered),
      gained: (count) => this.#parts.instruments.entriesRepaired(count),
      repaired: (how) => this.#parts.emit('damage-repaired', how),
      storageFailed: (error) => this.#onStorageFailed(session, error),
    });
  }

  // ---- a session ends, and the next begins

  #onStorageFailed(session: Session, error: unknown): void {
    if (session !== this.session || this.#stopped !== undefined) return;
    this.#observe({ kind: 'write-failed', error });
    this.#endSession(session);
    this.#parts.emit('storage-failed', { error });
    this.#reopen(session, null);
  }

  /**
   * A later run of this pair was heard: the disk was copied or went back, so what it says of votes and entries
   * is not to be trusted. It becomes another server, which asks to be let in like any other.
   */
  #forget(session: Session): void {
    if (session !== this.session || this.#stopped !== undefined) return;
    this.#endSession(session);
    this.#reopen(session, session.self.incarnation);
  }

  #endSession({ core }: Session): void {
    core.writeFailed(this.#settings.clock.now());
    for (const effect of core.takeEffects()) {
      if (effect.kind === 'event') this.#onRaftEvent(effect.event);
    }
    this.#leaveSession();
  }

  #leaveSession(): void {
    const running = this.#running;
    this.#running = null;
    this.#timer.disarm();
    running?.entry.stop();
    running?.repair.stop();
    running?.work.end();
    this.#parts.stamps.look(null);
  }

  #reopen(ended: Session, forget: Incarnation | null): void {
    this.#reopening = this.#openAgain(ended, forget).catch((failure: unknown) => this.#stopWith(failure));
  }

  async #openAgain(ended: Session, forget: Incarnation | null): Promise<void> {
    const { storage, transport } = this.#settings;
    const { applier } = this.#parts;
    await ended.instance.close().catch(() => {});
    await applier.idle();
    const session = await this.#reopener.open(() => openSession(storage, this.#settings, applier, forget));
    if (session === null) return;
    if (this.#stopped !== undefined) {
      await session.instance.close().catch(() => {});
      return;
    }
    transport.setIdentity({ ...session.self, clusterId: session.instance.identity.clusterId });
    this.#begin(session);
    this.#parts.emit('storage-reopened', { boot: session.self.boot });
  }

  // ---- the end

  /** What the last drain sent is let out first: the others hear that they have to go on by themselves. */
  #stopIfDone(): void {
    const cause = this.#stopAfterDrain;
    if (cause !== null) this.#settings.clock.endOfTurn(() => this.#stopWith(cause));
  }

  #stopWith(error: unknown): void {
    this.#stop(error instanceof Error ? error : new Error(String(error)));
  }

  #stop(cause: Error | null): Promise<void> {
    this.#stopping ??= this.#shutDown(cause);
    return this.#stopping;
  }

  async #shutDown(cause: Error | null): Promise<void> {
    this.#stopped = cause;
    const { session } = this;
    const { queue, pending, applier, taker } = this.#parts;
    this.#leaveSession();
    queue.failQueued(new Closed(cause));
    pending.failAll(cause === null ? 'the node was closed' : 'the node was stopped', cause);
    this.#parts.reads.failAll(new Closed(cause));
    this.membership.stop(cause);
    this.leadership.stop(cause);
    taker.stop(new Closed(cause));
    this.#observe({ kind: 'stopped', error: cause });
    // A user's `apply` that never settles must not keep the node from closing: it is left behind.
    applier.stop();
    // At once: a session that begins from here on would be nobody's to close.
    this.#reopener.stop();
    // A transport that fails while closing must not keep the storage, and its directory, open.
    await this.#settings.transport.close().catch(() => {});
    await this.#reopening;
    // A storage that fails while closing has nothing left to lose: what resolved is durable.
    await session?.instance.close().catch(() => {});
    this.#parts.emit('stopped', { error: cause });
  }

  #send(envelope: Envelope): void {
    this.#observe({ kind: 'sent', envelope });
    this.#settings.transport.send(envelope);
  }

  #observe(observation: Observation): void {
    this.#settings.observer?.(observation);
  }
}
