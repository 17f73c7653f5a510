import { describe, expect, test } from 'vitest';
import { InvariantViolation } from '../../src/raft/raft.ts';
import { Cluster } from './cluster.ts';
import { configurationEntry, memberOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const noPreVote = { preVote: false };

/** Paper 5.2, with the pre-vote of dissertation 9.6 where a test does not switch it off. */
describe('leader election (paper 5.2)', () => {
  test('a follower that hears no leader for an election timeout campaigns', () => {
    const n1 = new Single({ options: noPreVote });
    const due = n1.core.deadline ?? 0;
    expect(due).toBeGreaterThanOrEqual(500);
    expect(due).toBeLessThan(1000);
    n1.at(due - 1);
    expect(n1.state.role).toBe('follower');
    n1.at(due);
    expect(n1.state.role).toBe('candidate');
    expect(n1.state.hardState).toEqual({ term: 2, votedFor: { id: 'n1', incarnation: 'n1-incarnation' } });
  });

  test('it asks for votes only when its own is durable, and counts it only then', () => {
    const n1 = new Single({ options: noPreVote });
    n1.at(n1.core.deadline ?? 0);
    expect(n1.said()).toEqual([]);
    expect(n1.state.votes).toEqual([]);
    n1.persistAll();
    const request = {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    };
    expect(n1.said()).toEqual([request, request]);
    expect(n1.state.votes.map(({ member }) => member.id)).toEqual(['n1']);
  });

  test('a majority elects, and the new leader says so at once', () => {
    const n1 = new Single({ options: noPreVote });
    n1.at(n1.core.deadline ?? 0)
      .persistAll()
      .said();
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('leader');
    expect(n1.said().map(({ kind }) => kind)).toEqual([
      'Heartbeat',
      'Heartbeat',
      'AppendEntries',
      'AppendEntries',
    ]);
    expect(n1.events.filter(({ kind }) => kind === 'leader-changed')).toEqual([
      { kind: 'leader-changed', term: 2, leader: 'n1' },
    ]);
  });

  test('one vote twice is one vote', () => {
    const voters = votersOf('n1', 'n2', 'n3', 'n4', 'n5');
    const n1 = new Single({ configuration: voters, options: noPreVote });
    n1.at(n1.core.deadline ?? 0).persistAll();
    for (let time = 0; time < 5; time += 1) n1.hear('n2', { kind: 'VoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('candidate');
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('leader');
  });

  test('votes of an earlier campaign do not count in a later one', () => {
    const n1 = new Single({ options: noPreVote });
    n1.at(n1.core.deadline ?? 0).persistAll();
    n1.at(n1.core.deadline ?? 0).persistAll();
    expect(n1.state.hardState.term).toBe(3);
    n1.hear('n2', { kind: 'VoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('candidate');
    expect(n1.state.drops['stale-term']).toBe(1);
  });

  test('only the listed pair of id and incarnation has a vote', () => {
    const n1 = new Single({ options: noPreVote });
    n1.at(n1.core.deadline ?? 0).persistAll();
    const vote = { kind: 'VoteResponse', term: 2, granted: true } as const;
    n1.hear('n9', vote);
    n1.hearEnvelope({
      clusterId: n1.state.clusterId,
      group: 'main',
      from: { id: 'n2', incarnation: 'an emptied disk', boot: 1 },
      to: { id: 'n1', incarnation: 'n1-incarnation' },
      message: vote,
    });
    expect(n1.state.role).toBe('candidate');
    expect(n1.state.drops['not-a-voter']).toBe(2);
  });

  test('a learner does not campaign, and its vote does not count', () => {
    const configuration = {
      id: '1.1',
      voters: [memberOf('n2'), memberOf('n3')],
      outgoing: [],
      learners: [memberOf('n1')],
      retired: [],
    };
    expect(new Single({ configuration }).core.deadline).toBe(null);
    const other = {
      id: '1.1',
      voters: [memberOf('n1'), memberOf('n2')],
      outgoing: [],
      learners: [memberOf('n3')],
      retired: [],
    };
    const n1 = new Single({ configuration: other, options: noPreVote });
    n1.at(n1.core.deadline ?? 0).persistAll();
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('candidate');
  });

  test('a replica votes once in a term, and repeats itself when asked again', () => {
    const n1 = new Single();
    n1.now = 600;
    const request = {
      kind: 'RequestVote',
      term: 5,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    } as const;
    n1.hear('n2', request).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted: true }]);
    n1.hear('n3', request);
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted: false }]);
    n1.hear('n2', request);
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted: true }]);
  });

  test('a voter checks no membership: it may not know yet that the candidate became a voter', () => {
    const n1 = new Single();
    n1.now = 600;
    n1.hear('n9', {
      kind: 'RequestVote',
      term: 5,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    }).persistAll();
    expect(n1.said()).toContainEqual({ kind: 'VoteResponse', term: 5, granted: true });
  });

  test('a candidate that hears the leader of its term follows it', () => {
    const n1 = new Single({ options: noPreVote });
    n1.at(n1.core.deadline ?? 0).persistAll();
    n1.hear('n2', { kind: 'Heartbeat', term: 2, round: 1, leaderCommit: 0, freshness: null });
    expect(n1.state.role).toBe('follower');
    expect(n1.state.leader?.id).toBe('n2');
  });

  test('a split vote is followed by another campaign, after a wait drawn anew', () => {
    const n1 = new Single({ options: noPreVote });
    const first = n1.core.deadline ?? 0;
    n1.at(first).persistAll();
    n1.hear('n2', { kind: 'VoteResponse', term: 2, granted: false });
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: false });
    const second = n1.core.deadline ?? 0;
    expect(second - first).not.toBe(first);
    n1.at(second);
    expect(n1.state.hardState.term).toBe(3);
  });

  test('a second leader of one term stops the replica that sees it', () => {
    const n1 = new Single();
    n1.hear('n2', { kind: 'Heartbeat', term: 4, round: 1, leaderCommit: 0, freshness: null });
    const hear = () =>
      n1.hear('n3', { kind: 'Heartbeat', term: 4, round: 1, leaderCommit: 0, freshness: null });
    expect(hear).toThrow(InvariantViolation);
    expect(hear).toThrow('two leaders in term 4: n2 (n2-incarnation) and n3 (n3-incarnation)');
    const leader = new Single().lead();
    expect(() =>
      leader.hear('n3', { kind: 'Heartbeat', term: 2, round: 1, leaderCommit: 0, freshness: null }),
    ).toThrow('two leaders in term 2: n1');
  });

  test('a single voter elects itself at once, whatever it restarts from', () => {
    const configuration = votersOf('n1');
    const n1 = new Single({ configuration, hardState: { term: 6, votedFor: null } });
    expect(n1.state.role).toBe('candidate');
    expect(n1.core.deadline).toBe(null);
    n1.persistAll();
    expect(n1.state.role).toBe('leader');
    expect(n1.state.hardState.term).toBe(7);
    expect(n1.state.commitIndex).toBe(2);
    expect(n1.core.deadline).toBe(null);
  });

  test('a single voter with a learner sends it heartbeats and needs no answer', () => {
    const configuration = {
      id: '1.1',
      voters: [memberOf('n1')],
      outgoing: [],
      learners: [memberOf('n2')],
      retired: [],
    };
    const n1 = new Single({ configuration }).persistAll();
    expect(n1.state.role).toBe('leader');
    expect(n1.state.commitIndex).toBe(2);
    for (let time = 0; time < 50; time += 1) n1.at(n1.core.deadline ?? 0);
    expect(n1.state.role).toBe('leader');
  });

  test('three replicas left to themselves elect one leader, and keep it', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { clockGapMs: 250 } });
    cluster.run(3000);
    expect(cluster.leaders.length).toBe(1);
    const term = cluster.leaders[0]?.core?.state.hardState.term;
    cluster.run(20_000);
    expect(cluster.leaders[0]?.core?.state.hardState.term).toBe(term);
    for (const { core } of cluster.replicas) expect(core?.state.leader?.id).toBe(cluster.leaders[0]?.id);
  });

  test('a configuration of another cluster is no log of ours', () => {
    const n1 = new Single();
    const foreign = { ...configurationEntry(votersOf('n1')), index: 2, clusterId: 'another' };
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [foreign],
      leaderCommit: 0,
    });
    expect(n1.state.drops).toEqual({ malformed: 1 });
    expect(n1.state.hardState.term).toBe(1);
  });
});
