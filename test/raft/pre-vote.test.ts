import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { logOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
const ask = (term: number) => ({ kind: 'RequestPreVote', term, lastLogIndex: 1, lastLogTerm: 1 }) as const;

describe('pre-vote (dissertation 9.6)', () => {
  test('a replica asks first, in a term that it does not enter, and persists nothing', () => {
    const n1 = new Single();
    n1.at(n1.core.deadline ?? 0);
    expect(n1.state.role).toBe('pre-candidate');
    expect(n1.said()).toEqual([ask(2), ask(2)]);
    expect(n1.state.hardState.term).toBe(1);
    expect(n1.writes).toEqual([]);
    n1.hear('n2', { kind: 'PreVoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('candidate');
    expect(n1.state.hardState.term).toBe(2);
  });

  test('granting changes nothing: neither state nor timers', () => {
    const n1 = new Single();
    n1.now = 499;
    n1.core.tick(499);
    n1.drain();
    n1.now = 500;
    n1.core.tick(500);
    n1.drain();
    const before = structuredClone(n1.state);
    n1.hear('n2', ask(2));
    expect(n1.said()).toEqual([{ kind: 'PreVoteResponse', term: 2, granted: true }]);
    expect({ ...structuredClone(n1.state), boots: before.boots }).toEqual(before);
  });

  test('of two that ask at the same time the one with the lower id gives way, and asks again later', () => {
    const n1 = new Single({ configuration: votersOf('n0', 'n1', 'n2') });
    n1.at(n1.core.deadline ?? 0);
    const again = n1.core.deadline;
    n1.hear('n0', ask(2));
    expect(n1.state.role).toBe('pre-candidate');
    n1.hear('n2', ask(2));
    expect(n1.state.role).toBe('follower');
    n1.hear('n2', { kind: 'PreVoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('follower');
    expect(n1.core.deadline).toBe(again);
    n1.at(again ?? 0);
    expect(n1.state.role).toBe('pre-candidate');
  });

  test('nobody gives way to one that cannot win: it is no voter', () => {
    const n1 = new Single();
    n1.at(n1.core.deadline ?? 0);
    n1.hear('n9', ask(2));
    expect(n1.state.role).toBe('pre-candidate');
  });

  test('who hears a leader refuses, and so does the leader', () => {
    const n1 = new Single();
    n1.now = 600;
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null }).said();
    n1.now = 1099;
    n1.hear('n3', ask(2));
    expect(n1.said()).toEqual([{ kind: 'PreVoteResponse', term: 1, granted: false }]);
    n1.now = 1100;
    n1.hear('n3', ask(2));
    expect(n1.said()).toEqual([{ kind: 'PreVoteResponse', term: 2, granted: true }]);
    const leader = new Single().lead();
    leader.hear('n3', ask(3));
    expect(leader.said()).toEqual([{ kind: 'PreVoteResponse', term: 2, granted: false }]);
  });

  test('an asker that is behind is told the present term, and catches up', () => {
    const n1 = new Single({ hardState: { term: 8, votedFor: null } });
    n1.now = 600;
    n1.hear('n2', ask(8));
    expect(n1.said()).toEqual([{ kind: 'PreVoteResponse', term: 8, granted: false }]);
    const asker = new Single();
    asker.at(asker.core.deadline ?? 0);
    asker.hear('n2', { kind: 'PreVoteResponse', term: 8, granted: false });
    expect(asker.state.role).toBe('follower');
    expect(asker.state.hardState.term).toBe(8);
  });

  test('refusals and grants for another term do not count', () => {
    const n1 = new Single();
    n1.at(n1.core.deadline ?? 0);
    n1.hear('n2', { kind: 'PreVoteResponse', term: 7, granted: true });
    n1.hear('n3', { kind: 'PreVoteResponse', term: 1, granted: true });
    n1.hear('n2', { kind: 'PreVoteResponse', term: 0, granted: false });
    expect(n1.state.role).toBe('pre-candidate');
    expect(n1.state.hardState.term).toBe(1);
    expect(n1.state.drops).toEqual({ 'stale-term': 3 });
  });

  test('a replica that was cut off for long comes back without deposing anybody', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { clockGapMs: 250 } });
    cluster.run(3000);
    const leader = cluster.leaders[0];
    const cut = cluster.replicas.find(({ id }) => id !== leader?.id)?.id ?? '';
    const term = leader?.core?.state.hardState.term;
    cluster.run(30_000, ({ from, to }: Envelope) => from.id !== cut && to.id !== cut);
    expect(cluster.core(cut).state.hardState.term).toBe(term);
    cluster.run(5000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual([leader?.id]);
    expect(leader?.core?.state.hardState.term).toBe(term);
  });

  test('a bridge between two that cannot hear one another keeps one leader in office', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { clockGapMs: 250 } });
    cluster.elect('n1');
    const term = cluster.core('n1').state.hardState.term;
    const bridge = ({ from, to }: Envelope) => from.id === 'n3' || to.id === 'n3';
    cluster.run(30_000, bridge);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
    expect(cluster.core('n1').state.hardState.term).toBe(term);
  });

  test('the best log in a low term and a poor log in a high term still elect a leader', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], {
      start: (id) => ({
        entries: logOf(voters, id === 'n3' ? [1] : [1, 2, 2]),
        hardState: { term: id === 'n3' ? 9 : 2, votedFor: null },
      }),
    });
    cluster.crash('n2');
    cluster.run(20_000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
  });
});
