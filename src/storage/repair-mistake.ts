import type { Entry, Term } from '../raft/entry.ts';
import type { LogHole } from './contract.ts';
import { mistakeInOrder } from './write-mistake.ts';

/**
 * What makes a repair one that no correct caller hands over; null when nothing does. The last of the entries is
 * one that is missing.
 *
 * @param termBefore - that of the entry before the hole.
 */
export function mistakeInRepair(
  entries: readonly Entry[],
  hole: LogHole,
  termBefore: Term | null,
): string | null {
  const { from, to, anchor } = hole;
  const [first, last] = [entries[0], entries.at(-1)];
  if (first === undefined || last === undefined) return null;
  if (last.index !== to) return `a repair ends at entry ${last.index}; the hole is from ${from} to ${to}`;
  if (first.index < from) return `a repair begins at entry ${first.index}; the hole is from ${from} to ${to}`;
  const mistake = mistakeInOrder(entries, { index: first.index - 1, term: termBefore ?? 0 });
  if (mistake !== null) return mistake;
  const { index, term } = last;
  const fits = anchor.index === index ? term === anchor.term : term <= anchor.term;
  if (fits) return null;
  return `entry ${index} is of term ${term}, but entry ${anchor.index} is of term ${anchor.term}`;
}
