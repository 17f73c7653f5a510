import type { Entry, Term } from '../raft/entry.ts';
import type { ClusterId } from '../raft/identity.ts';
import type { LogHole } from '../storage/contract.ts';

/** What the log that the hole is in says of what belongs there. */
export interface AroundHole {
  /** Of the entry before the hole; 0 when there is none. */
  readonly termBefore: Term;
  readonly clusterId: ClusterId | null;
}

/**
 * Whether these can be the end of the hole: consecutive up to its last entry, of terms that never fall along the log
 * (paper 5.3), the anchor's included. Whether they are the very ones, only an honest answer tells.
 */
export function fillsEnd(
  { from, to, anchor }: LogHole,
  entries: readonly Entry[],
  { termBefore, clusterId }: AroundHole,
): boolean {
  const first = entries[0];
  if (first === undefined || !(first.index >= from)) return false;
  let index = first.index - 1;
  let term = termBefore;
  for (const entry of entries) {
    index += 1;
    if (entry.index !== index || !Number.isSafeInteger(entry.term) || entry.term < term) return false;
    if (entry.kind === 'configuration' && entry.clusterId !== clusterId) return false;
    ({ term } = entry);
  }
  return index === to && (anchor.index === to ? term === anchor.term : term <= anchor.term);
}
