import { describe, expect, test } from 'vitest';
import type { Term } from '../../src/raft/entry.ts';
import { InvariantViolation } from '../../src/raft/raft.ts';
import { Cluster } from './cluster.ts';
import { command, logOf, runsOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');

describe('log replication (paper 5.3)', () => {
  test('a command goes to the followers, is committed by a majority, and applied by all', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    const result = cluster.propose('n1', 'x=1', 'y=2');
    expect(result).toEqual({ accepted: true, term: 2, from: 3 });
    expect(cluster.underWay('AppendEntries', 'n2').map(({ entries }) => entries.length)).toEqual([2]);
    cluster.settle();
    expect(cluster.core('n1').state.commitIndex).toBe(4);
    // Followers learn what is committed with the next heartbeat.
    cluster.run(100);
    for (const { applied } of cluster.replicas) {
      expect(applied.map(({ kind }) => kind)).toEqual(['configuration', 'noop', 'command', 'command']);
    }
  });

  test('a leader begins its term with a no-op, and proposes nothing while it only hopes to lead', () => {
    const n1 = new Single();
    expect(n1.core.propose(0, [{ kind: 'noop' }])).toEqual({ accepted: false, reason: 'not-leader' });
    n1.lead();
    expect(n1.core.cachedEntries(2, 2)).toEqual([{ kind: 'noop', index: 2, term: 2 }]);
    expect(n1.state.termStartIndex).toBe(2);
  });

  test('a follower takes entries only where the logs agree, and says where they may', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 2, 2]) });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 6,
      prevLogTerm: 3,
      entries: [command(7, 3)],
      leaderCommit: 0,
    });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 4,
      prevLogTerm: 1,
      entries: [command(5, 3)],
      leaderCommit: 0,
    });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 3,
      prevLogTerm: 3,
      entries: [],
      leaderCommit: 0,
    });
    const rejected = { kind: 'AppendEntriesResponse', accepted: false, term: 3 };
    expect(n1.said()).toEqual([
      { ...rejected, rejectedIndex: 6, hintIndex: 4, hintTerm: 2 },
      { ...rejected, rejectedIndex: 4, hintIndex: 2, hintTerm: 1 },
      { ...rejected, rejectedIndex: 3, hintIndex: 3, hintTerm: 2 },
    ]);
    expect(n1.state.log.lastIndex).toBe(4);
  });

  test('only a real conflict cuts the log: an old, short append cuts nothing', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1, 1]) });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [command(2, 1)],
      leaderCommit: 0,
    });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 0,
    });
    expect(n1.state.log.lastIndex).toBe(4);
    expect(n1.writes).toEqual([]);
    expect(n1.said().at(-1)).toMatchObject({ accepted: true, matchIndex: 2, verifiedIndex: 2 });
  });

  test('a conflict cuts from the first entry that differs, in the same write as what replaces it', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 2, 2, 2]) });
    const entries = [command(2, 1), command(3, 3), command(4, 3)];
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries,
      leaderCommit: 0,
    });
    expect(n1.writes).toEqual([
      {
        kind: 'write',
        writeId: { boot: 1, sequence: 1 },
        hardState: { term: 3, votedFor: null },
        cutFrom: 3,
        entries: entries.slice(1),
      },
    ]);
    expect(n1.events).toContainEqual({ kind: 'log-truncated', term: 3, from: 3 });
    expect(n1.state.log.runs).toEqual([
      { term: 1, firstIndex: 1 },
      { term: 3, firstIndex: 3 },
    ]);
  });

  test('a cut of what no write holds yet cuts nothing on disk', () => {
    const n1 = new Single({ entries: logOf(voters, [1]) });
    // Two leaders within one turn of the event loop: nothing is drained in between.
    const hear = (from: string, term: Term, entries: ReturnType<typeof command>[]) =>
      n1.core.receive(0, {
        clusterId: n1.state.clusterId,
        group: 'main',
        from: { id: from, incarnation: `${from}-incarnation`, boot: 1 },
        to: { id: 'n1', incarnation: 'n1-incarnation' },
        message: { kind: 'AppendEntries', term, prevLogIndex: 1, prevLogTerm: 1, entries, leaderCommit: 0 },
      });
    hear('n2', 2, [command(2, 2), command(3, 2)]);
    hear('n3', 3, [command(2, 3)]);
    n1.drain();
    expect(n1.writes.map(({ cutFrom, entries }) => ({ cutFrom, entries }))).toEqual([
      { cutFrom: undefined, entries: [command(2, 3)] },
    ]);
  });

  test('a configuration is in force from its entry on, and gone when that is cut', () => {
    const n1 = new Single({ entries: logOf(voters, [1]) });
    const entry = {
      ...logOf(votersOf('n1', 'n2'), [2])[0],
      index: 2,
      term: 2,
      kind: 'configuration',
    } as const;
    if (!('configuration' in entry) || entry.clusterId === undefined) throw new Error('no configuration');
    const { clusterId, configuration } = entry;
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [
        { kind: 'configuration', index: 2, term: 2, clusterId, configuration: configuration ?? voters },
      ],
      leaderCommit: 0,
    });
    expect(n1.state.configurations.map(({ index }) => index)).toEqual([0, 1, 2]);
    n1.hear('n3', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [command(2, 3)],
      leaderCommit: 0,
    });
    expect(n1.state.configurations.map(({ index }) => index)).toEqual([0, 1]);
  });

  test('a follower commits what it verified, not what else happens to lie in its log', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 2, 2]) });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 4,
    });
    expect(n1.state.commitIndex).toBe(2);
    n1.hear('n2', { kind: 'Heartbeat', term: 3, round: 1, leaderCommit: 4, freshness: null });
    expect(n1.state.commitIndex).toBe(2);
  });

  test('commit never goes back when a later leader knows less', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]) });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 3,
    });
    n1.hear('n3', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 1,
    });
    expect(n1.state.commitIndex).toBe(3);
  });

  test('a conflict with a committed entry stops the replica', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]) });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 3,
    });
    const conflict = () =>
      n1.hear('n3', {
        kind: 'AppendEntries',
        term: 2,
        prevLogIndex: 2,
        prevLogTerm: 1,
        entries: [command(3, 2)],
        leaderCommit: 0,
      });
    expect(conflict).toThrow(InvariantViolation);
    expect(conflict).toThrow('has another entry at 3, though the log is committed here up to 3');
  });

  test('a leader that replaces its own entry stops the replica', () => {
    const n1 = new Single({ entries: logOf(voters, [1]) });
    const send = (term: Term) => () =>
      n1.hear('n2', {
        kind: 'AppendEntries',
        term: 3,
        prevLogIndex: 1,
        prevLogTerm: 1,
        entries: [command(2, term)],
        leaderCommit: 0,
      });
    send(2)();
    expect(send(3)).toThrow('a leader only appends');
  });
});

describe('logs that a new leader finds (paper, figure 7)', () => {
  const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  test.each([
    { name: 'a: one entry short', log: [1, 1, 1, 4, 4, 5, 5, 6, 6], rejections: 1 },
    { name: 'b: far behind', log: [1, 1, 1, 4], rejections: 1 },
    { name: 'c: one entry too many', log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], rejections: 0 },
    { name: 'd: entries of a later term', log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], rejections: 0 },
    { name: 'e: too short, and its own entries', log: [1, 1, 1, 4, 4, 4, 4], rejections: 1 },
    {
      name: 'f: entries of two terms nobody else has',
      log: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
      rejections: 1,
    },
  ])('$name: becomes the leader’s log after $rejections rejections', ({ log, rejections }) => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], {
      start: (id) => {
        const entries = logOf(votersOf('n1', 'n2', 'n3'), id === 'n2' ? log : leader);
        return { entries, hardState: { term: 7, votedFor: null } };
      },
    });
    let rejected = 0;
    cluster.onSend = ({ id }, { message }) => {
      if (id === 'n2' && message.kind === 'AppendEntriesResponse' && !message.accepted) rejected += 1;
    };
    // n2's own log may be later, then n3 votes.
    cluster.elect('n1');
    cluster.run(300);
    const expected = runsOf(cluster.replica('n1').disk.entries);
    expect(cluster.core('n2').state.log.runs).toEqual(expected);
    expect(runsOf(cluster.replica('n2').disk.entries)).toEqual(expected);
    expect(rejected).toBe(rejections);
    expect(cluster.core('n2').state.commitIndex).toBe(11);
  });
});
