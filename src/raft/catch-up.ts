import { wasHeardLately } from './boots.ts';
import type { Member } from './configuration.ts';
import type { Index } from './entry.ts';
import { sameMember } from './identity.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/**
 * A new voter-to-be, replicating in rounds (dissertation 4.2.1): each brings what the leader's log held when
 * the round began. While its rounds take less than an election timeout, what it lacks is too little to hold up
 * the cluster when it begins to count. It has to stay so until then: one that falls behind again is waited for
 * again.
 */
export interface CatchUp {
  readonly member: Member;
  roundTarget: Index;
  roundStartedAt: number;
  caughtUp: boolean;
  /** The furthest it ever got: of a snapshot as well as of the log. */
  reached: Reached;
  /** Not caught up: when it is given up, unless it gets further. */
  giveUpAt: number;
}

interface Reached {
  readonly matchIndex: Index;
  readonly snapshotIndex: Index;
  readonly offset: number;
}

export function newCatchUp({ log, now, options }: RaftState, member: Member): CatchUp {
  return {
    member,
    roundTarget: log.lastIndex,
    roundStartedAt: now,
    caughtUp: false,
    reached: { matchIndex: 0, snapshotIndex: 0, offset: 0 },
    giveUpAt: now + options.catchUpTimeoutMs,
  };
}

/** @returns whether there is something to tell. */
export function followRounds(state: RaftState, catchUp: readonly CatchUp[]): boolean {
  let isNews = false;
  for (const one of catchUp) {
    const progress = state.progress.find(({ member }) => sameMember(member, one.member));
    if (progress !== undefined && followRound(state, one, progress)) isNews = true;
  }
  return isNews;
}

/** Those that are not caught up and got no further for `catchUpTimeoutMs`. */
export function overdue({ now }: RaftState, catchUp: readonly CatchUp[]): Member[] {
  return catchUp.filter((one) => !one.caughtUp && now >= one.giveUpAt).map(({ member }) => member);
}

/** Whoever is to count for the first time has to be heard, or it might be missed at once. */
export function allAreReady(state: RaftState, catchUp: readonly CatchUp[]): boolean {
  return catchUp.every(({ caughtUp, member }) => caughtUp && wasHeardLately(state, member));
}

/** How long ago anything was is not known any more: every wait begins anew. */
export function restartCatchUp({ now, options }: RaftState, catchUp: readonly CatchUp[]): void {
  for (const one of catchUp) {
    one.roundStartedAt = now;
    one.giveUpAt = now + options.catchUpTimeoutMs;
  }
}

function followRound(state: RaftState, one: CatchUp, progress: Progress): boolean {
  const { now, options, log } = state;
  if (getsFurther(one, progress)) one.giveUpAt = now + options.catchUpTimeoutMs;
  const isInTime = now - one.roundStartedAt <= options.electionTimeoutMinMs;
  const was = one.caughtUp;
  if (progress.matchIndex >= one.roundTarget) {
    one.caughtUp = isInTime;
    one.roundTarget = log.lastIndex;
    one.roundStartedAt = now;
    return !was || !isInTime;
  }
  if (!was || isInTime) return false;
  one.caughtUp = false;
  one.giveUpAt = now + options.catchUpTimeoutMs;
  return true;
}

/** Beginning anew is not getting further: a snapshot that never verifies is not waited for, for ever. */
function getsFurther(one: CatchUp, { matchIndex, transfer }: Progress): boolean {
  const { reached } = one;
  const snapshotIndex = transfer?.snapshot.index ?? 0;
  const offset = transfer?.acknowledgedOffset ?? 0;
  const isFurther =
    matchIndex > reached.matchIndex ||
    snapshotIndex > reached.snapshotIndex ||
    (snapshotIndex === reached.snapshotIndex && offset > reached.offset);
  if (!isFurther) return false;
  one.reached =
    snapshotIndex < reached.snapshotIndex
      ? { ...reached, matchIndex: Math.max(matchIndex, reached.matchIndex) }
      : { matchIndex: Math.max(matchIndex, reached.matchIndex), snapshotIndex, offset };
  return true;
}
