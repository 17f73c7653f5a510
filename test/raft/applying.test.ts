import { describe, expect, test } from 'vitest';
import { entryBytes } from '../../src/raft/entry.ts';
import { cacheBytes } from '../../src/raft/log.ts';
import { uncommittedBytes } from '../../src/raft/proposals.ts';
import { command, logOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
const alone = votersOf('n1');
const bytes = (size: number) => ({ kind: 'command', payload: new Uint8Array(size) }) as const;

describe('applying', () => {
  test('goes range by range, the next only when the last is done', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1, 1, 1, 1, 1]), options: { applyEntriesMax: 3 } });
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 7,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 7,
    });
    expect(n1.applies).toEqual([{ kind: 'apply', from: 1, to: 3 }]);
    n1.core.applied(0, 3);
    n1.drain();
    expect(n1.applies.at(-1)).toEqual({ kind: 'apply', from: 4, to: 6 });
    // Part of it is done; what is not done is still under way.
    n1.core.applied(0, 5);
    n1.drain();
    expect(n1.applies.length).toBe(2);
    n1.core.applied(0, 6);
    n1.drain();
    expect(n1.applies.at(-1)).toEqual({ kind: 'apply', from: 7, to: 7 });
  });

  test('what was never handed out, or is done, is no news', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]) });
    n1.core.applied(0, 3);
    expect(n1.drain().state.appliedIndex).toBe(0);
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: [],
      leaderCommit: 2,
    });
    n1.core.applied(0, 3);
    expect(n1.drain().state.appliedIndex).toBe(0);
    n1.core.applied(0, 2);
    n1.core.applied(0, 1);
    expect(n1.drain().state.appliedIndex).toBe(2);
  });

  test('a committed entry is applied though its own write is still under way', () => {
    const n1 = new Single();
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [command(2, 1)],
      leaderCommit: 2,
    });
    expect(n1.state.durable.index).toBe(1);
    expect(n1.applies).toEqual([{ kind: 'apply', from: 1, to: 1 }]);
    n1.core.applied(0, 1);
    n1.drain();
    expect(n1.applies.at(-1)).toEqual({ kind: 'apply', from: 2, to: 2 });
    expect(n1.core.cachedEntries(2, 2)?.length).toBe(1);
  });

  test('a range is all on disk or all in memory', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]), options: { cacheBytesMax: 0 } });
    const entries = [command(4, 1), command(5, 1)];
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries,
      leaderCommit: 5,
    });
    expect(n1.applies).toEqual([{ kind: 'apply', from: 1, to: 3 }]);
    n1.core.applied(0, 3);
    n1.drain();
    expect(n1.applies.at(-1)).toEqual({ kind: 'apply', from: 4, to: 5 });
    expect(n1.core.cachedEntries(4, 5)?.length).toBe(2);
    // Half of it became durable: it is still in memory, because the other half is nowhere else.
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 5,
      prevLogTerm: 1,
      entries: [command(6, 1)],
      leaderCommit: 5,
    });
    const [first] = n1.writes;
    if (first === undefined) throw new Error('a write was expected');
    expect(n1.core.cachedEntries(4, 5)?.length).toBe(2);
    n1.persist(first);
    expect(n1.core.cachedEntries(4, 5)).toBe(null);
    expect(n1.core.cachedEntries(6, 6)?.length).toBe(1);
  });
});

describe('the cache', () => {
  test('keeps what is not durable, whatever its bound, and lets go of the rest', () => {
    const n1 = new Single({ configuration: alone, options: { cacheBytesMax: 1000 } }).persistAll();
    const one = entryBytes({ kind: 'command', index: 1, term: 1, payload: new Uint8Array(84) });
    for (let count = 0; count < 50; count += 1) {
      n1.core.propose(0, [bytes(84)]);
      n1.drain();
    }
    expect(n1.state.log.cache.length).toBeGreaterThanOrEqual(50);
    n1.persistAll();
    expect(cacheBytes(n1.state.log)).toBeLessThanOrEqual(1000);
    for (let count = 0; count < 500; count += 1) {
      n1.core.propose(0, [bytes(84)]);
      n1.drain().persistAll();
      expect(cacheBytes(n1.state.log)).toBeLessThanOrEqual(1000 + one);
    }
  });
});

describe('a leader with too much uncommitted', () => {
  test('refuses proposals, all of a batch or none, and takes them again once some are committed', () => {
    const n1 = new Single({ configuration: alone, options: { uncommittedBytesMax: 300 } }).persistAll();
    expect(uncommittedBytes(n1.state)).toBe(0);
    expect(n1.core.propose(0, [bytes(84), bytes(84)])).toEqual({ accepted: true, term: 2, from: 3 });
    expect(n1.core.propose(0, [bytes(84), bytes(84)])).toEqual({
      accepted: false,
      reason: 'overloaded',
      bound: 'uncommitted-bytes',
    });
    expect(n1.state.log.lastIndex).toBe(4);
    expect(n1.core.propose(0, [bytes(84)])).toMatchObject({ accepted: true, from: 5 });
    expect(uncommittedBytes(n1.state)).toBe(300);
    expect(n1.core.propose(0, [{ kind: 'noop' }])).toEqual({
      accepted: false,
      reason: 'overloaded',
      bound: 'uncommitted-bytes',
    });
    n1.drain().persistAll();
    expect(uncommittedBytes(n1.state)).toBe(0);
    expect(n1.core.propose(0, [{ kind: 'noop' }])).toMatchObject({ accepted: true, from: 6 });
  });

  test('takes one command larger than the bound when nothing else is under way', () => {
    const n1 = new Single({ configuration: alone, options: { uncommittedBytesMax: 300 } }).persistAll();
    expect(n1.core.propose(0, [bytes(5000)])).toMatchObject({ accepted: true });
    expect(n1.core.propose(0, [bytes(1)])).toMatchObject({ accepted: false });
  });

  test('owes nothing for the terms of others, nor after it lost its office', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]) }).lead();
    expect(uncommittedBytes(n1.state)).toBe(16);
    n1.core.propose(n1.now, [bytes(84)]);
    n1.drain();
    expect(uncommittedBytes(n1.state)).toBe(116);
    n1.hear('n3', { kind: 'Heartbeat', term: 9, round: 1, leaderCommit: 0, freshness: null });
    expect(uncommittedBytes(n1.state)).toBe(0);
  });

  test('a proposal of nothing is accepted and changes nothing', () => {
    const n1 = new Single({ configuration: alone }).persistAll();
    expect(n1.core.propose(0, [])).toEqual({ accepted: true, term: 2, from: 3 });
    expect(n1.drain().writes).toEqual([]);
  });
});
