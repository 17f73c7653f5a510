import type { Index } from './entry.ts';
import { sameMember } from './identity.ts';
import type { RaftState } from './state.ts';

/**
 * What a replica may say follows from what is durable, and is derived here, anew each time. Nothing is
 * queued: a completed write, a repeated question and a lost answer all lead to the same place, so no
 * order of completions can make it say too much. Everything that could not be taken back after a crash is
 * judged here; anything else may be said at once.
 */

/**
 * Its own vote may be counted, and told to the candidate it is for: after a crash it would still be
 * known, so no second vote can be cast in this term (paper 5.2, figure 2).
 */
export function voteMayBeSaid({ durable, hardState }: RaftState): boolean {
  const { term, votedFor } = durable.hardState;
  return (
    term === hardState.term &&
    votedFor !== null &&
    hardState.votedFor !== null &&
    sameMember(votedFor, hardState.votedFor)
  );
}

/**
 * The match index that may be told to the leader: what was found equal to its log *and* is durable. null:
 * nothing may be told, because a crash would bring this replica back in an older term, where it could
 * vote for a log without the entries it acknowledged.
 */
export function matchIndexToSay({ durable, hardState, verifiedIndex }: RaftState): Index | null {
  if (durable.hardState.term !== hardState.term) return null;
  return verifiedIndex < durable.index ? verifiedIndex : durable.index;
}

/** What a leader may count of its own log: as of any other, what is durable. */
export function ownMatchIndex({ durable }: RaftState): Index {
  return durable.index;
}
