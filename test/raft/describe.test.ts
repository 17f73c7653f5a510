import { describe, expect, test } from 'vitest';
import { canonical } from '../../src/raft/canonical.ts';
import { describeEffect, describeMessage, describeState } from '../../src/raft/describe.ts';
import type { Effect } from '../../src/raft/effect.ts';
import type { Message } from '../../src/raft/message.ts';
import { clusterId, command, logOf, replica, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

describe('one line for', () => {
  test.each<[Message, string]>([
    [{ kind: 'RequestPreVote', term: 2, lastLogIndex: 1, lastLogTerm: 1 }, 'RequestPreVote term=2 last=1/1'],
    [{ kind: 'PreVoteResponse', term: 2, granted: true }, 'PreVoteResponse term=2 granted'],
    [{ kind: 'VoteResponse', term: 2, granted: false }, 'VoteResponse term=2 refused'],
    [
      { kind: 'AppendEntries', term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [], leaderCommit: 1 },
      'AppendEntries term=2 prev=1/1 entries=none leaderCommit=1',
    ],
    [
      {
        kind: 'AppendEntries',
        term: 2,
        prevLogIndex: 1,
        prevLogTerm: 1,
        entries: [command(2, 1), command(3, 2)],
        leaderCommit: 1,
      },
      'AppendEntries term=2 prev=1/1 entries=2/1..3/2 leaderCommit=1',
    ],
    [
      { kind: 'AppendEntriesResponse', accepted: true, term: 2, matchIndex: 3, verifiedIndex: 4 },
      'AppendEntriesResponse term=2 accepted matchIndex=3 verifiedIndex=4',
    ],
    [
      {
        kind: 'AppendEntriesResponse',
        accepted: false,
        term: 2,
        rejectedIndex: 9,
        hintIndex: 4,
        hintTerm: 1,
      },
      'AppendEntriesResponse term=2 rejected at 9 hint=4/1',
    ],
    [
      { kind: 'Heartbeat', term: 2, round: 5, leaderCommit: 3, freshness: null },
      'Heartbeat term=2 round=5 leaderCommit=3',
    ],
    [
      { kind: 'Heartbeat', term: 2, round: 5, leaderCommit: 3, freshness: { boot: 1, stamp: 700, index: 3 } },
      'Heartbeat term=2 round=5 leaderCommit=3 freshness=700@3',
    ],
    [
      { kind: 'RequestVote', term: 3, lastLogIndex: 4, lastLogTerm: 2, leadershipTransfer: true },
      'RequestVote term=3 last=4/2 by transfer',
    ],
    [{ kind: 'TimeoutNow', term: 2 }, 'TimeoutNow term=2'],
    [
      { kind: 'ReadIndexRequest', term: 2, readId: { boot: 3, sequence: 7 }, lease: false },
      'ReadIndexRequest term=2 read=3.7',
    ],
    [
      { kind: 'ReadIndexRequest', term: 2, readId: { boot: 3, sequence: 7 }, lease: true },
      'ReadIndexRequest term=2 read=3.7 by lease',
    ],
    [
      { kind: 'ReadIndexResponse', term: 2, readId: { boot: 3, sequence: 7 }, index: 9 },
      'ReadIndexResponse term=2 read=3.7 index=9',
    ],
    [{ kind: 'BootstrapAnswer', empty: false, otherMembers: null }, 'BootstrapAnswer not empty'],
    [
      {
        kind: 'RepairRequest',
        requestId: { boot: 3, sequence: 7 },
        from: 5,
        to: 8,
        anchor: { index: 9, term: 2 },
        bytesMax: 64,
      },
      'RepairRequest id=3.7 5..8 anchor=9/2 bytesMax=64',
    ],
    [
      {
        kind: 'RepairAnswer',
        requestId: { boot: 3, sequence: 7 },
        held: true,
        entries: [command(7, 1), command(8, 2)],
      },
      'RepairAnswer id=3.7 entries=7/1..8/2',
    ],
    [
      { kind: 'RepairAnswer', requestId: { boot: 3, sequence: 7 }, held: false, reason: 'compacted' },
      'RepairAnswer id=3.7 compacted',
    ],
  ])('a message: %j', (message, line) => {
    expect(describeMessage(message)).toBe(line);
  });

  test.each<[Effect, string]>([
    [
      {
        kind: 'write',
        writeId: { boot: 2, sequence: 7 },
        hardState: { term: 3, votedFor: { id: 'n1', incarnation: 'i' } },
        cutFrom: 4,
        entries: [command(4, 3)],
      },
      'write 2.7 term=3 votedFor=n1 cutFrom=4 entries=4/3(command)',
    ],
    [{ kind: 'write', writeId: { boot: 2, sequence: 8 }, entries: [] }, 'write 2.8 entries=none'],
    [{ kind: 'apply', from: 3, to: 5 }, 'apply 3..5'],
    [
      { kind: 'load', loadId: { boot: 2, sequence: 9 }, from: 1, to: 4, bytesMax: 64 },
      'load 2.9 1..4 bytesMax=64',
    ],
    [
      {
        kind: 'send',
        envelope: {
          clusterId,
          group: 'main',
          from: replica('n1'),
          to: { id: 'n2', incarnation: 'i' },
          message: { kind: 'BootstrapQuery', members: [{ id: 'n1', address: 'a:1' }] },
        },
      },
      'send n1->n2 BootstrapQuery members=n1',
    ],
    [{ kind: 'read-granted', readId: { boot: 2, sequence: 4 }, index: 9 }, 'read 2.4 granted at 9'],
    [
      {
        kind: 'event',
        event: {
          kind: 'leadership-transfer-begun',
          leadershipTransferId: { boot: 1, sequence: 3 },
          to: 'n2',
          reason: 'as asked',
        },
      },
      'hands over to n2: as asked',
    ],
    [
      {
        kind: 'event',
        event: {
          kind: 'leadership-transfer-ended',
          leadershipTransferId: { boot: 1, sequence: 3 },
          to: 'n2',
          outcome: 'timed-out',
        },
      },
      'handing over to n2 ended: timed-out',
    ],
    [
      { kind: 'event', event: { kind: 'no-transfer-target', stalled: 'storage' } },
      'its storage stands still, and nobody is fit to take over',
    ],
    [
      { kind: 'event', event: { kind: 'leader-changed', term: 4, leader: null } },
      'leader of term 4: none known',
    ],
    [
      { kind: 'event', event: { kind: 'message-dropped', from: 'n2', reason: 'stale-term' } },
      'message from n2 dropped: stale-term',
    ],
  ])('an effect: %j', (effect, line) => {
    expect(describeEffect(effect)).toBe(line);
  });

  test('a state', () => {
    const follower = new Single({ entries: logOf(votersOf('n1', 'n2', 'n3'), [1, 1, 4]) });
    expect(describeState(follower.state)).toBe(
      'n1 follower term=4 votedFor=none leader=none log=3(1x2 4x1) durable=3@4 verified=0 commit=0 applied=0' +
        ' voters=n1,n2,n3 silent for 500 ms',
    );
    expect(describeState(new Single().lead().state)).toBe(
      'n1 leader term=2 votedFor=n1 leader=n1 log=2(1x1 2x1) durable=2@2 verified=2 commit=0 applied=0' +
        ' voters=n1,n2,n3 [n2 probe match=0 next=2 waiting] [n3 probe match=0 next=2 waiting]',
    );
  });
});

describe('snapshots on their way', () => {
  const snapshot = { index: 8, term: 1, configuration: votersOf('n1', 'n2', 'n3'), size: 30, digest: 'f00d' };

  test('to a peer stand in its line', () => {
    const { configuration } = snapshot;
    const hardState = { term: 1, votedFor: null };
    const n1 = new Single({
      entries: [],
      floor: { index: 8, term: 1, configuration },
      snapshot,
      hardState,
    }).lead();
    const rejected = { accepted: false, term: 2, rejectedIndex: 8, hintIndex: 2, hintTerm: 1 } as const;
    n1.hear('n3', { kind: 'AppendEntriesResponse', ...rejected });
    const line =
      'floor=8/1 snapshot=8/1 size=30 [n2 probe match=0 next=9 waiting] [n3 snapshot match=0 next=9';
    expect(describeState(n1.state)).toContain(`${line} snapshot=8/1 offset=? of 30]`);
    const answer = { kind: 'InstallSnapshotResponse', term: 2, snapshotIndex: 8, snapshotTerm: 1 } as const;
    n1.hear('n3', { ...answer, offset: 20 });
    expect(describeState(n1.state)).toContain('snapshot=8/1 offset=20 of 30]');
  });

  test('to this replica stand in its own', () => {
    const n1 = new Single();
    n1.hear('n2', { kind: 'InstallSnapshot', term: 1, snapshot, offset: 0, data: new Uint8Array(30) });
    expect(describeState(n1.state)).toContain('receiving 8/1 offset=0 of 30');
    n1.core.snapshotStored(0, n1.state.receiving?.transferId ?? { boot: 0, sequence: 0 });
    expect(describeState(n1.state)).toContain('receiving 8/1 stored');
    n1.drain();
    expect(describeState(n1.state)).toContain('snapshot=8/1 size=30 restoring 8/1');
  });
});

describe('the canonical state', () => {
  const living = (now: number, writes: number) => {
    const n1 = new Single();
    n1.now = now;
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null });
    for (let count = 0; count < writes; count += 1) {
      n1.hear('n2', {
        kind: 'AppendEntries',
        term: 1,
        prevLogIndex: 1,
        prevLogTerm: 1,
        entries: [command(2, 1)],
        leaderCommit: 0,
      });
    }
    return n1;
  };
  /** Waits are drawn, so two states are given the same one. */
  const withWait = (n1: Single) => {
    const copy = structuredClone(n1.state);
    copy.timers.election = copy.now + 600;
    return copy;
  };

  test('is the same at another time of day, and with other request ids', () => {
    const early = withWait(living(700, 1));
    const late = withWait(living(90_000, 1));
    late.clockAnomalies = 0;
    late.silentUntil = 0;
    late.freshness.anomalyAt = null;
    late.lastSequence += 40;
    for (const write of late.writes) {
      (write.writeId as { sequence: number }).sequence += 40;
    }
    expect(canonical(late)).toBe(canonical(early));
  });

  test('tells a snapshot on its way apart, and not its number', () => {
    const configuration = votersOf('n1', 'n2', 'n3');
    const snapshot = { index: 8, term: 1, configuration, size: 30, digest: 'f00d' };
    const n1 = living(700, 0);
    n1.hear('n2', { kind: 'InstallSnapshot', term: 1, snapshot, offset: 30, data: new Uint8Array(0) });
    const early = withWait(n1);
    const late = structuredClone(early);
    if (late.receiving === null) throw new Error('nothing is received');
    (late.receiving.transferId as { sequence: number }).sequence += 40;
    late.lastSequence += 40;
    expect(canonical(late)).toBe(canonical(early));
    expect(canonical({ ...early, receiving: null })).not.toBe(canonical(early));
  });

  test('of a leader that hands over and is asked to read is the same at another time and with other ids', () => {
    const at = (now: number, unused: number): string => {
      const n1 = new Single({ options: { clockGapMs: 1_000_000, clockDriftMaxRatio: 0.1 } }).lead();
      n1.state.boots = [];
      for (const timer of ['election', 'heartbeat', 'quorum'] as const) n1.state.timers[timer] = null;
      n1.state.rounds = [];
      for (let id = 0; id < unused; id += 1) n1.core.requestRead(n1.now, false);
      n1.state.reads = [];
      n1.state.leadingSince = now;
      n1.core.tick(now);
      n1.persistAll();
      n1.core.requestRead(now, true);
      n1.core.transferLeadership(now, 'n2');
      n1.core.stalled(now, 'storage');
      return canonical(n1.state);
    };
    expect(at(5000, 3)).toBe(at(2000, 0));
  });

  test('differs where behaviour may differ', () => {
    const base = withWait(living(700, 1));
    const unlike = [
      { ...base, commitIndex: 1 },
      { ...base, silentUntil: base.now + 1 },
      { ...base, hardState: { term: 2, votedFor: null } },
      { ...base, writes: [] },
      { ...base, leaderHeardAt: base.now - 1 },
      { ...base, leaseForfeited: true },
      { ...base, headStartMs: 500 },
      { ...base, freshness: { ...base.freshness, anomalyAt: base.now } },
      { ...base, freshness: { ...base.freshness, proven: { at: base.now - 5, index: 1 } } },
      { ...base, stall: { ...base.stall, storageStalled: true } },
      { ...base, reads: [{ readId: { boot: 1, sequence: 1 }, asker: null, lease: true, round: null }] },
      { ...base, timers: { ...base.timers, election: base.now + 601 } },
    ];
    const texts = new Set([base, ...unlike].map(canonical));
    expect(texts.size).toBe(unlike.length + 1);
  });
});
