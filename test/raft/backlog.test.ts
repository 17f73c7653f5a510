import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backlogBytes } from '../../src/raft/backlog.ts';
import { entryBytes } from '../../src/raft/entry.ts';
import { checkInvariants, checkWholeLog } from '../../src/raft/invariants.ts';
import { cacheBytes, lastWithin } from '../../src/raft/log.ts';
import type { AppendEntries } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { uncommittedBytes } from '../../src/raft/proposals.ts';
import { Cluster } from './cluster.ts';
import { command, logOf, votersOf } from './sample-log.ts';
import { seeded } from './seeded.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
/** 100 bytes with its overhead. */
const hundred = (index: number, term = 1) => command(index, term, 'x'.repeat(84));
const small: Partial<RaftOptions> = {
  messageBytesMax: 100,
  inflightBytesMax: 200,
  diskBacklogBytesMax: 500,
};

/** n1 follows n2, its disk answers nothing from here on, and its log ends with entry 1. */
function hung(options: Partial<RaftOptions> = small): Single {
  const n1 = new Single({ entries: logOf(voters, [1]), options });
  n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null }).persistAll();
  n1.said();
  return n1;
}

function append(from: number, to: number, term = 1, prevLogTerm = 1): AppendEntries {
  const entries = Array.from({ length: to - from + 1 }, (_, position) => hundred(from + position, term));
  return { kind: 'AppendEntries', term, prevLogIndex: from - 1, prevLogTerm, entries, leaderCommit: 0 };
}

describe('a follower whose disk hangs', () => {
  test('takes what may wait for it, and nothing more, and says what it verified', () => {
    const n1 = hung();
    n1.hear('n2', append(2, 4)).hear('n2', append(5, 9));
    expect(n1.state.log.lastIndex).toBe(6);
    expect(n1.state.verifiedIndex).toBe(6);
    expect(backlogBytes(n1.state)).toBe(500);
    expect(n1.state.drops).toEqual({ 'disk-backlog': 1 });
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 2, leaderCommit: 0, freshness: null });
    expect(n1.said().at(-1)).toMatchObject({ kind: 'HeartbeatResponse', matchIndex: 1, verifiedIndex: 6 });
    n1.hear('n2', append(7, 9));
    expect(n1.state.log.lastIndex).toBe(6);
  });

  test('goes on where it stopped once the disk has answered', () => {
    const n1 = hung();
    n1.hear('n2', append(2, 9)).persistAll();
    expect(n1.said().at(-1)).toMatchObject({ accepted: true, matchIndex: 6, verifiedIndex: 6 });
    n1.hear('n2', append(7, 9)).persistAll();
    expect(n1.said().at(-1)).toMatchObject({ accepted: true, matchIndex: 9, verifiedIndex: 9 });
    expect(backlogBytes(n1.state)).toBe(0);
  });

  test('commits no further than what it took', () => {
    const n1 = hung();
    n1.hear('n2', { ...append(2, 9), leaderCommit: 9 });
    expect(n1.state.commitIndex).toBe(6);
  });

  test('takes one entry that is larger than everything that may wait, when nothing waits', () => {
    const n1 = hung();
    const great = command(2, 1, 'x'.repeat(5000));
    n1.hear('n2', { ...append(2, 1), entries: [great, hundred(3)] });
    expect(n1.state.log.lastIndex).toBe(2);
  });

  test('gets no more from a sequence of leaders that replace each other’s entries', () => {
    const n1 = hung();
    let given = 0;
    for (let term = 2; term < 40; term += 1) {
      const leader = term % 2 === 0 ? 'n2' : 'n3';
      n1.hear(leader, append(2, 4, term));
      given += 300;
      // What was cut again is in the storage's queue nevertheless.
      expect(backlogBytes(n1.state)).toBeLessThanOrEqual(500);
      expect(checkInvariants(n1.state)).toEqual([]);
    }
    expect(given).toBeGreaterThan(10_000);
    expect(n1.writes.flatMap(({ entries }) => entries).length).toBeLessThanOrEqual(5);
  });

  test('hears what it holds already, however much waits', () => {
    const n1 = hung();
    n1.hear('n2', append(2, 6)).hear('n2', append(2, 6));
    expect(n1.state.drops).toEqual({});
    expect(n1.state.verifiedIndex).toBe(6);
  });
});

describe('a leader whose disk is slower than those of a quorum', () => {
  test('refuses proposals for it though all is committed, and takes them again later', () => {
    const n1 = new Single({ options: { ...small, uncommittedBytesMax: 500 } }).lead();
    const propose = () => n1.core.propose(n1.now, [{ kind: 'command', payload: new Uint8Array(84) }]);
    const commit = () => {
      const { lastIndex } = n1.state.log;
      n1.drain();
      for (const id of ['n2', 'n3']) {
        const said = { kind: 'AppendEntriesResponse', accepted: true, term: 2 } as const;
        n1.hear(id, { ...said, matchIndex: lastIndex, verifiedIndex: lastIndex });
      }
      expect(uncommittedBytes(n1.state)).toBe(0);
    };
    n1.persistAll();
    for (let count = 0; count < 5; count += 1) {
      expect(propose()).toMatchObject({ accepted: true });
      commit();
    }
    expect(propose()).toEqual({ accepted: false, reason: 'overloaded', bound: 'disk-backlog' });
    n1.persistAll();
    expect(propose()).toMatchObject({ accepted: true });
  });
});

describe('the window of a follower', () => {
  const one = entryBytes(command(1, 1, 'x'));
  const beat = (round: number, matchIndex: number, verifiedIndex: number) =>
    ({
      kind: 'HeartbeatResponse',
      term: 2,
      round,
      matchIndex,
      verifiedIndex,
      promiseMs: 500,
      stamp: 0,
    }) as const;
  const progressOf = (n1: Single) => {
    const found = n1.state.progress.find(({ member }) => member.id === 'n2');
    if (found === undefined) throw new Error('no progress');
    return found;
  };

  test('still holds after a loss what only waits for the follower’s disk', () => {
    const n1 = new Single({ options: { messageBytesMax: one, inflightBytesMax: 4 * one } }).lead();
    n1.hear('n2', beat(1, 2, 2));
    for (let count = 0; count < 20; count += 1) {
      n1.core.propose(n1.now, [{ kind: 'command', payload: new Uint8Array(1) }]);
      n1.drain();
    }
    expect(progressOf(n1)).toMatchObject({ nextIndex: 7, inflightBytes: 4 * one });
    // Of entries 3 to 6 the last was lost, and the disk answers nothing.
    let verified = 5;
    for (let time = 0; time < 10; time += 1) {
      n1.at(n1.now + 100);
      n1.hear('n2', beat(n1.state.lastRound, 2, verified));
      const { mode, nextIndex } = progressOf(n1);
      if (mode === 'probe') verified = nextIndex;
    }
    // One probe more than the window, and not a window after each round.
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', nextIndex: 7, inflightBytes: 4 * one });
    n1.hear('n2', beat(n1.state.lastRound, 6, 6));
    expect(progressOf(n1)).toMatchObject({ matchIndex: 6, nextIndex: 11, inflightBytes: 4 * one });
  });

  test('is full with what an earlier leader left it to write, known by size or not', () => {
    const entries = logOf(voters, [1, 1, 1, 1, 1, 1, 1, 1, 1]);
    const n1 = new Single({ entries, options: { messageBytesMax: one, inflightBytesMax: 2 * one } }).lead();
    // It holds all of them, of which only the first is durable; here they lie on the disk alone.
    n1.hear('n2', { ...beat(1, 1, 10), term: 2 });
    expect(progressOf(n1)).toMatchObject({ mode: 'replicate', nextIndex: 11, inflightBytes: 2 * one });
    n1.core.propose(n1.now, [{ kind: 'command', payload: new Uint8Array(1) }]);
    n1.drain();
    expect(progressOf(n1).nextIndex).toBe(11);
    n1.hear('n2', beat(1, 10, 10));
    expect(progressOf(n1)).toMatchObject({ nextIndex: 12, inflightBytes: one });
  });

  /**
   * Whatever is lost, repeated, reordered, slow or restarted: the invariants compare each window with what is in it
   * after every step, and once all is well again nothing stays behind.
   */
  test('leaks nothing in any history, and never stays full', () => {
    const step = fc.record({
      what: fc.constantFrom(
        'deliver',
        'deliver',
        'deliver',
        'lose',
        'repeat',
        'tick',
        'propose',
        'persist',
        'restart',
      ),
      which: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 250 }), fc.nat(), (steps, seed) => {
        const ids = ['n1', 'n2', 'n3'];
        const cluster = new Cluster(ids, {
          seed,
          options: {
            messageBytesMax: 60,
            inflightMessagesMax: 3,
            inflightBytesMax: 120,
            diskBacklogBytesMax: 200,
            uncommittedBytesMax: 300,
            cacheBytesMax: 100,
            applyBytesMax: 50,
          },
        });
        const check = (): void => {
          for (const { core } of cluster.replicas) {
            if (core === null) continue;
            const { state } = core;
            expect([...checkInvariants(state), ...checkWholeLog(state)]).toEqual([]);
            const { options } = state;
            expect(backlogBytes(state)).toBeLessThanOrEqual(options.diskBacklogBytesMax + 60);
            expect(uncommittedBytes(state)).toBeLessThanOrEqual(options.uncommittedBytesMax + 60);
            expect(cacheBytes(state.log)).toBeLessThanOrEqual(((200 + 60 + 300 + 60 + 50) * 4) / 3 + 60);
            for (const { inflight, inflightBytes } of state.progress) {
              expect(inflight.length).toBeLessThanOrEqual(options.inflightMessagesMax);
              expect(inflightBytes).toBeGreaterThanOrEqual(0);
            }
          }
        };
        cluster.elect('n1');
        for (const { disk } of cluster.replicas) disk.persistsAtOnce = false;
        const random = seeded(seed);
        for (const { what, which } of steps) {
          const id = ids[which % 3] ?? 'n1';
          const envelope = cluster.network[which % Math.max(1, cluster.network.length)];
          if (what === 'propose') {
            const leader = cluster.replicas.find(({ core }) => core?.state.role === 'leader');
            if (leader !== undefined) cluster.propose(leader.id, 'x'.repeat(random.integer(0, 80)));
          } else if (what === 'persist') cluster.persist(id, 2);
          else if (what === 'tick') {
            cluster.now += 50;
            for (const each of ids) {
              const { core } = cluster.replica(each);
              core?.tick(cluster.now);
              cluster.drain(cluster.replica(each));
            }
          } else if (what === 'restart' && which % 7 === 0) {
            cluster.crash(id);
            cluster.start(id);
          } else if (envelope !== undefined) {
            if (what === 'repeat') cluster.network.push(envelope);
            if (what === 'lose') cluster.network = cluster.network.filter((other) => other !== envelope);
            else if (what !== 'restart') cluster.deliver(envelope);
          }
          check();
        }
        for (const { id, disk } of cluster.replicas) {
          disk.persistsAtOnce = true;
          cluster.persist(id);
        }
        cluster.run(5000);
        check();
        const leader = cluster.replicas.find(({ core }) => core?.state.role === 'leader');
        if (leader === undefined) throw new Error('nobody leads');
        expect(cluster.propose(leader.id, 'the last')).toMatchObject({ accepted: true });
        cluster.run(500);
        for (const { mode, inflight, inflightBytes, matchIndex } of leader.core?.state.progress ?? []) {
          const lastIndex = leader.core?.state.log.lastIndex;
          expect({ mode, inflight, inflightBytes, matchIndex }).toEqual({
            mode: 'replicate',
            inflight: [],
            inflightBytes: 0,
            matchIndex: lastIndex,
          });
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a range to apply', () => {
  test('is bounded in bytes, of one entry at least', () => {
    const n1 = new Single({ configuration: votersOf('n1'), options: { applyBytesMax: 200 } }).persistAll();
    n1.core.propose(
      0,
      [84, 84, 84, 600, 1].map((size) => ({ kind: 'command', payload: new Uint8Array(size) })),
    );
    n1.drain();
    n1.persistAll();
    for (let time = 0; time < 8; time += 1) {
      n1.core.applied(0, n1.applies.at(-1)?.to ?? 0);
      n1.drain();
    }
    const ranges = n1.applies.filter(({ from }) => from > 1).map(({ from, to }) => `${from}..${to}`);
    expect(ranges).toEqual(['2..3', '4..5', '6..6', '7..7']);
  });

  test('ends where a plain sum says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { minLength: 1, maxLength: 30 }),
        fc.nat(2000),
        fc.nat(29),
        (sizes, max, at) => {
          const n1 = new Single({ configuration: votersOf('n1') }).persistAll();
          n1.core.propose(
            0,
            sizes.map((size) => ({ kind: 'command', payload: new Uint8Array(size) })),
          );
          const { log } = n1.state;
          const from = Math.min(3 + at, log.lastIndex);
          let to = from;
          let bytes = entryBytes(hundred(1)) - 84 + (sizes[from - 3] ?? 0);
          while (to < log.lastIndex && bytes + 16 + (sizes[to - 2] ?? 0) <= max) {
            bytes += 16 + (sizes[to - 2] ?? 0);
            to += 1;
          }
          expect(lastWithin(log, { from, to: log.lastIndex, bytesMax: max })).toBe(to);
        },
      ),
    );
  });
});
