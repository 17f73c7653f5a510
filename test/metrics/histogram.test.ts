import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketBounds, Histogram, type HistogramValue, sumOf } from '../../src/metrics/histogram.ts';

interface Observed {
  readonly ms: number;
  readonly times: number;
}

const observations = fc.array(
  fc.record({
    ms: fc.oneof(
      fc.double({ min: 0, max: 20_000, noNaN: true }),
      fc.constantFrom(...bucketBounds.map((bound) => bound * 1000)),
    ),
    times: fc.integer({ min: 1, max: 1000 }),
  }),
);

function observing(all: readonly Observed[]): HistogramValue {
  const histogram = new Histogram();
  for (const { ms, times } of all) histogram.observe(ms, times);
  return histogram.value();
}

/** As the definition has it: for each bound, count who is at most that. */
function naive(all: readonly Observed[]): HistogramValue {
  const counted = (keep: (seconds: number) => boolean): number =>
    all.filter(({ ms }) => keep(ms / 1000)).reduce((count, { times }) => count + times, 0);
  return {
    count: counted(() => true),
    sum: all.reduce((sum, { ms, times }) => sum + (ms / 1000) * times, 0),
    buckets: bucketBounds.map((le) => ({ le, count: counted((seconds) => seconds <= le) })),
  };
}

describe('a histogram', () => {
  it('counts as its definition does', () => {
    fc.assert(
      fc.property(observations, (all) => {
        const { sum, ...rest } = observing(all);
        const expected = naive(all);
        expect(rest).toEqual({ count: expected.count, buckets: expected.buckets });
        expect(sum).toBeCloseTo(expected.sum, 6);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('has bounds that rise, and a bound belongs to its bucket', () => {
    expect([...bucketBounds].sort((a, b) => a - b)).toEqual(bucketBounds);
    expect(observing([{ ms: 0.1, times: 1 }]).buckets[0]).toEqual({ le: 0.0001, count: 1 });
    expect(observing([{ ms: 0.100_001, times: 1 }]).buckets.slice(0, 2)).toEqual([
      { le: 0.0001, count: 0 },
      { le: 0.000_25, count: 1 },
    ]);
  });

  it('counts what lies above every bound, and a clock that went back as no time', () => {
    const { count, sum, buckets } = observing([
      { ms: 1_000_000, times: 2 },
      { ms: -5, times: 1 },
      { ms: Number.NaN, times: 1 },
    ]);
    expect([count, sum, buckets[0]?.count, buckets.at(-1)?.count]).toEqual([4, 2000, 2, 2]);
  });

  it('is plain data, and a later observation does not change it', () => {
    const histogram = new Histogram();
    const before = histogram.value();
    histogram.observe(1);
    expect(before.count).toBe(0);
    expect(JSON.parse(JSON.stringify(histogram.value()))).toEqual(histogram.value());
  });

  it('adds up with another to what one of both would be', () => {
    fc.assert(
      fc.property(observations, observations, (one, other) => {
        const { sum, ...rest } = sumOf(observing(one), observing(other));
        const whole = observing([...one, ...other]);
        expect(rest).toEqual({ count: whole.count, buckets: whole.buckets });
        expect(sum).toBeCloseTo(whole.sum, 6);
      }),
      { seed: 2, numRuns: 100 },
    );
  });
});
