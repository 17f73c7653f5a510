import type { ProposalBound, ProposeResult } from '../raft/proposals.ts';
import type { RaftState } from '../raft/state.ts';
import { NotLeader, Overloaded } from './errors.ts';
import { leaderOf } from './status.ts';

/** The error of proposals that the core did not take. */
export function proposalRefusal(
  refused: Extract<ProposeResult, { readonly accepted: false }>,
  state: RaftState,
): Overloaded | NotLeader {
  return refused.reason === 'overloaded'
    ? new Overloaded(refused.bound, overloads[refused.bound])
    : new NotLeader(leaderOf(state));
}

/** Whether what waits for a leader to be known, or for a transfer to end, would get an answer now. */
export function mayBeProposed(state: RaftState): boolean {
  return state.leadershipTransfer === null && leaderOf(state) !== null;
}

const overloads: Readonly<Record<ProposalBound, string>> = {
  'uncommitted-bytes':
    'too many bytes are appended and not yet committed: a quorum does not keep up; wait, then retry',
  'disk-backlog': "too many bytes wait for this replica's own disk, which does not keep up; wait, then retry",
  'disk-nearly-full':
    "this replica's disk is nearly full, or those of so many that the others are no quorum (status().disk tells, and the " +
    'event disk-nearly-full); nothing is taken until there is room: make some, then retry',
};
