import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogTerms } from '../../../lab/checkers/log-terms.ts';

function logOf(terms: readonly number[]): LogTerms {
  const log = new LogTerms();
  for (const term of terms) log.append(term);
  return log;
}

function termsOf(log: LogTerms): (number | null)[] {
  return Array.from({ length: log.lastIndex }, (_, at) => log.termAt(at + 1));
}

const terms = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 12 }).map((all) => all.sort());
const change = fc.oneof(
  fc.record({ cutFrom: fc.integer({ min: 1, max: 14 }) }),
  fc.record({ append: fc.integer({ min: 1, max: 4 }) }),
);

test('it is an array of terms, whatever is appended and cut', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const log = new LogTerms();
      const naive: number[] = [];
      for (const one of changes) {
        if ('append' in one) {
          log.append(one.append);
          naive.push(one.append);
        } else {
          log.cut(one.cutFrom);
          naive.splice(one.cutFrom - 1);
        }
      }
      expect(termsOf(log)).toEqual(naive);
      expect(log.lastTerm).toBe(naive.at(-1) ?? 0);
      expect(log.termAt(0)).toBe(0);
      expect(log.termAt(naive.length + 1)).toBe(null);
      expect(termsOf(log.copy())).toEqual(naive);
    }),
  );
});

test('the first difference is that of the arrays', () => {
  fc.assert(
    fc.property(terms, terms, fc.integer({ min: 0, max: 14 }), (a, b, through) => {
      let expected: number | null = null;
      for (let index = 1; index <= through && expected === null; index += 1) {
        if (a[index - 1] !== b[index - 1]) expected = index;
      }
      expect(logOf(a).firstDifference(logOf(b), through)).toBe(expected);
    }),
  );
});

test('below a floor nothing is known, and nothing compared', () => {
  const floor = { index: 3, term: 2, configuration: null };
  const log = new LogTerms({ floor, lastIndex: 5, runs: [{ term: 2, firstIndex: 4 }] });
  expect([2, 3, 4, 5, 6].map((index) => log.termAt(index))).toEqual([null, 2, 2, 2, null]);
  expect(logOf([1, 1, 1, 2, 2]).firstDifference(log, 9)).toBe(null);
  expect(logOf([1, 1, 1, 2, 3]).firstDifference(log, 9)).toBe(5);
  log.cut(1);
  expect([log.lastIndex, log.lastTerm]).toEqual([3, 2]);
});

test('it begins earlier than it did, with entries in between of which the terms are not known', () => {
  const log = logOf([1, 1, 2, 2, 2, 3]);
  log.beginAfter(4, 2);
  log.beginEarlier({ index: 1, term: 1 });
  expect([log.floorIndex, log.floorTerm, log.lastIndex, log.lastTerm]).toEqual([1, 1, 6, 3]);
  expect([1, 2, 3, 4, 5, 6].map((index) => log.termAt(index))).toEqual([1, 0, 0, 2, 2, 3]);
  expect([log.mayHold(3, 7), log.mayHold(4, 1), log.mayHold(4, 2)]).toEqual([true, false, true]);
  expect(log.firstDifference(logOf([1, 1, 2, 2, 2, 3]), 6)).toBe(null);
  expect(log.firstDifference(logOf([1, 1, 2, 2, 3, 3]), 6)).toBe(5);
  expect(log.firstDifference(logOf([1, 1]), 6)).toBe(3);
  log.beginAfter(3, 2);
  expect([log.floorIndex, log.termAt(4), log.lastIndex]).toEqual([3, 2, 6]);
  const whole = log.copy();
  whole.beginEarlier({ index: 5, term: 2 });
  expect(whole.floorIndex).toBe(3);
});
