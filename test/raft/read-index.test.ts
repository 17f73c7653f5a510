import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import type { Cluster } from './cluster.ts';
import { led } from './led-cluster.ts';
import { votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const leases = { clockDriftMaxRatio: 0.1 };

/** n1 leads n1, n2 and n3, and has committed an entry of its term. */
const notTo =
  (...ids: string[]) =>
  ({ to }: Envelope): boolean =>
    !ids.includes(to.id);

describe('a read', () => {
  test('that must not stand on a clock is not granted with a later one that goes by the lease', () => {
    const cluster = led(leases);
    const linearizable = cluster.read('n1');
    const byLease = cluster.read('n1', { lease: true });
    expect(cluster.grantedAt('n1', byLease)).toBe(2);
    expect(cluster.grantedAt('n1', linearizable)).toBe(null);
    cluster.settle();
    expect(cluster.grantedAt('n1', linearizable)).toBe(2);
  });

  test('is granted by its own id, also where one question asked for many', () => {
    const cluster = led();
    const last = cluster.read('n2', { count: 3 });
    expect(cluster.underWay('ReadIndexRequest').map(({ readId }) => readId)).toEqual([last]);
    cluster.settle();
    expect(cluster.replica('n2').reads.map(({ readId }) => readId.sequence)).toEqual(
      [2, 1, 0].map((before) => last.sequence - before),
    );
  });

  test('that nobody waits for holds up no later one', () => {
    const cluster = led();
    const abandoned = cluster.read('n2');
    cluster.network = [];
    cluster.core('n2').cancelRead(cluster.now, abandoned);
    const wanted = cluster.read('n2');
    expect(cluster.underWay('ReadIndexRequest').map(({ readId }) => readId)).toEqual([wanted]);
    cluster.settle();
    expect(cluster.grantedAt('n2', wanted)).toBe(2);
    expect(cluster.grantedAt('n2', abandoned)).toBe(null);
  });

  test('that is cancelled leaves those asked for together with it', () => {
    const cluster = led();
    const first = cluster.read('n2');
    const second = cluster.read('n2');
    cluster.core('n2').cancelRead(cluster.now, second);
    cluster.settle();
    expect(cluster.grantedAt('n2', first)).toBe(2);
    expect(cluster.grantedAt('n2', second)).toBe(null);
  });

  test('of a learner is granted like any other, and counts for no quorum', () => {
    const cluster = led();
    const readId = cluster.read('n1');
    cluster.settle(notTo('n2', 'n3'));
    expect(cluster.grantedAt('n1', readId)).toBe(null);
  });

  test('of somebody who is no member is not answered', () => {
    const n1 = new Single().lead();
    n1.hear('n9', { kind: 'ReadIndexRequest', term: 2, readId: { boot: 1, sequence: 1 }, lease: false });
    expect(n1.state.drops).toEqual({ 'not-a-member': 1 });
    expect(n1.state.reads).toEqual([]);
  });

  test('takes one place per asker on a leader, however many are asked for', () => {
    const n1 = new Single().lead();
    for (let sequence = 1; sequence <= 50; sequence += 1) {
      n1.hear('n2', { kind: 'ReadIndexRequest', term: 2, readId: { boot: 1, sequence }, lease: false });
    }
    expect(n1.state.reads.map(({ readId }) => readId.sequence)).toEqual([50]);
  });

  test('of an earlier boot gives way to one of a later boot, though that counts from the start', () => {
    const n1 = new Single().lead();
    n1.hear('n2', { kind: 'ReadIndexRequest', term: 2, readId: { boot: 1, sequence: 90 }, lease: false });
    n1.hear('n2', { kind: 'ReadIndexRequest', term: 2, readId: { boot: 2, sequence: 1 }, lease: false }, 2);
    expect(n1.state.reads.map(({ readId }) => readId)).toEqual([{ boot: 2, sequence: 1 }]);
  });

  test('is not granted by an answer to another boot', () => {
    const n1 = new Single({ boot: 2 });
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null });
    n1.core.requestRead(0, false);
    n1.drain();
    n1.hear('n2', { kind: 'ReadIndexResponse', term: 1, readId: { boot: 1, sequence: 99 }, index: 1 });
    expect(n1.reads).toEqual([]);
    expect(n1.state.reads).toHaveLength(1);
  });

  test('of the only voter is granted at once', () => {
    const n1 = new Single({ configuration: votersOf('n1') }).persistAll();
    n1.core.requestRead(0, false);
    n1.drain();
    expect(n1.reads.map(({ index }) => index)).toEqual([2]);
  });
});

describe('reads that never end', () => {
  /** One each 20 ms for a second, so that a round follows the other. */
  function readOn(cluster: Cluster, passes: (envelope: Envelope) => boolean): void {
    for (let time = 0; time < 40; time += 1) {
      cluster.read('n1');
      cluster.run(20, passes);
    }
  }

  test('do not put off that a lost TimeoutNow is repeated', () => {
    const cluster = led();
    cluster.transfer('n1', 'n2');
    expect(cluster.underWay('TimeoutNow')).toHaveLength(1);
    cluster.network = [];
    readOn(cluster, () => true);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('make no more rounds than they need, with a heartbeat each interval besides', () => {
    const cluster = led();
    const before = cluster.core('n1').state.lastRound;
    readOn(cluster, () => true);
    expect(cluster.core('n1').state.lastRound - before).toBe(40 + 8);
  });
});
