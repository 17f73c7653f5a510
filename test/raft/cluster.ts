import type {
  ApplyEffect,
  Effect,
  HardState,
  LoadEffect,
  LoadSnapshotEffect,
  ReadGrantedEffect,
  RestoreEffect,
} from '../../src/raft/effect.ts';
import type { Entry, Index } from '../../src/raft/entry.ts';
import type { RaftEvent, Stalled } from '../../src/raft/event.ts';
import type { RequestId } from '../../src/raft/identity.ts';
import { checkInvariants, checkWholeLog } from '../../src/raft/invariants.ts';
import type { Envelope, Message } from '../../src/raft/message.ts';
import type { RaftOptions, RandomSource } from '../../src/raft/options.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { Raft, type RaftStart } from '../../src/raft/raft.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import type { FakeDisk, StoredSnapshot } from './fake-disk.ts';
import {
  fakeDisk,
  foundDamage,
  latestSnapshot,
  restoredFrom,
  snapshotOf,
  snapshotOn,
  storeSnapshot,
  writeChunk,
  writeOldest,
} from './fake-disk.ts';
import { clusterId, configurationEntry, group, replica, runsOf, votersOf } from './sample-log.ts';
import { seeded } from './seeded.ts';

/** What an open finds. */
function recoveredFrom(disk: FakeDisk): RaftStart['recovered'] {
  return {
    hardState: disk.hardState,
    floor: disk.floor,
    lastIndex: disk.floor.index + disk.entries.length,
    runs: runsOf(disk.entries),
    configurations: disk.entries.filter((entry) => entry.kind === 'configuration'),
    damage: foundDamage(disk),
  };
}

/** A clock of its own: it read `reads` at `at`, and runs so many times as fast as the cluster's. */
export interface FakeClock {
  at: number;
  reads: number;
  rate: number;
}

export interface FakeReplica {
  readonly id: string;
  readonly clock: FakeClock;
  disk: FakeDisk;
  /** null while crashed. */
  core: Raft | null;
  applying: ApplyEffect | null;
  appliesAtOnce: boolean;
  loads: LoadEffect[];
  snapshotLoads: LoadSnapshotEffect[];
  restoring: RestoreEffect | null;
  /** What its state machine was given, in this life of the process. */
  applied: Entry[];
  readonly events: RaftEvent[];
  /** Granted, the latest last. */
  readonly reads: ReadGrantedEffect[];
}

/** Bare cores joined by a list of messages, fake disks and one clock. Nothing happens by itself. */
export class Cluster {
  now = 0;
  /** Sent and neither delivered nor dropped, oldest first. */
  network: Envelope[] = [];
  readonly replicas: FakeReplica[];
  readonly options: RaftOptions;
  /** Stopped, as by SIGSTOP: their time goes on, and what comes waits. */
  readonly paused = new Map<string, Envelope[]>();
  readonly #random: RandomSource;
  readonly #optionsOf: (id: string) => Partial<RaftOptions>;
  /** Called after every drain of a core, and with every message as it is sent. */
  onStep: (replica: FakeReplica) => void = () => {};
  onSend: (replica: FakeReplica, envelope: Envelope) => void = () => {};
  /** Called as a read is granted, before the drain that granted it has ended. */
  onGranted: (replica: FakeReplica, read: ReadGrantedEffect) => void = () => {};
  /** To plant bugs: before every drain of a core, and in place of every message that arrives. */
  beforeDrain: (replica: FakeReplica) => void = () => {};
  asHeard: (envelope: Envelope) => Envelope = (envelope) => envelope;

  constructor(
    ids: readonly string[],
    settings: {
      readonly seed?: number;
      readonly options?: Partial<RaftOptions>;
      /** Where one replica's differ. */
      readonly optionsOf?: (id: string) => Partial<RaftOptions>;
      /** The log and hard state a replica starts from; by default entry 1 in term 1 on all of them. */
      readonly start?: (id: string) => { entries: Entry[]; hardState: HardState };
      /** Who is in entry 1; the others are empty and wait to be invited. Default: all. */
      readonly founders?: readonly string[];
    } = {},
  ) {
    // Stories move one replica's time at will, which is no clock anomaly unless a test says so.
    this.options = { ...defaultRaftOptions, clockGapMs: 1_000_000, ...settings.options };
    this.#random = seeded(settings.seed ?? 1);
    this.#optionsOf = settings.optionsOf ?? (() => ({}));
    const founders = settings.founders ?? ids;
    const first = [configurationEntry(votersOf(...founders))];
    const start =
      settings.start ??
      ((id) =>
        founders.includes(id)
          ? { entries: [...first], hardState: { term: 1, votedFor: null } }
          : { entries: [], hardState: { term: 0, votedFor: null } });
    this.replicas = ids.map((id) => ({
      id,
      clock: { at: 0, reads: 0, rate: 1 },
      disk: fakeDisk(start(id)),
      core: null,
      applying: null,
      appliesAtOnce: true,
      loads: [],
      snapshotLoads: [],
      restoring: null,
      applied: [],
      events: [],
      reads: [],
    }));
    for (const { id } of this.replicas) this.start(id);
  }

  replica(id: string): FakeReplica {
    const found = this.replicas.find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`no replica ${id}`);
    return found;
  }

  /** What the clock of this replica reads. */
  timeOf({ clock: { at, reads, rate } }: FakeReplica): number {
    return reads + (this.now - at) * rate;
  }

  /** From now on the clock of `id` runs at another rate, or reads something else. */
  setClock(id: string, change: { readonly rate?: number; readonly byMs?: number }): void {
    const target = this.replica(id);
    const reads = this.timeOf(target) + (change.byMs ?? 0);
    Object.assign(target.clock, { at: this.now, reads, rate: change.rate ?? target.clock.rate });
  }

  /** When the clock of this replica reads that. */
  #momentOf({ clock: { at, reads, rate } }: FakeReplica, time: number): number {
    const moment = rate === 1 ? at + (time - reads) : at + Math.ceil((time - reads) / rate + 1e-6);
    // The sums round: a clock that never quite reaches a deadline would be waited for without end.
    return reads + (moment - at) * rate < time ? moment + 1e-6 : moment;
  }

  core(id: string): Raft {
    const { core } = this.replica(id);
    if (core === null) throw new Error(`${id} is down`);
    return core;
  }

  /** Opens what is on disk. `keepApplied`: as after a reopened storage, the state machine lives on. */
  start(id: string, keepApplied = false): void {
    const target = this.replica(id);
    const { disk } = target;
    disk.boot += 1;
    this.#forgetUnfinished(target);
    const snapshot = latestSnapshot(disk);
    if (!keepApplied) target.applied = [];
    if (snapshot !== null && target.applied.length < snapshot.meta.index)
      target.applied = restoredFrom(snapshot);
    target.core = new Raft(
      {
        self: replica(id, disk.boot, disk.life),
        group,
        clusterId,
        options: { ...this.options, ...this.#optionsOf(id) },
        now: this.timeOf(target),
        recovered: recoveredFrom(disk),
        snapshot: snapshot?.meta ?? null,
        appliedIndex: target.applied.length,
      },
      this.#random,
    );
    this.drain(target);
  }

  /** The process dies; what was not durable is gone. */
  crash(id: string): void {
    const target = this.replica(id);
    target.core = null;
    this.paused.delete(id);
    this.#forgetUnfinished(target);
  }

  /**
   * The disk of a replica that is down loses entries `from` .. `to`. `unknown`: also any trace of there having been
   * more, `to` being the last.
   */
  damage(id: string, from: Index, to: Index, unknown = false): void {
    const { disk, core } = this.replica(id);
    if (core !== null) throw new Error(`${id} is running`);
    const at = (index: Index): number => index - disk.floor.index - 1;
    const missing = disk.entries.slice(at(from), at(to + 1));
    const beyond = disk.entries.slice(at(to + 1));
    disk.entries.length = at(from);
    disk.damage = unknown
      ? { missing: [], beyond: [], tailIsLost: true }
      : { missing, beyond, tailIsLost: false };
  }

  /** Asks `peer` for what is missing. @returns whether it has it; then it is durable, and the log whole. */
  repair(id: string, peer: string): boolean {
    const target = this.replica(id);
    const { disk, core } = target;
    const found = foundDamage(disk);
    const [hole] = found?.holes ?? [];
    if (core === null || disk.damage === null || found === null || hole === undefined) return false;
    const other = this.replica(peer).disk;
    const held = [...other.entries, ...(other.damage?.beyond ?? [])];
    const anchor = held.find(({ index }) => index === hole.anchor.index);
    if (anchor?.term !== hole.anchor.term) return false;
    const given = held.filter(({ index }) => index >= hole.from && index <= hole.to);
    if (given.length !== hole.to - hole.from + 1) return false;
    disk.entries.push(...given, ...disk.damage.beyond);
    disk.damage = null;
    core.repaired(this.timeOf(target), recoveredFrom(disk));
    this.drain(target);
    return true;
  }

  abandonRepair(id: string): void {
    const target = this.replica(id);
    target.core?.repairAbandoned(this.timeOf(target));
    this.drain(target);
  }

  /** The process dies, its disk is emptied, and it starts again as another incarnation. */
  wipe(id: string): void {
    const target = this.replica(id);
    this.crash(id);
    target.disk = fakeDisk({ entries: [], hardState: { term: 0, votedFor: null } }, target.disk.life + 1);
    this.start(id);
  }

  #forgetUnfinished(target: FakeReplica): void {
    target.disk.pending = [];
    target.disk.chunks = [];
    target.disk.receiving = null;
    target.applying = null;
    target.restoring = null;
    target.loads = [];
    target.snapshotLoads = [];
  }

  /** Takes the effects of one core and does what they say. */
  drain(target: FakeReplica): void {
    const { core, disk } = target;
    if (core === null) return;
    this.beforeDrain(target);
    for (let effects = core.takeEffects(); effects.length > 0; effects = core.takeEffects()) {
      for (const effect of effects) {
        this.#take(target, effect);
      }
      if (target.appliesAtOnce) {
        this.finishApply(target);
        this.finishRestore(target);
      }
      if (disk.persistsAtOnce) {
        while (disk.pending.length > 0) this.persistOne(target);
        while (target.loads.length > 0) this.finishLoad(target);
        while (target.snapshotLoads.length > 0) this.finishSnapshotLoad(target);
        while (disk.chunks.length > 0) this.finishChunk(target);
      }
    }
    const findings = checkInvariants(core.state);
    if (findings.length > 0) throw new Error(findings.join('\n'));
    this.onStep(target);
  }

  #take(target: FakeReplica, effect: Effect): void {
    const { disk } = target;
    switch (effect.kind) {
      case 'write':
        disk.pending.push(effect);
        break;
      case 'apply':
        target.applying = effect;
        break;
      case 'load':
        target.loads.push(effect);
        break;
      case 'load-snapshot':
        target.snapshotLoads.push(effect);
        break;
      case 'receive-snapshot':
        disk.chunks.push(effect);
        break;
      case 'abandon-snapshot':
        disk.chunks = disk.chunks.filter(
          ({ transferId }) => transferId.sequence !== effect.transferId.sequence,
        );
        if (disk.receiving?.transferId.sequence === effect.transferId.sequence) disk.receiving = null;
        break;
      case 'restore':
        if (target.applying !== null) throw new Error(`${target.id} restores while it applies`);
        target.restoring = effect;
        break;
      case 'event':
        target.events.push(effect.event);
        break;
      case 'read-granted':
        target.reads.push(effect);
        this.onGranted(target, effect);
        break;
      case 'send':
        this.onSend(target, effect.envelope);
        this.network.push(effect.envelope);
        break;
    }
  }

  /** The oldest write of a replica becomes durable and is reported. */
  persist(id: string, count = Number.POSITIVE_INFINITY): void {
    const target = this.replica(id);
    for (let done = 0; done < count && target.disk.pending.length > 0; done += 1) this.persistOne(target);
    this.drain(target);
  }

  persistOne(target: FakeReplica): void {
    const write = writeOldest(target.disk);
    if (write !== undefined) target.core?.persisted(this.timeOf(target), write.writeId);
  }

  finishApply(target: FakeReplica): void {
    const { core, applying, disk } = target;
    if (core === null || applying === null) return;
    target.applying = null;
    const { from, to } = applying;
    const { index: floor } = disk.floor;
    const entries = core.cachedEntries(from, to) ?? disk.entries.slice(from - floor - 1, to - floor);
    if (entries.length !== to - from + 1 || from !== target.applied.length + 1) {
      throw new Error(`${target.id} cannot apply ${from}..${to} after ${target.applied.length}`);
    }
    target.applied.push(...entries);
    core.applied(this.timeOf(target), to);
  }

  finishLoad(target: FakeReplica, failed = false): void {
    const load = target.loads.shift();
    if (load === undefined) return;
    const { floor, entries } = target.disk;
    const gone = load.from <= floor.index;
    const read = gone || failed ? null : entries.slice(load.from - floor.index - 1, load.to - floor.index);
    target.core?.loaded(this.timeOf(target), load.loadId, read?.slice(0, 3) ?? null);
  }

  finishSnapshotLoad(target: FakeReplica, failed = false): void {
    const load = target.snapshotLoads.shift();
    if (load === undefined) return;
    const stored = failed ? undefined : snapshotOn(target.disk, load.snapshot);
    const data = stored?.data.slice(load.offset, load.offset + load.length) ?? null;
    target.core?.snapshotLoaded(this.timeOf(target), load.loadId, data);
  }

  /** The oldest chunk of a snapshot is written and reported. */
  finishChunk(target: FakeReplica): void {
    const written = writeChunk(target.disk);
    if (written === null) return;
    const { transferId, offset, data } = written.chunk;
    target.core?.snapshotWritten(this.timeOf(target), transferId, offset + data.length);
    if (written.end === 'stored') target.core?.snapshotStored(this.timeOf(target), transferId);
    if (written.end === 'failed') target.core?.snapshotFailed(this.timeOf(target), transferId);
  }

  finishRestore(target: FakeReplica): void {
    const { core, restoring, disk } = target;
    if (core === null || restoring === null) return;
    target.restoring = null;
    const stored = snapshotOn(disk, restoring.snapshot);
    if (stored === undefined) throw new Error(`${target.id} restores what it does not hold`);
    if (stored.meta.index <= target.applied.length) throw new Error(`${target.id} goes back by restoring`);
    target.applied = restoredFrom(stored);
    core.restored(this.timeOf(target), stored.meta.index);
  }

  /** Stores a snapshot of the state machine as of `index`, and lets the log begin after it but for `keep` entries. */
  compact(id: string, index = this.replica(id).applied.length, keep = 0): SnapshotMeta {
    const target = this.replica(id);
    const stored = this.snapshotOf(id, index);
    storeSnapshot(target.disk, stored);
    this.core(id).snapshotTaken(this.timeOf(target), stored.meta, index + 1 - keep);
    this.drain(target);
    return stored.meta;
  }

  /** Of its state machine as of `index`; it is stored nowhere. */
  snapshotOf(id: string, index: Index): StoredSnapshot {
    const { applied } = this.replica(id);
    const { term } = applied[index - 1] ?? { term: 0 };
    return snapshotOf(applied, { index, term, configuration: this.core(id).configurationAt(index) });
  }

  /** Delivers one message, wherever it is in the network. */
  deliver(envelope: Envelope): void {
    const at = this.network.indexOf(envelope);
    if (at >= 0) this.network.splice(at, 1);
    const target = this.replica(envelope.to.id);
    const waiting = this.paused.get(envelope.to.id);
    waiting?.push(envelope);
    if (target.core === null || waiting !== undefined) return;
    target.core.receive(this.timeOf(target), this.asHeard(envelope));
    this.drain(target);
  }

  /** Delivers what is under way, and what is sent in answer, until nothing is left that may pass. */
  settle(passes: (envelope: Envelope) => boolean = () => true): void {
    for (let turn = 0; this.network.length > 0; turn += 1) {
      if (turn > 100_000) throw new Error('the cluster does not come to rest');
      const envelope = this.network[0];
      if (envelope === undefined) break;
      if (passes(envelope)) this.deliver(envelope);
      else this.network.shift();
    }
  }

  /** Ticks whoever is due, from deadline to deadline, for `ms`; messages pass at once. */
  run(ms: number, passes: (envelope: Envelope) => boolean = () => true): void {
    const end = this.now + ms;
    this.settle(passes);
    for (;;) {
      let next = Number.POSITIVE_INFINITY;
      for (const target of this.replicas) {
        const due = this.paused.has(target.id) ? null : (target.core?.deadline ?? null);
        if (due !== null) next = Math.min(next, this.#momentOf(target, due));
      }
      if (next > end) {
        this.now = end;
        return;
      }
      if (next > this.now) this.now = next;
      for (const target of this.replicas) {
        const due = target.core?.deadline ?? null;
        if (target.core === null || due === null || due > this.timeOf(target)) continue;
        if (this.paused.has(target.id)) continue;
        target.core.tick(this.timeOf(target));
        this.drain(target);
      }
      this.settle(passes);
    }
  }

  /** Time passes for one replica alone, up to its deadline. */
  fire(id: string): void {
    const target = this.replica(id);
    const due = this.core(id).deadline;
    if (due === null) throw new Error(`${id} waits for nothing`);
    this.now = Math.max(this.now, this.#momentOf(target, due));
    this.core(id).tick(this.timeOf(target));
    this.drain(target);
  }

  /** Lets time pass for `id` alone until it has won an election; every message that `passes` arrives. */
  elect(id: string, passes: (envelope: Envelope) => boolean = () => true): void {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if (this.core(id).state.role === 'leader') return;
      this.fire(id);
      this.settle(passes);
    }
    throw new Error(`${id} does not become leader`);
  }

  propose(id: string, ...texts: string[]): ReturnType<Raft['propose']> {
    const result = this.core(id).propose(
      this.timeOf(this.replica(id)),
      texts.map((text) => ({ kind: 'command', payload: new TextEncoder().encode(text) })),
    );
    this.drain(this.replica(id));
    return result;
  }

  /** Asks for `count` reads at once. @returns the last one's id. */
  read(id: string, how: { readonly lease?: boolean; readonly count?: number } = {}): RequestId {
    const target = this.replica(id);
    let readId: RequestId | null = null;
    for (let asked = 0; asked < (how.count ?? 1); asked += 1) {
      readId = this.core(id).requestRead(this.timeOf(target), how.lease ?? false);
    }
    this.drain(target);
    if (readId === null) throw new Error(`${id} takes no reads`);
    return readId;
  }

  /** At which index that read was granted; null when it was not. */
  grantedAt(id: string, { boot, sequence }: RequestId): Index | null {
    const { reads } = this.replica(id);
    const found = reads.find(({ readId }) => readId.boot === boot && readId.sequence === sequence);
    return found?.index ?? null;
  }

  staleness(id: string): number | null {
    return this.core(id).staleness(this.timeOf(this.replica(id)));
  }

  transfer(id: string, to: string | null = null): ReturnType<Raft['transferLeadership']> {
    const result = this.core(id).transferLeadership(this.timeOf(this.replica(id)), to);
    this.drain(this.replica(id));
    return result;
  }

  stepDown(id: string): ReturnType<Raft['stepDown']> {
    const result = this.core(id).stepDown(this.timeOf(this.replica(id)));
    this.drain(this.replica(id));
    return result;
  }

  stall(id: string, what: Stalled): void {
    this.core(id).stalled(this.timeOf(this.replica(id)), what);
    this.drain(this.replica(id));
  }

  answer(id: string, what: Stalled): void {
    this.core(id).answered(this.timeOf(this.replica(id)), what);
    this.drain(this.replica(id));
  }

  /** `spareBytes`: its disk is nearly full; null: it has space again. */
  diskSpace(id: string, spareBytes: number | null): void {
    const now = this.timeOf(this.replica(id));
    if (spareBytes === null) this.core(id).diskHasSpace(now);
    else this.core(id).diskNearlyFull(now, spareBytes);
    this.drain(this.replica(id));
  }

  pause(id: string): void {
    this.core(id);
    this.paused.set(id, []);
  }

  /** It runs again; what came meanwhile is under way to it, before all else. */
  resume(id: string): void {
    this.network.unshift(...(this.paused.get(id) ?? []));
    this.paused.delete(id);
  }

  get leaders(): FakeReplica[] {
    return this.replicas.filter(({ core }) => core?.state.role === 'leader');
  }

  /** The messages of one kind under way, oldest first. */
  underWay<Kind extends Message['kind']>(kind: Kind, to?: string): Extract<Message, { kind: Kind }>[] {
    return this.network
      .filter(
        ({ message, to: receiver }) => message.kind === kind && (to === undefined || receiver.id === to),
      )
      .map(({ message }) => message as Extract<Message, { kind: Kind }>);
  }

  checkWholeLogs(): void {
    for (const { core } of this.replicas) {
      const findings = core === null ? [] : checkWholeLog(core.state);
      if (findings.length > 0) throw new Error(findings.join('\n'));
    }
  }
}
