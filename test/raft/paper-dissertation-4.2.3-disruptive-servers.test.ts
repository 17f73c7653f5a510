import { describe, expect, test } from 'vitest';
import { among, ChangingCluster } from './changing-cluster.ts';

/** d was removed from a, b, c, d while it was cut off, and does not know; a leads. */
function removed(options = {}): ChangingCluster {
  const cluster = new ChangingCluster('abcd', '', options);
  cluster.elect('a');
  cluster.run(200);
  cluster.change('a', { remove: ['d'] });
  cluster.run(6000, among('abc'));
  expect(cluster.membersAt('a')).toBe('abc||');
  expect(cluster.membersAt('d')).toBe('abcd||');
  return cluster;
}

function stateOf(cluster: ChangingCluster): unknown {
  const { role, hardState } = cluster.core('a').state;
  return { role, term: hardState.term };
}

describe('disruptive servers (dissertation 4.2.3)', () => {
  test('without PreVote and CheckQuorum a removed server deposes the leader again and again', () => {
    const cluster = removed({ preVote: false, checkQuorum: false });
    cluster.run(20_000);
    const term = Math.max(...[...'abc'].map((id) => cluster.core(id).state.hardState.term));
    expect(term).toBeGreaterThan(10);
  });

  test.each([
    ['both', {}],
    ['PreVote alone', { checkQuorum: false }],
    ['CheckQuorum alone', { preVote: false }],
  ])('with %s it deposes nobody', (_which, options) => {
    const cluster = removed(options);
    cluster.run(20_000);
    expect(stateOf(cluster)).toEqual({ role: 'leader', term: 2 });
  });

  test('not even while its log is as good as that of its electors (figure 4.7)', () => {
    // a has appended the joint configuration and nobody has it yet: b and c would vote for d by their logs.
    const cluster = new ChangingCluster('abcd');
    cluster.elect('a');
    cluster.run(200);
    cluster.run(900, among('abc'));
    cluster.change('a', { remove: ['d'] });
    cluster.settle(({ message }) => message.kind !== 'AppendEntries');
    for (let time = 0; time < 5; time += 1) {
      cluster.run(90, ({ message, to }) => message.kind !== 'AppendEntries' && to.id !== 'd');
    }
    expect(cluster.core('b').state.log.lastIndex).toBe(cluster.core('d').state.log.lastIndex);
    expect(stateOf(cluster)).toEqual({ role: 'leader', term: 2 });
  });

  test('who hears a leader takes over no term; who hears none for an election timeout does', () => {
    const cluster = removed({ preVote: false });
    cluster.run(3000);
    const { term } = cluster.core('d').state.hardState;
    expect(term).toBeGreaterThan(5);
    expect(cluster.core('b').state.hardState.term).toBe(2);
    cluster.crash('a');
    cluster.now += cluster.options.electionTimeoutMinMs;
    cluster.fire('d');
    cluster.settle(among('bd'));
    expect(cluster.core('b').state.hardState).toEqual({ term: term + 1, votedFor: null });
  });

  test('a removed server wins no election, since nobody but itself lists it', () => {
    const cluster = removed();
    cluster.crash('a');
    cluster.run(20_000);
    expect(cluster.core('d').state.role).not.toBe('leader');
    expect(cluster.leaders.map(({ id }) => 'bc'.includes(id))).toEqual([true]);
  });
});
