import type { Context } from './context.ts';
import { emit } from './context.ts';
import type { Index } from './entry.ts';
import { promoteFreshness } from './freshness.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { firstCachedIndex, lastWithin } from './log.ts';
import { trimCache } from './log-changes.ts';
import { noteMembership } from './membership.ts';

/** The log is known to be committed up to `index`, and to be the cluster's up to there. */
export function advanceCommitIndex(context: Context, index: Index): void {
  const { state } = context;
  if (index > state.settledIndex) state.settledIndex = index;
  if (index <= state.commitIndex) return;
  const from = state.commitIndex;
  state.commitIndex = index;
  emit(context, { kind: 'commit-advanced', term: state.hardState.term, commitIndex: index });
  noteMembership(context, from);
}

/**
 * One range at a time, so that a slow state machine is not buried. A range is either all cached or all
 * durable: what is evicted can be read from the storage, what is not durable is nowhere but here.
 */
export function issueApply(context: Context): void {
  const { state } = context;
  const { appliedIndex, applyingIndex, commitIndex, log, options } = state;
  if (applyingIndex > appliedIndex || commitIndex <= appliedIndex) return;
  const from = appliedIndex + 1;
  if (from <= log.floorIndex) {
    throw new InvariantViolation(
      `entry ${from} is to be applied, but the log begins after ${log.floorIndex}`,
    );
  }
  let to = from + options.applyEntriesMax - 1;
  if (to > commitIndex) to = commitIndex;
  const firstCached = firstCachedIndex(log);
  // What is not cached is of unknown size: whoever reads it does so in pieces of `applyBytesMax`.
  if (from >= firstCached) to = lastWithin(log, { from, to, bytesMax: options.applyBytesMax });
  else if (to >= firstCached) to = firstCached - 1;
  state.applyingIndex = to;
  context.effects.push({ kind: 'apply', from, to });
}

/** The state machine finished everything up to `index`. Anything but what was handed out is no news. */
export function onApplied(context: Context, index: Index): void {
  const { state } = context;
  if (state.restoring !== null) return;
  if (index <= state.appliedIndex || index > state.applyingIndex) return;
  state.appliedIndex = index;
  promoteFreshness(state);
  trimCache(state);
}

/** The state machine holds what the snapshot up to `index` holds. */
export function onRestored(context: Context, index: Index): void {
  const { state } = context;
  if (state.restoring === null || index !== state.restoring.index) return;
  state.appliedIndex = index;
  state.restoring = null;
  promoteFreshness(state);
}
