import { describe, expect, test } from 'vitest';
import type { Index } from '../../src/raft/entry.ts';
import { InvariantViolation } from '../../src/raft/raft.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { Cluster } from './cluster.ts';
import { entryOn, latestSnapshot } from './fake-disk.ts';
import { logOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');

function snapshot(index: Index, term = 1, change: Partial<SnapshotMeta> = {}): SnapshotMeta {
  return { index, term, configuration: voters, size: 100, digest: 'f00d', ...change };
}

/** A follower of n2 that holds ten entries of term 1, committed and applied up to `applied`. */
function follower(applied: Index, handedOut = applied): Single {
  const n1 = new Single({ entries: logOf(voters, Array(10).fill(1)), options: { applyEntriesMax: 1024 } });
  const commit = (leaderCommit: Index): unknown =>
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 10,
      prevLogTerm: 1,
      entries: [],
      leaderCommit,
    });
  commit(applied);
  n1.core.applied(0, applied);
  commit(handedOut);
  n1.drain();
  n1.writes.length = 0;
  n1.said();
  return n1;
}

describe('the floor', () => {
  test.each<[string, { at: Index; keepFrom: Index; applied: Index; floor: Index }]>([
    ['follows the snapshot', { at: 8, keepFrom: 9, applied: 8, floor: 8 }],
    ['stays behind it for what is to be kept', { at: 8, keepFrom: 6, applied: 8, floor: 5 }],
    ['is never above the snapshot', { at: 6, keepFrom: 9, applied: 8, floor: 6 }],
    ['is never above what was applied', { at: 8, keepFrom: 9, applied: 7, floor: 7 }],
    ['does not move when everything is to be kept', { at: 8, keepFrom: 1, applied: 8, floor: 0 }],
  ])('%s', (_what, { at, keepFrom, applied, floor }) => {
    const n1 = follower(applied, 8);
    n1.core.snapshotTaken(0, snapshot(at), keepFrom);
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(floor);
    expect(n1.state.snapshot?.index).toBe(at);
    expect(n1.writes.map((write) => write.floor?.index)).toEqual(floor === 0 ? [] : [floor]);
    expect(n1.events.filter(({ kind }) => kind === 'log-compacted').length).toBe(floor === 0 ? 0 : 1);
  });

  test('catches up with the snapshot once the range in which it was taken is applied', () => {
    const n1 = follower(5, 9);
    n1.core.snapshotTaken(0, snapshot(7), 8);
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(5);
    n1.core.applied(0, 9);
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(7);
  });

  test('stays where another snapshot of the same entry takes the place of a damaged one, which is sent no more', () => {
    const n1 = follower(9);
    n1.core.snapshotTaken(0, snapshot(8), 9);
    n1.drain();
    const other = { ...snapshot(8), digest: 'of the same state in other bytes' };
    n1.core.snapshotTaken(0, other, 9);
    n1.drain();
    expect(n1.state).toMatchObject({ snapshot: other, log: { floorIndex: 8 } });
    expect(() => n1.core.snapshotTaken(0, { ...other, term: 2, digest: 'd' }, 9)).toThrow(
      'the log holds 8/1',
    );
  });

  test('never goes back: a snapshot told late or twice is no news', () => {
    const n1 = follower(9);
    n1.core.snapshotTaken(0, snapshot(8), 9);
    n1.drain();
    n1.core.snapshotTaken(0, snapshot(8), 9);
    n1.core.snapshotTaken(0, snapshot(6), 7);
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(8);
    expect(n1.state.snapshot?.index).toBe(8);
    expect(n1.writes.length).toBe(1);
  });

  test('is made up for when a snapshot known already is told with less to keep', () => {
    const n1 = follower(9);
    n1.core.snapshotTaken(0, snapshot(8), 5);
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(4);
    n1.core.snapshotTaken(0, snapshot(8), 7);
    n1.drain();
    expect(n1.state.log.floorIndex).toBe(6);
  });

  test('is written by itself, after everything that came before it', () => {
    const n1 = follower(9);
    const entries = logOf(voters, Array(12).fill(1)).slice(10);
    n1.core.receive(0, {
      clusterId: n1.state.clusterId,
      group: n1.state.group,
      from: { id: 'n2', incarnation: 'n2-incarnation', boot: 1 },
      to: n1.state.self,
      message: { kind: 'AppendEntries', term: 1, prevLogIndex: 10, prevLogTerm: 1, entries, leaderCommit: 9 },
    });
    n1.core.snapshotTaken(0, snapshot(9), 10);
    n1.drain();
    expect(n1.writes.map(({ entries, floor }) => [entries.length, floor ?? null])).toEqual([
      [2, null],
      [0, { index: 9, term: 1, configuration: voters }],
    ]);
  });

  test('forgets terms and cached entries before it, and keeps those after it', () => {
    const n1 = follower(9);
    n1.core.snapshotTaken(0, snapshot(9), 10);
    n1.drain();
    expect([8, 9, 10, 11].map((index) => n1.core.termAt(index))).toEqual([null, 1, 1, null]);
    expect(n1.core.configurationAt(9)).toEqual(voters);
    expect(n1.core.cachedEntries(9, 9)).toBe(null);
  });
});

describe('the configuration at the floor', () => {
  const second = { ...votersOf('n1', 'n2', 'n3', 'n4'), id: '3.1' };
  const third = { ...votersOf('n1', 'n2'), id: '6.1' };
  const changing = (): Single => {
    const entries = logOf(voters, Array(8).fill(1));
    for (const [index, configuration] of [
      [3, second],
      [6, third],
    ] as const) {
      entries[index - 1] = {
        kind: 'configuration',
        index,
        term: 1,
        clusterId: 'c0ffee00c0ffee00',
        configuration,
      };
    }
    const n1 = new Single({ entries });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 8,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 8,
    });
    n1.core.applied(0, 8);
    return n1.drain();
  };

  test.each([
    [2, voters, [voters, second, third]],
    [3, second, [second, third]],
    [5, second, [second, third]],
    [6, third, [third]],
  ])('at %i is the one in force there, and later ones stay', (index, inForce, kept) => {
    const n1 = changing();
    n1.writes.length = 0;
    n1.core.snapshotTaken(0, snapshot(8, 1, { configuration: third }), index + 1);
    n1.drain();
    expect(n1.writes[0]?.floor).toEqual({ index, term: 1, configuration: inForce });
    expect(n1.state.configurations.map(({ configuration }) => configuration)).toEqual(kept);
    expect(n1.core.configurationAt(8)).toEqual(third);
  });

  test('and no snapshot is used that says another', () => {
    const n1 = changing();
    expect(() => n1.core.snapshotTaken(0, snapshot(5, 1, { configuration: third }), 1)).toThrow(
      'a snapshot of 5/1 with configuration 6.1, but the log holds 5/1 with configuration 3.1',
    );
  });
});

describe('a snapshot that cannot be right stops the replica', () => {
  test('of what is not committed', () => {
    const n1 = follower(7);
    expect(() => n1.core.snapshotTaken(0, snapshot(8), 9)).toThrow(InvariantViolation);
    expect(() => follower(8).core.snapshotTaken(0, snapshot(8), 9)).not.toThrow();
  });

  test('of another entry than the committed one', () => {
    expect(() => follower(8).core.snapshotTaken(0, snapshot(8, 2), 9)).toThrow('the log holds 8/1');
  });
});

describe('what a snapshot covers is durable', () => {
  /** Entries 11 and 12 are committed by others and applied here, and still being written. */
  function ahead(): Single {
    const n1 = follower(10);
    const entries = logOf(voters, Array(12).fill(1)).slice(10);
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 10,
      prevLogTerm: 1,
      entries,
      leaderCommit: 12,
    });
    n1.core.applied(0, 12);
    return n1.drain();
  }

  test('before its entries are, and may be acknowledged', () => {
    const n1 = ahead();
    expect(n1.state.durable.index).toBe(10);
    n1.said();
    n1.core.snapshotTaken(0, snapshot(11), 12);
    n1.drain();
    expect(n1.said()).toEqual([
      { kind: 'AppendEntriesResponse', accepted: true, term: 1, matchIndex: 11, verifiedIndex: 12 },
    ]);
    const [first] = n1.writes;
    if (first === undefined) throw new Error('no write');
    n1.persist(first);
    expect(n1.state.durable.index).toBe(12);
  });

  test('and is what a crash before any write leaves behind', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    cluster.run(200);
    const n3 = cluster.replica('n3');
    n3.disk.persistsAtOnce = false;
    cluster.propose('n1', 'a', 'b');
    cluster.run(200);
    // Its append tells n3 what was committed without it.
    cluster.propose('n1', 'c');
    cluster.run(200);
    expect(n3.applied.length).toBe(4);
    cluster.compact('n3');
    expect(cluster.core('n3').state.log.floorIndex).toBe(4);
    expect(n3.disk.floor.index).toBe(0);
    cluster.crash('n3');
    n3.disk.persistsAtOnce = true;
    cluster.start('n3');
    expect(cluster.core('n3').state).toMatchObject({
      commitIndex: 4,
      appliedIndex: 4,
      log: { floorIndex: 4 },
    });
    expect(n3.disk.floor.index).toBe(4);
    cluster.run(500);
    expect(n3.applied).toEqual(cluster.replica('n1').applied);
  });
});

describe('the order snapshot, floor, deletion', () => {
  test.each([
    ['before the snapshot is stored', 0, 0],
    ['between snapshot and floor', 1, 0],
    ['after the floor', 1, 1],
  ])('a crash %s loses nothing', (_when, stored, written) => {
    const cluster = new Cluster(['n1']);
    cluster.propose('n1', 'a', 'b', 'c');
    cluster.run(100);
    const n1 = cluster.replica('n1');
    const before = [...n1.applied];
    n1.disk.persistsAtOnce = false;
    if (stored > 0) cluster.compact('n1');
    cluster.persist('n1', written);
    cluster.crash('n1');
    expect(n1.disk.floor.index).toBe(written * before.length);
    n1.disk.persistsAtOnce = true;
    cluster.start('n1');
    cluster.run(100);
    expect(n1.applied.slice(0, before.length)).toEqual(before);
    expect(latestSnapshot(n1.disk)?.meta.index ?? 0).toBe(stored * before.length);
    expect(entryOn(n1.disk, before.length) === undefined).toBe(written === 1);
  });
});

describe('old messages after a compaction', () => {
  test('append nothing again and cut nothing, wherever they begin', () => {
    const n1 = follower(9);
    n1.core.snapshotTaken(0, snapshot(8), 9);
    n1.drain();
    const all = logOf(voters, Array(10).fill(1));
    for (let prevLogIndex = 0; prevLogIndex <= 9; prevLogIndex += 1) {
      n1.hear('n2', {
        kind: 'AppendEntries',
        term: 1,
        prevLogIndex,
        prevLogTerm: prevLogIndex === 0 ? 0 : 1,
        entries: all.slice(prevLogIndex, prevLogIndex + 2),
        leaderCommit: 3,
      });
    }
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 2, freshness: null });
    expect(n1.state).toMatchObject({ commitIndex: 9, log: { floorIndex: 8, lastIndex: 10 } });
    expect(n1.writes.filter(({ entries, cutFrom }) => entries.length > 0 || cutFrom !== undefined)).toEqual(
      [],
    );
  });

  test('that contradict the floor itself prove that Raft was broken', () => {
    const n1 = follower(9);
    n1.core.snapshotTaken(0, snapshot(8), 9);
    n1.drain();
    const probe = (prevLogTerm: number) =>
      n1.hear('n2', {
        kind: 'AppendEntries',
        term: 3,
        prevLogIndex: 8,
        prevLogTerm,
        entries: [],
        leaderCommit: 0,
      });
    expect(() => probe(1)).not.toThrow();
    expect(() => probe(2)).toThrow(InvariantViolation);
  });
});

describe('a peer in the middle of a transfer', () => {
  const chunk = { snapshotChunkBytes: 40, snapshotChunksInflightMax: 1 };

  /** n3 needs the snapshot at 7 of n1 and has written a chunk of it; n1's log then grows by `more` entries. */
  function pinning(more: number, snapshotPinnedEntriesMax: number): Cluster {
    const cluster = new Cluster(['n1', 'n2', 'n3'], {
      options: { ...chunk, snapshotPinnedEntriesMax, catchUpTimeoutMs: 5000 },
    });
    cluster.elect('n1');
    cluster.run(200);
    cluster.crash('n3');
    cluster.propose('n1', 'a', 'b', 'c', 'd', 'e');
    cluster.run(200);
    cluster.compact('n1');
    cluster.start('n3');
    cluster.run(150, ({ message }) => message.kind !== 'InstallSnapshot' || message.offset !== 40);
    for (let number = 0; number < more; number += 1) cluster.propose('n1', `${number}`);
    cluster.run(150, ({ message }) => message.kind !== 'InstallSnapshot');
    return cluster;
  }
  const floor = (cluster: Cluster): Index => cluster.core('n1').state.log.floorIndex;

  test('keeps the entries after its snapshot', () => {
    const cluster = pinning(5, 5);
    expect(floor(cluster)).toBe(7);
    cluster.compact('n1');
    expect(cluster.core('n1').state.snapshot?.index).toBe(12);
    expect(floor(cluster)).toBe(7);
    cluster.run(2000);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n1').applied);
    expect(cluster.core('n3').state.snapshot?.index).toBe(7);
    // Nobody needs them any more.
    expect(floor(cluster)).toBe(12);
  });

  test('keeps no more of them than snapshotPinnedEntriesMax', () => {
    const cluster = pinning(6, 5);
    cluster.compact('n1');
    expect(floor(cluster)).toBe(13);
    cluster.run(2000);
    expect(cluster.core('n3').state.snapshot?.index).toBe(13);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n1').applied);
  });

  test('keeps them no longer than it gets further', () => {
    const cluster = pinning(5, 1000);
    cluster.compact('n1');
    const noChunks = {
      passes: ({ message }: { message: { kind: string } }) => message.kind !== 'InstallSnapshot',
    };
    cluster.run(4000, noChunks.passes);
    expect(floor(cluster)).toBe(7);
    cluster.run(1500, noChunks.passes);
    expect(floor(cluster)).toBe(12);
  });
});
