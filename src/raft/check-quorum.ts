import { leaveJointForOldVoters } from './active-change.ts';
import type { Context } from './context.ts';
import { becomeFollower } from './roles.ts';

/**
 * No quorum answered in time (dissertation 6.2). The bound is the shortest election timeout, counted from the
 * sending of the last confirmed round: each member of the quorum that answered it heard it later than that, and
 * refuses its vote for that long from then on. So, clocks running alike, a leader that is cut off steps down
 * before any other can be elected.
 */
export function onQuorumTimeout(context: Context): void {
  if (leaveJointForOldVoters(context)) return;
  becomeFollower(context, context.state.hardState.term, 'no quorum answered its heartbeats');
}
