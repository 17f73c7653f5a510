import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { Single } from './single.ts';

/** Paper 5.1: terms act as a logical clock. */
describe('terms (paper 5.1)', () => {
  test('a replica that sees a later term follows in it, with a vote to give', () => {
    const n1 = new Single();
    n1.hear('n2', { kind: 'Heartbeat', term: 4, round: 1, leaderCommit: 0, freshness: null });
    expect(n1.state.hardState).toEqual({ term: 4, votedFor: null });
    expect(n1.state.leader?.id).toBe('n2');
  });

  test('a leader that sees a later term steps down', () => {
    const n1 = new Single().lead();
    expect(n1.state.role).toBe('leader');
    n1.hear('n3', {
      kind: 'AppendEntriesResponse',
      accepted: false,
      term: 9,
      rejectedIndex: 2,
      hintIndex: 0,
      hintTerm: 0,
    });
    expect(n1.state.role).toBe('follower');
    expect(n1.state.hardState.term).toBe(9);
    expect(n1.state.leader).toBe(null);
    expect(n1.core.propose(n1.now, [{ kind: 'noop' }])).toEqual({ accepted: false, reason: 'not-leader' });
  });

  test('requests of an older term are answered with the present one and change nothing', () => {
    const n1 = new Single({ hardState: { term: 7, votedFor: null } });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 6,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [{ kind: 'noop', index: 2, term: 6 }],
      leaderCommit: 1,
    });
    n1.hear('n2', { kind: 'Heartbeat', term: 6, round: 3, leaderCommit: 1, freshness: null });
    n1.hear('n2', {
      kind: 'RequestVote',
      term: 6,
      lastLogIndex: 9,
      lastLogTerm: 6,
      leadershipTransfer: false,
    });
    expect(n1.said()).toEqual([
      {
        kind: 'AppendEntriesResponse',
        accepted: false,
        term: 7,
        rejectedIndex: 1,
        hintIndex: 0,
        hintTerm: 0,
      },
      {
        kind: 'HeartbeatResponse',
        term: 7,
        round: 0,
        matchIndex: 0,
        verifiedIndex: 0,
        promiseMs: 0,
        stamp: 0,
      },
      { kind: 'VoteResponse', term: 7, granted: false },
    ]);
    expect(n1.state.log.lastIndex).toBe(1);
    expect(n1.state.leader).toBe(null);
    expect(n1.state.leaderHeardAt).toBe(null);
  });

  test('answers of an older term are dropped', () => {
    const n1 = new Single().lead();
    n1.hear('n3', { kind: 'VoteResponse', term: 1, granted: true });
    n1.hear('n3', {
      kind: 'HeartbeatResponse',
      term: 1,
      round: 1,
      matchIndex: 1,
      verifiedIndex: 1,
      promiseMs: 500,
      stamp: 0,
    });
    expect(n1.state.drops).toEqual({ 'stale-term': 2 });
    expect(n1.state.progress.map(({ matchIndex }) => matchIndex)).toEqual([0, 0]);
  });

  test('a deposed leader that nobody told learns from the answer to its next heartbeat', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    const withoutN1 = ({ from, to }: { from: { id: string }; to: { id: string } }) =>
      from.id !== 'n1' && to.id !== 'n1';
    cluster.elect('n2', withoutN1);
    expect(cluster.core('n1').state.role).toBe('leader');
    cluster.fire('n1');
    if (cluster.core('n1').state.role === 'leader') cluster.settle();
    expect(cluster.core('n1').state.role).toBe('follower');
  });
});
