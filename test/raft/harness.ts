import type { Configuration, Member } from '../../src/raft/configuration.ts';
import type { ApplyEffect, HardState, LoadEffect, WriteEffect } from '../../src/raft/effect.ts';
import type { ConfigurationEntry, Entry, Index, Term, TermRun } from '../../src/raft/entry.ts';
import type { RaftEvent } from '../../src/raft/event.ts';
import type { ReplicaId } from '../../src/raft/identity.ts';
import { checkInvariants, checkWholeLog } from '../../src/raft/invariants.ts';
import type { Envelope, Message } from '../../src/raft/message.ts';
import type { RaftOptions, RandomSource } from '../../src/raft/options.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { Raft } from '../../src/raft/raft.ts';

/** A small generator of our own (mulberry32), so that a seed means the same everywhere. */
export function seeded(seed: number): RandomSource {
  let state = seed >>> 0;
  return {
    integer(from, to) {
      state = (state + 0x6d2b79f5) >>> 0;
      let z = Math.imul(state ^ (state >>> 15), state | 1);
      z = (z + Math.imul(z ^ (z >>> 7), z | 61)) ^ z;
      return from + (((z ^ (z >>> 14)) >>> 0) % (to - from));
    },
  };
}

export const clusterId = 'c0ffee00c0ffee00';
export const group = 'main';

export function replica(id: string, boot = 1, life = 1): ReplicaId {
  return { id, incarnation: `${id}-incarnation${life === 1 ? '' : `-${life}`}`, boot };
}

export function memberOf(id: string): Member {
  return { id, incarnation: `${id}-incarnation`, address: `${id}:1` };
}

export function votersOf(...ids: string[]): Configuration {
  return { id: '1.1', voters: ids.map(memberOf), outgoing: [], learners: [], retired: [] };
}

export function configurationEntry(configuration: Configuration, term: Term = 1): ConfigurationEntry {
  return { kind: 'configuration', index: 1, term, clusterId, configuration };
}

export function command(index: Index, term: Term, text = `${index}/${term}`): Entry {
  return { kind: 'command', index, term, payload: new TextEncoder().encode(text) };
}

/** Entry 1 is the configuration; the entries after it have the given terms. */
export function logOf(configuration: Configuration, terms: readonly Term[]): Entry[] {
  return [
    configurationEntry(configuration, terms[0] ?? 1),
    ...terms.slice(1).map((term, position) => command(position + 2, term)),
  ];
}

export function runsOf(entries: readonly Entry[]): TermRun[] {
  const runs: TermRun[] = [];
  for (const { term, index } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ term, firstIndex: index });
  }
  return runs;
}

/** What a replica's storage holds: `entries` and `hardState` survive a crash, `pending` does not. */
export interface FakeDisk {
  boot: number;
  /** 1 for the first disk of a replica; an emptied one is the next. */
  life: number;
  hardState: HardState;
  entries: Entry[];
  pending: WriteEffect[];
  /** While false, writes wait for `persist`. */
  persistsAtOnce: boolean;
}

export interface FakeReplica {
  readonly id: string;
  disk: FakeDisk;
  /** null while crashed. */
  core: Raft | null;
  applying: ApplyEffect | null;
  appliesAtOnce: boolean;
  loads: LoadEffect[];
  /** What its state machine was given, in this life of the process. */
  applied: Entry[];
  readonly events: RaftEvent[];
}

/** Bare cores joined by a list of messages, fake disks and one clock. Nothing happens by itself. */
export class Cluster {
  now = 0;
  /** Sent and neither delivered nor dropped, oldest first. */
  network: Envelope[] = [];
  readonly replicas: FakeReplica[];
  readonly options: RaftOptions;
  readonly #random: RandomSource;
  /** Called after every drain of a core, and with every message as it is sent. */
  onStep: (replica: FakeReplica) => void = () => {};
  onSend: (replica: FakeReplica, envelope: Envelope) => void = () => {};

  constructor(
    ids: readonly string[],
    settings: {
      readonly seed?: number;
      readonly options?: Partial<RaftOptions>;
      /** The log and hard state a replica starts from; by default entry 1 in term 1 on all of them. */
      readonly start?: (id: string) => { entries: Entry[]; hardState: HardState };
      /** Who is in entry 1; the others are empty and wait to be invited. Default: all. */
      readonly founders?: readonly string[];
    } = {},
  ) {
    // Stories move one replica's time at will, which is no clock anomaly unless a test says so.
    this.options = { ...defaultRaftOptions, clockGapMs: 1_000_000, ...settings.options };
    this.#random = seeded(settings.seed ?? 1);
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
      disk: { boot: 0, life: 1, ...start(id), pending: [], persistsAtOnce: true },
      core: null,
      applying: null,
      appliesAtOnce: true,
      loads: [],
      applied: [],
      events: [],
    }));
    for (const { id } of this.replicas) this.start(id);
  }

  replica(id: string): FakeReplica {
    const found = this.replicas.find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`no replica ${id}`);
    return found;
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
    disk.pending = [];
    target.applying = null;
    target.loads = [];
    if (!keepApplied) target.applied = [];
    target.core = new Raft(
      {
        self: replica(id, disk.boot, disk.life),
        group,
        clusterId,
        options: this.options,
        now: this.now,
        recovered: {
          hardState: disk.hardState,
          floor: { index: 0, term: 0, configuration: null },
          lastIndex: disk.entries.length,
          runs: runsOf(disk.entries),
          configurations: disk.entries.filter((entry) => entry.kind === 'configuration'),
        },
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
    target.disk.pending = [];
  }

  /** The process dies, its disk is emptied, and it starts again as another incarnation. */
  wipe(id: string): void {
    const target = this.replica(id);
    this.crash(id);
    target.disk = {
      boot: 0,
      life: target.disk.life + 1,
      entries: [],
      hardState: { term: 0, votedFor: null },
      pending: [],
      persistsAtOnce: true,
    };
    this.start(id);
  }

  /** Takes the effects of one core and does what they say. */
  drain(target: FakeReplica): void {
    const { core, disk } = target;
    if (core === null) return;
    for (let effects = core.takeEffects(); effects.length > 0; effects = core.takeEffects()) {
      for (const effect of effects) {
        if (effect.kind === 'write') disk.pending.push(effect);
        else if (effect.kind === 'apply') target.applying = effect;
        else if (effect.kind === 'load') target.loads.push(effect);
        else if (effect.kind === 'event') target.events.push(effect.event);
        else if (effect.kind === 'send') {
          this.onSend(target, effect.envelope);
          this.network.push(effect.envelope);
        }
      }
      if (target.appliesAtOnce) this.finishApply(target);
      if (disk.persistsAtOnce) {
        while (disk.pending.length > 0) this.persistOne(target);
        while (target.loads.length > 0) this.finishLoad(target);
      }
    }
    const findings = checkInvariants(core.state);
    if (findings.length > 0) throw new Error(findings.join('\n'));
    this.onStep(target);
  }

  /** The oldest write of a replica becomes durable and is reported. */
  persist(id: string, count = Number.POSITIVE_INFINITY): void {
    const target = this.replica(id);
    for (let done = 0; done < count && target.disk.pending.length > 0; done += 1) this.persistOne(target);
    this.drain(target);
  }

  persistOne(target: FakeReplica): void {
    const write = writeOldest(target.disk);
    if (write !== undefined) target.core?.persisted(this.now, write.writeId);
  }

  finishApply(target: FakeReplica): void {
    const { core, applying, disk } = target;
    if (core === null || applying === null) return;
    target.applying = null;
    const { from, to } = applying;
    const entries = core.cachedEntries(from, to) ?? disk.entries.slice(from - 1, to);
    if (entries.length !== to - from + 1 || from !== target.applied.length + 1) {
      throw new Error(`${target.id} cannot apply ${from}..${to} after ${target.applied.length}`);
    }
    target.applied.push(...entries);
    core.applied(this.now, to);
  }

  finishLoad(target: FakeReplica, failed = false): void {
    const load = target.loads.shift();
    if (load === undefined) return;
    const entries = target.disk.entries.slice(load.from - 1, load.to).slice(0, 3);
    target.core?.loaded(this.now, load.loadId, failed ? null : entries);
  }

  /** Delivers one message, wherever it is in the network. */
  deliver(envelope: Envelope): void {
    const at = this.network.indexOf(envelope);
    if (at >= 0) this.network.splice(at, 1);
    const target = this.replica(envelope.to.id);
    if (target.core === null) return;
    target.core.receive(this.now, envelope);
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
      for (const { core } of this.replicas) {
        const due = core?.deadline ?? Number.POSITIVE_INFINITY;
        if (due < next) next = due;
      }
      if (next > end) {
        this.now = end;
        return;
      }
      if (next > this.now) this.now = next;
      for (const target of this.replicas) {
        if (target.core === null || (target.core.deadline ?? Number.POSITIVE_INFINITY) > this.now) continue;
        target.core.tick(this.now);
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
    if (due > this.now) this.now = due;
    this.core(id).tick(this.now);
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
      this.now,
      texts.map((text) => ({ kind: 'command', payload: new TextEncoder().encode(text) })),
    );
    this.drain(this.replica(id));
    return result;
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

/** Does one pending write on the disk; it is not reported yet. */
export function writeOldest(disk: FakeDisk): WriteEffect | undefined {
  const write = disk.pending.shift();
  if (write === undefined) return undefined;
  if (write.hardState !== undefined) disk.hardState = write.hardState;
  if (write.cutFrom !== undefined) disk.entries.splice(write.cutFrom - 1);
  for (const entry of write.entries) {
    if (entry.index !== disk.entries.length + 1) {
      throw new Error(`a write appends entry ${entry.index} to a log of ${disk.entries.length}`);
    }
    disk.entries.push(entry);
  }
  return write;
}

/** One core with a message box: says what comes, sees what goes. */
export class Single {
  now = 0;
  readonly core: Raft;
  readonly sent: Envelope[] = [];
  readonly events: RaftEvent[] = [];
  readonly writes: WriteEffect[] = [];
  readonly applies: ApplyEffect[] = [];
  readonly loads: LoadEffect[] = [];

  constructor(
    settings: {
      readonly configuration?: Configuration;
      readonly entries?: readonly Entry[];
      readonly hardState?: HardState;
      readonly appliedIndex?: Index;
      readonly options?: Partial<RaftOptions>;
      readonly boot?: number;
      readonly cluster?: string | null;
    } = {},
  ) {
    const entries = settings.entries ?? [
      configurationEntry(settings.configuration ?? votersOf('n1', 'n2', 'n3')),
    ];
    this.core = new Raft(
      {
        self: replica('n1', settings.boot ?? 1),
        group,
        clusterId: settings.cluster === undefined ? clusterId : settings.cluster,
        options: { ...defaultRaftOptions, ...settings.options },
        now: 0,
        recovered: {
          hardState: settings.hardState ?? { term: entries.at(-1)?.term ?? 0, votedFor: null },
          floor: { index: 0, term: 0, configuration: null },
          lastIndex: entries.length,
          runs: runsOf(entries),
          configurations: entries.filter((entry) => entry.kind === 'configuration'),
        },
        appliedIndex: settings.appliedIndex ?? 0,
      },
      seeded(1),
    );
    this.drain();
  }

  get state(): Raft['state'] {
    return this.core.state;
  }

  hear(from: string, message: Message, boot = 1): this {
    return this.hearEnvelope({
      clusterId,
      group,
      from: replica(from, boot),
      to: { id: 'n1', incarnation: 'n1-incarnation' },
      message,
    });
  }

  hearEnvelope(envelope: Envelope): this {
    this.core.receive(this.now, envelope);
    return this.drain();
  }

  /** Time passes. */
  at(now: number): this {
    this.now = now;
    this.core.tick(now);
    return this.drain();
  }

  /** Every write issued so far is durable. */
  persistAll(): this {
    for (;;) {
      const last = this.writes.at(-1);
      if (last === undefined) return this;
      this.writes.length = 0;
      this.core.persisted(this.now, last.writeId);
      this.drain();
    }
  }

  persist(write: WriteEffect): this {
    this.core.persisted(this.now, write.writeId);
    return this.drain();
  }

  drain(): this {
    for (const effect of this.core.takeEffects()) {
      if (effect.kind === 'send') this.sent.push(effect.envelope);
      else if (effect.kind === 'event') this.events.push(effect.event);
      else if (effect.kind === 'write') this.writes.push(effect);
      else if (effect.kind === 'apply') this.applies.push(effect);
      else if (effect.kind === 'load') this.loads.push(effect);
    }
    const findings = [...checkInvariants(this.state), ...checkWholeLog(this.state)];
    if (findings.length > 0) throw new Error(findings.join('\n'));
    return this;
  }

  /** What was sent since the last call. */
  said(): Message[] {
    return this.sent.splice(0).map(({ message }) => message);
  }

  /** Waits out the silence and the election timeout, and wins with n2's vote. */
  lead(): this {
    this.at(this.core.deadline ?? this.now);
    if (this.state.role === 'pre-candidate') {
      this.hear('n2', { kind: 'PreVoteResponse', term: this.state.hardState.term + 1, granted: true });
    }
    this.persistAll();
    this.hear('n2', { kind: 'VoteResponse', term: this.state.hardState.term, granted: true });
    this.persistAll();
    this.said();
    return this;
  }
}
