/** The middle one; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return percentile(Float64Array.from(values), 0.5);
}

/** The value below which `fraction` of the samples lie. Sorts the samples. */
export function percentile(samples: Float64Array, fraction: number): number {
  samples.sort();
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * fraction))] ?? Number.NaN;
}
