import { wasHeardLately } from './boots.ts';
import { allAreReady, type CatchUp, followRounds, newCatchUp, overdue } from './catch-up.ts';
import type { Configuration, ConfigurationId, Member } from './configuration.ts';
import { configurationIdOf, isJoint, isMember, isRetired, isVoter, members } from './configuration.ts';
import type { Context } from './context.ts';
import { emit, nextRequestId } from './context.ts';
import type { Index } from './entry.ts';
import type { MembershipProgress } from './event.ts';
import { confirmedBy, sendHeartbeats } from './heartbeats.ts';
import type { MemberId, RequestId } from './identity.ts';
import { sameMember } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { appendEntry, trimCache } from './log-changes.ts';
import { currentConfiguration, markRemoved } from './membership.ts';
import type { MembershipChange, RefusedMembership } from './membership-change.ts';
import { afterJoint, beforeJoint, jointOf, type MembershipPlan, planMembership } from './membership-plan.ts';
import { followConfiguration } from './peers.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';

/**
 * A change of the membership, as its leader carries it out (dissertation 4.3):
 *
 *     C_old -> C_old + learners -> wait until they hold the log -> C_old,new (joint) -> C_new
 *
 * Each arrow is one entry, in force as soon as it is appended, and the next is appended only once the last
 * is committed. What a leader loses with its office is this record of what was meant; what is in the log
 * stands for itself: any leader that finds a committed joint configuration leaves it for C_new.
 */
export interface ActiveChange {
  readonly changeId: RequestId;
  phase: MembershipProgress['phase'];
  /** To which an abort goes back. */
  readonly before: Configuration;
  readonly plan: Omit<MembershipPlan, 'accepted'>;
  /** The leader began it by itself, because a member fell silent. */
  readonly automatic: boolean;
  readonly catchUp: readonly CatchUp[];
  /** The entry of the present phase; when it is committed the next begins. */
  index: Index;
  /** Everybody caught up: when it is given up, unless a majority of the new voters is heard; null before. */
  quorumBy: number | null;
  /** Why it is being aborted; empty otherwise. */
  reason: string;
}

export type MembershipResult = { readonly accepted: true; readonly changeId: RequestId } | RefusedMembership;

export function proposeMembership(
  context: Context,
  change: MembershipChange,
  expected: ConfigurationId | null,
  automatic = false,
): MembershipResult {
  const { state } = context;
  const refused = refusal(state, expected);
  if (refused !== null) return refused;
  const before = currentConfiguration(state);
  const plan = planMembership(before, change);
  if (!plan.accepted) return plan;

  const learners = plan.catchUp.filter((member) => !isMember(before, member));
  const active: ActiveChange = {
    changeId: nextRequestId(state),
    phase: 'catching-up',
    before,
    plan,
    automatic,
    catchUp: plan.catchUp.map((member) => newCatchUp(state, member)),
    index: state.configurations.at(-1)?.index ?? 0,
    quorumBy: null,
    reason: '',
  };
  state.change = active;
  if (learners.length > 0) {
    const { voters, outgoing, retired } = before;
    active.index = appendConfiguration(context, {
      voters,
      outgoing,
      learners: [...before.learners, ...learners],
      retired,
    });
  }
  advanceMembership(context);
  if (active.phase === 'catching-up') tellProgress(context, active);
  return { accepted: true, changeId: active.changeId };
}

/**
 * Appends the old configuration anew, also while the joint one is not committed yet. Why that is safe: the
 * old majority takes part in every decision of the old and of the joint configuration alike, so it cannot be
 * bypassed; and C_new alone decides only where the joint configuration was committed and *left for C_new*
 * by one leader, which appends either C_new after it or C_old, never both.
 *
 * A successor does not go back. Its predecessor may have left the joint configuration for a C_new that it
 * alone holds, and could win with it what C_old decides meanwhile; so what a leader finds joint, it finishes.
 */
export function abortMembership(context: Context): MembershipResult {
  const { state } = context;
  if (state.role !== 'leader') return refuse('not-leader', 'only the leader can abort a change');
  const { change } = state;
  if (change === null) {
    if (!isJoint(currentConfiguration(state))) return refuse('no-change', 'no change is under way');
    if (!ownTermIsCommitted(state)) return refuseUncommittedTerm(state);
    return refuse('change-in-progress', "the change is another leader's, and can only be finished");
  }
  if (change.phase === 'leaving-joint') {
    return refuse(
      'change-in-progress',
      'the new configuration is appended already; change it back when it is done',
    );
  }
  if (change.phase !== 'aborting') abort(context, change, 'aborted by the operator');
  return { accepted: true, changeId: change.changeId };
}

/**
 * No quorum of the joint configuration answers. If the old voters alone do, this leader goes back to them: it is
 * the only one who can, and once it has stepped down nobody could be elected any more.
 *
 * @returns false when there is no way back.
 */
export function leaveJointForOldVoters(context: Context): boolean {
  const { state } = context;
  const { change } = state;
  if (change === null || change.phase !== 'joint') return false;
  const { outgoing, learners, retired, id } = currentConfiguration(state);
  const confirmedAt = confirmedBy(state, { id, voters: outgoing, outgoing: [], learners, retired });
  const due = (confirmedAt ?? Number.NEGATIVE_INFINITY) + state.options.electionTimeoutMinMs;
  if (due <= state.now) return false;
  abort(context, change, 'no majority of the new voters is heard');
  // A sole old voter has no quorum to wait for.
  if (state.timers.quorum !== null) state.timers.quorum = due;
  return true;
}

/** Goes on with whatever can go on. Runs at every drain of a leader: what it waits for may have come. */
export function advanceMembership(context: Context): void {
  const { state } = context;
  const { change } = state;
  // A configuration is followed by the next one only once it is committed, and the first one of a term only
  // once the leader committed an entry of its own (Ongaro's single-server bug, raft-dev 2015).
  const latest = state.configurations[state.configurations.length - 1];
  if (latest === undefined || latest.index > state.commitIndex || !ownTermIsCommitted(state)) return;
  if (change === null) {
    if (isJoint(latest.configuration))
      appendConfiguration(context, { ...afterJoint(latest.configuration), outgoing: [] });
    else stepDownUnlessVoter(context, latest.configuration);
    return;
  }
  switch (change.phase) {
    case 'catching-up':
      advanceCatchUp(context, change);
      return;
    case 'joint':
      enterPhase(context, change, 'leaving-joint', { ...change.plan.target, outgoing: [] });
      return;
    case 'leaving-joint':
      end(context, 'completed', 'the new configuration is committed');
      stepDownUnlessVoter(context, latest.configuration);
      return;
    case 'aborting':
      end(context, 'aborted', change.reason);
  }
}

/** The next configuration of this leader, in force from here on (dissertation 4.1). @returns its index. */
export function appendConfiguration(context: Context, sets: Omit<Configuration, 'id'>): Index {
  const { state } = context;
  const index = state.log.lastIndex + 1;
  const { term } = state.hardState;
  const { clusterId } = state;
  if (clusterId === null) throw new InvariantViolation('a leader without a cluster');
  const { voters, outgoing, learners, retired } = sets;
  const configuration = { id: configurationIdOf({ index, term }), voters, outgoing, learners, retired };
  const entry = { kind: 'configuration', index, term, clusterId, configuration } as const;
  appendEntry(context, entry);
  state.verifiedIndex = index;
  trimCache(state);
  followConfiguration(context);
  return index;
}

function refusal(state: RaftState, expected: ConfigurationId | null): RefusedMembership | null {
  if (state.role !== 'leader') return refuse('not-leader', 'only the leader changes the membership');
  const latest = state.configurations[state.configurations.length - 1];
  const configuration = currentConfiguration(state);
  if (expected !== null && configuration.id !== expected) {
    return refuse('configuration-changed', `the configuration is ${configuration.id}, not ${expected}`);
  }
  if (!ownTermIsCommitted(state)) return refuseUncommittedTerm(state);
  if (state.change !== null || isJoint(configuration) || (latest?.index ?? 0) > state.commitIndex) {
    return refuse('change-in-progress', 'another change of the membership is not finished');
  }
  return null;
}

function refuseUncommittedTerm({ hardState }: RaftState): RefusedMembership {
  return refuse('term-not-committed', `nothing of term ${hardState.term} is committed yet; try again`);
}

function ownTermIsCommitted(state: RaftState): boolean {
  return state.commitIndex >= state.termStartIndex;
}

function advanceCatchUp(context: Context, change: ActiveChange): void {
  const { state } = context;
  const { catchUp, plan } = change;
  const isNews = followRounds(state, catchUp);
  const back = predecessorHeard(state, change);
  if (back !== null) {
    abort(context, change, `${back.id} (${back.incarnation}) is heard again`);
    return;
  }
  const isReady = allAreReady(state, catchUp) && newQuorumIsHeard(state, change);
  if (isReady) {
    state.timers.membership = null;
    const { target, needsJoint } = plan;
    if (needsJoint) enterPhase(context, change, 'joint', jointOf(currentConfiguration(state), target));
    else enterPhase(context, change, 'leaving-joint', { ...target, outgoing: [] });
    return;
  }
  const wait = `for ${state.options.catchUpTimeoutMs} ms`;
  const late = overdue(state, catchUp);
  const allCaughtUp = catchUp.every(({ caughtUp }) => caughtUp);
  if (!allCaughtUp) change.quorumBy = null;
  else change.quorumBy ??= state.now + state.options.catchUpTimeoutMs;
  if (late.length > 0) {
    abort(context, change, `${late.map(({ id }) => id).join(', ')} got no further ${wait}`);
  } else if (change.quorumBy !== null && state.now >= change.quorumBy) {
    abort(context, change, `${silentVoters(state, change)} would be missed, and were not heard ${wait}`);
  } else {
    const dues = catchUp.filter((one) => !one.caughtUp).map(({ giveUpAt }) => giveUpAt);
    state.timers.membership = Math.min(...dues, change.quorumBy ?? Number.POSITIVE_INFINITY);
    if (isNews) tellProgress(context, change);
  }
}

/** A replacement begun for silence is begun in vain when the silent member speaks. */
function predecessorHeard(state: RaftState, { automatic, before, plan }: ActiveChange): Member | null {
  if (!automatic) return null;
  const isLeaving = (member: Member): boolean =>
    plan.target.retired.some((one) => sameMember(one, member)) && !isRetired(before, member);
  return members(before).find((member) => isLeaving(member) && wasHeardLately(state, member)) ?? null;
}

/**
 * Once the joint configuration is appended there is no sure way back without a majority of the new voters too.
 * So it is entered only while such a majority is heard: two servers left of three, one of them gone, would
 * otherwise be the end of the cluster.
 */
function newQuorumIsHeard(state: RaftState, { plan }: ActiveChange): boolean {
  const { voters } = plan.target;
  return voters.filter((member) => wasHeardLately(state, member)).length * 2 > voters.length;
}

function silentVoters(state: RaftState, { plan }: ActiveChange): string {
  const silent = plan.target.voters.filter((member) => !wasHeardLately(state, member));
  return silent.map(({ id }) => id).join(', ');
}

function enterPhase(
  context: Context,
  change: ActiveChange,
  phase: Exclude<ActiveChange['phase'], 'catching-up'>,
  sets: Omit<Configuration, 'id'>,
): void {
  change.phase = phase;
  change.index = appendConfiguration(context, sets);
  tellProgress(context, change);
}

function abort(context: Context, change: ActiveChange, reason: string): void {
  const { state } = context;
  state.timers.membership = null;
  change.reason = reason;
  const configuration = currentConfiguration(state);
  const learners = learnersAfterAbort(change);
  const nothingAppended =
    configuration.id === change.before.id && learners.length === change.before.learners.length;
  if (nothingAppended) {
    end(context, 'aborted', reason);
    return;
  }
  const old = isJoint(configuration)
    ? beforeJoint(configuration, learners)
    : { voters: change.before.voters, learners, retired: change.before.retired };
  enterPhase(context, change, 'aborting', { ...old, outgoing: [] });
}

/** As before; but who stood by to replace its own predecessor goes, or the next leader would go on with it. */
function learnersAfterAbort({ before, plan }: ActiveChange): readonly Member[] {
  const stoodBy = (learner: Member): boolean =>
    plan.catchUp.some((one) => sameMember(one, learner)) && before.voters.some(({ id }) => id === learner.id);
  return before.learners.filter((learner) => !stoodBy(learner));
}

function end(context: Context, outcome: 'completed' | 'aborted', reason: string): void {
  const { state } = context;
  if (state.change === null) return;
  const { changeId } = state.change;
  state.change = null;
  state.timers.membership = null;
  emit(context, { kind: 'membership-ended', changeId, outcome, reason });
}

/**
 * A leader that its own committed configuration does not list as voter led until now, so that the change
 * could be made, and counted itself in nothing (dissertation 4.2.2). The others hear of the commitment first.
 */
function stepDownUnlessVoter(context: Context, configuration: Configuration): void {
  const { state } = context;
  if (isVoter(configuration, state.self)) return;
  sendHeartbeats(context);
  becomeFollower(context, state.hardState.term, 'the configuration it committed does not list it as voter');
  if (!isMember(configuration, state.self)) markRemoved(context, configuration);
}

function tellProgress(context: Context, change: ActiveChange): void {
  emit(context, {
    kind: 'membership-progress',
    changeId: change.changeId,
    progress: progressOfChange(context.state, change),
  });
}

export function progressOfChange(state: RaftState, change: ActiveChange): MembershipProgress {
  if (change.phase !== 'catching-up') return { phase: change.phase, index: change.index };
  const behind = (member: MemberId): number => {
    const progress = state.progress.find((one) => sameMember(one.member, member));
    return state.log.lastIndex - (progress?.matchIndex ?? 0);
  };
  return {
    phase: 'catching-up',
    members: change.catchUp.map(({ member, caughtUp }) => ({
      id: member.id,
      behind: behind(member),
      caughtUp,
    })),
  };
}

function refuse(reason: RefusedMembership['reason'], why: string): RefusedMembership {
  return { accepted: false, reason, why };
}
