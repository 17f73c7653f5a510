import type { Entry, Term } from '../raft/entry.ts';
import type { ClusterId } from '../raft/identity.ts';
import type { LogHole } from '../storage/contract.ts';
import { mistakeInRepair } from '../storage/repair-mistake.ts';

/** What the log that the hole is in says of what belongs there. */
export interface AroundHole {
  /** Of the entry before the hole; 0 when there is none. */
  readonly termBefore: Term;
  readonly clusterId: ClusterId | null;
}

/**
 * Whether these, as a peer gave them, can be the end of the hole: whatever the storage would not take for a repair, the
 * repairer does not hand over. Whether they are the very ones, only an honest answer tells.
 */
export function fillsEnd(
  hole: LogHole,
  entries: readonly Entry[],
  { termBefore, clusterId }: AroundHole,
): boolean {
  const isOurs = (entry: Entry): boolean => entry.kind !== 'configuration' || entry.clusterId === clusterId;
  return (
    entries.length > 0 &&
    entries.every((entry) => Number.isSafeInteger(entry.term) && isOurs(entry)) &&
    mistakeInRepair(entries, hole, termBefore) === null
  );
}
