import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Configuration, isJoint, isVoter, members } from '../../src/raft/configuration.ts';
import type { Entry, Term } from '../../src/raft/entry.ts';
import { termAt } from '../../src/raft/log.ts';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster, type FakeReplica } from './cluster.ts';
import { latestSnapshot, writeOldest } from './fake-disk.ts';
import { group, memberOf } from './sample-log.ts';
import { seeded } from './seeded.ts';

const IDS = [...'abcdef'];

/** A cluster whose membership changes by chance, on a bad network with failing machines. */
class Churn {
  readonly cluster: Cluster;
  readonly leaders = new Map<Term, string>();
  readonly committed: Entry[] = [];
  /** Of committed configurations, oldest first. */
  readonly history: Configuration[] = [];
  readonly outcomes: string[] = [];
  readonly #random;
  readonly #wipes: boolean;
  #wipedAt = Number.NEGATIVE_INFINITY;

  constructor(seed: number, options: { readonly wipes: boolean }) {
    this.#random = seeded(seed);
    this.#wipes = options.wipes;
    this.cluster = new Cluster(IDS, {
      seed,
      founders: IDS.slice(0, 1 + this.#random.integer(0, 4)),
      options: {
        messageBytesMax: 80,
        inflightMessagesMax: 3,
        inflightBytesMax: 200,
        applyEntriesMax: 2,
        cacheBytesMax: 150,
        snapshotChunkBytes: 4000,
        catchUpTimeoutMs: 3000,
        checkQuorum: this.#random.integer(0, 3) > 0,
      },
    });
    for (const target of this.cluster.replicas) target.disk.persistsAtOnce = this.#random.integer(0, 2) === 0;
    this.cluster.onStep = (target) => this.#check(target);
    // An only voter has led and committed since it was started, just now.
    for (const target of this.cluster.replicas) this.#check(target);
  }

  step(): void {
    const { cluster } = this;
    const roll = this.#random.integer(0, 1000);
    const target = this.#pick(cluster.replicas);
    if (roll < 560) this.#withMessage((envelope) => cluster.deliver(envelope));
    else if (roll < 585) this.#withMessage((envelope) => this.#remove(envelope));
    else if (roll < 610) this.#withMessage((envelope) => cluster.network.push(envelope));
    else if (roll < 760) this.#persist(target);
    else if (roll < 764) this.#compact(target);
    else if (roll < 900) this.#tick();
    else if (roll < 940) this.#propose(target);
    else if (roll < 975) this.#change(target);
    else if (roll < 980) this.#abort(target);
    else if (roll < 984) this.#crash(target);
    else if (roll < 985 && this.#wipes) this.#wipe(target);
    else this.#restart(target);
  }

  /** Everything heals, and what was begun comes to its end. */
  heal(): void {
    const { cluster } = this;
    for (const target of cluster.replicas) {
      target.disk.persistsAtOnce = true;
      if (target.core === null) cluster.start(target.id);
      cluster.finishApply(target);
      cluster.persist(target.id);
    }
    for (let turn = 0; turn < 40; turn += 1) {
      cluster.run(1000);
      for (const { id, disk } of cluster.replicas) if (disk.life > 1) this.#join(id);
    }
    const leader = this.leader();
    if (leader === null) throw new Error('no leader after healing');
    cluster.propose(leader.id, 'after healing');
    cluster.run(2000);
  }

  leader(): FakeReplica | null {
    const [leader] = this.cluster.leaders.sort((x, y) => termOf(y) - termOf(x));
    return leader ?? null;
  }

  #persist(target: FakeReplica): void {
    this.cluster.finishLoad(target);
    this.cluster.finishSnapshotLoad(target);
    this.cluster.finishChunk(target);
    this.cluster.persist(target.id, this.#random.integer(1, 4));
  }

  #compact({ id, core, applied, disk }: FakeReplica): void {
    if (core === null || applied.length <= (latestSnapshot(disk)?.meta.index ?? 0)) return;
    this.cluster.compact(id, applied.length, this.#random.integer(0, 4));
  }

  #tick(): void {
    this.cluster.now += this.#random.integer(0, 50);
    for (const each of this.cluster.replicas) {
      each.core?.tick(this.cluster.now);
      this.cluster.drain(each);
    }
  }

  #propose({ id, core }: FakeReplica): void {
    if (core !== null) this.cluster.propose(id, `${this.cluster.now}`);
  }

  #change(target: FakeReplica): void {
    const { core } = target;
    // Whoever is not heard is missed after an election timeout; a change begun before may need it.
    if (core === null || this.cluster.now - this.#wipedAt < 2 * this.cluster.options.electionTimeoutMinMs)
      return;
    const id = this.#pick(IDS);
    const other = this.#pick(IDS);
    const by = this.#member(other);
    const change = this.#pick([
      { add: [{ ...this.#member(id), role: this.#pick(['voter', 'learner'] as const) }] },
      { add: [this.#member(id)], remove: [other] },
      { remove: [id] },
      { promote: [id] },
      { demote: [id] },
      { replace: [{ id, by }] },
      { update: [{ id, address: `elsewhere:${this.#random.integer(0, 9)}` }] },
    ]);
    const result = core.proposeMembership(this.cluster.now, change, null);
    this.outcomes.push(result.accepted ? 'accepted' : result.reason);
    this.cluster.drain(target);
  }

  #abort(target: FakeReplica): void {
    target.core?.abortMembership(this.cluster.now);
    this.cluster.drain(target);
  }

  #crash({ id, disk }: FakeReplica): void {
    let reached = this.#random.integer(0, disk.pending.length + 1);
    for (; reached > 0; reached -= 1) writeOldest(disk);
    this.cluster.crash(id);
  }

  /** Never so many that no quorum could bring them back. */
  #wipe({ id, disk }: FakeReplica): void {
    const leader = this.leader();
    const configuration = leader?.core?.state.configurations.at(-1)?.configuration;
    if (configuration === undefined || leader?.id === id || disk.life > 2) return;
    const settled = this.cluster.replicas.every(({ core }) => {
      const latest = core?.state.configurations.at(-1)?.configuration;
      return latest === undefined || latest.id === '0.0' || latest.id === configuration.id;
    });
    if (!settled || isJoint(configuration) || configuration.learners.length > 0) return;
    const remembering = configuration.voters.filter((voter) => {
      const { core, disk: other } = this.cluster.replica(voter.id);
      return (
        voter.id !== id &&
        core?.state.self.incarnation === voter.incarnation &&
        other.floor.index + other.entries.length > 0
      );
    });
    if (remembering.length * 2 <= configuration.voters.length) return;
    this.cluster.wipe(id);
    this.#wipedAt = this.cluster.now;
  }

  #restart({ id, core, disk }: FakeReplica): void {
    if (core === null) this.cluster.start(id);
    else if (disk.life > 1) this.#join(id);
  }

  #join(id: string): void {
    const { core } = this.cluster.replica(id);
    for (const target of this.cluster.replicas) {
      if (core === null || target.id === id || target.core === null) continue;
      target.core.receive(this.cluster.now, {
        clusterId: core.state.clusterId,
        group,
        from: core.state.self,
        to: { id: target.id, incarnation: null },
        message: {
          kind: 'JoinRequest',
          address: memberOf(id).address,
          metadata: {},
          lastLogIndex: core.state.log.lastIndex,
        },
      });
      this.cluster.drain(target);
    }
  }

  #member(id: string) {
    const { disk } = this.cluster.replica(id);
    return { ...memberOf(id), incarnation: `${id}-incarnation${disk.life === 1 ? '' : `-${disk.life}`}` };
  }

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

  /** Election Safety, Leader Completeness, one committed log, and no retired pair in any configuration. */
  #check({ id, core }: FakeReplica): void {
    if (core === null) return;
    const { role, hardState, log, settledIndex, configurations } = core.state;
    if (role === 'leader' && this.leaders.get(hardState.term) !== id) {
      const known = this.leaders.get(hardState.term);
      if (known !== undefined) throw new Error(`two leaders of term ${hardState.term}: ${known} and ${id}`);
      this.leaders.set(hardState.term, id);
      for (const { index, term } of this.committed) {
        if (index < log.floorIndex) continue;
        if (termAt(log, index) !== term)
          throw new Error(`leader ${id} of ${hardState.term} misses ${index}/${term}`);
      }
    }
    for (let index = Math.max(1, log.floorIndex); index <= settledIndex; index += 1) {
      const term = termAt(log, index);
      const known = this.committed[index - 1];
      if (known !== undefined && known.term !== term)
        throw new Error(`${id} took ${index}/${term} for committed`);
      if (known !== undefined) continue;
      if (index !== this.committed.length + 1)
        throw new Error(`a snapshot of ${id} holds what nobody committed`);
      this.committed.push({ kind: 'noop', index, term: term ?? -1 });
      const configuration = configurations.find(
        (one) => one.configuration.id === `${index}.${term}`,
      )?.configuration;
      if (configuration !== undefined) this.#checkConfiguration(configuration);
    }
  }

  #checkConfiguration(configuration: Configuration): void {
    this.history.push(configuration);
    const back = members(configuration).find((one) =>
      configuration.retired.some(({ incarnation }) => incarnation === one.incarnation),
    );
    if (back !== undefined && !configuration.outgoing.includes(back)) {
      throw new Error(`${back.id} is retired and listed in ${configuration.id}`);
    }
  }
}

function termOf({ core }: FakeReplica): Term {
  return core?.state.hardState.term ?? -1;
}

describe('a cluster whose membership changes by chance', () => {
  test.each([
    { name: 'members come and go', wipes: false, runs: 60 },
    { name: 'and disks are emptied', wipes: true, runs: 60 },
  ])('keeps every promise of Raft and comes to rest: $name', ({ wipes, runs }) => {
    const seen = { completed: 0, joint: 0, refused: new Set<string>(), retired: 0 };
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const churn = new Churn(seed, { wipes });
        for (let step = 0; step < 6000; step += 1) churn.step();
        churn.heal();
        const leader = churn.leader();
        const configuration = leader?.core?.state.configurations.at(-1)?.configuration;
        if (configuration === undefined || leader === null) throw new Error('no configuration');
        expect(isJoint(configuration)).toBe(false);
        expect(isVoter(configuration, leader.core?.state.self ?? memberOf('?'))).toBe(true);
        for (const { id, incarnation } of configuration.voters) {
          const { core, applied } = churn.cluster.replica(id);
          if (core?.state.self.incarnation !== incarnation) continue;
          expect(applied.length, `${id} of ${configuration.id}`).toBe(leader.applied.length);
        }
        seen.completed += churn.cluster.replicas.flatMap(({ events }) =>
          events.filter((event) => event.kind === 'membership-ended' && event.outcome === 'completed'),
        ).length;
        seen.joint += churn.history.filter(isJoint).length;
        seen.retired += configuration.retired.length;
        for (const outcome of churn.outcomes) seen.refused.add(outcome);
      }),
      { numRuns: runs },
    );
    expect(seen.completed / runs).toBeGreaterThan(1);
    expect(seen.joint / runs).toBeGreaterThan(1);
    if (wipes) expect(seen.retired).toBeGreaterThan(0);
    expect([...seen.refused]).toEqual(
      expect.arrayContaining(['accepted', 'not-leader', 'change-in-progress']),
    );
  });
});
