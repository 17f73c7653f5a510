import { isJoint } from '../../../src/raft/configuration.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { RaftOptions } from '../../../src/raft/options.ts';
import { Cluster, type FakeReplica } from '../cluster.ts';
import { latestSnapshot, writeOldest } from '../fake-disk.ts';
import { group, memberOf, replica } from '../sample-log.ts';
import { seeded } from '../seeded.ts';
import { Lockstep } from './lockstep.ts';

export interface Profile {
  readonly options: Partial<RaftOptions>;
  readonly founders: readonly [from: number, to: number];
  /** How often each thing happens. */
  readonly weights: Weights;
}

export interface Weights {
  readonly deliver: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly finish: number;
  readonly persist: number;
  readonly tick: number;
  readonly propose: number;
  readonly change: number;
  readonly abort: number;
  readonly compact: number;
  readonly crash: number;
  readonly restart: number;
  readonly failWrite: number;
  readonly wipe: number;
  readonly cut: number;
  readonly read: number;
  readonly transfer: number;
}

const IDS = [...'abcdef'];

/** A cluster in lockstep with the model, driven by chance through whatever a cluster goes through. */
export class LockstepChaos {
  readonly lockstep: Lockstep;
  readonly cluster: Cluster;
  readonly seen = {
    changes: 0,
    joint: 0,
    installed: 0,
    wiped: 0,
    leaders: 0,
    truncated: 0,
    aborted: 0,
    transfers: 0,
    answers: 0,
  };
  readonly #random;
  readonly #profile: Profile;
  readonly #cutOff = new Set<string>();
  #wipedAt = Number.NEGATIVE_INFINITY;

  constructor(seed: number, profile: Profile) {
    this.#random = seeded(seed);
    this.#profile = profile;
    this.cluster = new Cluster(IDS, {
      seed,
      founders: IDS.slice(0, this.#random.integer(...profile.founders)),
      // Small bounds, so that windows fill, caches evict, and chunks and loads are many.
      options: {
        messageBytesMax: 80,
        inflightMessagesMax: 3,
        inflightBytesMax: 200,
        applyEntriesMax: 2,
        cacheBytesMax: 150,
        snapshotChunkBytes: 4000,
        catchUpTimeoutMs: 3000,
        ...profile.options,
      },
    });
    this.lockstep = new Lockstep(this.cluster);
  }

  run(steps: number): this {
    for (let step = 0; step < steps; step += 1)
      this.#actions[this.#choose()](this.#pick(this.cluster.replicas));
    this.#countEvents();
    return this;
  }

  readonly #actions: Record<keyof Weights, (target: FakeReplica) => void> = {
    deliver: () => {
      for (let burst = this.#random.integer(1, 5); burst > 0; burst -= 1) this.#deliverOne();
    },
    drop: () => this.#withMessage((envelope) => this.#remove(envelope)),
    duplicate: () => this.#withMessage((envelope) => this.cluster.network.push(envelope)),
    finish: (target) => {
      if (target.core !== null) this.lockstep.finish(target);
    },
    persist: ({ id }) => this.cluster.persist(id, this.#random.integer(1, 4)),
    tick: () => {
      this.cluster.now += this.#random.integer(0, 80);
      for (const target of this.cluster.replicas) {
        target.core?.tick(this.cluster.now);
        this.cluster.drain(target);
      }
    },
    propose: ({ id, core }) => {
      if (core !== null) this.cluster.propose(id, `${this.cluster.now}`);
    },
    change: (target) => this.#change(target),
    abort: (target) => {
      target.core?.abortMembership(this.cluster.now);
      this.cluster.drain(target);
    },
    compact: ({ id, core, applied, disk }) => {
      if (core === null || applied.length <= (latestSnapshot(disk)?.meta.index ?? 0)) return;
      // What was applied before a reopening may be in this log no more, nor the configuration that was in force.
      if (applied.length > core.state.settledIndex) return;
      this.cluster.compact(id, applied.length, this.#random.integer(0, 4));
    },
    crash: ({ id, core, disk }) => {
      if (core === null) return;
      // What was being written may have reached the disk, or a part of it, without being reported.
      let reached = this.#random.integer(0, disk.pending.length + 1);
      for (; reached > 0; reached -= 1) writeOldest(disk);
      this.cluster.crash(id);
    },
    restart: ({ id, core, disk }) => {
      if (core === null) this.cluster.start(id);
      else if (disk.life > 1) this.#join(id);
    },
    failWrite: (target) => {
      if (target.core === null || target.disk.pending.length === 0) return;
      target.core.writeFailed(this.cluster.now);
      this.cluster.drain(target);
      this.cluster.start(target.id, true);
    },
    wipe: (target) => this.#wipe(target),
    read: ({ id, core }) => {
      if (core !== null) this.cluster.read(id);
    },
    transfer: () => {
      const { id } = this.#pick(
        this.cluster.leaders.length > 0 ? this.cluster.leaders : this.cluster.replicas,
      );
      if (this.cluster.replica(id).core === null) return;
      if (this.#random.integer(0, 5) === 0) this.cluster.stepDown(id);
      else if (this.cluster.transfer(id, this.#pick([null, ...IDS])).accepted) this.seen.transfers += 1;
    },
    cut: ({ id }) => {
      // Leaders more often than not, and long enough to be missed.
      const [leader] = this.cluster.leaders;
      if (this.#random.integer(0, 3) === 0) this.#cutOff.clear();
      else this.#cutOff.add(this.#random.integer(0, 2) === 0 ? (leader?.id ?? id) : id);
    },
  };

  #deliverOne(): void {
    this.#withMessage((envelope) => {
      if (envelope.message.kind === 'ReadIndexResponse') this.seen.answers += 1;
      const isCut = this.#cutOff.has(envelope.from.id) !== this.#cutOff.has(envelope.to.id);
      if (isCut) this.#remove(envelope);
      else this.cluster.deliver(envelope);
    });
  }

  #change(target: FakeReplica): void {
    const { core } = target;
    // Whoever is not heard is missed after an election timeout; a change begun before may need it.
    const soon = this.cluster.now - this.#wipedAt < 2 * this.cluster.options.electionTimeoutMinMs;
    if (core === null || soon) return;
    const [one, other] = [this.#pick(IDS), this.#pick(IDS)];
    const change = this.#pick([
      { add: [{ ...this.#member(one), role: this.#pick(['voter', 'learner'] as const) }] },
      { add: [this.#member(one)], remove: [other] },
      { remove: [one] },
      { promote: [one] },
      { demote: [one] },
      { replace: [{ id: one, by: this.#member(other) }] },
      { update: [{ id: one, address: `elsewhere:${this.#random.integer(0, 9)}` }] },
    ]);
    if (core.proposeMembership(this.cluster.now, change, null).accepted) this.seen.changes += 1;
    this.cluster.drain(target);
  }

  /** Never so many that no quorum could bring them back: what remembers has to be a majority of the voters. */
  #wipe({ id, disk }: FakeReplica): void {
    const [leader] = this.cluster.leaders.sort(
      (x, y) => (y.core?.state.hardState.term ?? 0) - (x.core?.state.hardState.term ?? 0),
    );
    const configuration = leader?.core?.state.configurations.at(-1)?.configuration;
    if (configuration === undefined || disk.life > 2 || isJoint(configuration)) return;
    const settled = this.cluster.replicas.every(({ core }) => {
      const latest = core?.state.configurations.at(-1)?.configuration;
      return latest === undefined || latest.id === '0.0' || latest.id === configuration.id;
    });
    const remembering = configuration.voters.filter((voter) => {
      const { core, disk: other } = this.cluster.replica(voter.id);
      const isListed = core?.state.self.incarnation === voter.incarnation;
      return voter.id !== id && isListed && other.floor.index + other.entries.length > 0;
    });
    if (!settled || remembering.length * 2 <= configuration.voters.length) return;
    this.cluster.wipe(id);
    this.cluster.replica(id).disk.persistsAtOnce = false;
    this.#wipedAt = this.cluster.now;
    this.seen.wiped += 1;
  }

  #join(id: string): void {
    const { core } = this.cluster.replica(id);
    if (core === null) return;
    const { self, clusterId, log } = core.state;
    for (const target of this.cluster.replicas) {
      if (target.id === id) continue;
      this.cluster.deliver({
        clusterId,
        group,
        from: self,
        to: { id: target.id, incarnation: null },
        message: {
          kind: 'JoinRequest',
          address: memberOf(id).address,
          metadata: {},
          lastLogIndex: log.lastIndex,
        },
      });
    }
  }

  #member(id: string) {
    const { incarnation } = replica(id, 1, this.cluster.replica(id).disk.life);
    return { ...memberOf(id), incarnation };
  }

  #countEvents(): void {
    for (const { kind, ...event } of this.cluster.replicas.flatMap(({ events }) => events)) {
      if (kind === 'snapshot-installed') this.seen.installed += 1;
      if (kind === 'log-truncated') this.seen.truncated += 1;
      if (kind === 'role-changed' && 'role' in event && event.role === 'leader') this.seen.leaders += 1;
      if (kind === 'configuration-changed' && 'configuration' in event && isJoint(event.configuration))
        this.seen.joint += 1;
      if (kind === 'membership-ended' && 'outcome' in event && event.outcome === 'aborted')
        this.seen.aborted += 1;
    }
  }

  #choose(): keyof Weights {
    const { weights } = this.#profile;
    const kinds = Object.keys(weights) as (keyof Weights)[];
    let at = this.#random.integer(
      0,
      kinds.reduce((sum, kind) => sum + weights[kind], 0),
    );
    for (const kind of kinds) {
      at -= weights[kind];
      if (at < 0) return kind;
    }
    return 'deliver';
  }

  /** Old messages go first more often than not, but any may. */
  #withMessage(act: (envelope: Envelope) => unknown): void {
    const { network } = this.cluster;
    if (network.length === 0) return;
    const limit = this.#random.integer(0, 4) === 0 ? network.length : Math.min(3, network.length);
    const envelope = network[this.#random.integer(0, limit)];
    if (envelope !== undefined) act(envelope);
    if (network.length > 600) network.splice(0, 300);
  }

  #remove(envelope: Envelope): void {
    this.cluster.network.splice(this.cluster.network.indexOf(envelope), 1);
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#random.integer(0, items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}
