import { describe, expect, test } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.ts';
import { isQuorum } from '../../src/raft/quorum.ts';
import { among, ChangingCluster } from './changing-cluster.ts';
import { memberOf, votersOf } from './sample-log.ts';

const threeOf = (ids: string): Configuration => votersOf(...ids);
const jointOf = (from: string, to: string): Configuration => ({
  ...votersOf(...to),
  outgoing: [...from].map(memberOf),
});

/** Every set of these servers that decides alone. */
function quorums(configuration: Configuration, servers: string): string[] {
  const sets = Array.from({ length: 2 ** servers.length }, (_, bits) =>
    [...servers].filter((_server, at) => ((bits >> at) & 1) === 1).join(''),
  );
  return sets.filter((set) => isQuorum(configuration, ({ id }) => set.includes(id)));
}

function disjoint(a: Configuration, b: Configuration, servers: string): string[] {
  return quorums(a, servers).flatMap((one) =>
    quorums(b, servers)
      .filter((other) => [...one].every((id) => !other.includes(id)))
      .map((other) => `${one} and ${other}`),
  );
}

describe('why a configuration is not simply replaced by another (paper 6, figure 10)', () => {
  test('from three servers to five there are two majorities without a server in common', () => {
    expect(disjoint(threeOf('abc'), threeOf('abcde'), 'abcde')).toContain('ab and cde');
  });

  test.each([
    ['abc', 'abcde'],
    ['abcde', 'abc'],
    ['abc', 'def'],
    ['ab', 'a'],
    ['a', 'ab'],
    ['abcd', 'bcde'],
  ])('a joint configuration of %s and %s shares a server with every majority of either', (from, to) => {
    const joint = jointOf(from, to);
    expect(disjoint(threeOf(from), joint, 'abcdef')).toEqual([]);
    expect(disjoint(joint, threeOf(to), 'abcdef')).toEqual([]);
    expect(disjoint(joint, joint, 'abcdef')).toEqual([]);
  });
});

/** a, b, c with learners d, e that hold the log; a has appended C_old,new for a, d, e, and nobody else heard. */
function entering(): ChangingCluster {
  const cluster = new ChangingCluster('abc', 'de');
  cluster.elect('a');
  cluster.run(200);
  const learner = { role: 'learner' } as const;
  cluster.change('a', {
    add: [
      { ...memberOf('d'), ...learner },
      { ...memberOf('e'), ...learner },
    ],
  });
  cluster.run(200);
  cluster.change('a', { promote: ['d', 'e'], remove: ['b', 'c'] });
  return cluster;
}

describe('the two phases (paper 6, figure 11)', () => {
  test('a server uses the latest configuration in its log, committed or not', () => {
    const cluster = entering();
    expect(cluster.membersAt('a')).toBe('ade|abc|');
    expect(cluster.committedBy('a')).toBe(3);
    expect(cluster.membersAt('b')).toBe('abc||de');
    cluster.settle(among('ab'));
    expect(cluster.membersAt('b')).toBe('ade|abc|');
    expect(cluster.committedBy('b')).toBe(3);
  });

  test('entries go to the servers of both configurations', () => {
    const cluster = entering();
    cluster.propose('a', 'x');
    const receivers = cluster.network.filter(({ message }) => message.kind === 'AppendEntries');
    expect(new Set(receivers.map(({ to }) => to.id))).toEqual(new Set(['b', 'c', 'd', 'e']));
  });

  test.each(['abc', 'ade', 'ab', 'ad'])('%s alone do not commit while it is joint', (ids) => {
    const cluster = entering();
    cluster.settle(among(ids));
    expect(cluster.committedBy('a')).toBe(3);
  });

  test.each(['abd', 'abe', 'acd', 'bd'])('%s decide, with a majority of each', (ids) => {
    const cluster = entering();
    cluster.settle(among(`a${ids}`));
    expect(cluster.committedBy('a')).toBeGreaterThanOrEqual(4);
  });

  test.each([
    ['b', 'bc'],
    ['d', 'ade'],
    ['b', 'bde'],
  ])('%s is not elected by %s, a majority of one configuration', (candidate, electors) => {
    const cluster = entering();
    cluster.settle(({ message }) => message.kind !== 'AppendEntriesResponse');
    for (const id of 'abcde') if (!electors.includes(id)) cluster.crash(id);
    if (electors.includes('a')) {
      cluster.crash('a');
      cluster.start('a');
    }
    cluster.run(20_000);
    expect(cluster.leaders, candidate).toEqual([]);
  });

  test.each([...'bde'])('any server of either may lead: %s does, and finishes the change', (candidate) => {
    const cluster = entering();
    cluster.settle(({ message }) => message.kind !== 'AppendEntriesResponse');
    cluster.crash('a');
    cluster.elect(candidate, ({ message }) => message.kind !== 'AppendEntries');
    cluster.run(5000);
    for (const id of 'de') expect(cluster.membersAt(id)).toBe('ade||');
  });

  test('if nobody but the old leader heard of the change, another is elected without it', () => {
    const cluster = entering();
    cluster.crash('a');
    cluster.network = [];
    cluster.elect('b', among('bc'));
    cluster.run(2000);
    expect(cluster.membersAt('b')).toBe('abc||de');
    cluster.start('a');
    cluster.run(2000);
    expect(cluster.membersAt('a')).toBe('abc||de');
    expect(cluster.eventsOf('a', 'configuration-changed').at(-1)?.rolledBack).toBe(true);
  });

  test('once C_new is committed the old servers are not needed, and can be shut down', () => {
    const cluster = entering();
    cluster.run(1000);
    expect(cluster.outcome('a')).toBe('completed');
    cluster.crash('b');
    cluster.crash('c');
    cluster.propose('a', 'x');
    cluster.run(200);
    expect(cluster.committedBy('a')).toBe(cluster.core('a').state.log.lastIndex);
    cluster.crash('a');
    cluster.run(5000);
    expect(cluster.leaders.map(({ id }) => 'de'.includes(id))).toEqual([true]);
  });
});

describe('the three issues (paper 6)', () => {
  test('new servers that hold nothing hold up nothing: they do not vote until they have caught up', () => {
    const cluster = new ChangingCluster('a', 'bcde');
    cluster.runUntil(() => cluster.core('a').state.role === 'leader');
    for (const id of 'bcde') cluster.crash(id);
    cluster.change('a', { add: [...'bcde'].map(memberOf) });
    cluster.propose('a', 'x');
    cluster.run(1000);
    expect(cluster.membersAt('a')).toBe('a||bcde');
    expect(cluster.committedBy('a')).toBe(cluster.core('a').state.log.lastIndex);
  });

  test('a leader that is not part of the new configuration steps down when that is committed, not before', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(200);
    cluster.change('a', { remove: ['a'] });
    // Entry 3 is joint, entry 4 the new configuration, which nobody acknowledges yet.
    cluster.run(100, ({ message }) => !('matchIndex' in message) || message.matchIndex < 4);
    expect(cluster.membersAt('a')).toBe('bc||');
    expect(cluster.committedBy('a')).toBe(3);
    expect(cluster.core('a').state.role).toBe('leader');
    cluster.runUntil(() => cluster.core('a').state.role === 'follower');
    expect(cluster.committedBy('a')).toBe(cluster.core('a').state.log.lastIndex);
  });

  test('removed servers do not disrupt the cluster, with PreVote or without', () => {
    for (const preVote of [true, false]) {
      const cluster = new ChangingCluster('abcd', '', { preVote });
      cluster.elect('a');
      cluster.run(200);
      cluster.change('a', { remove: ['d'] });
      cluster.run(5000, among('abc'));
      cluster.run(20_000);
      expect(cluster.core('a').state).toMatchObject({ role: 'leader', hardState: { term: 2 } });
    }
  });
});
