import { wasHeardLately } from './boots.ts';
import type { Index } from './entry.ts';
import { sameMember } from './identity.ts';
import { currentConfiguration } from './membership.ts';
import type { Progress } from './progress.ts';
import { isQuorum } from './quorum.ts';
import { progressOf } from './replication.ts';
import type { RaftState } from './state.ts';

/**
 * A replica whose disk is nearly full takes no more entries, so that what it must still write finds room: its term
 * and vote, where the log begins, a snapshot that lets go of entries. It votes, answers heartbeats and keeps what it
 * acknowledged; it says that it takes none to its leader, which then sends none; and it campaigns only when nobody else
 * did so for a long time (election-timer.ts).
 *
 * A leader hands over to one that says it has room, if those who say so, and were heard lately, are a quorum: they go on
 * without it. If not, nobody could commit anything in its place. It leads on, so that reads are answered, and refuses
 * proposals, which says more than to let them wait for a quorum.
 *
 * Disks that hold the same run full at the same time, so whoever was handed over to may have no room a moment later.
 * Yet it must commit the first entry of its term, or it answers no reads; and where no quorum has room, a change of the
 * membership may be what brings one. So peers without room are sent entries up to those, and of them they take a few, as
 * many bytes as the embedder can spare of the reserve.
 */

/** Whether what is proposed here could be committed, as far as room on disks is known. */
export function takesProposals(state: RaftState): boolean {
  if (state.stall.diskNearlyFull) return false;
  return state.progress.every(({ nearlyFull }) => !nearlyFull) || aQuorumHasRoom(state);
}

function aQuorumHasRoom(state: RaftState): boolean {
  return isQuorum(currentConfiguration(state), (member) => {
    if (sameMember(member, state.self)) return !state.stall.diskNearlyFull;
    return progressOf(state, member)?.nearlyFull === false && wasHeardLately(state, member);
  });
}

/** Whether a quorum is known to have room without this replica. */
export function othersHaveRoom(state: RaftState): boolean {
  return isQuorum(currentConfiguration(state), (member) => {
    const progress = progressOf(state, member);
    return progress !== undefined && saysItHasRoom(progress) && wasHeardLately(state, member);
  });
}

export function saysItHasRoom({ answeredRound, nearlyFull }: Progress): boolean {
  return answeredRound > 0 && !nearlyFull;
}

/** How many bytes of entries a follower may take, as far as room on its disk goes. */
export function spareBytes({ stall }: RaftState): number {
  return stall.diskNearlyFull ? stall.spareBytes : Number.POSITIVE_INFINITY;
}

/** The last entry that the leader sends to a peer without room; null: none. */
export function lastForNearlyFull(state: RaftState): Index | null {
  const { commitIndex, termStartIndex } = state;
  if (commitIndex < termStartIndex) return termStartIndex;
  const latest = state.configurations[state.configurations.length - 1];
  return latest !== undefined && latest.index > commitIndex && !aQuorumHasRoom(state) ? latest.index : null;
}
