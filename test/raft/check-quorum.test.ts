import { describe, expect, test } from 'vitest';
import type { Envelope, HeartbeatResponse } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const requestVote = (term: number) =>
  ({
    kind: 'RequestVote',
    term,
    lastLogIndex: 99,
    lastLogTerm: term - 1,
    leadershipTransfer: false,
  }) as const;
const answer = (round: number, term = 2): HeartbeatResponse => ({
  kind: 'HeartbeatResponse',
  term,
  round,
  matchIndex: 2,
  verifiedIndex: 2,
  promiseMs: 500,
  stamp: 0,
});

describe('the promise to a leader (dissertation 4.2.3)', () => {
  test('who heard a leader within the shortest election timeout neither votes nor takes over the term', () => {
    const n1 = new Single();
    n1.now = 700;
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null }).said();
    n1.now = 1199;
    n1.hear('n3', requestVote(5));
    expect(n1.said()).toEqual([]);
    expect(n1.state.hardState.term).toBe(1);
    expect(n1.state.drops).toEqual({ 'promised-to-leader': 1 });
    n1.now = 1200;
    n1.hear('n3', requestVote(5)).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted: true }]);
  });

  test('the promise outlives the leader: a later term heard of elsewhere does not end it', () => {
    const n1 = new Single();
    n1.now = 700;
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null });
    n1.hear('n3', { kind: 'VoteResponse', term: 4, granted: false });
    expect(n1.state.hardState.term).toBe(4);
    expect(n1.state.leader).toBe(null);
    n1.hear('n3', requestVote(5));
    expect(n1.state.hardState.term).toBe(4);
    expect(n1.state.drops['promised-to-leader']).toBe(1);
  });

  test('a leader does not take over the term of a stranger either', () => {
    const n1 = new Single().lead();
    n1.hear('n9', requestVote(50));
    expect(n1.state.role).toBe('leader');
    expect(n1.state.hardState.term).toBe(2);
  });

  test('an answer tells how much of the promise is left', () => {
    const n1 = new Single();
    n1.hear('n2', { kind: 'Heartbeat', term: 2, round: 1, leaderCommit: 0, freshness: null });
    n1.now = 120;
    n1.persistAll();
    expect(n1.said()).toMatchObject([{ kind: 'HeartbeatResponse', round: 1, promiseMs: 380 }]);
  });

  test('without CheckQuorum nothing is promised, and a later term is followed', () => {
    const n1 = new Single({ options: { checkQuorum: false } });
    n1.now = 700;
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null });
    expect(n1.said()).toMatchObject([{ kind: 'HeartbeatResponse', promiseMs: 0 }]);
    n1.hear('n3', requestVote(5)).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted: true }]);
  });
});

describe('the silence after opening', () => {
  test('lasts one shortest election timeout: no vote, no pre-vote, no term taken over', () => {
    const n1 = new Single();
    n1.now = 499;
    n1.hear('n2', requestVote(5));
    expect(n1.said()).toEqual([]);
    expect(n1.state.hardState.term).toBe(1);
    n1.hear('n2', { kind: 'RequestPreVote', term: 5, lastLogIndex: 9, lastLogTerm: 4 });
    expect(n1.said()).toEqual([{ kind: 'PreVoteResponse', term: 1, granted: false }]);
    n1.now = 500;
    n1.hear('n2', requestVote(5)).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted: true }]);
  });

  test('a restart does not forget the promise to a leader', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    cluster.crash('n2');
    cluster.start('n2');
    cluster.core('n2').receive(cluster.now + 400, {
      clusterId: cluster.core('n3').state.clusterId,
      group: 'main',
      from: { id: 'n3', incarnation: 'n3-incarnation', boot: 1 },
      to: { id: 'n2', incarnation: 'n2-incarnation' },
      message: requestVote(9),
    });
    expect(cluster.core('n2').state.hardState.term).toBe(2);
    expect(cluster.core('n2').state.drops).toEqual({ 'promised-to-leader': 1 });
  });

  test('in term 0 nothing was ever promised, so there is no silence', () => {
    const n1 = new Single({ entries: [] });
    n1.hear('n2', {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    }).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 2, granted: true }]);
  });

  test('a leader is followed and acknowledged meanwhile', () => {
    const n1 = new Single();
    n1.hear('n2', { kind: 'Heartbeat', term: 3, round: 1, leaderCommit: 0, freshness: null }).persistAll();
    expect(n1.said()).toMatchObject([{ kind: 'HeartbeatResponse', round: 1 }]);
  });
});

describe('a leader without a quorum (dissertation 6.2)', () => {
  test('steps down one shortest election timeout after the last confirmed round was sent', () => {
    const n1 = new Single().lead();
    const elected = n1.now;
    n1.at(elected + 100);
    const round = n1.state.lastRound;
    n1.now = elected + 190;
    n1.hear('n2', answer(round));
    expect(n1.state.quorumConfirmedAt).toBe(elected + 100);
    for (let time = 200; time < 600; time += 100) n1.at(elected + time);
    n1.at(elected + 599);
    expect(n1.state.role).toBe('leader');
    n1.at(elected + 600);
    expect(n1.state.role).toBe('follower');
    expect(n1.state.hardState.term).toBe(2);
    expect(n1.state.leader).toBe(null);
    expect(n1.events).toContainEqual({
      kind: 'role-changed',
      term: 2,
      role: 'follower',
      reason: 'no quorum answered its heartbeats',
    });
  });

  test('late answers prove contact only as of when their round was sent', () => {
    const n1 = new Single().lead();
    const elected = n1.now;
    for (let time = 100; time < 500; time += 100) n1.at(elected + time);
    n1.now = elected + 490;
    n1.hear('n2', answer(1));
    expect(n1.state.quorumConfirmedAt).toBe(elected);
    n1.at(elected + 500);
    expect(n1.state.role).toBe('follower');
  });

  test('answers of one follower do not make a quorum of five', () => {
    const n1 = new Single({ configuration: votersOf('n1', 'n2', 'n3', 'n4', 'n5') });
    n1.at(n1.core.deadline ?? 0);
    for (const id of ['n2', 'n3']) n1.hear(id, { kind: 'PreVoteResponse', term: 2, granted: true });
    n1.persistAll();
    for (const id of ['n2', 'n3']) n1.hear(id, { kind: 'VoteResponse', term: 2, granted: true });
    n1.persistAll();
    const elected = n1.now;
    for (let time = 100; time <= 500; time += 100) {
      for (let again = 0; again < 3; again += 1) n1.hear('n2', answer(n1.state.lastRound));
      n1.at(elected + time);
    }
    expect(n1.state.role).toBe('follower');
  });

  test('keeps its office when CheckQuorum is off', () => {
    const n1 = new Single({ options: { checkQuorum: false } }).lead();
    for (let time = 0; time < 100; time += 1) n1.at(n1.core.deadline ?? 0);
    expect(n1.state.role).toBe('leader');
  });

  test('an isolated leader steps down before another is elected, and the majority goes on', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const cluster = new Cluster(['n1', 'n2', 'n3'], { seed, options: { clockGapMs: 250 } });
      cluster.run(4000);
      const old = cluster.leaders[0]?.id ?? '';
      const apart = ({ from, to }: Envelope) => from.id !== old && to.id !== old;
      let steppedDownAt = 0;
      let electedAt = 0;
      const cutAt = cluster.now;
      cluster.onStep = ({ id, core }) => {
        if (id === old && core?.state.role !== 'leader' && steppedDownAt === 0) steppedDownAt = cluster.now;
        if (id !== old && core?.state.role === 'leader' && electedAt === 0) electedAt = cluster.now;
      };
      cluster.run(4000, apart);
      expect(steppedDownAt).toBeGreaterThan(0);
      expect(steppedDownAt).toBeLessThanOrEqual(electedAt);
      expect(electedAt - cutAt).toBeLessThan(2000);
    }
  });
});
