import type { Operation } from '../workload/history.ts';

/** The operation that showed a cluster back at work, and how long after the given moment it returned. */
export interface Recovery {
  readonly operation: Operation;
  readonly durationMs: number;
}

/**
 * Of the operations called at or after `atMs`, the one acknowledged first; null when none was. One called
 * before proves nothing: it may have been decided before, too.
 */
export function recoveryAfter(operations: readonly Operation[], atMs: number): Recovery | null {
  let first: Recovery | null = null;
  let firstSequence = 0;
  for (const operation of operations) {
    const { outcome, calledAtMs } = operation;
    if (calledAtMs < atMs || outcome?.kind !== 'ok') continue;
    if (first === null || outcome.sequence < firstSequence) {
      // Clocks count microseconds; a difference of their fractions is rounded to them again.
      first = { operation, durationMs: Math.round((outcome.atMs - atMs) * 1000) / 1000 };
      firstSequence = outcome.sequence;
    }
  }
  return first;
}
