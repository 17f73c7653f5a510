/** `12345` -> `12,345`. The same in every locale, so that reports compare. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 replica`, `2 replicas`. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Milliseconds of virtual time in seconds, exact to the millisecond: `12.345 s`. */
export function formatMoment(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

/** Wall time, which only the curious compare. */
export function formatWall(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
