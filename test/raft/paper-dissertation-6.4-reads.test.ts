import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { led } from './led-cluster.ts';

const ids = ['n1', 'n2', 'n3', 'n4', 'n5'];

const between =
  (...side: string[]) =>
  ({ from, to }: Envelope): boolean =>
    side.includes(from.id) && side.includes(to.id);

describe('read-only queries without the log (dissertation 6.4)', () => {
  test('1. no entry of its term is committed: the leader waits for that', () => {
    const cluster = new Cluster(ids);
    cluster.elect('n1', ({ message }) => message.kind.includes('Vote'));
    const readId = cluster.read('n1');
    cluster.run(500, ({ message }) => !message.kind.startsWith('Append'));
    expect(cluster.grantedAt('n1', readId)).toBe(null);
    cluster.run(200);
    expect(cluster.grantedAt('n1', readId)).toBe(2);
  });

  test('2. the commit index that is read holds everything acknowledged before the query came', () => {
    const cluster = led({}, ids);
    for (let index = 3; index < 12; index += 1) {
      cluster.propose('n1', 'x');
      cluster.settle();
      const readId = cluster.read('n1');
      cluster.settle();
      expect(cluster.grantedAt('n1', readId)).toBe(index);
    }
  });

  test.each([
    ['two answers make three of five', ['n1', 'n2', 'n3'], 2],
    ['one answer does not', ['n1', 'n2'], null],
  ])('3. a round of heartbeats is answered by a majority: %s', (_which, side, granted) => {
    const cluster = led({}, ids);
    const readId = cluster.read('n1');
    cluster.settle(between(...side));
    expect(cluster.grantedAt('n1', readId)).toBe(granted);
  });

  test('an even cluster needs more than its half (ZOO R8)', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3', 'n4']);
    cluster.elect('n1');
    cluster.run(300);
    const readId = cluster.read('n1');
    cluster.settle(between('n1', 'n2'));
    expect(cluster.grantedAt('n1', readId)).toBe(null);
  });

  test('the answer of one that counts for nothing proves nothing: a learner is no majority', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    const { configurations } = cluster.core('n1').state;
    expect(configurations.at(-1)?.configuration.voters).toHaveLength(3);
    cluster.elect('n1');
    cluster.run(300);
    const member = { id: 'n2', incarnation: 'n2-incarnation', address: 'n2:1', role: 'learner' } as const;
    cluster.core('n1').proposeMembership(cluster.now, { demote: [member.id] }, null);
    cluster.drain(cluster.replica('n1'));
    cluster.run(1000);
    const readId = cluster.read('n1');
    cluster.settle(between('n1', 'n2'));
    expect(cluster.grantedAt('n1', readId)).toBe(null);
    cluster.run(200);
    expect(cluster.grantedAt('n1', readId)).not.toBe(null);
  });

  test('4. whoever asked reads once it has applied that far: the grant tells how far', () => {
    const cluster = led({}, ids);
    cluster.replica('n2').appliesAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle();
    const readId = cluster.read('n2');
    cluster.settle();
    expect(cluster.grantedAt('n2', readId)).toBe(3);
    expect(cluster.replica('n2').applied).toHaveLength(2);
  });

  test('one round serves any number of queries', () => {
    const cluster = led({}, ids);
    cluster.read('n1', { count: 1000 });
    expect(cluster.underWay('Heartbeat')).toHaveLength(4);
    cluster.settle();
    expect(cluster.replica('n1').reads).toHaveLength(1000);
  });

  test('followers help: one question to the leader for all of their queries', () => {
    const cluster = led({}, ids);
    cluster.read('n2', { count: 1000 });
    expect(cluster.underWay('ReadIndexRequest')).toHaveLength(1);
    cluster.settle();
    expect(cluster.replica('n2').reads).toHaveLength(1000);
  });

  test('questions of all followers that come at once share a round too', () => {
    const cluster = led({}, ids);
    for (const id of ids.slice(1)) cluster.read(id);
    const { lastRound } = cluster.core('n1').state;
    cluster.settle(({ message }) => message.kind === 'ReadIndexRequest');
    expect(cluster.core('n1').state.lastRound - lastRound).toBe(1);
  });

  test('a follower never grants its own read by what it knows itself', () => {
    const cluster = led({}, ids);
    const readId = cluster.read('n2');
    cluster.run(450, ({ message }) => message.kind !== 'ReadIndexRequest');
    expect(cluster.grantedAt('n2', readId)).toBe(null);
  });

  test('a follower that becomes leader answers its own reads itself, with a round of its own term', () => {
    const cluster = led({}, ids);
    const readId = cluster.read('n2');
    cluster.crash('n1');
    cluster.network = [];
    cluster.now += 1000;
    cluster.elect('n2');
    cluster.run(300);
    expect(cluster.grantedAt('n2', readId)).toBe(3);
  });

  test('a leader that is deposed leaves the questions of others, and keeps its own for its successor', () => {
    const cluster = led({}, ids);
    const own = cluster.read('n1');
    cluster.read('n2');
    cluster.settle(({ message }) => message.kind === 'ReadIndexRequest');
    expect(cluster.core('n1').state.reads).toHaveLength(2);
    cluster.network = [];
    cluster.stepDown('n1');
    expect(cluster.core('n1').state.reads.map(({ readId }) => readId)).toEqual([own]);
    cluster.run(3000);
    expect(cluster.grantedAt('n1', own)).toBe(3);
    expect(cluster.replica('n2').reads).toHaveLength(1);
  });
});
