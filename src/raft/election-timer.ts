import type { Context } from './context.ts';
import { mayCampaign, selfIsSoleVoter } from './membership.ts';

/**
 * Starts the wait for a leader anew, for a time drawn anew (paper 5.2: equal waits split votes again and
 * again). Who may not campaign waits for nothing. A sole voter has nobody to wait for: it campaigns at
 * once, and then only for its own disk, however slow that is.
 */
export function armElectionTimer(context: Context): void {
  const { state, random } = context;
  const { electionTimeoutMinMs, electionTimeoutMaxMs } = state.options;
  if (state.role === 'leader' || !mayCampaign(state)) state.timers.election = null;
  else if (selfIsSoleVoter(state)) state.timers.election = state.role === 'follower' ? state.now : null;
  else state.timers.election = state.now + random.integer(electionTimeoutMinMs, electionTimeoutMaxMs);
}
