import { describe, expect, test } from 'vitest';
import type { InstallSnapshot, Message } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import type { FakeReplica } from './cluster.ts';
import { Cluster } from './cluster.ts';
import { memberOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
const small = { snapshotChunkBytes: 10, snapshotChunksInflightMax: 3 };
const snapshot: SnapshotMeta = { index: 8, term: 1, configuration: voters, size: 45, digest: 'f00d' };

/** n1 leads term 2 with nothing but a snapshot of entry 8 and its no-op at 9; n3's log ends at 2. */
function leader(options: Partial<RaftOptions> = {}, configuration = voters): Single {
  const taken = { ...snapshot, configuration };
  const n1 = new Single({
    entries: [],
    floor: { index: 8, term: 1, configuration },
    snapshot: taken,
    hardState: { term: 1, votedFor: null },
    options: { ...small, ...options },
  }).lead();
  refuse(n1, 'n3');
  return n1;
}

/** `peer` says that its log ends before the floor. */
function refuse(n1: Single, peer: string): Single {
  const no = { kind: 'AppendEntriesResponse', accepted: false, term: 2, hintIndex: 2, hintTerm: 1 } as const;
  return n1.hear(peer, { ...no, rejectedIndex: 8 });
}

function wants(n1: Single, offset: number, peer = 'n3', of = snapshot): Single {
  return n1.hear(peer, {
    kind: 'InstallSnapshotResponse',
    term: 2,
    snapshotIndex: of.index,
    snapshotTerm: of.term,
    offset,
  });
}

/** The storage gives what it was asked for. */
function load(n1: Single, count = Number.POSITIVE_INFINITY): Single {
  for (let done = 0; done < count; done += 1) {
    const next = n1.snapshotLoads.shift();
    if (next === undefined) break;
    n1.core.snapshotLoaded(n1.now, next.loadId, new Uint8Array(next.length));
    n1.drain();
  }
  return n1;
}

/** A round of heartbeats, answered by `peer`. */
function round(n1: Single, peer = 'n3', matchIndex = 0): Single {
  n1.at(n1.state.timers.heartbeat ?? n1.now);
  return n1.hear(peer, {
    kind: 'HeartbeatResponse',
    term: 2,
    round: n1.state.lastRound,
    matchIndex,
    verifiedIndex: matchIndex,
    promiseMs: 500,
    stamp: 0,
  });
}

const chunks = (messages: Message[]): InstallSnapshot[] =>
  messages.filter((message) => message.kind === 'InstallSnapshot');
const offsets = (messages: Message[]): number[] => chunks(messages).map(({ offset }) => offset);
const progressOf = (n1: Single, id = 'n3') => n1.state.progress.find(({ member }) => member.id === id);
const phases = ({ events }: Pick<FakeReplica, 'events'>): string[] =>
  events.flatMap((event) =>
    event.kind === 'snapshot-transfer' ? [`${event.peer} ${event.index} ${event.phase}`] : [],
  );

describe('a peer below the floor', () => {
  test('is asked how far it is, and sent nothing before it answers', () => {
    const n1 = leader();
    expect(progressOf(n1)).toMatchObject({ mode: 'snapshot', nextIndex: 9 });
    expect(chunks(n1.said())).toEqual([
      { kind: 'InstallSnapshot', term: 2, snapshot, offset: 45, data: new Uint8Array(0) },
    ]);
    expect(n1.snapshotLoads).toEqual([]);
    n1.at(n1.state.timers.heartbeat ?? 0);
    n1.at(n1.state.timers.heartbeat ?? 0);
    expect(chunks(n1.said())).toEqual([]);
    expect(phases(n1)).toEqual([]);
  });

  test('gets one chunk after the other, a few at once', () => {
    const n1 = leader();
    n1.said();
    load(wants(n1, 0));
    expect(offsets(n1.said())).toEqual([0, 10, 20]);
    load(wants(n1, 10));
    expect(offsets(n1.said())).toEqual([30]);
    load(wants(n1, 40));
    const last = chunks(n1.said());
    expect(last.map(({ offset, data }) => [offset, data.length])).toEqual([[40, 5]]);
    expect(n1.snapshotLoads).toEqual([]);
    expect(phases(n1)).toEqual(['n3 8 begun']);
  });

  test('goes on where an earlier transfer stopped', () => {
    const n1 = leader();
    n1.said();
    load(wants(n1, 30));
    expect(offsets(n1.said())).toEqual([30, 40]);
    expect(phases(n1)).toEqual(['n3 8 resumed']);
  });

  test('goes on with the log when it holds what the snapshot covers, and not before', () => {
    const n1 = leader();
    load(wants(load(wants(n1, 0)), 45));
    round(n1, 'n3', 7).said();
    expect(progressOf(n1)?.mode).toBe('snapshot');
    n1.hear('n3', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 8,
      verifiedIndex: 8,
    });
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', matchIndex: 8, transfer: null });
    expect(n1.said()).toMatchObject([{ kind: 'AppendEntries', prevLogIndex: 8, prevLogTerm: 1 }]);
    expect(phases(n1)).toEqual(['n3 8 begun', 'n3 8 completed']);
  });

  test('that holds the log from the floor on needs no snapshot, whatever it said before', () => {
    const n1 = leader();
    n1.core.snapshotTaken(n1.now, { ...snapshot, index: 8 }, 9);
    wants(n1, 0);
    n1.hear('n3', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 9,
      verifiedIndex: 9,
    });
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', nextIndex: 10 });
  });

  test('that was started again is probed anew', () => {
    const n1 = leader();
    wants(n1, 20);
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: false }, 2);
    expect(progressOf(n1)).toMatchObject({ mode: 'probe', nextIndex: 10, boot: 2 });
  });

  test('an empty snapshot is sent by the question', () => {
    const n1 = new Single({
      entries: [],
      floor: { index: 8, term: 1, configuration: voters },
      snapshot: { ...snapshot, size: 0 },
      hardState: { term: 1, votedFor: null },
    }).lead();
    refuse(n1, 'n3');
    expect(chunks(n1.said()).map(({ offset, data }) => [offset, data.length])).toEqual([[0, 0]]);
    wants(n1, 0);
    expect(n1.snapshotLoads).toEqual([]);
    round(n1, 'n3', 8);
    expect(progressOf(n1)?.mode).toBe('replicate');
  });

  test('that leaves the membership is sent no more', () => {
    const n1 = leader({}, { ...voters, learners: [memberOf('n4')] });
    n1.hear('n2', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 9,
      verifiedIndex: 9,
    });
    const toN4 = (): string[] =>
      n1.sent.splice(0).flatMap(({ to, message }) => (to.id === 'n4' ? [message.kind] : []));
    refuse(n1, 'n4');
    expect(toN4()).toContain('InstallSnapshot');
    expect(n1.core.proposeMembership(n1.now, { remove: ['n4'] }, null).accepted).toBe(true);
    n1.drain();
    wants(n1, 0, 'n4');
    round(n1, 'n4');
    expect(toN4()).not.toContain('InstallSnapshot');
    expect(n1.snapshotLoads).toEqual([]);
  });
});

describe('what is lost', () => {
  test('a question is asked again after the answer to a later round', () => {
    const n1 = leader();
    n1.said();
    round(n1);
    expect(offsets(n1.said())).toEqual([45]);
    // This round was under way when it was asked.
    wants(n1, 0);
    expect(progressOf(n1)?.transfer?.acknowledgedOffset).toBe(0);
  });

  test('chunks are sent again from what is acknowledged, one at a time until one gets through', () => {
    const n1 = leader();
    load(wants(n1, 0));
    load(wants(n1, 10)).said();
    load(round(n1));
    expect(offsets(n1.said())).toEqual([10]);
    // Nobody is flooded that does not answer, and nobody who answers waits for ever.
    n1.at(n1.state.timers.heartbeat ?? 0);
    expect(n1.snapshotLoads).toEqual([]);
    load(round(n1));
    expect(offsets(n1.said())).toEqual([10]);
    load(wants(n1, 20));
    expect(offsets(n1.said())).toEqual([20, 30, 40]);
  });

  test('an answer to a round before the chunk proves nothing', () => {
    const n1 = leader();
    n1.at(n1.state.timers.heartbeat ?? 0);
    const early = n1.state.lastRound;
    load(wants(n1, 0)).said();
    n1.hear('n3', {
      kind: 'HeartbeatResponse',
      term: 2,
      round: early,
      matchIndex: 0,
      verifiedIndex: 0,
      promiseMs: 0,
      stamp: 0,
    });
    expect(progressOf(n1)?.transfer).toMatchObject({ nextOffset: 30, cautious: false });
  });

  test('with everything written and nothing said, it is asked round after round', () => {
    const n1 = leader();
    load(wants(n1, 40));
    wants(n1, 45).said();
    for (let time = 0; time < 3; time += 1) {
      round(n1);
      expect(offsets(n1.said())).toEqual([45]);
      wants(n1, 45);
      expect(n1.said()).toEqual([]);
    }
  });

  test('a snapshot that the peer could not use is sent again from the beginning', () => {
    const n1 = leader();
    wants(load(wants(n1, 0)), 45);
    round(n1);
    n1.said();
    load(wants(n1, 0));
    expect(offsets(n1.said())).toEqual([0]);
    load(wants(n1, 10));
    expect(offsets(n1.said())).toEqual([10, 20, 30]);
    expect(phases(n1)).toEqual(['n3 8 begun', 'n3 8 restarted']);
  });

  test('old answers take nothing back while all goes well', () => {
    const n1 = leader();
    load(wants(n1, 0));
    load(wants(n1, 20)).said();
    wants(n1, 10);
    wants(n1, 20);
    expect(progressOf(n1)?.transfer).toMatchObject({ acknowledgedOffset: 20, nextOffset: 45 });
    expect(n1.snapshotLoads).toEqual([]);
  });

  test('and once something was lost cost a chunk at most', () => {
    const n1 = leader();
    load(wants(n1, 0));
    wants(n1, 20);
    load(round(n1)).said();
    load(wants(n1, 10));
    expect(offsets(n1.said())).toEqual([10]);
    load(wants(n1, 30));
    expect(offsets(n1.said())).toEqual([30, 40]);
  });
});

describe('stale answers', () => {
  test.each<[string, (n1: Single) => unknown]>([
    ['about another snapshot', (n1) => wants(n1, 20, 'n3', { ...snapshot, index: 7 })],
    ['about one of another term', (n1) => wants(n1, 20, 'n3', { ...snapshot, term: 2 })],
    ['from a peer that gets none', (n1) => wants(n1, 20, 'n2')],
  ])('%s are no news', (_what, act) => {
    const n1 = leader();
    act(n1);
    expect(progressOf(n1)?.transfer?.acknowledgedOffset).toBe(null);
    expect(progressOf(n1, 'n2')?.mode).toBe('probe');
    expect(n1.state.drops).toEqual({});
  });

  test('that cannot be are malformed', () => {
    const n1 = leader();
    wants(n1, 46);
    expect(n1.state.drops).toEqual({ malformed: 1 });
    wants(n1, 45);
    expect(n1.state.drops).toEqual({ malformed: 1 });
  });

  test('that come when the log is replicated again lower nothing', () => {
    const n1 = leader();
    wants(load(wants(n1, 0)), 45);
    round(n1, 'n3', 8);
    wants(n1, 0);
    n1.hear('n3', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 3,
      verifiedIndex: 3,
    });
    refuse(n1, 'n3');
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', matchIndex: 8 });
  });

  test('of strangers, or to one who does not lead, are dropped', () => {
    const n1 = leader();
    wants(n1, 0, 'n9');
    expect(n1.state.drops).toEqual({ 'not-a-member': 1 });
    const follower = new Single();
    follower.hear('n3', {
      kind: 'InstallSnapshotResponse',
      term: 1,
      snapshotIndex: 8,
      snapshotTerm: 1,
      offset: 0,
    });
    expect(follower.state.drops).toEqual({ 'unexpected-in-role': 1 });
  });
});

describe('pacing', () => {
  /** 10 bytes take 5 ms. */
  const paced = { snapshotBytesPerSecondMax: 2000, heartbeatIntervalMs: 200 };

  test('sends no more bytes than it may, to the millisecond', () => {
    const n1 = leader(paced);
    const start = n1.now;
    n1.said();
    load(wants(n1, 0));
    expect(offsets(n1.said())).toEqual([0]);
    expect(n1.core.deadline).toBe(start + 5);
    n1.at(start + 4);
    expect(n1.snapshotLoads).toEqual([]);
    load(n1.at(start + 5));
    expect(offsets(n1.said())).toEqual([10]);
    load(n1.at(start + 10));
    // The window is full: nothing is waited for but an answer.
    expect(n1.state.timers.snapshotTransfer).toBe(null);
    n1.at(start + 50);
    load(wants(n1, 30));
    expect(offsets(n1.said())).toEqual([20, 30]);
  });

  test('gives each peer its turn', () => {
    const n1 = leader(paced);
    refuse(n1, 'n2');
    wants(n1, 0, 'n2');
    wants(n1, 0, 'n3');
    n1.sent.length = 0;
    for (let time = 0; time < 4; time += 1) load(n1.at(n1.state.timers.snapshotTransfer ?? n1.now));
    const turns = n1.sent.flatMap(({ to, message }) => (message.kind === 'InstallSnapshot' ? [to.id] : []));
    expect(turns.slice(0, 4)).toEqual(['n2', 'n3', 'n2', 'n3']);
  });

  test('ends with the office', () => {
    const n1 = leader(paced);
    wants(n1, 0);
    load(n1);
    expect(n1.state.timers.snapshotTransfer).not.toBe(null);
    n1.said();
    n1.hear('n2', { kind: 'Heartbeat', term: 3, round: 1, leaderCommit: 0, freshness: null });
    expect(n1.state).toMatchObject({
      role: 'follower',
      timers: { snapshotTransfer: null },
      pacing: { until: null },
    });
    n1.core.snapshotLoaded(n1.now, { boot: 1, sequence: 1 }, new Uint8Array(10));
    expect(chunks(n1.drain().said())).toEqual([]);
  });
});

describe('a snapshot that the leader cannot read', () => {
  test.each<[string, Uint8Array | null]>([
    ['is gone', null],
    ['is shorter than it was', new Uint8Array(9)],
  ])('because it %s begins anew after the next heartbeat answer', (_what, data) => {
    const n1 = leader();
    wants(n1, 0).said();
    n1.core.snapshotLoaded(n1.now, n1.snapshotLoads.shift()?.loadId ?? { boot: 0, sequence: 0 }, data);
    n1.drain();
    expect(n1.said()).toEqual([]);
    round(n1);
    expect(offsets(n1.said())).toEqual([45]);
    load(wants(n1, 10));
    expect(offsets(n1.said())).toEqual([10, 20, 30]);
    expect(phases(n1)).toEqual(['n3 8 begun', 'n3 8 failed', 'n3 8 resumed']);
  });

  test('is replaced by the latest', () => {
    const n1 = leader();
    n1.hear('n2', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 9,
      verifiedIndex: 9,
    });
    n1.core.applied(n1.now, 9);
    wants(n1, 0);
    n1.core.snapshotTaken(n1.now, { ...snapshot, index: 9, term: 2 }, 10);
    n1.drain().said();
    n1.core.snapshotLoaded(n1.now, n1.snapshotLoads.shift()?.loadId ?? { boot: 0, sequence: 0 }, null);
    round(n1);
    expect(chunks(n1.said()).map((chunk) => chunk.snapshot.index)).toEqual([9]);
    wants(n1, 0, 'n3', { ...snapshot, index: 9, term: 2 });
    expect(phases(n1)).toEqual(['n3 8 begun', 'n3 8 failed', 'n3 9 restarted']);
  });

  test('leaves a late answer without effect', () => {
    const n1 = leader();
    wants(n1, 0);
    const [stale] = n1.snapshotLoads;
    load(n1);
    round(n1).said();
    if (stale === undefined) throw new Error('nothing was loaded');
    n1.core.snapshotLoaded(n1.now, stale.loadId, new Uint8Array(stale.length));
    expect(n1.drain().said()).toEqual([]);
  });
});

describe('in a cluster', () => {
  /** n1 leads; n3 missed `count` entries, which n1 and n2 have compacted away. */
  function behind(options: Partial<RaftOptions> = {}, count = 10): Cluster {
    const cluster = new Cluster(['n1', 'n2', 'n3'], {
      options: { snapshotChunkBytes: 64, snapshotChunksInflightMax: 3, ...options },
    });
    cluster.elect('n1');
    cluster.run(200);
    cluster.crash('n3');
    for (let number = 0; number < count; number += 1) cluster.propose('n1', `command ${number}`);
    cluster.run(300);
    cluster.compact('n1');
    cluster.compact('n2');
    return cluster;
  }
  const agrees = (cluster: Cluster): void => {
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n1').applied);
    expect(cluster.replica('n3').applied.length).toBeGreaterThan(11);
    cluster.checkWholeLogs();
  };

  test('a follower gets the snapshot, and then the log', () => {
    const cluster = behind();
    expect(cluster.core('n1').state.log.floorIndex).toBe(12);
    cluster.start('n3');
    cluster.run(1000);
    cluster.propose('n1', 'after');
    cluster.run(200);
    agrees(cluster);
    expect(cluster.core('n3').state.log).toMatchObject({ floorIndex: 12, lastIndex: 13 });
    expect(phases(cluster.replica('n1'))).toEqual(['n3 12 begun', 'n3 12 completed']);
  });

  test('whichever message is lost, comes twice or comes late, it gets there', () => {
    const isPart = ({ message }: { readonly message: Message }): boolean =>
      message.kind === 'InstallSnapshot' || message.kind === 'InstallSnapshotResponse';
    for (const fate of ['lost', 'twice', 'late'] as const) {
      for (let victim = 0; victim < 40; victim += 1) {
        const cluster = behind();
        cluster.start('n3');
        let count = 0;
        let late: Parameters<Cluster['deliver']>[0] | null = null;
        cluster.run(1000, (envelope) => {
          if (!isPart(envelope)) return true;
          count += 1;
          if (count !== victim + 1) return true;
          if (fate === 'twice') cluster.network.push({ ...envelope });
          if (fate === 'late') late = envelope;
          return fate === 'twice';
        });
        if (late !== null) cluster.deliver(late);
        cluster.run(500);
        agrees(cluster);
      }
    }
  });

  test('a follower that crashes after any chunk begins anew and gets there', () => {
    for (let chunk = 1; chunk <= 12; chunk += 1) {
      const cluster = behind();
      const n3 = cluster.replica('n3');
      cluster.start('n3');
      let seen = 0;
      cluster.run(150, ({ message, to }) => {
        if (to.id === 'n3' && message.kind === 'InstallSnapshot' && message.data.length > 0) seen += 1;
        return seen <= chunk;
      });
      cluster.crash('n3');
      cluster.run(300);
      cluster.start('n3');
      expect(n3.disk.receiving).toBe(null);
      cluster.run(1500);
      agrees(cluster);
    }
  });

  test('a new leader with the same snapshot goes on where the old one stopped', () => {
    const cluster = behind({ snapshotBytesPerSecondMax: 1000 }, 30);
    cluster.start('n3');
    cluster.run(1500);
    const { writtenOffset = 0, snapshot } = cluster.core('n3').state.receiving ?? {};
    expect(writtenOffset).toBeGreaterThan(500);
    expect(writtenOffset).toBeLessThan((snapshot?.size ?? 0) - 500);
    cluster.crash('n1');
    cluster.elect('n2', ({ to }) => to.id !== 'n1');
    const sent: number[] = [];
    cluster.onSend = (_sender, { message }) => {
      if (message.kind === 'InstallSnapshot' && message.data.length > 0) sent.push(message.offset);
    };
    cluster.run(10_000);
    expect(Math.min(...sent)).toBeGreaterThanOrEqual(writtenOffset);
    expect(phases(cluster.replica('n2'))).toEqual(['n3 32 resumed', 'n3 32 completed']);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n2').applied);
  });

  test('a new leader with another snapshot begins anew', () => {
    const cluster = behind({ snapshotBytesPerSecondMax: 1000 }, 30);
    cluster.start('n3');
    cluster.run(500);
    cluster.propose('n1', 'one more');
    cluster.run(200);
    cluster.compact('n2');
    cluster.crash('n1');
    cluster.elect('n2', ({ to }) => to.id !== 'n1');
    cluster.run(20_000);
    expect(phases(cluster.replica('n2'))).toEqual(['n3 33 begun', 'n3 33 completed']);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n2').applied);
  });

  test('a peer that only lost an append gets a snapshot too, once that is compacted away', () => {
    const cluster = behind({}, 1);
    cluster.start('n3');
    cluster.run(1000);
    const lost = ({
      to,
      message,
    }: {
      readonly to: { readonly id: string };
      readonly message: Message;
    }): boolean => !(to.id === 'n3' && message.kind === 'AppendEntries');
    for (let number = 0; number < 10; number += 1) cluster.propose('n1', `${number}`);
    cluster.settle(lost);
    cluster.compact('n1');
    cluster.run(1000);
    expect(phases(cluster.replica('n1')).filter((phase) => phase.endsWith('completed')).length).toBe(2);
    agrees(cluster);
  });

  test('entries that were compacted away while they were being loaded are given as a snapshot', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { cacheBytesMax: 0 } });
    cluster.elect('n1');
    cluster.run(200);
    cluster.crash('n3');
    for (let number = 0; number < 12; number += 1) cluster.propose('n1', `${number}`);
    cluster.run(300);
    const n1 = cluster.replica('n1');
    n1.disk.persistsAtOnce = false;
    cluster.start('n3');
    cluster.run(300);
    expect(n1.loads.length).toBe(1);
    cluster.compact('n1');
    n1.disk.persistsAtOnce = true;
    cluster.persist('n1');
    cluster.run(1000);
    expect(phases(n1)).toEqual(['n3 14 begun', 'n3 14 completed']);
    agrees(cluster);
  });

  test('under load that compacts all the time, the peer catches up all the same', () => {
    const cluster = behind({ snapshotBytesPerSecondMax: 4000 }, 40);
    cluster.start('n3');
    for (let turn = 0; turn < 60; turn += 1) {
      cluster.propose('n1', `turn ${turn}`);
      cluster.run(100);
      if (turn % 5 === 0) cluster.compact('n1', cluster.replica('n1').applied.length, 1);
    }
    expect(phases(cluster.replica('n1'))).toEqual(['n3 42 begun', 'n3 42 completed']);
    agrees(cluster);
  });
});
