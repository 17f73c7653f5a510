import { describe, expect, test } from 'vitest';
import { ChangingCluster } from './changing-cluster.ts';

/** a leads a, b, c and removes itself; nothing was delivered yet. */
function removing(): ChangingCluster {
  const cluster = new ChangingCluster('abc');
  cluster.elect('a');
  cluster.run(200);
  cluster.change('a', { remove: ['a'] });
  return cluster;
}

/** Delivers until a has appended the new configuration, entry 4, which nobody else acknowledged. */
function inNewConfiguration(): ChangingCluster {
  const cluster = removing();
  cluster.settle(({ message }) => !('matchIndex' in message) || message.matchIndex < 4);
  expect(cluster.membersAt('a')).toBe('bc||');
  return cluster;
}

describe('removing the current leader (dissertation 4.2.2)', () => {
  test('a leader manages a cluster that does not include itself: it goes on replicating', () => {
    const cluster = inNewConfiguration();
    expect(cluster.propose('a', 'x')).toMatchObject({ accepted: true });
    cluster.settle(({ message }) => message.kind === 'AppendEntries');
    expect(cluster.core('b').state.log.lastIndex).toBe(5);
  });

  test('it does not count itself in majorities of the new configuration', () => {
    const cluster = inNewConfiguration();
    const accepted = { kind: 'AppendEntriesResponse', accepted: true, term: 2, verifiedIndex: 4 } as const;
    const answer = (id: string) => {
      const { self } = cluster.core(id).state;
      const { clusterId, group } = cluster.core('a').state;
      const to = cluster.core('a').state.self;
      cluster.deliver({ clusterId, group, from: self, to, message: { ...accepted, matchIndex: 4 } });
    };
    answer('b');
    // a and b hold entry 4, which is one of two.
    expect(cluster.committedBy('a')).toBe(3);
    answer('c');
    expect(cluster.committedBy('a')).toBe(4);
  });

  test('it steps down once the new configuration is committed, and says so at once', () => {
    const cluster = removing();
    cluster.settle();
    expect(cluster.core('a').state).toMatchObject({ role: 'follower', removed: true, commitIndex: 4 });
    // The last heartbeats told the others, so that they need not find out by themselves.
    expect(cluster.committedBy('b')).toBe(4);
    expect(cluster.committedBy('c')).toBe(4);
    expect(cluster.core('a').propose(cluster.now, [{ kind: 'noop' }])).toMatchObject({
      reason: 'not-leader',
    });
  });

  test('it never campaigns again, and one of the others takes over', () => {
    const cluster = removing();
    cluster.run(5000);
    expect(cluster.core('a').deadline).toBeNull();
    expect(cluster.leaders.map(({ id }) => 'bc'.includes(id))).toEqual([true]);
  });

  test('until then it may be the only one that can be elected (figure 4.6)', () => {
    // a and b; a removes itself, and crashes when it has appended C_new, which has not left it.
    const cluster = new ChangingCluster('ab');
    cluster.elect('a');
    cluster.run(200);
    cluster.change('a', { remove: ['a'] });
    cluster.settle(({ message }) => message.kind !== 'AppendEntries' || message.prevLogIndex < 3);
    expect(cluster.membersAt('a')).toBe('b||');
    expect(cluster.membersAt('b')).toBe('b|ab|');
    cluster.crash('a');
    cluster.run(5000);
    // b is joint and needs a, whose log is longer, so it cannot be elected.
    expect(cluster.leaders).toEqual([]);
    cluster.start('a');
    cluster.run(10_000);
    expect(cluster.membersAt('b')).toBe('b||');
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['b']);
    expect(cluster.eventsOf('a', 'removed')).toHaveLength(1);
  });
});
