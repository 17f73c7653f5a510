import type { Index } from './entry.ts';
import { decidesAlone } from './membership.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/**
 * How stale may be what is read here, without asking anybody? A replica can prove it only by its own clock, and only
 * from a moment at which it did something itself: it stamps its heartbeat answers with the time. The leader
 * that gets a stamp begins another round of heartbeats, a quorum answers that (so it still led after the stamp
 * was given), and the stamp goes back with the commit index. Whatever anybody had been told was committed when
 * the stamp was given lies at that index or before; who has applied up to there is no staler than the stamp is old.
 *
 *     follower   answers round 7, stamp 1200                    hears stamp 1200, index 40
 *     leader              has the stamp   sends 8   a quorum answered 8: I led after 1200   sends 9
 *
 * A leader needs no echo: a round that a quorum answered was sent by itself.
 */
export interface Freshness {
  /** Proven, and the state machine is that far. null: nothing is proven. */
  proven: FreshAsOf | null;
  /** Proven, and the state machine is not that far yet. */
  applying: FreshAsOf | null;
  /**
   * The last time the clock was not to be trusted; null: it always was. A stamp of that moment or before means
   * nothing. Of that very moment neither: a clock that went back stood still here for as long as it was gone.
   */
  anomalyAt: number | null;
}

/** Whoever has applied everything up to `index` lacks nothing that anybody knew to be committed at `at`. */
export interface FreshAsOf {
  readonly at: number;
  readonly index: Index;
}

/** A stamp that a leader got, and the first round that it began after that. */
export interface StampedAnswer {
  readonly boot: number;
  readonly stamp: number;
  readonly round: number;
}

export const noFreshness: Freshness = { proven: null, applying: null, anomalyAt: null };

/** By how many milliseconds what is applied here may lag behind what anybody was told; null: no bound is known. */
export function stalenessMs(state: RaftState): number | null {
  // Nothing is committed without it, so it needs no round of heartbeats to know that it knows all; it sends none.
  const { role, commitIndex, termStartIndex, now } = state;
  if (role === 'leader' && commitIndex >= termStartIndex && decidesAlone(state)) {
    noteFreshness(state, { at: now, index: commitIndex });
  }
  const { proven } = state.freshness;
  return proven === null ? null : now - proven.at;
}

export function noteFreshness(state: RaftState, fresh: FreshAsOf): void {
  const { freshness, appliedIndex } = state;
  const { anomalyAt } = freshness;
  if ((anomalyAt !== null && fresh.at <= anomalyAt) || fresh.at > state.now) return;
  if (fresh.index > appliedIndex) freshness.applying ??= fresh;
  else if (freshness.proven === null || fresh.at > freshness.proven.at) freshness.proven = fresh;
}

/** The state machine got further. */
export function promoteFreshness(state: RaftState): void {
  const { freshness, appliedIndex } = state;
  const { applying } = freshness;
  if (applying === null || applying.index > appliedIndex) return;
  freshness.applying = null;
  noteFreshness(state, applying);
}

/** How long ago anything was is not known any more. */
export function forgetFreshness(state: RaftState): void {
  state.freshness = { ...noFreshness, anomalyAt: state.now };
}

/**
 * Leader: one stamp of a peer at a time; those that come meanwhile would only be younger. Before an entry of its own
 * term is committed a leader does not know what else is (paper 8), so it vouches for nothing.
 */
export function takeStamp(
  { commitIndex, termStartIndex, lastRound }: RaftState,
  progress: Progress,
  { boot, stamp }: { readonly boot: number; readonly stamp: number },
): void {
  if (progress.stamped !== null || commitIndex < termStartIndex) return;
  progress.stamped = { boot, stamp, round: lastRound + 1 };
}

/** Leader: a quorum answered `confirmedRound`, and with it all rounds before. */
export function proveStamps(state: RaftState, confirmedRound: number): void {
  for (const progress of state.progress) {
    const { stamped } = progress;
    if (stamped === null || stamped.round > confirmedRound) continue;
    progress.stamped = null;
    progress.provenFreshness = { boot: stamped.boot, stamp: stamped.stamp, index: state.commitIndex };
  }
}
