import type { Context } from './context.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { followConfiguration } from './peers.ts';
import { appendNoop } from './proposals.ts';
import { takeReadsOver } from './read-index.ts';
import { setLeader, setRole } from './roles.ts';
import { watchStall } from './stall.ts';

/** The candidate has the votes of a quorum in its term. */
export function becomeLeader(context: Context): void {
  const { state } = context;
  const { log, hardState } = state;
  // Leader Completeness (paper 5.4.3): a log that misses a committed entry cannot win.
  if (log.lastIndex < state.commitIndex) {
    throw new InvariantViolation(
      `elected in term ${hardState.term} with a log that ends at ${log.lastIndex}, ` +
        `below the commit index ${state.commitIndex}`,
    );
  }
  state.votes = [];
  state.timers.election = null;
  state.settledIndex = state.commitIndex;
  setRole(context, 'leader', 'elected by a quorum');
  setLeader(context, state.self);

  state.leadingSince = state.now;
  state.leaseForfeited = false;
  for (const known of state.boots) known.sinceRound = 0;
  takeReadsOver(state);
  watchStall(state);
  // The peers' next entry is the no-op, so they are listed before it is appended.
  followConfiguration(context);
  state.termStartIndex = log.lastIndex + 1;
  appendNoop(context);
}
