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

/** Whether entries of the log go by a write, from its end on. */
export function cuts({ cutFrom, floor }: PendingWrite, log: LogTerms): boolean {
  if (cutFrom !== null && cutFrom <= log.lastIndex) return true;
  return floor !== null && floor.index < log.lastIndex && log.termAt(floor.index) !== floor.term;
}
