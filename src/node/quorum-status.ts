import { knownBoot } from '../raft/boots.ts';
import { isVoter, members } from '../raft/configuration.ts';
import type { NodeId } from '../raft/identity.ts';
import { sameMember } from '../raft/identity.ts';
import { currentConfiguration } from '../raft/membership.ts';
import { isQuorum } from '../raft/quorum.ts';
import type { RaftState } from '../raft/state.ts';

/** Whether the cluster can decide anything, as far as one replica sees. */
export interface QuorumStatus {
  /** Enough voters are heard; in a joint configuration, of both sets. */
  readonly reachable: boolean;
  /** Voters not heard lately. `sinceMs`: milliseconds since they were; null when they never were. */
  readonly missing: readonly { readonly id: NodeId; readonly sinceMs: number | null }[];
}

export const noQuorum: QuorumStatus = { reachable: false, missing: [] };

/** In longest election timeouts: within it, whoever seeks a leader hears every living voter, and others their leader. */
const HEARD_WITHIN = 2;

/**
 * A follower hears its leader only, and that one would not be leading without a quorum. Who leads, or seeks a
 * leader, hears everybody. A learner seeks none: its last leader stays known to it, however long it is gone.
 */
export function quorumOf(state: RaftState): QuorumStatus {
  const configuration = currentConfiguration(state);
  const { now, options, self, role, leader, leaderHeardAt } = state;
  const within = HEARD_WITHIN * options.electionTimeoutMaxMs;
  const hearsLeader = leader !== null && leaderHeardAt !== null && now - leaderHeardAt <= within;
  if (role === 'follower' && hearsLeader) return { reachable: true, missing: [] };
  const heardAt = new Map(
    members(configuration)
      .filter((member) => isVoter(configuration, member))
      .map((member) => [
        member,
        sameMember(member, self) ? now : (knownBoot(state, member)?.heardAt ?? null),
      ]),
  );
  const silent = [...heardAt].filter(([, at]) => at === null || now - at > within);
  return {
    reachable: isQuorum(configuration, (member) => !silent.some(([one]) => sameMember(one, member))),
    missing: silent.map(([{ id }, at]) => ({ id, sinceMs: at === null ? null : now - at })),
  };
}
