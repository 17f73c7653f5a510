import { isMember } from './configuration.ts';
import type { Context } from './context.ts';
import { send } from './context.ts';
import type { MemberId, ReplicaId } from './identity.ts';
import { sameMember } from './identity.ts';
import { currentConfiguration, leaderToAsk } from './membership.ts';
import type { RaftMessage } from './message.ts';
import { restartProgress } from './progress.ts';
import type { RaftState } from './state.ts';

/** What is known of the runs of one member. */
export interface KnownBoot {
  readonly member: MemberId;
  /** The highest heard. */
  boot: number;
  /** When that boot was last heard; milliseconds of the core's time. */
  heardAt: number;
  /** Leader: the latest heartbeat round when this boot was first heard. */
  sinceRound: number;
}

/** Members that left are forgotten beyond this many. */
const KNOWN_MAX = 128;

/** The highest boot heard of a member; null when it was never heard. */
export function bootOf(state: RaftState, member: MemberId): number | null {
  return knownBoot(state, member)?.boot ?? null;
}

export function knownBoot(state: RaftState, member: MemberId): KnownBoot | null {
  for (const known of state.boots) if (sameMember(known.member, member)) return known;
  return null;
}

/**
 * Remembers the sender's boot. A member that was started again may hold less than it held in memory, so
 * what a leader thought of it starts again from what it now says.
 *
 * What asks for votes teaches no boot: it is what a copy of a data directory sends that was started elsewhere
 * while the original is well. Answers go to the original's address, so the copy never leads, and nobody turns
 * away from the original for its sake.
 */
export function noteBoot(state: RaftState, from: ReplicaId, message: RaftMessage): void {
  if (message.kind === 'RequestPreVote' || message.kind === 'RequestVote') return;
  const known = knownBoot(state, from);
  if (known !== null && known.boot === from.boot) {
    known.heardAt = state.now;
    return;
  }
  if (known === null) {
    forgetStrangers(state);
    state.boots.push({
      member: { id: from.id, incarnation: from.incarnation },
      boot: from.boot,
      heardAt: state.now,
      sinceRound: state.lastRound,
    });
  } else {
    known.boot = from.boot;
    known.heardAt = state.now;
    known.sinceRound = state.lastRound;
  }
  const progress = state.progress.find(({ member }) => sameMember(member, from));
  if (progress === undefined || progress.boot === from.boot) return;
  if (progress.boot === null) progress.boot = from.boot;
  else restartProgress(progress, from.boot, state.log.lastIndex + 1);
}

/** Whether this very pair, in its latest boot, was heard within the time after which a leader counts as gone. */
export function wasHeardLately(state: RaftState, member: MemberId): boolean {
  if (sameMember(member, state.self)) return true;
  const known = knownBoot(state, member);
  return known !== null && state.now - known.heardAt < state.options.electionTimeoutMinMs;
}

/**
 * A late message of an earlier boot proves nothing. An answer to a heartbeat that was sent after a later boot
 * had been heard does: that earlier boot runs now, so the directory was copied or rolled back.
 */
export function bootWentBack(state: RaftState, from: ReplicaId, message: RaftMessage): boolean {
  if (state.role !== 'leader' || message.kind !== 'HeartbeatResponse') return false;
  const known = knownBoot(state, from);
  if (known === null || from.boot >= known.boot) return false;
  return (
    message.term === state.hardState.term && message.round > known.sinceRound && !wasHeardLately(state, from)
  );
}

/**
 * This run of the pair does not know what an earlier, or later, one did: its storage was copied or rolled back.
 * Whatever it says of votes and entries is not to be relied upon.
 */
export function tellBootWentBack(context: Context, from: ReplicaId): void {
  send(context, from, {
    kind: 'JoinAnswer',
    answer: 'boot-went-back',
    boot: from.boot,
    leader: leaderToAsk(context.state),
  });
}

function forgetStrangers(state: RaftState): void {
  if (state.boots.length < KNOWN_MAX) return;
  const configuration = currentConfiguration(state);
  const stranger = state.boots.findIndex(({ member }) => !isMember(configuration, member));
  if (stranger >= 0) state.boots.splice(stranger, 1);
}
