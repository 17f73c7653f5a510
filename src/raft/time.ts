import { restartCatchUp } from './catch-up.ts';
import type { Context } from './context.ts';
import { emit } from './context.ts';
import { armElectionTimer } from './election-timer.ts';
import type { ClockAnomaly } from './event.ts';
import { forgetFreshness } from './freshness.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { dropLease } from './lease.ts';
import { decidesAlone } from './membership.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';
import { earliest } from './timers.ts';

/** Takes over the embedder's time, which accompanies every input, and notices when it is not to be trusted. */
export function advanceTime(context: Context, now: number): void {
  const { state } = context;
  if (!Number.isFinite(now)) throw new InvariantViolation(`the clock gave ${now} as the time`);
  const time = now + state.clockOffsetMs;
  if (time < state.now) {
    const byMs = state.now - time;
    state.clockOffsetMs += byMs;
    onClockAnomaly(context, 'backward', byMs);
    return;
  }
  state.now = time;
  const due = earliest(state.timers);
  if (due !== null && time - due > state.options.clockGapMs) onClockAnomaly(context, 'gap', time - due);
}

/**
 * How long ago anything was is not known any more. So rights end and promises restart: a leader has to
 * prove itself again (it is not deposed for the jump alone, but it has one election timeout to be
 * confirmed), a campaign is given up, and whatever was promised to a leader counts from now.
 */
export function onClockAnomaly(context: Context, anomaly: ClockAnomaly, byMs: number): void {
  const { state } = context;
  const { timers, now } = state;
  const { electionTimeoutMinMs } = state.options;
  state.clockAnomalies += 1;
  emit(context, { kind: 'clock-anomaly', anomaly, byMs });

  // Answers to rounds sent before prove nothing: their age cannot be told.
  state.rounds = [];
  state.quorumConfirmedAt = null;
  dropLease(state);
  forgetFreshness(state);
  if (timers.quorum !== null) timers.quorum = now + electionTimeoutMinMs;
  if (timers.heartbeat !== null) timers.heartbeat = now;
  restartWaits(state);

  if (decidesAlone(state)) return;
  state.silentUntil = now + electionTimeoutMinMs;
  if (state.role === 'pre-candidate' || state.role === 'candidate') {
    becomeFollower(context, state.hardState.term, 'its clock is not to be trusted');
  }
  armElectionTimer(context);
}

/** Silence that was measured by this clock is no silence any more, and no delay is anybody's fault. */
function restartWaits(state: RaftState): void {
  const { timers, now, options, change } = state;
  for (const known of state.boots) known.heardAt = now;
  if (state.leadingSince !== null) state.leadingSince = now;
  if (timers.removal !== null) timers.removal = now + options.electionTimeoutMinMs;
  if (timers.leadershipTransfer !== null) timers.leadershipTransfer = now + options.electionTimeoutMaxMs;
  if (timers.stall !== null) timers.stall = now + options.electionTimeoutMaxMs;
  for (const progress of state.progress) {
    if (progress.transfer !== null) progress.transfer.progressAt = now;
    if (progress.recoveringAt !== null) progress.recoveringAt = now;
  }
  if (change === null) return;
  restartCatchUp(state, change.catchUp);
  if (change.quorumBy !== null) change.quorumBy = now + options.catchUpTimeoutMs;
  if (timers.membership !== null) timers.membership = now + options.catchUpTimeoutMs;
}
