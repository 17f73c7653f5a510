import type { MemberId, ReplicaId } from './identity.ts';
import { sameMember } from './identity.ts';
import { restartProgress } from './progress.ts';
import type { RaftState } from './state.ts';

/** The highest boot heard of a member; null when it was never heard. */
export function bootOf(state: RaftState, member: MemberId): number | null {
  for (const known of state.boots) if (sameMember(known.member, member)) return known.boot;
  return null;
}

/**
 * Remembers the sender's boot. A member that was started again may hold less than it held in memory, so
 * what a leader thought of it starts again from what it now says.
 */
export function noteBoot(state: RaftState, from: ReplicaId): void {
  const known = state.boots.find(({ member }) => sameMember(member, from));
  if (known !== undefined && known.boot === from.boot) return;
  if (known === undefined) {
    state.boots.push({ member: { id: from.id, incarnation: from.incarnation }, boot: from.boot });
  } else {
    known.boot = from.boot;
  }
  const progress = state.progress.find(({ member }) => sameMember(member, from));
  if (progress === undefined || progress.boot === from.boot) return;
  if (progress.boot === null) progress.boot = from.boot;
  else restartProgress(progress, from.boot, state.log.lastIndex + 1);
}
