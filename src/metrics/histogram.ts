/**
 * Upper bounds of the buckets of every histogram, in seconds, inclusive; above the last there is one more bucket
 * without a bound. From what a fast disk needs for a sync up to what a caller is still willing to wait.
 */
export const bucketBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** A histogram at one moment; plain data. */
export interface HistogramValue {
  readonly count: number;
  /** Seconds. */
  readonly sum: number;
  /** Observations of at most `le` seconds, those of the buckets before included. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
}

/** Counts durations. An observation allocates nothing. */
export class Histogram {
  readonly #counts: number[] = [...bucketBounds.map(() => 0), 0];
  #sum = 0;

  /** The same duration, `times` times over; milliseconds. A clock that went back counts as no time at all. */
  observe(durationMs: number, times = 1): void {
    const seconds = durationMs > 0 ? durationMs / 1000 : 0;
    let bucket = 0;
    while (seconds > (bucketBounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
    this.#sum += seconds * times;
  }

  value(): HistogramValue {
    let count = 0;
    const buckets = bucketBounds.map((le, bucket) => {
      count += this.#counts[bucket] ?? 0;
      return { le, count };
    });
    return { count: count + (this.#counts[bucketBounds.length] ?? 0), sum: this.#sum, buckets };
  }
}

/** Both together: what two runs of one thing observed. */
export function sumOf(one: HistogramValue, other: HistogramValue): HistogramValue {
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    buckets: one.buckets.map(({ le, count }, bucket) => ({
      le,
      count: count + (other.buckets[bucket]?.count ?? 0),
    })),
  };
}
