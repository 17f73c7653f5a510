import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical } from '../../src/raft/canonical.ts';
import { describeEnvelope, describeState } from '../../src/raft/describe.ts';
import type { Entry, Index, Term } from '../../src/raft/entry.ts';
import { termAt } from '../../src/raft/log.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { entryOn, latestSnapshot, storeSnapshot, writeChunk, writeOldest } from './fake-disk.ts';
import { Cluster, type FakeReplica, seeded } from './harness.ts';

/** Weights of what happens next. */
interface Weights {
  readonly deliver: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly persist: number;
  readonly tick: number;
  readonly propose: number;
  readonly apply: number;
  readonly load: number;
  readonly crash: number;
  readonly restart: number;
  readonly failWrite: number;
  readonly jump: number;
  readonly cut: number;
  readonly compact: number;
  readonly restore: number;
}

interface Profile {
  readonly weights: Weights;
  readonly options: Partial<RaftOptions>;
  /** At most this much time passes at once; milliseconds. */
  readonly tickMs: number;
}

const rough: Weights = {
  deliver: 900,
  drop: 30,
  duplicate: 30,
  persist: 450,
  tick: 140,
  propose: 100,
  apply: 150,
  load: 100,
  crash: 2,
  restart: 10,
  failWrite: 2,
  jump: 1,
  cut: 3,
  compact: 8,
  restore: 60,
};

const profiles = {
  calm: {
    weights: { ...rough, drop: 10, duplicate: 10, crash: 0, failWrite: 0, jump: 0, cut: 0, propose: 200 },
    options: {},
    tickMs: 40,
  },
  rough: { weights: rough, options: {}, tickMs: 40 },
  /** Little holds back elections: many leaders, and logs that conflict. */
  turbulent: {
    weights: { ...rough, duplicate: 150, crash: 5, restart: 20, cut: 12 },
    options: { preVote: false, checkQuorum: false, clockGapMs: 100_000 },
    tickMs: 60,
  },
} satisfies Record<string, Profile>;

/** Drives one cluster by chance alone and compares everything said and done with what Raft promises. */
class Chaos {
  readonly cluster: Cluster;
  readonly leaders = new Map<Term, string>();
  readonly committed: Entry[] = [];
  readonly votes = new Map<string, string>();
  readonly #cutOff = new Set<string>();
  readonly #random;
  readonly #profile: Profile;

  constructor(seed: number, replicas: number, profile: Profile) {
    this.#random = seeded(seed);
    this.#profile = profile;
    const ids = Array.from({ length: replicas }, (_, position) => `n${position + 1}`);
    this.cluster = new Cluster(ids, {
      seed,
      // Small bounds, so that windows fill, caches evict and loads happen all the time.
      options: {
        clockGapMs: 250,
        messageBytesMax: 80,
        inflightMessagesMax: 3,
        inflightBytesMax: 200,
        applyEntriesMax: 2,
        uncommittedBytesMax: 600,
        cacheBytesMax: 150,
        diskBacklogBytesMax: 300,
        applyBytesMax: 60,
        snapshotChunkBytes: 4000,
        snapshotChunksInflightMax: 3,
        // Now this, now that: none, a few and all.
        snapshotPinnedEntriesMax: seed % 3 === 0 ? 1000 : seed % 3,
        snapshotBytesPerSecondMax: seed % 2 === 0 ? 0 : 200_000,
        ...profile.options,
      },
    });
    for (const target of this.cluster.replicas) {
      target.disk.persistsAtOnce = false;
      target.appliesAtOnce = false;
    }
    this.cluster.onSend = (sender, envelope) => this.#checkSaid(sender, envelope);
    this.cluster.onStep = (target) => this.#checkReplica(target);
  }

  step(): void {
    this.#actions[this.#choose()](this.#pick(this.cluster.replicas));
  }

  readonly #actions: Record<keyof Weights, (target: FakeReplica) => void> = {
    deliver: () =>
      this.#withMessage((envelope) => {
        if (this.#cutOff.has(envelope.from.id) === this.#cutOff.has(envelope.to.id)) {
          this.cluster.deliver(envelope);
        } else {
          this.#remove(envelope);
        }
      }),
    drop: () => this.#withMessage((envelope) => this.#remove(envelope)),
    duplicate: () => this.#withMessage((envelope) => this.cluster.network.push(envelope)),
    persist: ({ id }) => this.cluster.persist(id, this.#random.integer(1, 4)),
    tick: () => {
      this.cluster.now += this.#random.integer(0, this.#profile.tickMs);
      for (const each of this.cluster.replicas) {
        each.core?.tick(this.cluster.now);
        this.cluster.drain(each);
      }
    },
    propose: ({ id, core }) => {
      if (core !== null) this.cluster.propose(id, `${this.cluster.now}`, 'and more of it');
    },
    apply: (target) => {
      this.cluster.finishApply(target);
      this.cluster.drain(target);
    },
    load: (target) => {
      if (target.core === null) return;
      this.cluster.finishLoad(target, this.#random.integer(0, 5) === 0);
      this.cluster.finishSnapshotLoad(target, this.#random.integer(0, 8) === 0);
      this.cluster.finishChunk(target);
      this.cluster.drain(target);
    },
    crash: (target) => {
      const { id, disk, core, applied } = target;
      // What was being written may have reached the disk, or a part of it, without being reported.
      let reached = this.#random.integer(0, disk.pending.length + 1);
      for (; reached > 0; reached -= 1) writeOldest(disk);
      if (this.#random.integer(0, 2) === 0) writeChunk(disk);
      const isNew = applied.length > (latestSnapshot(disk)?.meta.index ?? 0);
      if (core !== null && isNew && this.#random.integer(0, 2) === 0) {
        storeSnapshot(disk, this.cluster.snapshotOf(id, applied.length));
      }
      this.cluster.crash(id);
    },
    compact: (target) => {
      const { id, core, applied, disk } = target;
      const from = latestSnapshot(disk)?.meta.index ?? 0;
      if (core === null || target.restoring !== null || applied.length <= from) return;
      const index =
        this.#random.integer(0, 3) === 0 ? this.#random.integer(from, applied.length) : applied.length;
      if (index > from) this.cluster.compact(id, index, this.#random.integer(0, 6));
    },
    restore: (target) => {
      this.cluster.finishRestore(target);
      this.cluster.drain(target);
    },
    restart: ({ id, core }) => {
      if (core === null) this.cluster.start(id);
    },
    failWrite: (target) => {
      if (target.core === null || target.disk.pending.length === 0) return;
      target.core.writeFailed(this.cluster.now);
      this.cluster.drain(target);
      this.cluster.start(target.id, true);
    },
    jump: (target) => {
      // Its clock alone steps back, or stood still for a while.
      target.core?.tick(this.cluster.now + this.#random.integer(-800, 800));
      this.cluster.drain(target);
    },
    cut: ({ id }) => {
      // Now on the one side, now on the other; now and then nobody is cut off.
      if (this.#cutOff.has(id) || this.#random.integer(0, 3) === 0) this.#cutOff.clear();
      else this.#cutOff.add(id);
    },
  };

  #remove(envelope: Envelope): void {
    this.cluster.network.splice(this.cluster.network.indexOf(envelope), 1);
  }

  /** Everything heals: everyone runs, nothing is lost, and time goes on. */
  heal(): void {
    const { cluster } = this;
    for (const target of cluster.replicas) {
      target.disk.persistsAtOnce = true;
      target.appliesAtOnce = true;
      if (target.core === null) cluster.start(target.id);
      cluster.finishApply(target);
      cluster.persist(target.id);
    }
    // Clocks that went ahead or back in the chaos come together in the time that follows.
    cluster.run(8000);
    const [leader] = cluster.leaders.sort((a, b) => termOf(b) - termOf(a));
    if (leader === undefined) throw new Error('no leader after healing');
    cluster.propose(leader.id, 'after healing');
    cluster.run(1000);
  }

  /** Election Safety, the invariants of each state, and State Machine Safety as entries are applied. */
  #checkReplica({ id, core, applied }: FakeReplica): void {
    if (core === null) return;
    const { state } = core;
    const { role, hardState, log } = state;
    if (role === 'leader') {
      const known = this.leaders.get(hardState.term);
      if (known === undefined) {
        this.leaders.set(hardState.term, id);
        // Leader Completeness: whatever was committed in earlier terms is in its log.
        for (const entry of this.committed) {
          if (entry.index < log.floorIndex) continue;
          if (termAt(log, entry.index) !== entry.term) {
            throw new Error(`leader ${id} of term ${hardState.term} misses ${entry.index}/${entry.term}`);
          }
        }
      } else if (known !== id) {
        throw new Error(`two leaders of term ${hardState.term}: ${known} and ${id}`);
      }
    }
    for (let index = this.committed.length + 1; index <= state.settledIndex; index += 1) {
      if (index < log.floorIndex)
        throw new Error(`a snapshot of ${id} holds ${index}, which nobody committed`);
      this.#checkOnQuorum(index, termAt(log, index) ?? -1);
      const entry = core.cachedEntries(index, index)?.[0];
      this.committed.push(entry ?? { kind: 'noop', index, term: termAt(log, index) ?? -1 });
    }
    const last = applied.at(-1);
    const same = last === undefined ? undefined : this.committed[last.index - 1];
    if (last !== undefined && same?.term !== last.term) {
      throw new Error(`${id} applied ${last.index}/${last.term}, committed is ${same?.term}`);
    }
    if (state.settledIndex > 0 && state.settledIndex <= this.committed.length) {
      const term = termAt(log, state.settledIndex);
      if (this.committed[state.settledIndex - 1]?.term !== term) {
        throw new Error(`${id} thinks ${state.settledIndex}/${term} is committed`);
      }
    }
  }

  /** At the moment it is first known to be committed, an entry is on the disks of a majority. */
  #checkOnQuorum(index: Index, term: Term): void {
    const { replicas } = this.cluster;
    const holders = replicas.filter(
      ({ disk }) => entryOn(disk, index)?.term === term || (latestSnapshot(disk)?.meta.index ?? 0) >= index,
    ).length;
    if (holders * 2 <= replicas.length) {
      throw new Error(`${index}/${term} is committed and on ${holders} of ${replicas.length} disks`);
    }
  }

  /** Nothing is said that the speaker's disk does not hold; nobody votes twice in a term. */
  #checkSaid({ id, disk }: FakeReplica, { message, to }: Envelope): void {
    const says = `${id} says ${message.kind} of term ${message.kind === 'RequestVote' ? message.term : ''}`;
    if (message.kind === 'RequestVote' || (message.kind === 'VoteResponse' && message.granted)) {
      const candidate = message.kind === 'RequestVote' ? id : to.id;
      if (disk.hardState.term !== message.term || disk.hardState.votedFor?.id !== candidate) {
        throw new Error(`${says}, on disk is ${JSON.stringify(disk.hardState)}`);
      }
      const key = `${id} in ${message.term}`;
      if ((this.votes.get(key) ?? candidate) !== candidate) throw new Error(`${key} votes twice`);
      this.votes.set(key, candidate);
    }
    if (
      (message.kind === 'AppendEntriesResponse' && message.accepted) ||
      (message.kind === 'HeartbeatResponse' && message.round > 0)
    ) {
      const leader = this.cluster.replica(to.id);
      if (disk.hardState.term !== message.term) throw new Error(`${says}: the term is not on disk`);
      // What a durable snapshot covers is found after a crash, whatever the log on the disk still holds there.
      if (message.matchIndex <= (latestSnapshot(disk)?.meta.index ?? 0)) return;
      const own = entryOn(disk, message.matchIndex);
      if (own === undefined) throw new Error(`${says}: match beyond its disk`);
      const { core } = leader;
      if (core?.state.role !== 'leader' || termOf(leader) !== message.term) return;
      if (own.index < core.state.log.floorIndex) return;
      if (termAt(core.state.log, own.index) !== own.term) throw new Error(`${says}: another entry`);
    }
  }

  /** Log Matching (paper 5.3) over what is in memory. */
  checkLogMatching(): void {
    const logs = this.cluster.replicas.flatMap(({ core }) => (core === null ? [] : [core.state.log]));
    for (const [position, one] of logs.entries()) {
      for (const other of logs.slice(position + 1)) {
        let agreed = true;
        const first = Math.max(1, one.floorIndex, other.floorIndex);
        for (let index = first; index <= one.lastIndex && index <= other.lastIndex; index += 1) {
          const same = termAt(one, index) === termAt(other, index);
          if (same && !agreed) throw new Error(`two logs agree at ${index} and not before`);
          agreed = same;
        }
      }
    }
  }

  #choose(): keyof Weights {
    const kinds = Object.keys(this.#profile.weights) as (keyof Weights)[];
    const total = kinds.reduce((sum, kind) => sum + this.#profile.weights[kind], 0);
    let at = this.#random.integer(0, total);
    for (const kind of kinds) {
      at -= this.#profile.weights[kind];
      if (at < 0) return kind;
    }
    return 'deliver';
  }

  /** Old messages go first more often than not, but any may. */
  #withMessage(act: (envelope: Envelope) => unknown): void {
    const { network } = this.cluster;
    if (network.length === 0) return;
    const anywhere = this.#random.integer(0, 4) === 0;
    const limit = anywhere ? network.length : Math.min(3, network.length);
    const envelope = network[this.#random.integer(0, limit)];
    if (envelope !== undefined) act(envelope);
    if (network.length > 400) network.splice(0, 200);
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#random.integer(0, items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

function termOf({ core }: FakeReplica): Term {
  return core?.state.hardState.term ?? -1;
}

function drive(seed: number, replicas: number, steps: number, profile: Profile): Chaos {
  const chaos = new Chaos(seed, replicas, profile);
  for (let step = 0; step < steps; step += 1) {
    chaos.step();
    if (step % 100 === 0) {
      chaos.cluster.checkWholeLogs();
      chaos.checkLogMatching();
    }
  }
  return chaos;
}

describe('a cluster of bare cores, driven by chance', () => {
  test.each([
    // A chaos in which nothing ever happens would prove nothing: what happens at least, in one run of many.
    { name: 'calm', runs: 20, elections: 1, committed: 50, truncated: 0, compacted: 10, installed: 0.5 },
    { name: 'rough', runs: 35, elections: 2, committed: 10, truncated: 0.3, compacted: 5, installed: 0.5 },
    {
      name: 'turbulent',
      runs: 75,
      elections: 5,
      committed: 30,
      truncated: 0.7,
      compacted: 4,
      installed: 0.4,
    },
  ] as const)('keeps every promise of Raft, and recovers once all heals: $name', (expected) => {
    const seen = { runs: 0, elections: 0, committed: 0, truncated: 0, compacted: 0, installed: 0 };
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(1, 2, 3, 3, 3, 4, 5, 5), (seed, replicas) => {
        const chaos = drive(seed, replicas, 12_000, profiles[expected.name]);
        chaos.heal();
        const terms = chaos.cluster.replicas.map(({ applied }) => applied.map(({ term }) => term).join());
        expect(new Set(terms).size, 'all apply the same').toBe(1);
        chaos.checkLogMatching();
        seen.runs += 1;
        seen.elections += chaos.leaders.size;
        seen.committed += chaos.committed.length;
        for (const { events } of chaos.cluster.replicas) {
          const count = (wanted: string): number => events.filter(({ kind }) => kind === wanted).length;
          seen.truncated += count('log-truncated');
          seen.compacted += count('log-compacted');
          seen.installed += count('snapshot-installed');
        }
      }),
      { numRuns: expected.runs },
    );
    expect(seen.elections / seen.runs).toBeGreaterThanOrEqual(expected.elections);
    expect(seen.committed / seen.runs).toBeGreaterThanOrEqual(expected.committed);
    expect(seen.truncated / seen.runs).toBeGreaterThanOrEqual(expected.truncated);
    expect(seen.compacted / seen.runs).toBeGreaterThanOrEqual(expected.compacted);
    expect(seen.installed / seen.runs).toBeGreaterThanOrEqual(expected.installed);
  });

  test('does the same, to the last bit, for the same seed', () => {
    const end = (seed: number): string =>
      drive(seed, 3, 6000, profiles.rough)
        .cluster.replicas.map(({ core }) => (core === null ? 'down' : canonical(core.state)))
        .join('\n');
    expect(end(7)).toBe(end(7));
    expect(end(7)).not.toBe(end(8));
  });

  test('every state and message has a description of one line', () => {
    const chaos = new Chaos(3, 3, profiles.rough);
    const described = new Set<string>();
    chaos.cluster.onSend = (_sender, envelope) => described.add(describeEnvelope(envelope));
    for (let step = 0; step < 6000; step += 1) chaos.step();
    for (const { core } of chaos.cluster.replicas)
      if (core !== null) described.add(describeState(core.state));
    for (const line of described) expect(line).toMatch(/^\S[^\n]+$/);
    expect(described.size).toBeGreaterThan(50);
  });
});
