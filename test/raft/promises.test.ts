import { describe, expect, test } from 'vitest';
import type { Entry, Index, Term } from '../../src/raft/entry.ts';
import type { AppendAccepted } from '../../src/raft/message.ts';
import { command, logOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');

function append(n1: Single, from: string, term: Term, prev: [Index, Term], entries: Entry[]): Single {
  const [prevLogIndex, prevLogTerm] = prev;
  return n1.hear(from, { kind: 'AppendEntries', term, prevLogIndex, prevLogTerm, entries, leaderCommit: 0 });
}

function heartbeat(n1: Single, from: string, term: Term, round: number): Single {
  return n1.hear(from, { kind: 'Heartbeat', term, round, leaderCommit: 0, freshness: null });
}

/** Has told n2, the leader of term 1, that it holds entry 1. */
function follower(boot = 1): Single {
  const n1 = new Single({ boot });
  append(n1, 'n2', 1, [1, 1], []);
  expect(n1.said()).toEqual([accepted(1, 1)]);
  return n1;
}

const accepted = (term: Term, matchIndex: Index, verifiedIndex = matchIndex): AppendAccepted => ({
  kind: 'AppendEntriesResponse',
  accepted: true,
  term,
  matchIndex,
  verifiedIndex,
});

describe('what is said follows from what is durable', () => {
  test('a granted vote waits for its write, and a refused one does not', () => {
    const n1 = new Single();
    n1.now = 600;
    n1.hear('n2', {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    });
    expect(n1.said()).toEqual([]);
    n1.hear('n3', {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    });
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 2, granted: false }]);
    n1.persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 2, granted: true }]);
    n1.persistAll();
    expect(n1.said()).toEqual([]);
  });

  test('a vote that was overtaken by a later term is never said', () => {
    const n1 = new Single();
    n1.now = 600;
    n1.hear('n2', {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    });
    heartbeat(n1, 'n3', 3, 1).persistAll();
    expect(n1.said().map(({ kind }) => kind)).toEqual(['HeartbeatResponse']);
    expect(n1.state.durable.hardState).toEqual({ term: 3, votedFor: null });
  });

  test('nothing is acknowledged before the term is durable, a heartbeat included', () => {
    const n1 = new Single();
    heartbeat(n1, 'n2', 2, 1);
    append(n1, 'n2', 2, [1, 1], []);
    expect(n1.said()).toEqual([]);
    n1.persistAll();
    expect(n1.said()).toEqual([
      {
        kind: 'HeartbeatResponse',
        term: 2,
        round: 1,
        matchIndex: 1,
        verifiedIndex: 1,
        promiseMs: 500,
        stamp: 0,
      },
    ]);
  });

  test('a rejection may leave at once', () => {
    const n1 = new Single();
    append(n1, 'n2', 2, [5, 1], []);
    expect(n1.said()).toMatchObject([{ accepted: false, term: 2, rejectedIndex: 5, hintIndex: 1 }]);
    expect(n1.writes.length).toBe(1);
  });

  test('entries are acknowledged when durable, several appends by one answer', () => {
    const n1 = follower();
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]);
    append(n1, 'n2', 1, [2, 1], [command(3, 1)]);
    append(n1, 'n2', 1, [3, 1], [command(4, 1)]);
    const [first, , third] = n1.writes;
    expect(n1.said()).toEqual([]);
    if (first === undefined || third === undefined) throw new Error('three writes were expected');
    n1.persist(first);
    expect(n1.said()).toEqual([accepted(1, 2, 4)]);
    n1.persist(third);
    expect(n1.said()).toEqual([accepted(1, 4)]);
  });

  test('a heartbeat in between is answered with what is durable, and says what merely arrived', () => {
    const n1 = follower();
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]);
    heartbeat(n1, 'n2', 1, 7);
    expect(n1.said()).toEqual([
      {
        kind: 'HeartbeatResponse',
        term: 1,
        round: 7,
        matchIndex: 1,
        verifiedIndex: 2,
        promiseMs: 500,
        stamp: 0,
      },
    ]);
  });

  test('an append that comes again is answered again, and changes nothing', () => {
    const n1 = new Single();
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]).persistAll();
    n1.said();
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]);
    expect(n1.said()).toEqual([accepted(1, 2)]);
    expect(n1.writes).toEqual([]);
  });

  test('what lies durably in the log, but was not compared with this leader’s, is not acknowledged', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 2, 2]) });
    append(n1, 'n2', 2, [2, 1], []);
    expect(n1.said()).toEqual([accepted(2, 2)]);
    heartbeat(n1, 'n2', 2, 1);
    expect(n1.said()).toMatchObject([{ matchIndex: 2, verifiedIndex: 2 }]);
  });

  test('a new term begins with nothing verified', () => {
    const n1 = new Single();
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]).persistAll();
    n1.said();
    heartbeat(n1, 'n3', 2, 1).persistAll();
    expect(n1.said()).toMatchObject([
      { kind: 'HeartbeatResponse', term: 2, matchIndex: 0, verifiedIndex: 0 },
    ]);
  });

  test('a write of an older leader never makes its successor believe that its own entries are durable', () => {
    // The ABA race: 2, 3 of term 1 are being written while 2, 3 of term 2 take their place.
    const n1 = new Single();
    append(n1, 'n2', 1, [1, 1], [command(2, 1), command(3, 1)]);
    append(n1, 'n3', 2, [1, 1], [command(2, 2), command(3, 2)]);
    const [old, replacing] = n1.writes;
    if (old === undefined || replacing === undefined) throw new Error('two writes were expected');
    expect(replacing.cutFrom).toBe(2);
    n1.said();
    n1.persist(old);
    expect(n1.said()).toEqual([]);
    expect(n1.state.durable.index).toBe(1);
    n1.persist(replacing);
    expect(n1.said()).toEqual([accepted(2, 3)]);
  });

  test('a cut lowers what was durable already', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]) });
    append(n1, 'n2', 2, [1, 1], [command(2, 2)]);
    expect(n1.state.durable.index).toBe(1);
    n1.persistAll();
    expect(n1.state.durable.index).toBe(2);
  });

  test('a completion that comes twice, out of the blue, or from an earlier boot is a no-op', () => {
    const n1 = follower(2);
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]);
    append(n1, 'n2', 1, [2, 1], [command(3, 1)]);
    const [first, second] = n1.writes;
    if (first === undefined || second === undefined) throw new Error('two writes were expected');
    n1.core.persisted(0, { boot: 1, sequence: second.writeId.sequence });
    n1.core.persisted(0, { boot: 2, sequence: 99 });
    n1.drain();
    expect(n1.state.durable.index).toBe(1);
    n1.persist(second).persist(first).persist(second);
    expect(n1.state.durable.index).toBe(3);
    expect(n1.said()).toEqual([accepted(1, 3)]);
  });

  test('everything of one turn is one write', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]) });
    append(n1, 'n2', 4, [1, 1], [command(2, 3), command(3, 4)]);
    expect(n1.writes).toMatchObject([{ hardState: { term: 4, votedFor: null }, cutFrom: 2 }]);
    expect(n1.writes[0]?.entries.map(({ index, term }) => [index, term])).toEqual([
      [2, 3],
      [3, 4],
    ]);
  });

  test('a leader replicates what its own disk does not hold yet, and does not count itself for it', () => {
    const n1 = new Single().lead();
    n1.core.propose(n1.now, [{ kind: 'noop' }]);
    n1.drain();
    n1.hear('n2', accepted(2, 2));
    n1.said();
    expect(n1.writes.length).toBe(1);
    n1.hear('n2', accepted(2, 3));
    expect(n1.state.commitIndex).toBe(2);
    n1.persistAll();
    expect(n1.state.commitIndex).toBe(3);
  });
});

describe('after a failed write', () => {
  test('a leader steps down and the core says and does nothing any more', () => {
    const n1 = new Single().lead();
    n1.core.propose(n1.now, [{ kind: 'noop' }]);
    n1.core.writeFailed(n1.now);
    n1.drain();
    expect(n1.state.role).toBe('follower');
    expect(n1.events).toContainEqual({
      kind: 'role-changed',
      term: 2,
      role: 'follower',
      reason: 'a write failed',
    });
    expect(n1.said()).toEqual([]);
    expect(n1.writes).toEqual([]);
    expect(n1.core.deadline).toBe(null);
    heartbeat(n1, 'n2', 9, 1);
    n1.at(100_000);
    n1.core.applied(n1.now, 5);
    n1.core.writeFailed(n1.now);
    expect(n1.core.propose(n1.now, [])).toEqual({ accepted: false, reason: 'not-leader' });
    expect(n1.said()).toEqual([]);
    expect(n1.state.hardState.term).toBe(2);
  });

  test('an owed acknowledgement is never said', () => {
    const n1 = follower();
    append(n1, 'n2', 1, [1, 1], [command(2, 1)]);
    const [write] = n1.writes;
    if (write === undefined) throw new Error('a write was expected');
    n1.core.writeFailed(0);
    n1.persist(write);
    expect(n1.said()).toEqual([]);
  });
});
