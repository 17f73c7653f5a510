import { describe, expect, test } from 'vitest';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { InstallSnapshot, Message } from '../../src/raft/message.ts';
import { InvariantViolation } from '../../src/raft/raft.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { logOf, memberOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
const grown = { ...votersOf('n1', 'n2', 'n3', 'n4'), id: '15.2' };

/** 30 bytes. */
function meta(index: Index, term: Term, change: Partial<SnapshotMeta> = {}): SnapshotMeta {
  return { index, term, configuration: voters, size: 30, digest: `${index}/${term}`, ...change };
}

function chunk(term: Term, snapshot: SnapshotMeta, offset: number, length = 10): InstallSnapshot {
  const data = Uint8Array.from({ length }, (_, position) => offset + position);
  return { kind: 'InstallSnapshot', term, snapshot, offset, data };
}

function question(term: Term, snapshot: SnapshotMeta): InstallSnapshot {
  return chunk(term, snapshot, snapshot.size, 0);
}

/** A follower with these terms in its log, whose writes do not become durable by themselves. */
function follower(...terms: Term[]): Single {
  const n1 = new Single({ entries: logOf(voters, terms) });
  n1.said();
  return n1;
}

/** The oldest chunk handed over is written. */
function written(n1: Single): Single {
  const next = n1.chunks.shift();
  if (next === undefined) throw new Error('no chunk was handed over');
  n1.core.snapshotWritten(n1.now, next.transferId, next.offset + next.data.length);
  n1.drain();
  return n1;
}

/** It gets the whole from n2, the leader of `term`, and its storage has made it durable. */
function receive(n1: Single, term: Term, snapshot: SnapshotMeta): Single {
  for (let offset = 0; offset < snapshot.size; offset += 10) n1.hear('n2', chunk(term, snapshot, offset));
  const { transferId } = n1.state.receiving ?? {};
  if (transferId === undefined) throw new Error('nothing is received');
  while (n1.chunks.length > 0) written(n1);
  n1.core.snapshotStored(n1.now, transferId);
  return n1.drain();
}

const offsets = (messages: Message[]): number[] =>
  messages.flatMap((message) => (message.kind === 'InstallSnapshotResponse' ? [message.offset] : []));
const handed = (n1: Single): number[] => n1.chunks.map(({ offset }) => offset);

describe('chunks', () => {
  test('go to the storage one at a time, and are acknowledged once written', () => {
    const n1 = follower(1, 1);
    for (const offset of [0, 10, 20]) n1.hear('n2', chunk(2, meta(20, 2), offset));
    expect(handed(n1)).toEqual([0]);
    expect(n1.said()).toEqual([]);
    written(n1);
    expect(n1.said()).toEqual([
      { kind: 'InstallSnapshotResponse', term: 2, snapshotIndex: 20, snapshotTerm: 2, offset: 10 },
    ]);
    expect(handed(n1)).toEqual([10]);
    written(n1);
    written(n1);
    expect(offsets(n1.said())).toEqual([20, 30]);
    expect(n1.chunks).toEqual([]);
  });

  test('may come in any order', () => {
    const n1 = follower(1, 1);
    for (const offset of [20, 10, 0]) n1.hear('n2', chunk(2, meta(20, 2), offset));
    const bytes: number[] = [];
    while (n1.chunks[0] !== undefined) {
      bytes.push(...n1.chunks[0].data);
      written(n1);
    }
    expect(bytes).toEqual(Array.from({ length: 30 }, (_, position) => position));
    expect(n1.state.receiving?.complete).toBe(true);
  });

  test('that come twice are answered, and handed over once', () => {
    const n1 = follower(1, 1);
    const first = chunk(2, meta(20, 2), 0);
    n1.hear('n2', first).hear('n2', first);
    expect(handed(n1)).toEqual([0]);
    expect(offsets(n1.said())).toEqual([0]);
    written(n1).hear('n2', first);
    expect(offsets(n1.said())).toEqual([10, 10]);
    expect(n1.chunks).toEqual([]);
  });

  test('cut otherwise than before bring only what is new', () => {
    const n1 = follower(1, 1);
    written(n1.hear('n2', chunk(2, meta(20, 2), 0)));
    n1.hear('n2', chunk(2, meta(20, 2), 5, 15));
    expect(n1.chunks.map(({ offset, data }) => [offset, data[0], data.length])).toEqual([[10, 10, 10]]);
  });

  test('beyond a gap are answered with where it is', () => {
    const n1 = follower(1, 1);
    written(n1.hear('n2', chunk(2, meta(20, 2), 0)));
    n1.said();
    n1.hear('n2', chunk(2, meta(20, 2), 20));
    expect(offsets(n1.said())).toEqual([10]);
    expect(n1.chunks).toEqual([]);
  });

  test('wait in memory, but no more of them than may be under way', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1]), options: { snapshotChunksInflightMax: 2 } });
    const large = meta(20, 2, { size: 100 });
    for (const offset of [10, 20, 30]) n1.hear('n2', chunk(2, large, offset));
    expect(n1.state.receiving?.waiting.map(({ offset }) => offset)).toEqual([10, 20]);
    // The one that is next always has room.
    n1.hear('n2', chunk(2, large, 0));
    expect(handed(n1)).toEqual([0]);
  });

  test('a question is answered, and begins a transfer where there is none', () => {
    const n1 = follower(1, 1);
    n1.hear('n2', question(2, meta(20, 2)));
    expect(offsets(n1.said())).toEqual([0]);
    expect(n1.chunks).toEqual([]);
    written(n1.hear('n2', chunk(2, meta(20, 2), 0))).said();
    n1.hear('n2', question(2, meta(20, 2)));
    expect(offsets(n1.said())).toEqual([10]);
  });

  test('an empty snapshot is brought by the question', () => {
    const n1 = follower(1, 1);
    const empty = meta(20, 2, { size: 0 });
    n1.hear('n2', question(2, empty)).hear('n2', question(2, empty));
    expect(n1.chunks.map(({ offset, data }) => [offset, data.length])).toEqual([[0, 0]]);
    expect(offsets(n1.said())).toEqual([0]);
    n1.core.snapshotStored(0, n1.chunks[0]?.transferId ?? { boot: 0, sequence: 0 });
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(20);
  });

  test('count as hearing the leader', () => {
    const n1 = follower(1, 1);
    n1.at(400);
    n1.hear('n2', chunk(2, meta(20, 2), 0));
    expect(n1.state).toMatchObject({ leader: { id: 'n2' }, leaderHeardAt: 400 });
    expect(n1.core.deadline).toBeGreaterThanOrEqual(900);
  });

  test('a candidate of the same term follows', () => {
    const n1 = follower(1, 1);
    n1.at(n1.core.deadline ?? 0);
    n1.hear('n2', { kind: 'PreVoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('candidate');
    n1.hear('n2', chunk(2, meta(20, 2), 0));
    expect(n1.state.role).toBe('follower');
    expect(handed(n1)).toEqual([0]);
  });

  test('of an older term are refused with the present one, and change nothing', () => {
    const n1 = follower(1, 3);
    n1.hear('n2', chunk(2, meta(20, 2), 0));
    expect(n1.said()).toEqual([
      { kind: 'InstallSnapshotResponse', term: 3, snapshotIndex: 20, snapshotTerm: 2, offset: 0 },
    ]);
    expect(n1.state.receiving).toBe(null);
    expect(n1.state.leader).toBe(null);
  });

  test.each<[string, InstallSnapshot]>([
    ['from a later term than its leader', chunk(2, meta(20, 3), 0)],
    ['beyond the end', chunk(2, meta(20, 2), 21)],
    ['without bytes in the middle', chunk(2, meta(20, 2), 10, 0)],
    ['before the beginning', { ...chunk(2, meta(20, 2), 0), offset: -1 }],
    ['of entry 0', chunk(2, meta(0, 0), 0)],
    ['of entry 0 with a term', chunk(2, meta(0, 1), 0)],
    ['of a size that is no number', chunk(2, meta(20, 2, { size: Number.NaN }), 0)],
  ])('%s are malformed', (_what, message) => {
    const n1 = follower(1, 1);
    n1.hear('n2', message);
    expect(n1.state.drops).toEqual({ malformed: 1 });
    n1.hear('n2', chunk(2, meta(20, 2), 20));
    expect(n1.state.drops).toEqual({ malformed: 1 });
  });
});

describe('a transfer that broke off', () => {
  const broken = (): Single => {
    const n1 = follower(1, 1);
    written(n1.hear('n2', chunk(2, meta(20, 2), 0)));
    n1.hear('n2', chunk(2, meta(20, 2), 20));
    n1.said();
    return n1;
  };

  test('goes on under a new leader that holds the same snapshot', () => {
    const n1 = broken();
    n1.hear('n3', question(3, meta(20, 2)));
    expect(offsets(n1.said())).toEqual([10]);
    n1.hear('n3', chunk(3, meta(20, 2), 10));
    expect(handed(n1)).toEqual([10]);
    written(n1);
    expect(n1.sent.map(({ to }) => to.id)).toEqual(['n3']);
    // What came before the gap closed is used too.
    expect(handed(n1)).toEqual([20]);
    expect(n1.abandoned).toEqual([]);
  });

  test.each<[string, SnapshotMeta]>([
    ['a later one', meta(21, 2)],
    ['an older one, as that is all it has', meta(19, 2)],
    ['one of the same entries with other bytes', meta(20, 2, { digest: 'other' })],
  ])('ends when a new leader sends %s', (_what, snapshot) => {
    const n1 = broken();
    const old = n1.state.receiving?.transferId;
    n1.hear('n3', chunk(3, snapshot, 0));
    expect(n1.abandoned.map(({ transferId }) => transferId)).toEqual([old]);
    expect(n1.chunks.map(({ snapshot: one, offset }) => [one.index, offset])).toEqual([[snapshot.index, 0]]);
    expect(n1.chunks[0]?.transferId).not.toEqual(old);
  });

  test('does not end for an older one of the same leader, which only comes late', () => {
    const n1 = broken();
    n1.hear('n2', chunk(2, meta(19, 2), 0));
    expect(n1.abandoned).toEqual([]);
    expect(n1.said()).toEqual([]);
    expect(n1.state.receiving?.snapshot.index).toBe(20);
    n1.hear('n2', chunk(2, meta(21, 2), 0));
    expect(n1.abandoned.length).toBe(1);
  });

  test('is left to end once its last byte was handed over', () => {
    const n1 = follower(1, 1);
    for (const offset of [0, 10, 20]) written(n1.hear('n2', chunk(2, meta(20, 2), offset)));
    n1.said();
    n1.hear('n3', chunk(3, meta(25, 2), 0));
    expect(n1.abandoned).toEqual([]);
    expect(n1.chunks).toEqual([]);
    n1.core.snapshotStored(0, n1.state.receiving?.transferId ?? { boot: 0, sequence: 0 });
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(20);
    n1.hear('n3', chunk(3, meta(25, 2), 0));
    expect(n1.chunks.map(({ snapshot }) => snapshot.index)).toEqual([25]);
  });

  test('is given up when the log gets as far by itself', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1]) });
    const snapshot = meta(3, 1);
    written(n1.hear('n2', chunk(1, snapshot, 0)));
    const append = (prevLogIndex: Index, leaderCommit: Index) =>
      n1.hear('n2', {
        kind: 'AppendEntries',
        term: 1,
        prevLogIndex,
        prevLogTerm: 1,
        entries: logOf(voters, Array(prevLogIndex + 1).fill(1)).slice(prevLogIndex),
        leaderCommit,
      });
    append(2, 2);
    expect(n1.abandoned).toEqual([]);
    append(3, 3);
    expect(n1.abandoned.length).toBe(1);
    expect(n1.state.receiving).toBe(null);
  });

  test('begins anew when what came was not what it was said to be', () => {
    const n1 = follower(1, 1);
    for (const offset of [0, 10, 20]) written(n1.hear('n2', chunk(2, meta(20, 2), offset)));
    const { transferId } = n1.state.receiving ?? {};
    if (transferId === undefined) throw new Error('nothing is received');
    n1.core.snapshotFailed(0, transferId);
    n1.drain().said();
    n1.hear('n2', question(2, meta(20, 2)));
    expect(offsets(n1.said())).toEqual([0]);
    n1.core.snapshotStored(0, transferId);
    expect(n1.drain().state.log.floorIndex).toBe(0);
    n1.hear('n2', chunk(2, meta(20, 2), 0));
    expect(n1.chunks[0]?.transferId).not.toEqual(transferId);
  });

  test('tells nothing to a leader that did not ask', () => {
    const n1 = follower(1, 1);
    n1.hear('n2', chunk(2, meta(20, 2), 0));
    n1.hear('n3', { kind: 'Heartbeat', term: 3, round: 1, leaderCommit: 0, freshness: null });
    written(n1);
    expect(offsets(n1.said())).toEqual([]);
  });
});

describe('an installed snapshot', () => {
  test('replaces a log that ends before it', () => {
    const n1 = receive(follower(1, 1, 1), 2, meta(20, 2, { configuration: grown }));
    expect(n1.state).toMatchObject({
      log: {
        floorIndex: 20,
        floorTerm: 2,
        lastIndex: 20,
        runs: [],
        cache: [],
        bytesThrough: [],
        bytesBefore: 0,
      },
      snapshot: { index: 20 },
      commitIndex: 20,
      settledIndex: 20,
      verifiedIndex: 20,
      appliedIndex: 0,
      durable: { index: 20 },
      receiving: null,
    });
    expect(n1.writes.at(-1)).toMatchObject({
      entries: [],
      floor: { index: 20, term: 2, configuration: grown },
    });
    expect(n1.restores).toEqual([{ kind: 'restore', snapshot: meta(20, 2, { configuration: grown }) }]);
    expect(n1.events).toContainEqual({ kind: 'snapshot-installed', index: 20, term: 2 });
    expect(n1.events).toContainEqual({
      kind: 'configuration-changed',
      index: 20,
      configuration: grown,
      rolledBack: false,
    });
  });

  test('replaces a log that holds another entry there, with all that follows', () => {
    const n1 = receive(follower(1, 1, 2, 2, 2), 3, meta(4, 3));
    expect(n1.state.log).toMatchObject({ floorIndex: 4, floorTerm: 3, lastIndex: 4 });
    expect(n1.events).toContainEqual({ kind: 'log-truncated', term: 3, from: 4 });
  });

  test('leaves what follows it in a log that holds its last entry', () => {
    const n1 = receive(follower(1, 1, 2, 2, 2), 3, meta(4, 2));
    expect(n1.state.log).toMatchObject({
      floorIndex: 4,
      floorTerm: 2,
      lastIndex: 5,
      runs: [{ term: 2, firstIndex: 5 }],
    });
    expect(n1.state).toMatchObject({ commitIndex: 4, verifiedIndex: 4, durable: { index: 5 } });
    expect(n1.events.filter(({ kind }) => kind === 'log-truncated')).toEqual([]);
    expect(n1.restores.length).toBe(1);
  });

  test('is acknowledged by what is derived from it, once the term is durable', () => {
    const n1 = receive(follower(1, 1, 1), 2, meta(20, 2));
    expect(n1.said().filter(({ kind }) => kind !== 'InstallSnapshotResponse')).toEqual([]);
    const [term] = n1.writes;
    if (term === undefined) throw new Error('the term is not written');
    n1.persist(term);
    // Not even the floor is on the disk; the snapshot is.
    expect(n1.said()).toEqual([
      { kind: 'AppendEntriesResponse', accepted: true, term: 2, matchIndex: 20, verifiedIndex: 20 },
    ]);
  });

  test('does not count for entries whose write was under way when it replaced them', () => {
    const n1 = follower(1, 1);
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: logOf(voters, [1, 1, 2, 2, 2, 2]).slice(2),
      leaderCommit: 0,
    });
    const stale = n1.writes.at(-1);
    receive(n1, 3, meta(4, 3));
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 4,
      prevLogTerm: 3,
      entries: [
        { kind: 'noop', index: 5, term: 3 },
        { kind: 'noop', index: 6, term: 3 },
      ],
      leaderCommit: 0,
    });
    if (stale === undefined) throw new Error('nothing was written');
    n1.persist(stale);
    expect(n1.state.durable.index).toBe(4);
    n1.persistAll();
    expect(n1.state.durable.index).toBe(6);
  });

  test('makes a member of a replica that its log did not list', () => {
    const n1 = new Single({ configuration: votersOf('n2', 'n3') });
    expect(n1.core.deadline).toBe(null);
    receive(n1, 2, meta(20, 2));
    expect(n1.core.deadline).not.toBe(null);
  });

  test('that does not list it is no removal: a leader sends it to members only', () => {
    const n1 = follower(1, 1);
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 2,
    });
    n1.core.applied(0, 2);
    receive(n1, 2, meta(20, 2, { configuration: { ...votersOf('n2', 'n3'), id: '12.2' } }));
    expect(n1.state).toMatchObject({ removed: false, commitIndex: 20 });
  });

  test('ends a campaign that was begun with another log', () => {
    const n1 = follower(1, 1);
    for (const offset of [0, 10, 20]) written(n1.hear('n2', chunk(2, meta(20, 2), offset)));
    n1.at((n1.core.deadline ?? 0) + 1);
    expect(n1.state.role).toBe('pre-candidate');
    n1.core.snapshotStored(n1.now, n1.state.receiving?.transferId ?? { boot: 0, sequence: 0 });
    n1.drain();
    expect(n1.state).toMatchObject({ role: 'follower', log: { lastIndex: 20 } });
  });
});

describe('a snapshot behind the log', () => {
  /** All four are committed; the last write is not durable. */
  const ahead = (): Single => {
    const n1 = follower(1, 1, 1);
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries: logOf(voters, [1, 1, 1, 1]).slice(3),
      leaderCommit: 4,
    });
    n1.said();
    return n1;
  };

  test('is answered with what the log holds, and changes nothing', () => {
    const n1 = ahead();
    n1.hear('n2', chunk(1, meta(3, 1), 0));
    expect(n1.said()).toEqual([]);
    n1.persistAll();
    expect(n1.said()).toContainEqual({
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 1,
      matchIndex: 4,
      verifiedIndex: 4,
    });
    expect(n1.state.receiving).toBe(null);
    expect(n1.chunks).toEqual([]);
  });

  test('makes a new leader go on, which knows nothing yet', () => {
    const n1 = ahead().persistAll();
    n1.said();
    n1.hear('n3', chunk(2, meta(4, 1), 10));
    n1.persistAll();
    expect(n1.said()).toContainEqual({
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 4,
      verifiedIndex: 4,
    });
    n1.hear('n3', chunk(2, meta(5, 1), 0));
    expect(handed(n1)).toEqual([0]);
  });

  test('proves that Raft was broken when it contradicts what is committed', () => {
    expect(() => ahead().hear('n2', chunk(2, meta(4, 2), 0))).toThrow(InvariantViolation);
    expect(() => ahead().hear('n2', chunk(2, meta(4, 1), 0))).not.toThrow();
  });

  test('that is stored when the log got as far meanwhile is kept, and installs nothing', () => {
    const n1 = follower(1, 1, 1);
    for (const offset of [0, 10, 20]) written(n1.hear('n2', chunk(1, meta(3, 1), offset)));
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 3,
    });
    expect(n1.abandoned).toEqual([]);
    n1.core.snapshotStored(0, n1.state.receiving?.transferId ?? { boot: 0, sequence: 0 });
    n1.drain();
    expect(n1.state).toMatchObject({ snapshot: { index: 3 }, log: { floorIndex: 0, lastIndex: 3 } });
    expect(n1.restores).toEqual([]);
  });

  test('that reaches what was applied before the storage was reopened restores nothing', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1]), appliedIndex: 8 });
    receive(n1, 2, meta(6, 2));
    expect(n1.state).toMatchObject({
      commitIndex: 8,
      appliedIndex: 8,
      settledIndex: 6,
      log: { lastIndex: 6 },
    });
    expect(n1.restores).toEqual([]);
  });
});

describe('installing and applying take turns', () => {
  /** Entries 1 and 2 are handed out to be applied while a snapshot of entry 20 is stored. */
  const applying = (): Single => {
    const n1 = follower(1, 1);
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 2,
    });
    expect(n1.applies.map(({ from, to }) => [from, to])).toEqual([[1, 2]]);
    return receive(n1, 2, meta(20, 2));
  };

  test('a snapshot waits for the range that is being applied', () => {
    const n1 = applying();
    expect(n1.restores).toEqual([]);
    expect(n1.state).toMatchObject({ commitIndex: 2, log: { floorIndex: 0, lastIndex: 2 } });
    n1.core.applied(0, 2);
    n1.drain();
    expect(n1.restores.length).toBe(1);
    expect(n1.state).toMatchObject({ appliedIndex: 2, commitIndex: 20, log: { floorIndex: 20 } });
  });

  test('the next range waits for the restored state machine', () => {
    const n1 = applying();
    n1.core.applied(0, 2);
    n1.drain();
    n1.applies.length = 0;
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 20,
      prevLogTerm: 2,
      entries: [{ kind: 'noop', index: 21, term: 2 }],
      leaderCommit: 21,
    });
    // None of these is the answer that is waited for.
    n1.core.applied(0, 2);
    n1.core.applied(0, 20);
    n1.core.restored(0, 19);
    n1.core.restored(0, 21);
    n1.drain();
    expect(n1.state).toMatchObject({ appliedIndex: 2, commitIndex: 21 });
    expect(n1.applies).toEqual([]);
    n1.core.restored(0, 20);
    n1.drain();
    expect(n1.state.appliedIndex).toBe(20);
    expect(n1.applies.map(({ from, to }) => [from, to])).toEqual([[21, 21]]);
    n1.core.applied(0, 21);
    n1.core.restored(0, 20);
    expect(n1.drain().state.appliedIndex).toBe(21);
  });

  test('so does the next snapshot', () => {
    const n1 = applying();
    n1.core.applied(0, 2);
    n1.drain();
    receive(n1, 2, meta(30, 2));
    expect(n1.restores.map(({ snapshot }) => snapshot.index)).toEqual([20]);
    expect(n1.state.log.floorIndex).toBe(20);
    n1.core.restored(0, 20);
    n1.drain();
    expect(n1.restores.map(({ snapshot }) => snapshot.index)).toEqual([20, 30]);
    expect(n1.state.log.floorIndex).toBe(30);
  });
});

describe('who leads receives nothing', () => {
  test('an unfinished transfer is given up, and none of it is installed', () => {
    const n1 = new Single({ configuration: { ...voters, voters: ['n1', 'n2'].map(memberOf) } });
    written(n1.hear('n2', chunk(1, meta(20, 1), 0)));
    n1.at(1000).lead();
    expect(n1.state).toMatchObject({ role: 'leader', receiving: null });
    expect(n1.abandoned.length).toBe(1);
  });

  test('a finished one is kept if its log holds the same, and stops it if not', () => {
    const leading = (snapshot: SnapshotMeta): Single => {
      const n1 = follower(1, 1, 1);
      for (const offset of [0, 10, 20]) written(n1.hear('n2', chunk(1, snapshot, offset)));
      return n1.at(1000).lead();
    };
    const stored = (n1: Single): Single => {
      n1.core.snapshotStored(n1.now, n1.state.receiving?.transferId ?? { boot: 0, sequence: 0 });
      return n1.drain();
    };
    expect(stored(leading(meta(3, 1))).state).toMatchObject({
      role: 'leader',
      snapshot: { index: 3 },
      log: { floorIndex: 0 },
    });
    const wrong = leading(meta(20, 1));
    expect(() => stored(wrong)).toThrow(InvariantViolation);
  });
});
