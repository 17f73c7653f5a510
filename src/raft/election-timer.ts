import type { Context } from './context.ts';
import { decidesAlone, mayCampaign, selfIsSoleVoter } from './membership.ts';

/**
 * Starts the wait for a leader anew, for a time drawn anew (paper 5.2: equal waits split votes again and
 * again). Who may not campaign waits for nothing. Who decides alone has nobody to wait for: it campaigns at
 * once, and then waits only for its own disk, however slow that is.
 */
export function armElectionTimer(context: Context): void {
  const { state, random } = context;
  const { electionTimeoutMinMs, electionTimeoutMaxMs } = state.options;
  if (state.role === 'leader' || !mayCampaign(state)) state.timers.election = null;
  else if (selfIsSoleVoter(state) && state.role !== 'follower') state.timers.election = null;
  else if (decidesAlone(state)) state.timers.election = state.now;
  else state.timers.election = state.now + random.integer(electionTimeoutMinMs, electionTimeoutMaxMs);
}
