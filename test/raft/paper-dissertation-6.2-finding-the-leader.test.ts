import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { led } from './led-cluster.ts';

const ids = ['n1', 'n2', 'n3', 'n4', 'n5'];

/** Messages between these pass, and among all others. */
const apart =
  (...side: string[]) =>
  ({ from, to }: Envelope): boolean =>
    side.includes(from.id) === side.includes(to.id);

const leaderKnownTo = (cluster: Cluster, id: string): string | null =>
  cluster.core(id).state.leader?.id ?? null;

describe('routing requests to the leader (dissertation 6.2)', () => {
  test('whoever does not lead refuses, and knows who does', () => {
    const cluster = led({}, ids);
    for (const id of ids.slice(1)) {
      expect(cluster.propose(id, 'x')).toEqual({ accepted: false, reason: 'not-leader' });
      expect(leaderKnownTo(cluster, id)).toBe('n1');
    }
  });

  test('leaders: one that no quorum answers steps down, so its clients look for another', () => {
    const cluster = led({}, ids);
    cluster.run(499, apart('n1', 'n2'));
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
    cluster.run(101, apart('n1', 'n2'));
    expect(cluster.core('n1').state.role).not.toBe('leader');
    expect(leaderKnownTo(cluster, 'n1')).toBe(null);
  });

  test('one that is answered by a quorum, itself among it, goes on for as long as that is so', () => {
    const cluster = led({}, ids);
    cluster.run(20_000, apart('n1', 'n2', 'n3'));
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
  });

  test('it has stepped down before another leads, whoever campaigns first (ZOO L5)', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const cluster = new Cluster(ids, { seed });
      cluster.elect('n1');
      cluster.run(300);
      const most: number[] = [];
      for (let step = 0; step < 300; step += 1) {
        cluster.run(10, apart('n1'));
        most.push(cluster.leaders.length);
      }
      expect(Math.max(...most), `seed ${seed}`).toBe(1);
      expect(most.at(-1)).toBe(1);
    }
  });

  test('followers: one that does not hear its leader sends nobody there any more', () => {
    const cluster = led({}, ids);
    cluster.crash('n1');
    cluster.run(1000, apart('n2'));
    expect(leaderKnownTo(cluster, 'n2')).toBe(null);
  });

  test('not even one that may not campaign, since its disk hangs', () => {
    const cluster = led({}, ids);
    cluster.stall('n2', 'storage');
    cluster.crash('n1');
    cluster.run(1000, apart('n2'));
    expect(cluster.core('n2').state.role).toBe('follower');
    expect(leaderKnownTo(cluster, 'n2')).toBe(null);
  });

  test('a term that began forgets the leader of the one before', () => {
    const cluster = led({}, ids);
    cluster.transfer('n1', 'n2');
    cluster.settle(({ message }) => message.kind !== 'VoteResponse');
    expect(ids.map((id) => leaderKnownTo(cluster, id))).toEqual([null, null, null, null, null]);
    cluster.run(2000);
    expect(new Set(ids.map((id) => leaderKnownTo(cluster, id))).size).toBe(1);
  });
});
