import { describe, expect, test } from 'vitest';
import { members } from '../../src/raft/configuration.ts';
import { ChangingCluster, namesIn } from './changing-cluster.ts';
import { memberOf } from './sample-log.ts';

describe('a change of the membership', () => {
  test('adds a voter as learner, lets it catch up, and enters and leaves the joint configuration', () => {
    const cluster = new ChangingCluster('abc', 'd');
    cluster.elect('a');
    cluster.propose('a', 'x', 'y');
    cluster.settle();
    expect(cluster.change('a', { add: [memberOf('d')] })).toMatchObject({ accepted: true });
    cluster.run(3000);
    expect(cluster.outcome('a')).toBe('completed');
    expect(cluster.history('a').slice(-3)).toEqual(['abc||d', 'abcd|abc|', 'abcd||']);
    for (const id of 'abcd') expect(cluster.membersAt(id), id).toBe('abcd||');
    expect(cluster.replica('d').applied.length).toBe(cluster.replica('a').applied.length);
  });

  test('removes a follower, which learns it and is out', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.change('a', { remove: ['c'] });
    cluster.run(3000);
    expect(cluster.outcome('a')).toBe('completed');
    expect(cluster.eventsOf('c', 'removed')).toHaveLength(1);
    expect(cluster.core('a').state.progress.map(({ member }) => member.id)).toEqual(['b']);
    expect(cluster.core('c').deadline).toBeNull();
  });

  test('removes the leader, which leads until the change is committed and steps down then', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.change('a', { remove: ['a'] });
    cluster.run(3000);
    expect(cluster.eventsOf('a', 'removed')).toHaveLength(1);
    expect(cluster.core('a').state.role).toBe('follower');
    expect(cluster.leaders.map(({ id }) => id)).toHaveLength(1);
    expect(cluster.membersAt('b')).toBe('bc||');
  });

  test('shrinks two to one and grows one to two', () => {
    const cluster = new ChangingCluster('ab');
    cluster.elect('a');
    cluster.change('a', { remove: ['b'] });
    cluster.run(5000);
    expect(cluster.membersAt('a')).toBe('a||');
    cluster.propose('a', 'alone');
    cluster.run(100);
    expect(cluster.core('a').state.commitIndex).toBe(cluster.core('a').state.log.lastIndex);
    expect(cluster.core('a').deadline).toBeNull();
    expect(cluster.change('a', { add: [memberOf('b')] })).toMatchObject({ accepted: true });
    cluster.run(5000);
    expect(cluster.membersAt('a')).toBe('ab||');
    expect(cluster.core('a').state.role).toBe('leader');
  });

  test('is refused, with its reason, while it cannot be made', () => {
    const cluster = new ChangingCluster('abc', 'd');
    expect(cluster.change('a', { remove: ['b'] })).toMatchObject({ reason: 'not-leader' });
    cluster.elect('a', ({ message }) => message.kind !== 'AppendEntries');
    expect(cluster.change('a', { remove: ['b'] })).toMatchObject({ reason: 'term-not-committed' });
    cluster.run(200);
    expect(cluster.change('a', { remove: ['b'] }, '9.9')).toMatchObject({ reason: 'configuration-changed' });
    const { id } = cluster.configurationOf('a');
    expect(cluster.change('a', { add: [memberOf('d')] }, id)).toMatchObject({ accepted: true });
    expect(cluster.change('a', { remove: ['b'] })).toMatchObject({ reason: 'change-in-progress' });
  });

  test('is aborted while it catches up, and the old configuration stands again', () => {
    const cluster = new ChangingCluster('abc', 'd');
    cluster.crash('d');
    cluster.elect('a');
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(500);
    expect(cluster.membersAt('a')).toBe('abc||d');
    cluster.abort('a');
    cluster.run(500);
    expect(cluster.outcome('a')).toBe('aborted');
    expect(cluster.membersAt('b')).toBe('abc||');
  });

  test('is given up when the new member gets no further', () => {
    const cluster = new ChangingCluster('abc', 'd');
    cluster.crash('d');
    cluster.elect('a');
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(cluster.options.catchUpTimeoutMs - 1000);
    expect(cluster.outcome('a')).toBeUndefined();
    cluster.run(2000);
    expect(cluster.outcome('a')).toBe('aborted');
  });
});

describe('a member that comes back emptied', () => {
  const asks = (cluster: ChangingCluster, to: string, from = cluster.core('c').state.self) => {
    const target = cluster.replica(to);
    target.core?.receive(cluster.now, {
      clusterId: null,
      group: 'main',
      from,
      to: { id: to, incarnation: null },
      message: { kind: 'JoinRequest', address: 'c:1', metadata: {}, lastLogIndex: 0 },
    });
    cluster.drain(target);
    return cluster.underWay('JoinAnswer', 'c').at(-1)?.answer;
  };

  test('is replaced by itself once its predecessor is silent, and not before', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(2000);
    cluster.wipe('c');
    expect(asks(cluster, 'b')).toBe('ask-leader');
    expect(asks(cluster, 'a')).toBe('member-is-alive');
    cluster.run(cluster.options.electionTimeoutMinMs);
    expect(asks(cluster, 'a')).toBe('replacing');
    cluster.run(5000);
    expect(cluster.outcome('a')).toBe('completed');
    const configuration = cluster.configurationOf('c');
    expect(namesIn(configuration)).toBe('abc||');
    expect(configuration.retired).toEqual([{ id: 'c', incarnation: 'c-incarnation' }]);
    expect(members(configuration).find(({ id }) => id === 'c')?.incarnation).toBe('c-incarnation-2');
    expect(asks(cluster, 'a', { id: 'c', incarnation: 'c-incarnation', boot: 9 })).toBe('retired');
  });

  test('goes on with its replacement under the next leader', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(2000);
    cluster.wipe('c');
    cluster.run(1000);
    const beforeC = ({ to }: { to: { id: string } }): boolean => to.id !== 'c';
    expect(asks(cluster, 'a')).toBe('replacing');
    cluster.run(300, beforeC);
    expect(cluster.membersAt('b')).toBe('abc||c');
    cluster.crash('a');
    cluster.start('a');
    cluster.run(10_000);
    expect(cluster.membersAt('b')).toBe('abc||');
    expect(cluster.configurationOf('b').retired).toHaveLength(1);
  });
});
