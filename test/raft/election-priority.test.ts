import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

const ids = ['n1', 'n2', 'n3'];
const seeds = Array.from({ length: 20 }, (_, seed) => seed + 1);

function withPriorities(priorities: Record<string, number>, seed = 1): Cluster {
  return new Cluster(ids, { seed, optionsOf: (id) => ({ electionPriority: priorities[id] ?? 100 }) });
}

const leaderOf = (cluster: Cluster): string | undefined => cluster.leaders[0]?.id;

describe('election priority', () => {
  test('the preferred replica is elected first, whatever the waits drawn', () => {
    for (const seed of seeds) {
      const cluster = withPriorities({ n2: 0, n3: 0 }, seed);
      cluster.run(2000);
      expect(leaderOf(cluster), `seed ${seed}`).toBe('n1');
    }
  });

  test('one that is gone holds nobody up for longer than two longest election timeouts more', () => {
    for (const seed of seeds) {
      const cluster = withPriorities({ n2: 0, n3: 0 }, seed);
      cluster.run(2000);
      cluster.crash('n1');
      const crashedAt = cluster.now;
      while (leaderOf(cluster) === undefined && cluster.now - crashedAt < 10_000) cluster.run(10);
      // A wait, the head start, and room for one split vote.
      expect(cluster.now - crashedAt, `seed ${seed}`).toBeLessThan(5000);
    }
  });

  test('the head start halves with each wait in vain, and is whole again once a leader is heard', () => {
    const cluster = withPriorities({ n3: 0 });
    cluster.elect('n1');
    cluster.run(300);
    const startOf = (): number => cluster.core('n3').state.headStartMs;
    expect(startOf()).toBe(1000);
    cluster.pause('n1');
    cluster.pause('n2');
    const seen = [startOf()];
    for (let time = 0; time < 11; time += 1) {
      cluster.fire('n3');
      seen.push(startOf());
    }
    expect(seen).toEqual([1000, 500, 250, 125, 62, 31, 15, 7, 3, 1, 0, 0]);
    cluster.network = [];
    cluster.resume('n1');
    cluster.resume('n2');
    cluster.run(3000);
    expect(startOf()).toBe(cluster.core('n3').state.role === 'leader' ? 0 : 1000);
  });

  test('who steps down is not elected before the others had their chance', () => {
    for (const seed of seeds) {
      const cluster = new Cluster(ids, { seed });
      cluster.elect('n1');
      cluster.run(300);
      cluster.stepDown('n1');
      cluster.run(3000);
      expect(leaderOf(cluster), `seed ${seed}`).toMatch(/^n[23]$/);
    }
  });

  test('and is elected all the same where nobody else can be', () => {
    const cluster = new Cluster(ids);
    cluster.elect('n1');
    cluster.run(300);
    cluster.propose('n1', 'x');
    cluster.settle(({ from, to }) => from.id !== 'n2' && to.id !== 'n2');
    cluster.crash('n3');
    cluster.stepDown('n1');
    cluster.run(10_000);
    expect(leaderOf(cluster)).toBe('n1');
  });
});
