import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { ApplyEffect, Effect, LoadEffect, WriteEffect } from '../raft/effect.ts';
import type { Entry } from '../raft/entry.ts';
import type { RaftEvent } from '../raft/event.ts';
import type { GroupId, NodeId } from '../raft/identity.ts';
import type { Envelope } from '../raft/message.ts';
import type { RaftOptions } from '../raft/options.ts';
import type { Storage } from '../storage/contract.ts';
import { StorageRefused } from '../storage/errors.ts';
import type { Transport } from '../transport/contract.ts';
import type { Applier } from './applier.ts';
import type { BootstrapWaiting } from './bootstrap.ts';
import { ClusterEntry } from './cluster-entry.ts';
import { Closed, NotLeader, Overloaded } from './errors.ts';
import type { RaftNodeEvents } from './events.ts';
import { type NodeCounters, newCounters } from './metrics.ts';
import type { Observation, Observer } from './observation.ts';
import type { BootstrapMember } from './options.ts';
import type { PendingRequests } from './pending-requests.ts';
import type { RequestQueue } from './request-queue.ts';
import { openSession, type Session } from './session.ts';
import { latestConfiguration, leaderOf } from './status.ts';
import { WakeTimer } from './wake-timer.ts';

const REOPEN_AFTER_MS = 20;
const REOPEN_AFTER_MAX_MS = 2_000;

export interface ReplicaSettings {
  readonly id: NodeId;
  readonly group: GroupId;
  readonly raft: RaftOptions;
  readonly bootstrap: readonly BootstrapMember[] | null;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer | null;
}

/** What the replica's loop works with. */
export interface ReplicaParts {
  readonly queue: Pick<RequestQueue<unknown, unknown, unknown>, 'isEmpty' | 'flush' | 'failQueued'>;
  readonly pending: PendingRequests;
  readonly applier: Pick<Applier<unknown, unknown>, 'apply' | 'appliedIndex' | 'idle' | 'stop'>;
  emit<Name extends keyof RaftNodeEvents>(name: Name, ...args: RaftNodeEvents[Name]): void;
}

/**
 * The one event loop of a replica. Inputs of a turn go into the core as they come; at the turn's end the
 * core's effects are drained once: writes to the storage, messages to the transport, committed entries
 * to the state machine, and the core's deadline to the timer. No effect waits for another: the core
 * says nothing that depends on a write before it was told that the write is durable.
 */
export class Replica {
  readonly counters: NodeCounters = newCounters();
  readonly #settings: ReplicaSettings;
  readonly #parts: ReplicaParts;
  readonly #timer: WakeTimer;
  #session: Session | null = null;
  /** Of the present session. */
  #entry: ClusterEntry | null = null;
  #drainScheduled = false;
  /** undefined while running; then why it stopped, null for a plain close. */
  #stopped: Error | null | undefined;
  #stopping: Promise<void> | null = null;
  #reopening: Promise<void> = Promise.resolve();
  /** Ends the wait between two attempts to reopen; null while there is none. */
  #cutWaitShort: (() => void) | null = null;
  #peersFrom: Configuration | null = null;
  /** wall - now at the last look: two clocks that part tell of a machine that slept. */
  #wallAhead: number;

  constructor(settings: ReplicaSettings, parts: ReplicaParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#timer = new WakeTimer(settings.clock, () => this.#input((now) => this.#session?.core.tick(now)));
    this.#wallAhead = settings.clock.wall() - settings.clock.now();
  }

  /** null while the storage is being reopened, and once stopped. */
  get session(): Session | null {
    return this.#session;
  }

  get stopped(): Error | null | undefined {
    return this.#stopped;
  }

  /** null unless this replica is trying to found its cluster. */
  get bootstrapWaiting(): BootstrapWaiting | null {
    return this.#entry?.waiting ?? null;
  }

  async open(): Promise<void> {
    const { transport } = this.#settings;
    const session = await this.#openSession();
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

  /** Something was queued: the turn's end will see to it. */
  wake(): void {
    this.#scheduleDrain();
  }

  close(): Promise<void> {
    return this.#stop(null);
  }

  #openSession(): Promise<Session> {
    return openSession(this.#settings.storage, this.#settings, () => this.#parts.applier.appliedIndex);
  }

  #begin(session: Session): void {
    this.#session = session;
    this.#observe({
      kind: 'opened',
      identity: session.instance.identity,
      recovered: session.log.recovered,
      appliedIndex: this.#parts.applier.appliedIndex,
    });
    this.#peersFrom = null;
    this.#entry = this.#entryOf(session);
    this.#entry.start();
    this.#scheduleDrain();
  }

  // ---- inputs

  #input(give: (now: number) => void): void {
    if (this.#stopped !== undefined) return;
    try {
      const now = this.#settings.clock.now();
      if (!this.#drainScheduled) this.#compareClocks(now);
      give(now);
    } catch (error) {
      this.#stopWith(error);
      return;
    }
    this.#scheduleDrain();
  }

  #receive(envelope: Envelope): void {
    const session = this.#session;
    if (session === null || this.#stopped !== undefined) return;
    this.#observe({ kind: 'received', envelope });
    if (this.#entry?.receive(envelope) === true) return;
    this.#input((now) => session.core.receive(now, envelope));
  }

  #compareClocks(now: number): void {
    const wallAhead = this.#settings.clock.wall() - now;
    const byMs = wallAhead - this.#wallAhead;
    this.#wallAhead = wallAhead;
    if (Math.abs(byMs) > this.#settings.raft.clockGapMs) {
      this.#session?.core.clockAnomaly(now, 'wall-divergence', byMs);
    }
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
    const session = this.#session;
    if (session === null) {
      this.#parts.queue.failQueued(new NotLeader(null));
      return;
    }
    try {
      this.#flushRequests(session);
      for (const effect of session.core.takeEffects()) this.#carryOut(session, effect);
      if (session !== this.#session) return;
      this.#followConfiguration(session);
      this.#timer.arm(session.core.deadline);
    } catch (error) {
      this.#stopWith(error);
      return;
    }
    this.#observe({ kind: 'step', state: session.core.state });
  }

  #flushRequests(session: Session): void {
    if (this.#parts.queue.isEmpty) return;
    this.#parts.queue.flush(
      (proposals) => session.core.propose(this.#settings.clock.now(), proposals),
      (reason) => {
        this.counters.proposalsRefused += 1;
        return reason === 'overloaded'
          ? new Overloaded('too many bytes are appended and not yet committed; wait, then retry')
          : new NotLeader(leaderOf(session.core.state));
      },
    );
  }

  #carryOut(session: Session, effect: Effect): void {
    switch (effect.kind) {
      case 'write':
        this.#write(session, effect);
        break;
      case 'send':
        this.#send(effect.envelope);
        break;
      case 'apply':
        this.#apply(session, effect);
        break;
      case 'load':
        this.#load(session, effect);
        break;
      case 'event':
        this.#onRaftEvent(effect.event);
    }
  }

  #write(session: Session, effect: WriteEffect): void {
    this.#observe({ kind: 'write', write: effect });
    const { kind: _, ...request } = effect;
    session.log.write(request).then(
      () => {
        if (session !== this.#session) return;
        this.#observe({ kind: 'persisted', writeId: effect.writeId });
        this.#input((now) => session.core.persisted(now, effect.writeId));
      },
      (error: unknown) => this.#onStorageFailed(session, error),
    );
  }

  #load(session: Session, effect: LoadEffect): void {
    session.log.read(effect).then(
      (entries) => {
        if (session === this.#session) {
          this.#input((now) => session.core.loaded(now, effect.loadId, entries));
        }
      },
      (error: unknown) => this.#onStorageFailed(session, error),
    );
  }

  #onRaftEvent(event: RaftEvent): void {
    this.#observe({ kind: 'raft-event', event });
    const { emit } = this.#parts;
    if (event.kind === 'role-changed') emit('role-changed', event);
    else if (event.kind === 'log-truncated') emit('log-truncated', event);
    else if (event.kind === 'clock-anomaly') emit('clock-anomaly', event);
    else if (event.kind === 'leader-changed') {
      if (event.leader !== null) this.counters.leaderChanges += 1;
      emit('leader-changed', event);
    }
  }

  // ---- applying

  #apply(session: Session, { from, to }: ApplyEffect): void {
    const cached = session.core.cachedEntries(from, to);
    if (cached === null) {
      this.#applyFromStorage(session, from, to);
      return;
    }
    const outcome = this.#parts.applier.apply(cached);
    if (outcome === undefined) this.#applied(session, to);
    else
      outcome.then(
        () => this.#applied(session, to),
        (error: unknown) => this.#stopWith(error),
      );
  }

  async #applyFromStorage(session: Session, from: number, to: number): Promise<void> {
    for (let next = from; next <= to; ) {
      let entries: Entry[];
      try {
        entries = await session.log.read({ from: next, to, bytesMax: this.#settings.raft.messageBytesMax });
      } catch (error) {
        this.#onStorageFailed(session, error);
        return;
      }
      // A storage that failed meanwhile has, or will get, a new core that asks for the rest itself.
      if (session !== this.#session) return;
      try {
        await this.#parts.applier.apply(entries);
      } catch (error) {
        this.#stopWith(error);
        return;
      }
      next += entries.length;
    }
    this.#applied(session, to);
  }

  #applied(session: Session, to: number): void {
    if (session === this.#session) this.#input((now) => session.core.applied(now, to));
  }

  // ---- the storage fails and comes back

  /**
   * What a failed write left on the disk is unknown, and a second sync that succeeds proves nothing
   * (the kernel may have dropped the pages): the only honest way on is to open the storage anew and
   * believe what is found. The state machine keeps running; the new core is told how far it is.
   */
  #onStorageFailed(session: Session, error: unknown): void {
    if (session !== this.#session || this.#stopped !== undefined) return;
    this.counters.storageFailures += 1;
    this.#observe({ kind: 'write-failed', error });
    session.core.writeFailed(this.#settings.clock.now());
    for (const effect of session.core.takeEffects()) {
      if (effect.kind === 'event') this.#onRaftEvent(effect.event);
    }
    this.#session = null;
    this.#timer.disarm();
    this.#entry?.stop();
    this.#entry = null;
    this.#parts.emit('storage-failed', { error });
    this.#reopening = this.#reopen(session).catch((failure: unknown) => this.#stopWith(failure));
  }

  async #reopen(failed: Session): Promise<void> {
    const { clock, random, transport } = this.#settings;
    await failed.instance.close().catch(() => {});
    await this.#parts.applier.idle();
    for (let waitMs = REOPEN_AFTER_MS; ; waitMs = Math.min(2 * waitMs, REOPEN_AFTER_MAX_MS)) {
      if (this.#stopped !== undefined) return;
      try {
        const session = await this.#openSession();
        if (this.#stopped !== undefined) {
          await session.instance.close();
          return;
        }
        transport.setIdentity({ ...session.self, clusterId: session.instance.identity.clusterId });
        this.#begin(session);
        this.#parts.emit('storage-reopened', { boot: session.self.boot });
        return;
      } catch (error) {
        if (error instanceof StorageRefused && error.reason !== 'not-writable') throw error;
        const retryInMs = random.integer(waitMs, 2 * waitMs);
        this.#parts.emit('storage-reopen-failed', { error, retryInMs });
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(retryInMs, resolve);
          this.#cutWaitShort = () => {
            clock.clearTimer(timer);
            resolve();
          };
        });
        this.#cutWaitShort = null;
      }
    }
  }

  // ---- the cluster

  #entryOf(session: Session): ClusterEntry {
    return new ClusterEntry(session, this.#settings, {
      input: (give) => this.#input(give),
      send: (envelope) => this.#send(envelope),
      waiting: (waiting) => this.#parts.emit('bootstrap-waiting', waiting),
      storageFailed: (error) => this.#onStorageFailed(session, error),
    });
  }

  #followConfiguration(session: Session): void {
    const configuration = latestConfiguration(session.core.state);
    if (configuration === this.#peersFrom || configuration.voters.length === 0) return;
    this.#peersFrom = configuration;
    const { voters, outgoing, learners } = configuration;
    const peers = new Map<NodeId, string>();
    for (const { id, address } of [...learners, ...outgoing, ...voters]) {
      if (id !== session.self.id) peers.set(id, address);
    }
    this.#settings.transport.setPeers([...peers].map(([id, address]) => ({ id, address })));
    this.#parts.emit('configuration-changed', { configuration });
  }

  // ---- the end

  #stopWith(error: unknown): void {
    this.#stop(error instanceof Error ? error : new Error(String(error)));
  }

  #stop(cause: Error | null): Promise<void> {
    this.#stopping ??= this.#shutDown(cause);
    return this.#stopping;
  }

  async #shutDown(cause: Error | null): Promise<void> {
    this.#stopped = cause;
    const session = this.#session;
    this.#session = null;
    this.#timer.disarm();
    this.#entry?.stop();
    this.#entry = null;
    this.#parts.queue.failQueued(new Closed(cause));
    this.#parts.pending.failAll(cause === null ? 'the node was closed' : 'the node was stopped', cause);
    this.#observe({ kind: 'stopped', error: cause });
    // A user's `apply` that never settles must not keep the node from closing: it is left behind.
    this.#parts.applier.stop();
    // A transport that fails while closing must not keep the storage, and its directory, open.
    await this.#settings.transport.close().catch(() => {});
    this.#cutWaitShort?.();
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
