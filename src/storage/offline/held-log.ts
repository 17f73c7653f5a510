import type { Index, Term, TermRun } from '../../raft/entry.ts';
import type { LogPosition } from '../contract.ts';

/** What a replica holds, as far as it can be compared with another's: no entry is read for it. */
export interface HeldLog {
  /** All zero without a snapshot. Everything up to it is committed, and in the snapshot. */
  readonly snapshot: LogPosition;
  /** The log begins after it; not above the snapshot. */
  readonly floor: LogPosition;
  readonly runs: readonly TermRun[];
  readonly lastIndex: Index;
}

/** null below the floor and beyond the end. */
export function termHeldAt(log: HeldLog, index: Index): Term | null {
  if (index < log.floor.index || index > log.lastIndex) return null;
  return runAt(log, index).term;
}

export function lastOf(log: HeldLog): LogPosition {
  return { index: log.lastIndex, term: runAt(log, log.lastIndex).term };
}

/** Which of two logs is the more up to date, as a voter compares them (paper 5.4.1): by last term, then by length. */
export function compareLogs(a: HeldLog, b: HeldLog): number {
  const [lastA, lastB] = [lastOf(a), lastOf(b)];
  return lastA.term - lastB.term || lastA.index - lastB.index;
}

/**
 * Up to where `log` is known to hold what `other` holds. By Log Matching two logs that have an entry of the same index
 * and term agree up to it; and up to its snapshot a log holds whatever was committed, so what another one has
 * there and it has not was never committed.
 */
export function agreementOf(log: HeldLog, other: HeldLog): Index {
  let index = Math.min(log.lastIndex, other.lastIndex);
  const lowest = Math.max(log.floor.index, other.floor.index, log.snapshot.index);
  while (index >= lowest) {
    const [own, others] = [runAt(log, index), runAt(other, index)];
    if (own.term === others.term) return index;
    index = Math.max(own.firstIndex, others.firstIndex) - 1;
  }
  return log.snapshot.index;
}

function runAt(log: HeldLog, index: Index): TermRun {
  let found: TermRun = { term: log.floor.term, firstIndex: log.floor.index };
  for (const run of log.runs) if (run.firstIndex <= index) found = run;
  return found;
}
