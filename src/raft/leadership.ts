import { bootOf } from './boots.ts';
import { members } from './configuration.ts';
import type { Context } from './context.ts';
import { sendHeartbeats } from './heartbeats.ts';
import { sameMember } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { currentConfiguration } from './membership.ts';
import { newProgress } from './progress.ts';
import { appendNoop } from './proposals.ts';
import { setLeader, setRole } from './roles.ts';

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

  const others = members(currentConfiguration(state)).filter((member) => !sameMember(member, state.self));
  state.progress = others.map((member) => newProgress(member, bootOf(state, member), log.lastIndex + 1));
  state.uncommittedBytes = 0;
  state.termStartIndex = log.lastIndex + 1;
  appendNoop(context);

  if (state.options.checkQuorum && others.length > 0) {
    state.timers.quorum = state.now + state.options.electionTimeoutMinMs;
  }
  if (others.length > 0) sendHeartbeats(context);
}
