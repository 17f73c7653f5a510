import type { Context } from './context.ts';
import type { Index } from './entry.ts';
import { moveFloor } from './floor.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { termAt } from './log.ts';
import { configurationAt } from './membership.ts';
import { type SnapshotMeta, sameSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';

/**
 * Log compaction (paper 7, dissertation 5.1): what a durable snapshot covers need not be in the log. How far
 * the log is really cut off is derived anew at each drain from what the embedder wants kept and from who
 * needs more, so a compaction that had to wait for somebody is made up for once nobody needs it.
 */

export function snapshotTaken(context: Context, meta: SnapshotMeta, keepFrom: Index): void {
  const { state } = context;
  const known = state.snapshot?.index ?? 0;
  // A leader's snapshot came meanwhile: this one is no news.
  if (meta.index < known) return;
  // One of the same entry takes the place of one that the disk damaged: the same state, if perhaps in other bytes.
  if (state.snapshot === null || !sameSnapshot(meta, state.snapshot)) {
    checkTaken(state, meta);
    state.snapshot = meta;
  }
  // One that was found at the opening is told again: the crash may have come between it and its floor.
  if (keepFrom > state.keepFrom) state.keepFrom = keepFrom;
}

/** Moves the floor to where nobody needs anything before it. */
export function compact(context: Context): void {
  const { state } = context;
  const { snapshot, keepFrom, log, appliedIndex, settledIndex, commitIndex } = state;
  if (snapshot === null || keepFrom - 1 <= log.floorIndex) return;
  // Above the settled index this log may hold other entries than the snapshot does; above the applied index
  // are ranges to be applied.
  const wanted = Math.min(keepFrom - 1, snapshot.index, appliedIndex, settledIndex);
  const index = keptBack(state, wanted, snapshot.index - state.options.snapshotPinnedEntriesMax);
  if (index <= log.floorIndex) return;
  const term = termAt(log, index);
  if (term === null || index > commitIndex) {
    throw new InvariantViolation(
      `compaction up to ${index}, in a log of ${log.floorIndex}..${log.lastIndex}, committed to ${commitIndex}`,
    );
  }
  moveFloor(context, { index, term, configuration: configurationAt(state, index) });
}

/**
 * A peer that is receiving a snapshot goes on with the entries after it. While it gets further, with the one or
 * with the others, they are kept, or it would begin anew with every snapshot taken; unless it is so far behind,
 * below `least`, that keeping them costs more than another snapshot.
 */
function keptBack({ progress, now, options }: RaftState, wanted: Index, least: Index): Index {
  let index = wanted;
  for (const peer of progress) {
    const { transfer, matchIndex } = peer;
    if (transfer === null && matchIndex >= wanted) peer.recoveringAt = null;
    const isAnswered = transfer !== null && transfer.acknowledgedOffset !== null;
    const gotFurtherAt = isAnswered ? transfer.progressAt : peer.recoveringAt;
    if (gotFurtherAt === null || now - gotFurtherAt >= options.catchUpTimeoutMs) continue;
    const from = transfer?.snapshot.index ?? matchIndex;
    if (from >= least && from < index) index = from;
  }
  return index;
}

/** A snapshot of what is not committed, or with another membership than the cluster's, must never be used. */
function checkTaken(state: RaftState, { index, term, configuration }: SnapshotMeta): void {
  const { commitIndex, settledIndex, log } = state;
  if (index > commitIndex) {
    throw new InvariantViolation(`a snapshot of entry ${index}, committed is only ${commitIndex}`);
  }
  if (index > settledIndex || index < log.floorIndex) return;
  const own = termAt(log, index);
  const inForce = configurationAt(state, index);
  if (own !== term || inForce.id !== configuration.id) {
    throw new InvariantViolation(
      `a snapshot of ${index}/${term} with configuration ${configuration.id}, ` +
        `but the log holds ${index}/${own} with configuration ${inForce.id}`,
    );
  }
}
