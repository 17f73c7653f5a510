import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry, Term } from '../../src/raft/entry.ts';
import { entryBytes } from '../../src/raft/entry.ts';
import {
  append,
  cacheBytes,
  cachedBatch,
  cachedRange,
  countHeld,
  dropPrefix,
  evict,
  firstCachedIndex,
  isUpToDate,
  lastIndexNotAfterTerm,
  lastTerm,
  reset,
  termAt,
  truncate,
} from '../../src/raft/log.ts';
import type { LogState } from '../../src/raft/state.ts';
import { command, runsOf } from './sample-log.ts';

const noLog = (): LogState => ({
  floorIndex: 0,
  floorTerm: 0,
  lastIndex: 0,
  runs: [],
  cache: [],
  bytesThrough: [],
  bytesBefore: 0,
});

function logOfTerms(terms: readonly Term[]): LogState {
  const log = noLog();
  for (const [position, term] of terms.entries()) append(log, command(position + 1, term));
  return log;
}

/** Terms that never fall, as in every log. */
const terms = fc.array(fc.constantFrom(0, 0, 0, 1, 2), { maxLength: 25 }).map((steps) => {
  let term = 1;
  return steps.map((step) => {
    term += step;
    return term;
  });
});

describe('terms of a log', () => {
  test('are found as in a plain list', () => {
    fc.assert(
      fc.property(terms, (list) => {
        const log = logOfTerms(list);
        expect(termAt(log, 0)).toBe(0);
        for (const [position, term] of list.entries()) expect(termAt(log, position + 1)).toBe(term);
        expect(termAt(log, list.length + 1)).toBe(null);
        expect(lastTerm(log)).toBe(list.at(-1) ?? 0);
      }),
    );
  });

  test('survive a forgotten beginning as in a plain list', () => {
    fc.assert(
      fc.property(terms, fc.array(fc.nat(25), { minLength: 1, maxLength: 3 }), (list, cuts) => {
        const log = logOfTerms(list);
        let floor = 0;
        for (const cut of cuts) {
          if (cut <= floor || cut > list.length) continue;
          floor = cut;
          dropPrefix(log, floor);
          for (const index of list.keys()) {
            const expected = index + 1 < floor ? null : (list[index] ?? null);
            expect(termAt(log, index + 1)).toBe(expected);
          }
          expect(log.runs).toEqual(
            runsOf(list.map((term, position) => command(position + 1, term)).slice(floor)),
          );
          expect(log.cache.map(({ index }) => index)).toEqual(
            [...list.keys()].slice(floor).map((at) => at + 1),
          );
          expect(cacheBytes(log)).toBe(log.cache.reduce((sum, entry) => sum + entryBytes(entry), 0));
          expect(lastTerm(log)).toBe(list.at(-1));
        }
      }),
    );
  });

  test('of a log that was evicted beyond its new floor stay as they are', () => {
    const log = logOfTerms([1, 1, 2, 2, 3]);
    evict(log, 4, 0);
    dropPrefix(log, 2);
    expect(log).toMatchObject({ floorIndex: 2, floorTerm: 1, lastIndex: 5 });
    expect(log.cache.map(({ index }) => index)).toEqual([5]);
    reset(log, 9, 4);
    expect(log).toEqual({
      floorIndex: 9,
      floorTerm: 4,
      lastIndex: 9,
      runs: [],
      cache: [],
      bytesThrough: [],
      bytesBefore: 0,
    });
    append(log, command(10, 4));
    expect(log.runs).toEqual([{ term: 4, firstIndex: 10 }]);
  });

  test('below the floor are unknown, at the floor known', () => {
    const log: LogState = {
      ...noLog(),
      floorIndex: 5,
      floorTerm: 2,
      lastIndex: 7,
      runs: [{ term: 3, firstIndex: 6 }],
    };
    expect([4, 5, 6, 7, 8].map((index) => termAt(log, index))).toEqual([null, 2, 3, 3, null]);
  });

  test('survive a cut as in a plain list', () => {
    fc.assert(
      fc.property(terms, fc.nat(25), (list, keep) => {
        const log = logOfTerms(list);
        const kept = Math.min(keep, list.length);
        truncate(log, kept + 1);
        expect(log).toEqual(logOfTerms(list.slice(0, kept)));
      }),
    );
  });
});

describe('a log is up to date for a vote', () => {
  //  own terms     last index  last term  enough
  test.each([
    [[1, 1, 2], 3, 2, true],
    [[1, 1, 2], 2, 2, false],
    [[1, 1, 2], 4, 2, true],
    [[1, 1, 2], 9, 1, false],
    [[1, 1, 2], 1, 3, true],
    [[], 0, 0, true],
    [[1], 0, 0, false],
  ])('own %j against (%i, term %i): %s', (own, index, term, expected) => {
    expect(isUpToDate(logOfTerms(own), index, term)).toBe(expected);
  });
});

describe('the first entry that is not held', () => {
  //  own terms       sent from  sent terms  held
  test.each([
    [[1, 1, 1], 4, [1, 1], 0],
    [[1, 1, 1], 2, [1, 1], 2],
    [[1, 1, 1], 2, [1, 1, 1], 2],
    [[1, 1, 2, 2], 2, [1, 3], 1],
    [[1, 1, 2, 2], 3, [3, 3], 0],
    [[1, 1, 2, 2], 3, [], 0],
  ])('own %j, sent from %i %j: %i are held', (own, from, sent, held) => {
    const entries = sent.map((term, position) => command(from + position, term));
    expect(countHeld(logOfTerms(own), entries)).toBe(held);
  });

  test('is what comparing one by one finds', () => {
    fc.assert(
      fc.property(terms, terms, fc.nat(25), (own, sent, after) => {
        const from = Math.min(after, own.length) + 1;
        const entries = sent.map((term, position) => command(from + position, term));
        let naive = 0;
        while (naive < entries.length && own[from - 1 + naive] === entries[naive]?.term) naive += 1;
        expect(countHeld(logOfTerms(own), entries)).toBe(naive);
      }),
    );
  });
});

describe('the last index whose term is not after a term', () => {
  //  terms                            up to  term   found
  test.each([
    [[1, 1, 1, 1, 4, 4, 4, 4, 4], 9, 2, 4, 1],
    [[1, 1, 2, 2, 2, 2, 2, 2, 2, 5], 4, 1, 2, 1],
    [[1, 1, 1], 9, 5, 3, 1],
    [[3, 3], 2, 2, 0, 0],
    [[], 7, 7, 0, 0],
  ])('of %j, up to %i and term %i, is (%i, term %i)', (list, upTo, term, index, found) => {
    expect(lastIndexNotAfterTerm(logOfTerms(list), upTo, term)).toEqual({ index, term: found });
  });

  test('is what searching one by one finds, and never skips a place where the logs agree', () => {
    fc.assert(
      fc.property(terms, terms, fc.nat(25), (follower, leader, at) => {
        const probed = Math.min(at, leader.length);
        const hint = lastIndexNotAfterTerm(logOfTerms(follower), probed, leader[probed - 1] ?? 0);
        let naive = Math.min(probed, follower.length);
        while (naive > 0 && (follower[naive - 1] ?? 0) > (leader[probed - 1] ?? 0)) naive -= 1;
        expect(hint.index).toBe(naive);
        const next = lastIndexNotAfterTerm(logOfTerms(leader), hint.index, hint.term);
        let agreement = 0;
        while (
          agreement < probed &&
          agreement < follower.length &&
          follower[agreement] === leader[agreement]
        ) {
          agreement += 1;
        }
        expect(next.index).toBeGreaterThanOrEqual(agreement);
      }),
    );
  });
});

describe('the cache', () => {
  const size = entryBytes(command(1, 1, 'x'));
  const filled = (count: number): LogState => {
    const log = noLog();
    for (let index = 1; index <= count; index += 1) append(log, command(index, 1, 'x'));
    return log;
  };
  const indexes = (entries: readonly Entry[] | undefined | null) => entries?.map(({ index }) => index);

  test('gives a range only if it has all of it', () => {
    const log = filled(10);
    evict(log, 10, size * 4);
    expect(firstCachedIndex(log)).toBe(8);
    expect(indexes(cachedRange(log, 8, 10))).toEqual([8, 9, 10]);
    expect(cachedRange(log, 7, 10)).toBe(null);
    expect(cachedRange(log, 8, 11)).toBe(null);
  });

  test('never evicts above the limit, however full it is', () => {
    const log = filled(10);
    evict(log, 5, size);
    expect(firstCachedIndex(log)).toBe(6);
    expect(cacheBytes(log)).toBe(size * 5);
  });

  test('waits until a quarter can go, because removing moves the rest', () => {
    const log = filled(16);
    evict(log, 3, size);
    expect(firstCachedIndex(log)).toBe(1);
    evict(log, 4, size);
    expect(firstCachedIndex(log)).toBe(5);
  });

  test('fills a batch up to its bytes, and gives one entry at least', () => {
    const log = filled(10);
    expect(indexes(cachedBatch(log, 3, size * 3)?.entries)).toEqual([3, 4, 5]);
    expect(indexes(cachedBatch(log, 3, size * 3 - 1)?.entries)).toEqual([3, 4]);
    expect(indexes(cachedBatch(log, 3, 1)?.entries)).toEqual([3]);
    expect(indexes(cachedBatch(log, 9, size * 9)?.entries)).toEqual([9, 10]);
    expect(cachedBatch(log, 11, size)).toBe(null);
  });
});
