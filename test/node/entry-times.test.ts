import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/metrics/histogram.ts';
import { EntryTimes } from '../../src/node/entry-times.ts';

type Batch = Parameters<EntryTimes['begin']>[0];

const batch = (from: number, to: number, term: number, since: number): Batch => ({
  from,
  to,
  term,
  count: to - from + 1,
  since,
});

function setUp() {
  const histogram = new Histogram();
  return {
    histogram,
    times: new EntryTimes(histogram),
    told: () => [histogram.value().count, histogram.value().sum],
  };
}

const always = (term: number) => (): number => term;

describe('entries that wait', () => {
  it('are measured as a batch, when the last of them is there', () => {
    const { times, told } = setUp();
    times.begin(batch(1, 4, 1, 1000));
    times.reach(3, 2000, always(1));
    expect(told()).toEqual([0, 0]);
    times.reach(4, 3000, always(1));
    expect(told()).toEqual([4, 8]);
    times.reach(9, 9000, always(1));
    expect(told()).toEqual([4, 8]);
  });

  it('count as many as were said to count', () => {
    const { times, told } = setUp();
    times.begin({ ...batch(1, 4, 1, 0), count: 3 });
    times.reach(4, 1000, always(1));
    expect(told()).toEqual([3, 3]);
  });

  it('are forgotten when another entry took their place, or the log does not know', () => {
    const { times, told } = setUp();
    times.begin(batch(1, 2, 1, 0));
    times.begin(batch(3, 4, 1, 0));
    times.reach(2, 1000, always(2));
    times.reach(4, 1000, () => null);
    expect([...told(), times.waiting]).toEqual([0, 0, 0]);
  });

  it('are measured whatever the term where nothing can be overwritten', () => {
    const { times, told } = setUp();
    times.begin(batch(1, 2, 1, 0));
    times.reach(2, 500, null);
    expect(told()).toEqual([2, 1]);
  });

  it('give way to what is appended in their place, and leave what lies before it', () => {
    const { times, told } = setUp();
    times.begin(batch(1, 2, 1, 0));
    times.begin(batch(3, 5, 1, 0));
    times.begin(batch(6, 9, 1, 0));
    // A later term of ours: 5 and all after it are overwritten.
    times.begin(batch(5, 5, 3, 1000));
    expect(times.waiting).toBe(2);
    times.reach(5, 2000, (index) => (index < 5 ? 1 : 3));
    expect(told()).toEqual([3, 2 * 2 + 1]);
  });

  it('are as many as one likes, in bounded memory, with count and sum kept', () => {
    const { times, histogram } = setUp();
    const many = 100_000;
    let sum = 0;
    for (let index = 1; index <= many; index += 1) {
      times.begin(batch(index, index, 1, index));
      sum += (many - index) / 1000;
      expect(times.waiting).toBeLessThanOrEqual(256);
    }
    // Nothing is told of before it is there, in whatever company it waits.
    for (let index = 1; index <= 2_000; index += 1) {
      times.reach(index, many, always(1));
      expect(histogram.value().count).toBeLessThanOrEqual(index);
    }
    times.reach(many, many, always(1));
    expect(times.waiting).toBe(0);
    expect(histogram.value().count).toBe(many);
    expect(histogram.value().sum).toBeCloseTo(sum, 3);
  });

  it('forget the oldest when all slots are of different terms', () => {
    const { times, told } = setUp();
    for (let index = 1; index <= 257; index += 1) times.begin(batch(index, index, index, 0));
    expect(times.waiting).toBe(256);
    times.reach(257, 1000, (index) => index);
    expect(told()).toEqual([256, 256]);
  });

  it('are measured as by a list that forgets nothing', () => {
    const steps = fc.array(
      fc.record({
        size: fc.integer({ min: 1, max: 5 }),
        /** How far behind the end the next begins: an overwritten tail. */
        cut: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 8 })),
        reach: fc.integer({ min: 0, max: 12 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const { times, histogram } = setUp();
        let waiting: Batch[] = [];
        const expected = { count: 0, sum: 0 };
        let last = 0;
        let reached = 0;
        let term = 1;
        for (const [position, { size, cut, reach }] of all.entries()) {
          const from = Math.max(reached, last - cut) + 1;
          if (from <= last) term += 1;
          last = from + size - 1;
          const next = batch(from, last, term, position * 10);
          waiting = [...waiting.filter(({ to }) => to < from), next];
          times.begin(next);
          reached = Math.min(last, reached + reach);
          const now = position * 10 + 5;
          for (const one of waiting.filter(({ to }) => to <= reached)) {
            expected.count += one.count;
            expected.sum += ((now - one.since) / 1000) * one.count;
          }
          waiting = waiting.filter(({ to }) => to > reached);
          // What is left was not overwritten, so the log has their terms.
          times.reach(reached, now, null);
        }
        expect(times.waiting).toBe(waiting.length);
        expect(histogram.value().count).toBe(expected.count);
        expect(histogram.value().sum).toBeCloseTo(expected.sum, 6);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
