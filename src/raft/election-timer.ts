import type { Context } from './context.ts';
import { decidesAlone, mayCampaign, selfIsSoleVoter } from './membership.ts';
import type { RaftOptions } from './options.ts';
import type { RaftState } from './state.ts';

/**
 * Starts the wait for a leader anew, for a time drawn anew (paper 5.2: equal waits split votes again and
 * again). Who may not campaign waits for nothing, unless it lacks entries and follows a leader. Who decides alone has
 * nobody to wait for: it campaigns at once, and then waits only for its own disk, however slow that is.
 */
export function armElectionTimer(context: Context): void {
  const { state, random } = context;
  const { electionTimeoutMinMs, electionTimeoutMaxMs } = state.options;
  if (state.role === 'leader') state.timers.election = null;
  else if (!mayCampaign(state)) {
    // A voter that lacks entries has to notice that its leader is gone: clients are sent there, and repairs rely on it.
    const waits = state.hardState.missing !== undefined && state.leader !== null;
    state.timers.election = waits ? state.now + electionTimeoutMaxMs : null;
  } else if (selfIsSoleVoter(state) && state.role !== 'follower') state.timers.election = null;
  else if (decidesAlone(state)) state.timers.election = state.now;
  else {
    const waitMs = random.integer(electionTimeoutMinMs, electionTimeoutMaxMs);
    state.timers.election = state.now + waitMs + presentHeadStartMs(state);
  }
}

/**
 * Whoever applies nothing at present, or has no room for entries, gives a whole head start each time: it is to lead only
 * if nobody else can.
 */
function presentHeadStartMs({ headStartMs, options, stall }: RaftState): number {
  const isFit = !stall.stateMachineStalled && !stall.diskNearlyFull;
  return isFit ? headStartMs : options.electionTimeoutMaxMs;
}

/**
 * A replica of low priority gives the others a head start. It changes only when this one begins to ask, so it costs
 * no safety; and it halves with every wait in vain, so that preferred replicas that are gone hold nobody up for
 * long: all head starts together are below two longest election timeouts.
 */
export function fullHeadStartMs({ electionPriority, electionTimeoutMaxMs }: RaftOptions): number {
  return Math.floor((electionTimeoutMaxMs * (100 - electionPriority)) / 100);
}

export function halveHeadStart(state: RaftState): void {
  state.headStartMs = Math.floor(state.headStartMs / 2);
}
