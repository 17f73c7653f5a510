import type { HardState } from '../../src/raft/effect.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { RequestId } from '../../src/raft/identity.ts';
import type { LogTerms } from './log-terms.ts';

/** A write handed to the storage and not yet durable: some, all or none of it is on the disk. */
export interface PendingWrite {
  readonly writeId: RequestId;
  readonly hardState: HardState | null;
  readonly cutFrom: Index | null;
  /** Terms of its entries, which follow the log's end after the cut. */
  readonly terms: readonly Term[];
  readonly floor: { readonly index: Index; readonly term: Term } | null;
}

/** Does to a log what a write does. */
export function replay(write: PendingWrite, log: LogTerms): void {
  if (write.floor !== null) log.beginAfter(write.floor.index, write.floor.term);
  if (write.cutFrom !== null) log.cut(write.cutFrom);
  for (const term of write.terms) log.append(term);
}

/**
 * Does to a log that may be damaged what a write does: to what is held up to the first thing that is missing, and to all
 * that was promised, which is the very same log while nothing is missing. What begins at or before something missing
 * takes its place, and that of all that follows.
 *
 * @returns what is promised from then on.
 */
export function replayBoth(write: PendingWrite, persisted: LogTerms, promised: LogTerms): LogTerms {
  const { cutFrom, terms, floor } = write;
  const replaces =
    cutFrom !== null || terms.length > 0 || (floor !== null && !persisted.mayHold(floor.index, floor.term));
  const isWhole = promised === persisted;
  replay(write, persisted);
  if (isWhole || replaces) return persisted;
  replay(write, promised);
  return promised;
}

/** Whether entries of the log go by a write, from its end on. */
export function cuts({ cutFrom, floor }: PendingWrite, log: LogTerms): boolean {
  if (cutFrom !== null && cutFrom <= log.lastIndex) return true;
  return floor !== null && floor.index < log.lastIndex && !log.mayHold(floor.index, floor.term);
}
