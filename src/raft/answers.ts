import type { Context } from './context.ts';
import { send } from './context.ts';
import { ownVoteIsMissing, requestVotes } from './election.ts';
import { matchIndexToSay, voteMayBeSaid } from './promises.ts';
import type { RaftState } from './state.ts';

/** Says what has become sayable since the last drain: promises.ts tells what that is. */
export function sayWhatMayBeSaid(context: Context): void {
  const { state } = context;
  if (ownVoteIsMissing(state) && voteMayBeSaid(state)) requestVotes(context);
  if (state.owed.vote !== null && voteMayBeSaid(state)) {
    const { term } = state.hardState;
    send(context, state.owed.vote.candidate, { kind: 'VoteResponse', term, granted: true });
    state.owed.vote = null;
  }
  if (state.owed.acknowledgement !== null) acknowledge(context);
}

/** One answer covers every append and every heartbeat before it. */
function acknowledge(context: Context): void {
  const { state } = context;
  const { acknowledgement } = state.owed;
  const matchIndex = matchIndexToSay(state);
  if (acknowledgement === null || matchIndex === null) return;
  const { leader, round, saidMatchIndex, appendOwed } = acknowledgement;
  const { verifiedIndex } = state;
  const { term } = state.hardState;
  // An append that brought nothing new is answered at once; any other, as its entries become durable.
  const appendMayBeSaid = matchIndex > saidMatchIndex || (appendOwed && matchIndex === verifiedIndex);
  if (round > 0) {
    send(context, leader, {
      kind: 'HeartbeatResponse',
      term,
      round,
      matchIndex,
      verifiedIndex,
      promiseMs: promiseMs(state),
      stamp: state.now,
      ...(state.stall.diskNearlyFull ? { nearlyFull: true } : {}),
    });
    acknowledgement.round = 0;
  } else if (appendMayBeSaid) {
    send(context, leader, {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term,
      matchIndex,
      verifiedIndex,
    });
  }
  if (matchIndex > saidMatchIndex) acknowledgement.saidMatchIndex = matchIndex;
  if (matchIndex === verifiedIndex) acknowledgement.appendOwed = false;
}

/** How much longer this replica votes for nobody else: `handleRequestVote` keeps it. */
function promiseMs(state: RaftState): number {
  if (!state.options.checkQuorum || state.leaderHeardAt === null) return 0;
  const left = state.leaderHeardAt + state.options.electionTimeoutMinMs - state.now;
  return left > 0 ? left : 0;
}
