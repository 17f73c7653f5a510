import { wasHeardLately } from './boots.ts';
import type { Configuration, ConfigurationId, Member } from './configuration.ts';
import { configurationIdOf, isJoint, isMember, isVoter } from './configuration.ts';
import type { Context } from './context.ts';
import { emit, nextRequestId } from './context.ts';
import type { Index } from './entry.ts';
import { entryBytes } from './entry.ts';
import type { MembershipProgress } from './event.ts';
import { sendHeartbeats } from './heartbeats.ts';
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
  /** To which an abort goes back; null when this leader only found the joint configuration. */
  readonly before: Configuration | null;
  readonly plan: Omit<MembershipPlan, 'accepted'>;
  readonly catchUp: CatchUp[];
  /** The entry of the present phase; when it is committed the next begins. */
  index: Index;
  /** Catching up: when it is given up, unless somebody gets further. */
  giveUpAt: number;
  /** Why it is being aborted; empty otherwise. */
  reason: string;
}

/**
 * A new voter-to-be, replicating in rounds (dissertation 4.2.1): each brings what the leader's log held when
 * the round began. Once a round takes less than an election timeout, the rest is too little to hold up the
 * cluster when the member begins to count.
 */
export interface CatchUp {
  readonly member: Member;
  roundTarget: Index;
  roundStartedAt: number;
  /** Where it stood when it last got further: matchIndex, and bytes of a snapshot under way. */
  reached: number;
  caughtUp: boolean;
}

export type MembershipResult = { readonly accepted: true; readonly changeId: RequestId } | RefusedMembership;

export function proposeMembership(
  context: Context,
  change: MembershipChange,
  expected: ConfigurationId | null,
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
    catchUp: plan.catchUp.map((member) => ({
      member,
      roundTarget: state.log.lastIndex,
      roundStartedAt: state.now,
      reached: -1,
      caughtUp: false,
    })),
    index: state.configurations.at(-1)?.index ?? 0,
    giveUpAt: state.now + state.options.catchUpTimeoutMs,
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
 * A successor is another leader: its predecessor may have left the joint configuration for a C_new that it
 * alone holds. Only the majority of C_new can keep that one from leading again, so before going back to C_old
 * an entry of the own term has to be committed by both.
 */
export function abortMembership(context: Context): MembershipResult {
  const { state } = context;
  if (state.role !== 'leader') return refuse('not-leader', 'only the leader can abort a change');
  const configuration = currentConfiguration(state);
  const { change } = state;
  if (change === null && !isJoint(configuration)) return refuse('no-change', 'no change is under way');
  if (!ownTermIsCommitted(state)) return refuseUncommittedTerm(state);
  if (change?.phase === 'leaving-joint') {
    return refuse(
      'change-in-progress',
      'the new configuration is appended already; change it back when it is done',
    );
  }
  if (change?.phase === 'aborting') return { accepted: true, changeId: change.changeId };
  return abort(context, 'aborted by the operator');
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
  state.uncommittedBytes += entryBytes(entry);
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
  let finishedRound = false;
  for (const one of change.catchUp) {
    const progress = state.progress.find(({ member }) => sameMember(member, one.member));
    if (progress === undefined) continue;
    if (noteReached(one, progress.matchIndex, progress.transfer?.acknowledgedOffset ?? 0)) {
      change.giveUpAt = state.now + state.options.catchUpTimeoutMs;
    }
    if (one.caughtUp || progress.matchIndex < one.roundTarget) continue;
    finishedRound = true;
    if (state.now - one.roundStartedAt <= state.options.electionTimeoutMinMs) {
      one.caughtUp = true;
    } else {
      one.roundTarget = state.log.lastIndex;
      one.roundStartedAt = state.now;
    }
  }
  state.timers.membership = change.giveUpAt;
  if (change.catchUp.every(({ caughtUp }) => caughtUp) && newQuorumIsHeard(state, change)) {
    state.timers.membership = null;
    const { target, needsJoint } = change.plan;
    if (needsJoint) enterPhase(context, change, 'joint', jointOf(currentConfiguration(state), target));
    else enterPhase(context, change, 'leaving-joint', { ...target, outgoing: [] });
  } else if (state.now >= change.giveUpAt) {
    abort(context, `${whoIsLate(state, change)} for ${state.options.catchUpTimeoutMs} ms`);
  } else if (finishedRound) {
    tellProgress(context, change);
  }
}

/**
 * Once the joint configuration is appended there is no way back without a majority of the new voters too. So
 * it is entered only while such a majority is heard: two servers left of three, one of them gone, would
 * otherwise be the end of the cluster. Whoever is to count for the first time has to be heard in any case.
 */
function newQuorumIsHeard(state: RaftState, { plan, catchUp }: ActiveChange): boolean {
  const { voters } = plan.target;
  const heard = voters.filter((member) => wasHeardLately(state, member)).length;
  return heard * 2 > voters.length && catchUp.every(({ member }) => wasHeardLately(state, member));
}

function whoIsLate(state: RaftState, { plan, catchUp }: ActiveChange): string {
  const late = catchUp.filter(({ caughtUp }) => !caughtUp).map(({ member }) => member.id);
  if (late.length > 0) return `${late.join(', ')} got no further`;
  const silent = plan.target.voters.filter((member) => !wasHeardLately(state, member)).map(({ id }) => id);
  return `${silent.join(', ')} would be missed for a quorum of the new voters, and were not heard`;
}

/** The bytes of a snapshot weigh less than any entry, and go back when one begins anew: any difference counts. */
function noteReached(one: CatchUp, matchIndex: Index, snapshotOffset: number): boolean {
  const reached = matchIndex + snapshotOffset / Number.MAX_SAFE_INTEGER;
  if (reached === one.reached) return false;
  one.reached = reached;
  return true;
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

function abort(context: Context, reason: string): MembershipResult {
  const { state } = context;
  state.timers.membership = null;
  const configuration = currentConfiguration(state);
  const old = isJoint(configuration)
    ? beforeJoint(configuration, state.change?.before?.learners ?? null)
    : (state.change?.before ?? configuration);
  const { voters, learners, retired } = old;
  state.change ??= {
    changeId: nextRequestId(state),
    phase: 'aborting',
    before: null,
    plan: { target: { voters, learners, retired }, catchUp: [], needsJoint: false },
    catchUp: [],
    index: state.log.lastIndex,
    giveUpAt: 0,
    reason,
  };
  const { change } = state;
  change.reason = reason;
  const nothingAppended = change.before !== null && configuration.id === change.before.id;
  if (nothingAppended) end(context, 'aborted', reason);
  else enterPhase(context, change, 'aborting', { voters, outgoing: [], learners, retired });
  return { accepted: true, changeId: change.changeId };
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
