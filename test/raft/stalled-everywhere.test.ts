import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import type { Cluster } from './cluster.ts';
import { led } from './led-cluster.ts';

const begun = (cluster: Cluster, id: string): number =>
  cluster.replica(id).events.filter(({ kind }) => kind === 'leadership-transfer-begun').length;

describe('a leader whose disk hangs, and whose successor does not catch up', () => {
  test('takes proposals between two attempts to hand over, for longer each time', () => {
    const cluster = led({}, ['a', 'b', 'c']);
    cluster.replica('a').disk.persistsAtOnce = false;
    cluster.stall('a', 'storage');
    cluster.propose('a', 'acknowledged by b and c since');
    cluster.settle();
    const lacksAppends = ({ message }: Envelope): boolean => message.kind !== 'AppendEntries';
    cluster.propose('a', 'lost');
    const taken: boolean[] = [];
    for (let turn = 0; turn < 160; turn += 1) {
      taken.push(cluster.propose('a', `${turn}`).accepted);
      cluster.run(100, lacksAppends);
    }
    expect(cluster.core('a').state.role).toBe('leader');
    const runs = taken.join('').match(/(true)+/g) ?? [];
    const lengths = runs.map((run) => run.length / 'true'.length);
    // Begun at once at first, then after 1, 2 and 4 longest election timeouts; the last wait is not over yet.
    expect(lengths.slice(-4, -1).map((length) => Math.round(length / 10))).toEqual([1, 2, 4]);
    expect(begun(cluster, 'a')).toBeLessThanOrEqual(4 + 1);
  });
});

describe('a command that ends on nobody', () => {
  test('leaves the cluster with a leader most of the time', () => {
    const cluster = led({}, ['a', 'b', 'c']);
    for (const id of ['a', 'b', 'c']) cluster.stall(id, 'state-machine');
    let ledFor = 0;
    for (let turn = 0; turn < 3000; turn += 1) {
      cluster.run(100);
      if (cluster.leaders.length > 0) ledFor += 1;
    }
    expect(ledFor / 3000).toBeGreaterThan(0.75);
    const moves = ['a', 'b', 'c'].map((id) => begun(cluster, id));
    for (const count of moves) expect(count).toBeLessThanOrEqual(9);
  });

  test('but is led by whoever gets on, if there is one', () => {
    const cluster = led({}, ['a', 'b', 'c']);
    for (const id of ['a', 'b']) cluster.stall(id, 'state-machine');
    cluster.run(10_000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['c']);
    cluster.run(60_000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['c']);
  });
});
