import { bytesAfter } from './log.ts';
import type { RaftState } from './state.ts';

/**
 * What waits for the own disk: entries in writes that were issued and are not durable, and those of the next
 * write. All of it is in memory, in the storage's queue or in the cache, whatever became of the log meanwhile: an
 * entry that was cut again is still being written. So it is counted by what was handed out and what came back,
 * two sums that only grow, and not by the log's ends.
 *
 * Whoever adds to the log asks first, be it a leader's proposal or a follower's append (`proposals.ts`,
 * `append-entries.ts`). The window of one well-behaved leader never fills it. But a leader's slow disk may be
 * left behind by two fast followers, which commit without it (dissertation 10.2.1); a follower whose disk hangs
 * gets a little more from each of a sequence of leaders; and a peer need not be well-behaved.
 */
export function backlogBytes(state: RaftState): number {
  const { issuedBytes, persistedBytes, unissued, log } = state;
  const appendFrom = unissued?.appendFrom ?? null;
  return issuedBytes - persistedBytes + (appendFrom === null ? 0 : bytesAfter(log, appendFrom - 1));
}

/** How many more bytes may wait. With nothing waiting anything may, or one great entry could never be taken. */
export function backlogRoom(state: RaftState): number {
  const backlog = backlogBytes(state);
  return backlog === 0 ? Number.POSITIVE_INFINITY : state.options.diskBacklogBytesMax - backlog;
}
