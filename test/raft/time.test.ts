import { describe, expect, test } from 'vitest';
import { votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const heartbeat = { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null } as const;

describe('deadlines', () => {
  test('a tick before the deadline is a no-op', () => {
    const n1 = new Single();
    const due = n1.core.deadline ?? 0;
    for (let now = 0; now < due; now += 50) n1.at(now);
    expect(n1.core.deadline).toBe(due);
    expect(n1.state.role).toBe('follower');
    expect(n1.said()).toEqual([]);
  });

  test('hearing the leader starts the wait anew, drawn anew', () => {
    const n1 = new Single();
    const waits = new Set<number>();
    for (let now = 0; now < 4000; now += 100) {
      n1.now = now;
      n1.hear('n2', heartbeat);
      const wait = (n1.core.deadline ?? 0) - now;
      expect(wait).toBeGreaterThanOrEqual(500);
      expect(wait).toBeLessThan(1000);
      waits.add(wait);
    }
    expect(waits.size).toBeGreaterThan(20);
  });

  test('a leader’s next one is its heartbeat, sent to everyone with a new round', () => {
    const n1 = new Single().lead();
    const elected = n1.now;
    expect(n1.core.deadline).toBe(elected + 100);
    n1.at(elected + 100);
    expect(n1.said()).toEqual([
      { kind: 'Heartbeat', term: 2, round: 2, leaderCommit: 0, freshness: null },
      { kind: 'Heartbeat', term: 2, round: 2, leaderCommit: 0, freshness: null },
    ]);
    expect(n1.core.deadline).toBe(elected + 200);
  });

  test('fractions of milliseconds, and an offset, make no deadline that is never reached', () => {
    const n1 = new Single();
    n1.now = 1000.1;
    n1.hear('n2', heartbeat);
    n1.now = 333.3;
    n1.hear('n2', heartbeat);
    for (let turn = 0; turn < 100; turn += 1) {
      const due = n1.core.deadline ?? 0;
      n1.at(due);
      expect(n1.core.deadline).toBeGreaterThan(due);
    }
  });

  test('a time that is no number stops the replica', () => {
    expect(() => new Single().core.tick(Number.NaN)).toThrow('the clock gave NaN');
  });
});

describe('a clock that goes back', () => {
  test('is counted and re-based: time goes on from the last value', () => {
    const n1 = new Single();
    n1.now = 300;
    n1.hear('n2', heartbeat);
    n1.at(100);
    expect(n1.state.now).toBe(300);
    expect(n1.state.clockAnomalies).toBe(1);
    expect(n1.events).toContainEqual({ kind: 'clock-anomaly', anomaly: 'backward', byMs: 200 });
    n1.at(150);
    expect(n1.state.now).toBe(350);
    expect(n1.state.clockAnomalies).toBe(1);
    // The deadline is told on the clock of the inputs.
    expect(n1.core.deadline).toBeGreaterThanOrEqual(100 + 500);
    expect(n1.core.deadline).toBeLessThan(100 + 1000);
  });

  test('restarts the promise to a leader', () => {
    const n1 = new Single();
    n1.at(400);
    n1.at(100);
    const request = {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    } as const;
    n1.now = 599;
    n1.hear('n2', request);
    expect(n1.state.hardState.term).toBe(1);
    n1.now = 600;
    n1.hear('n2', request);
    expect(n1.state.hardState.term).toBe(2);
  });
});

describe('an input far later than its deadline', () => {
  test('by clockGapMs is no anomaly, by more is one', () => {
    const atMost = new Single();
    atMost.at((atMost.core.deadline ?? 0) + 250);
    expect(atMost.state.clockAnomalies).toBe(0);
    expect(atMost.state.role).toBe('pre-candidate');
    const more = new Single();
    more.at((more.core.deadline ?? 0) + 251);
    expect(more.events).toEqual([{ kind: 'clock-anomaly', anomaly: 'gap', byMs: 251 }]);
  });

  test('does not campaign on the spot: the leader’s heartbeats may be waiting to be read', () => {
    const n1 = new Single();
    n1.at((n1.core.deadline ?? 0) + 5000);
    expect(n1.state.role).toBe('follower');
    expect(n1.core.deadline).toBeGreaterThanOrEqual(n1.now + 500);
  });

  test('ends a campaign', () => {
    const n1 = new Single();
    n1.at(n1.core.deadline ?? 0);
    expect(n1.state.role).toBe('pre-candidate');
    n1.now += 5000;
    n1.hear('n2', { kind: 'PreVoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('follower');
    expect(n1.state.hardState.term).toBe(1);
  });

  test('makes a leader prove itself again, and does not depose it', () => {
    const n1 = new Single().lead();
    n1.hear('n2', {
      kind: 'HeartbeatResponse',
      term: 2,
      round: 1,
      matchIndex: 2,
      verifiedIndex: 2,
      promiseMs: 500,
      stamp: 0,
    });
    expect(n1.state.quorumConfirmedAt).not.toBe(null);
    const back = n1.now + 10_000;
    n1.at(back);
    expect(n1.state.role).toBe('leader');
    expect(n1.state.quorumConfirmedAt).toBe(null);
    expect(n1.said().map(({ kind }) => kind)).toContain('Heartbeat');
    // An answer to a round sent before the gap proves nothing.
    n1.hear('n3', {
      kind: 'HeartbeatResponse',
      term: 2,
      round: 1,
      matchIndex: 2,
      verifiedIndex: 2,
      promiseMs: 500,
      stamp: 0,
    });
    expect(n1.state.quorumConfirmedAt).toBe(null);
    n1.hear('n3', {
      kind: 'HeartbeatResponse',
      term: 2,
      round: n1.state.lastRound,
      matchIndex: 2,
      verifiedIndex: 2,
      promiseMs: 500,
      stamp: 0,
    });
    expect(n1.state.quorumConfirmedAt).toBe(back);
  });

  test('does not count the age of a round across an anomaly', () => {
    const n1 = new Single().lead();
    const before = n1.state.lastRound;
    n1.core.clockAnomaly(n1.now, 'wall-divergence', 300);
    n1.drain();
    const answer = {
      kind: 'HeartbeatResponse',
      term: 2,
      matchIndex: 2,
      verifiedIndex: 2,
      promiseMs: 500,
      stamp: 0,
    } as const;
    n1.hear('n2', { ...answer, round: before });
    expect(n1.state.quorumConfirmedAt).toBe(null);
    n1.at(n1.now);
    n1.hear('n2', { ...answer, round: before + 1 });
    expect(n1.state.quorumConfirmedAt).toBe(n1.now);
  });

  test('and if nobody answers it then, it steps down one election timeout later', () => {
    const n1 = new Single().lead();
    n1.core.clockAnomaly(n1.now, 'wall-divergence', 700);
    const from = n1.now;
    for (let time = 0; time < 500; time += 100) n1.at(from + time);
    expect(n1.state.role).toBe('leader');
    n1.at(from + 500);
    expect(n1.state.role).toBe('follower');
    expect(n1.state.clockAnomalies).toBe(1);
  });

  test('does not silence a single voter', () => {
    const n1 = new Single({ configuration: votersOf('n1') });
    n1.core.clockAnomaly(0, 'wall-divergence', 9000);
    n1.persistAll();
    expect(n1.state.role).toBe('leader');
  });
});
