import { describe, expect, test } from 'vitest';
import type { Index } from '../../src/raft/entry.ts';
import { entryBytes } from '../../src/raft/entry.ts';
import type { AppendEntries, Envelope, Message } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { Cluster } from './cluster.ts';
import { command, logOf, memberOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const one = entryBytes(command(1, 1, 'x'));

/** n1 leads term 2, entry 2 is its no-op, and n2 is in `replicate` with all of it. */
function leading(options: Partial<RaftOptions> = {}): Single {
  const n1 = new Single({ options }).lead();
  n1.hear('n2', { kind: 'AppendEntriesResponse', accepted: true, term: 2, matchIndex: 2, verifiedIndex: 2 });
  n1.said();
  return n1;
}

function propose(n1: Single, count: number): void {
  for (let time = 0; time < count; time += 1) {
    n1.core.propose(n1.now, [{ kind: 'command', payload: new Uint8Array(1) }]);
    n1.drain();
  }
}

function progressOf(n1: Single, id = 'n2') {
  const found = n1.state.progress.find(({ member }) => member.id === id);
  if (found === undefined) throw new Error(`no progress of ${id}`);
  return found;
}

/** What was sent to n2 since the last call. */
function appends(n1: Single): AppendEntries[] {
  const messages: Message[] = n1.sent
    .splice(0)
    .filter(({ to }) => to.id === 'n2')
    .map(({ message }) => message);
  return messages.filter((message) => message.kind === 'AppendEntries');
}

const ranges = (messages: AppendEntries[]): string[] =>
  messages.map(({ prevLogIndex, entries }) => `${prevLogIndex + 1}..${prevLogIndex + entries.length}`);

const accept = (matchIndex: Index, verifiedIndex = matchIndex) =>
  ({ kind: 'AppendEntriesResponse', accepted: true, term: 2, matchIndex, verifiedIndex }) as const;
const beat = (round: number, matchIndex: Index, verifiedIndex = matchIndex) =>
  ({
    kind: 'HeartbeatResponse',
    term: 2,
    round,
    matchIndex,
    verifiedIndex,
    promiseMs: 500,
    stamp: 0,
  }) as const;

describe('a window of appends', () => {
  test('is filled without waiting, and moves on with each answer', () => {
    const n1 = leading({ inflightMessagesMax: 2 });
    propose(n1, 4);
    expect(ranges(appends(n1))).toEqual(['3..3', '4..4']);
    n1.hear('n2', accept(3));
    expect(ranges(appends(n1))).toEqual(['5..6']);
    n1.hear('n2', accept(6));
    expect(progressOf(n1)).toMatchObject({ matchIndex: 6, nextIndex: 7, inflight: [], inflightBytes: 0 });
  });

  test('is bounded in bytes', () => {
    const n1 = leading({ messageBytesMax: 2 * one, inflightBytesMax: 2 * one });
    propose(n1, 4);
    expect(ranges(appends(n1))).toEqual(['3..3', '4..4']);
  });

  test('has messages of bounded size, of one entry at least', () => {
    const n1 = leading({ messageBytesMax: 2 * one });
    n1.core.propose(
      n1.now,
      [1, 1, 1, 500, 1].map((size) => ({ kind: 'command', payload: new Uint8Array(size) })),
    );
    n1.drain();
    expect(ranges(appends(n1))).toEqual(['3..4', '5..5', '6..6', '7..7']);
  });

  test('is left by what arrived, not by what only was durable elsewhere', () => {
    const n1 = leading();
    propose(n1, 2);
    n1.hear('n2', accept(2, 4));
    expect(progressOf(n1).inflight.length).toBe(2);
    expect(progressOf(n1).matchIndex).toBe(2);
  });

  test('stale answers neither lower what is known nor raise it', () => {
    const n1 = leading();
    propose(n1, 3);
    n1.hear('n2', accept(5)).hear('n2', accept(3)).hear('n2', accept(5));
    expect(progressOf(n1)).toMatchObject({ matchIndex: 5, nextIndex: 6 });
    n1.hear('n2', {
      kind: 'AppendEntriesResponse',
      accepted: false,
      term: 2,
      rejectedIndex: 4,
      hintIndex: 1,
      hintTerm: 1,
    });
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', matchIndex: 5, nextIndex: 6 });
  });

  test('an answer beyond the leader’s log is malformed', () => {
    const n1 = leading();
    n1.hear('n2', accept(7)).hear('n2', beat(1, 7)).hear('n2', beat(99, 2));
    expect(n1.state.drops).toEqual({ malformed: 3 });
    expect(n1.state.commitIndex).toBe(2);
  });
});

describe('what was lost is sent again, without any timer of its own', () => {
  test('a whole window lost is noticed by the answer to a later heartbeat', () => {
    const n1 = leading({ inflightMessagesMax: 2 });
    propose(n1, 4);
    appends(n1);
    n1.at(n1.now + 100);
    n1.hear('n2', beat(n1.state.lastRound, 2));
    expect(ranges(appends(n1))).toEqual(['3..6']);
    expect(progressOf(n1)).toMatchObject({ mode: 'probe', nextIndex: 3, inflight: [], inflightBytes: 0 });
    n1.hear('n2', accept(6));
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', matchIndex: 6, nextIndex: 7 });
  });

  test('an answer to a heartbeat sent before the append says nothing of it', () => {
    const n1 = leading();
    const before = n1.state.lastRound;
    propose(n1, 1);
    appends(n1);
    n1.hear('n2', beat(before, 2));
    expect(progressOf(n1).mode).toBe('replicate');
    expect(appends(n1)).toEqual([]);
  });

  test('what arrived and only waits for the disk is not sent again', () => {
    const n1 = leading();
    propose(n1, 2);
    appends(n1);
    for (let time = 0; time < 3; time += 1) {
      n1.at(n1.now + 100);
      n1.hear('n2', beat(n1.state.lastRound, 2, 4));
    }
    expect(appends(n1)).toEqual([]);
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', inflightBytes: 2 * one });
  });

  test('a lost probe goes out again after a later heartbeat is answered, and not before', () => {
    const n1 = new Single().lead();
    expect(progressOf(n1).probeRound).toBe(1);
    n1.hear('n2', beat(1, 0));
    expect(appends(n1)).toEqual([]);
    n1.at(n1.now + 100);
    n1.said();
    n1.hear('n2', beat(2, 0));
    expect(ranges(appends(n1))).toEqual(['2..2']);
    n1.hear('n2', beat(2, 0));
    expect(appends(n1)).toEqual([]);
  });

  test('an append that overtook another is refused, and both come again', () => {
    const n1 = leading();
    propose(n1, 3);
    appends(n1);
    const refused = {
      kind: 'AppendEntriesResponse',
      accepted: false,
      term: 2,
      hintIndex: 2,
      hintTerm: 2,
    } as const;
    n1.hear('n2', { ...refused, rejectedIndex: 3 });
    expect(ranges(appends(n1))).toEqual(['3..5']);
    n1.hear('n2', { ...refused, rejectedIndex: 4 });
    expect(appends(n1)).toEqual([]);
  });

  test('a follower that was stalled for long catches up by itself', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { inflightMessagesMax: 4 } });
    cluster.elect('n1');
    const notToN3 = ({ to }: Envelope) => to.id !== 'n3';
    for (let count = 0; count < 50; count += 1) {
      cluster.propose('n1', `${count}`);
      cluster.settle(notToN3);
    }
    expect(cluster.core('n3').state.log.lastIndex).toBeLessThan(10);
    cluster.run(500);
    expect(cluster.core('n3').state.commitIndex).toBe(52);
  });
});

describe('a peer that started again', () => {
  test('is probed anew, and its matchIndex starts again', () => {
    const n1 = leading();
    propose(n1, 2);
    n1.hear('n2', accept(4));
    n1.hear('n2', beat(1, 0), 2);
    expect(progressOf(n1)).toMatchObject({ boot: 2, mode: 'probe', matchIndex: 0, nextIndex: 5 });
    expect(n1.state.commitIndex).toBe(2);
  });

  test('is not believed what an earlier boot said', () => {
    const n1 = leading();
    propose(n1, 1);
    n1.hear('n2', beat(1, 0), 2);
    n1.hear('n2', accept(3), 1);
    expect(n1.state.drops).toEqual({ 'stale-boot': 1 });
    expect(progressOf(n1).matchIndex).toBe(0);
  });

  test('with an emptied disk is another server, and counts for nothing', () => {
    const n1 = leading();
    propose(n1, 1);
    n1.persistAll();
    n1.hearEnvelope({
      clusterId: n1.state.clusterId,
      group: 'main',
      from: { id: 'n2', incarnation: 'emptied', boot: 9 },
      to: { id: 'n1', incarnation: 'n1-incarnation' },
      message: accept(3),
    });
    expect(n1.state.drops).toEqual({ 'not-a-member': 1 });
    expect(n1.state.commitIndex).toBe(2);
  });

  test('a learner gets everything and commits nothing', () => {
    const configuration = { ...votersOf('n1', 'n3'), learners: [memberOf('n2')] };
    const n1 = new Single({ configuration });
    n1.at(n1.core.deadline ?? 0);
    n1.hear('n3', { kind: 'PreVoteResponse', term: 2, granted: true }).persistAll();
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: true }).persistAll();
    expect(ranges(appends(n1))).toEqual(['2..2']);
    n1.hear('n2', accept(2));
    expect(n1.state.commitIndex).toBe(0);
    n1.hear('n3', accept(2));
    expect(n1.state.commitIndex).toBe(2);
  });
});

describe('a peer behind the cache', () => {
  const old = (count: number) =>
    logOf(
      votersOf('n1', 'n2', 'n3'),
      Array.from({ length: count }, () => 1),
    );
  /** n1 leads term 2 with 9 old entries that are on disk only; n2 holds the first 4. */
  function behind(): Single {
    const n1 = new Single({ entries: old(9) }).lead();
    n1.hear('n2', {
      kind: 'AppendEntriesResponse',
      accepted: false,
      term: 2,
      rejectedIndex: 9,
      hintIndex: 4,
      hintTerm: 1,
    });
    return n1;
  }

  test('is compared without loading anything, and then loaded for', () => {
    const n1 = behind();
    expect(n1.loads).toEqual([]);
    expect(appends(n1)).toMatchObject([{ prevLogIndex: 4, prevLogTerm: 1, entries: [] }]);
    n1.hear('n2', accept(4));
    expect(n1.loads).toMatchObject([{ from: 5, to: 9, loadId: { boot: 1 } }]);
    n1.hear('n2', accept(4));
    expect(n1.loads.length).toBe(1);
    const [load] = n1.loads;
    n1.core.loaded(n1.now, load?.loadId ?? { boot: 0, sequence: 0 }, old(9).slice(4, 7));
    n1.drain();
    expect(ranges(appends(n1))).toEqual(['5..7']);
    expect(n1.loads[1]).toMatchObject({ from: 8, to: 9 });
    n1.core.loaded(n1.now, n1.loads[1]?.loadId ?? { boot: 0, sequence: 0 }, old(9).slice(7));
    n1.drain();
    expect(ranges(appends(n1))).toEqual(['8..9', '10..10']);
  });

  test.each([
    { name: 'failed', entries: null },
    { name: 'gave nothing', entries: [] },
    { name: 'gave entries of another term', entries: [command(5, 2)] },
    { name: 'gave other entries', entries: [command(6, 1)] },
    { name: 'left one out', entries: [command(5, 1), command(7, 1)] },
  ])('is sent nothing from a load that $name, and the load is tried again later', ({ entries }) => {
    const n1 = behind();
    n1.hear('n2', accept(4));
    appends(n1);
    const [load] = n1.loads.splice(0);
    n1.core.loaded(n1.now, load?.loadId ?? { boot: 0, sequence: 0 }, entries);
    n1.drain();
    expect(appends(n1)).toEqual([]);
    expect(n1.loads).toEqual([]);
    n1.at(n1.now + 100);
    n1.hear('n2', beat(n1.state.lastRound, 4));
    expect(n1.loads).toMatchObject([{ from: 5 }]);
  });

  test('is sent nothing from a load that was asked for by an earlier leader, or twice', () => {
    const n1 = behind();
    n1.hear('n2', accept(4));
    const [load] = n1.loads;
    if (load === undefined) throw new Error('a load was expected');
    n1.core.loaded(n1.now, { boot: 7, sequence: load.loadId.sequence }, old(9).slice(4));
    n1.drain();
    expect(ranges(appends(n1)).filter((range) => range !== '5..4')).toEqual([]);
    n1.hear('n3', { kind: 'Heartbeat', term: 5, round: 1, leaderCommit: 0, freshness: null });
    n1.core.loaded(n1.now, load.loadId, old(9).slice(4));
    n1.drain();
    expect(appends(n1)).toEqual([]);
  });
});
