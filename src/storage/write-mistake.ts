import type { Entry, Index, Term } from '../raft/entry.ts';
import type { LogPosition, WriteRequest } from './contract.ts';

/** A log as it will be once everything handed over before is written. */
export interface LogOutline {
  /** Of the hard state. */
  readonly ownTerm: Term;
  readonly floorIndex: Index;
  readonly lastIndex: Index;
  /** null below the floor and beyond the end. */
  termAt(index: Index): Term | null;
}

/**
 * What makes a write one that no correct caller hands over; null when nothing does. It is caught before
 * it reaches a disk, where it would later look like damage: entries that do not continue the log, terms
 * that go back, or a term ahead of the hard state, which then seems lost.
 */
export function mistakeIn(request: WriteRequest, log: LogOutline): string | null {
  const { hardState, cutFrom, entries, floor } = request;
  const { floorIndex, lastIndex } = log;
  if (cutFrom !== undefined && (cutFrom > lastIndex + 1 || cutFrom <= floorIndex)) {
    return `a cut from ${cutFrom}, in a log of entries ${floorIndex + 1} to ${lastIndex}`;
  }
  if (hardState !== undefined && hardState.term < log.ownTerm) {
    return `the hard state goes back from term ${log.ownTerm} to ${hardState.term}`;
  }
  const before = cutFrom === undefined ? lastIndex : cutFrom - 1;
  const after = { index: before, term: log.termAt(before) ?? 0 };
  const mistake = mistakeInOrder(entries, after);
  if (mistake !== null) return mistake;
  const { index, term } = entries.at(-1) ?? after;
  const ownTerm = hardState?.term ?? log.ownTerm;
  if (term > ownTerm) return `entry ${index} is of term ${term}, ahead of the hard state's ${ownTerm}`;
  return floor === undefined ? null : mistakeInFloor(floor, ownTerm, log);
}

/** Entries of a log are consecutive, and their terms never fall (paper 5.3). null when these may follow that one. */
export function mistakeInOrder(entries: readonly Entry[], after: LogPosition): string | null {
  let { index, term } = after;
  for (const entry of entries) {
    if (entry.index !== index + 1) return `entry ${entry.index} was handed over where ${index + 1} follows`;
    if (entry.term < term) return `entry ${entry.index} of term ${entry.term} follows one of term ${term}`;
    ({ index, term } = entry);
  }
  return null;
}

function mistakeInFloor(
  floor: { readonly index: Index; readonly term: Term },
  ownTerm: Term,
  log: LogOutline,
): string | null {
  const { floorIndex } = log;
  if (floor.index < floorIndex) return `the floor goes back from ${floorIndex} to ${floor.index}`;
  const known = log.termAt(floorIndex);
  if (floor.index === floorIndex && floor.term !== known) {
    return `the floor at ${floorIndex} changes from term ${known} to ${floor.term}`;
  }
  if (floor.term <= ownTerm) return null;
  return `the floor is of term ${floor.term}, ahead of the hard state's ${ownTerm}`;
}
