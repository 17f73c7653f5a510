import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';

/** A cluster in which every message takes `delayMs`: the paper's broadcast time is twice that. */
class SlowNetwork extends Cluster {
  delayMs = 0;
  readonly leadersByTerm = new Map<number, Set<string>>();
  #underWay: { readonly at: number; readonly envelope: Envelope }[] = [];

  live(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.#collect();
      const due = this.replicas.flatMap(({ core }) => core?.deadline ?? []);
      const next = Math.min(...due, ...this.#underWay.map(({ at }) => at), end);
      if (next > this.now) this.now = next;
      if (this.now >= end) return;
      const arriving = this.#underWay.filter(({ at }) => at <= this.now);
      this.#underWay = this.#underWay.filter(({ at }) => at > this.now);
      for (const { envelope } of arriving) this.deliver(envelope);
      for (const target of this.replicas) {
        if ((target.core?.deadline ?? Number.POSITIVE_INFINITY) > this.now) continue;
        target.core?.tick(this.now);
        this.drain(target);
      }
      this.#noteLeaders();
    }
  }

  get commitIndex(): number {
    return Math.max(...this.replicas.map(({ core }) => core?.state.commitIndex ?? 0));
  }

  #collect(): void {
    for (const envelope of this.network.splice(0)) {
      this.#underWay.push({ at: this.now + this.delayMs, envelope });
    }
  }

  #noteLeaders(): void {
    for (const { id, core } of this.leaders) {
      const term = core?.state.hardState.term ?? 0;
      this.leadersByTerm.set(term, (this.leadersByTerm.get(term) ?? new Set()).add(id));
    }
  }
}

const ids = ['n1', 'n2', 'n3', 'n4', 'n5'];
const seeds = Array.from({ length: 20 }, (_, seed) => seed);

describe('timing and availability (paper 5.6)', () => {
  test.each([1, 10, 50])('with messages of %i ms a leader is elected, and kept for minutes', (delayMs) => {
    const cluster = new SlowNetwork(ids);
    cluster.delayMs = delayMs;
    cluster.live(5000);
    expect(cluster.leaders).toHaveLength(1);
    const term = cluster.leaders[0]?.core?.state.hardState.term;
    cluster.live(120_000);
    expect(cluster.leaders.map(({ core }) => core?.state.hardState.term)).toEqual([term]);
  });

  test('with messages slower than elections nothing is decided, and nothing is decided wrongly', () => {
    for (const options of [{}, { preVote: false }, { preVote: false, checkQuorum: false }]) {
      const cluster = new SlowNetwork(ids, { options });
      cluster.delayMs = 1500;
      cluster.live(60_000);
      expect(cluster.commitIndex).toBe(0);
      for (const [term, leaders] of cluster.leadersByTerm) expect(leaders.size, `leaders of ${term}`).toBe(1);
      // Safety never depended on time; with quicker messages availability comes back.
      cluster.delayMs = 5;
      cluster.live(20_000);
      expect(cluster.leaders).toHaveLength(1);
      expect(cluster.commitIndex).toBeGreaterThan(1);
      cluster.checkWholeLogs();
    }
  });

  test('a failed leader is missed for about an election timeout', () => {
    for (const seed of seeds) {
      const cluster = new SlowNetwork(ids, { seed });
      cluster.delayMs = 5;
      cluster.live(5000);
      const [leader] = cluster.leaders;
      if (leader === undefined) throw new Error('nobody leads');
      cluster.crash(leader.id);
      const { electionTimeoutMinMs, electionTimeoutMaxMs, heartbeatIntervalMs } = cluster.options;
      // Whoever heard it last was told so one heartbeat interval ago at most.
      cluster.live(electionTimeoutMinMs - heartbeatIntervalMs);
      expect(cluster.leaders, `seed ${seed}: too early`).toEqual([]);
      cluster.live(2 * electionTimeoutMaxMs);
      expect(cluster.leaders, `seed ${seed}: too late`).toHaveLength(1);
    }
  });
});
