import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { led } from './led-cluster.ts';

/** n1 leads n1, n2 and n3, and has committed an entry of its term. */
const notAppends = ({ message }: Envelope): boolean => !message.kind.startsWith('Append');

describe('client interaction (paper 8)', () => {
  test('clients of Raft send all of their requests to the leader: nobody else takes a proposal', () => {
    const cluster = led();
    expect(cluster.propose('n2', 'x')).toEqual({ accepted: false, reason: 'not-leader' });
    expect(cluster.core('n2').state.leader?.id).toBe('n1');
  });

  test('a command that is retried is another entry: a client may execute a command multiple times', () => {
    const cluster = led();
    cluster.propose('n1', 'x');
    cluster.settle();
    cluster.crash('n1');
    cluster.now += 1000;
    cluster.elect('n2');
    cluster.propose('n2', 'x');
    cluster.run(300);
    const commands = cluster.replica('n2').applied.filter(({ kind }) => kind === 'command');
    expect(commands).toHaveLength(2);
  });

  test('each leader commits a blank no-op entry into the log at the start of its term', () => {
    const cluster = led();
    expect(cluster.replica('n1').applied.map(({ kind, term }) => `${kind} ${term}`)).toEqual([
      'configuration 1',
      'noop 2',
    ]);
  });

  test('at the start of its term, it may not know which those are: no read before that entry is committed', () => {
    const cluster = led();
    cluster.propose('n1', 'x');
    cluster.settle(({ to }) => to.id !== 'n3');
    cluster.crash('n1');
    cluster.now += 1000;
    // x is committed, and n2 holds it without knowing that.
    cluster.elect('n2', notAppends);
    expect(cluster.core('n2').state.commitIndex).toBe(2);
    const readId = cluster.read('n2');
    // Heartbeats are answered, so it leads without any doubt.
    for (let round = 0; round < 4; round += 1) cluster.run(100, notAppends);
    expect(cluster.core('n2').state.quorumConfirmedAt).not.toBe(null);
    expect(cluster.grantedAt('n2', readId)).toBe(null);
    cluster.run(200);
    expect(cluster.grantedAt('n2', readId)).toBe(4);
  });

  test('a leader must check whether it has been deposed: it exchanges heartbeats with a majority before it answers', () => {
    const cluster = led();
    const readId = cluster.read('n1');
    expect(cluster.grantedAt('n1', readId)).toBe(null);
    expect(cluster.underWay('Heartbeat').map(({ round }) => round)).toEqual([5, 5]);
    cluster.settle(({ from, to }) => from.id !== 'n3' && to.id !== 'n3');
    expect(cluster.grantedAt('n1', readId)).toBe(2);
  });

  test('one that was deposed finds out instead of answering', () => {
    const cluster = led();
    cluster.pause('n1');
    cluster.now += 1000;
    cluster.elect('n2');
    cluster.propose('n2', 'x');
    cluster.settle();
    cluster.resume('n1');
    const readId = cluster.read('n1');
    cluster.settle();
    expect(cluster.core('n1').state.role).toBe('follower');
    expect(cluster.grantedAt('n1', readId)).toBe(4);
  });

  test('reading writes nothing: neither an entry nor a byte on any disk', () => {
    const cluster = led();
    const before = cluster.replicas.map(({ disk }) => structuredClone(disk));
    for (const id of ['n1', 'n2', 'n3']) cluster.read(id, { count: 10 });
    cluster.settle();
    expect(cluster.replicas.map(({ reads }) => reads.length)).toEqual([10, 10, 10]);
    expect(cluster.replicas.map(({ disk }) => disk)).toEqual(before);
  });
});
