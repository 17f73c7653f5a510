import { hearLeader } from './append-entries.ts';
import { wasHeardLately } from './boots.ts';
import { isVoter } from './configuration.ts';
import type { Context } from './context.ts';
import { drop, emit, nextRequestId, send } from './context.ts';
import { campaignByTransfer } from './election.ts';
import type { NodeId, ReplicaId, RequestId } from './identity.ts';
import { currentConfiguration, decidesAlone, mayCampaign } from './membership.ts';
import { endLeadershipTransfer } from './ongoing-leadership-transfer.ts';
import type { Progress } from './progress.ts';
import { progressOf } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { isStalled } from './stall.ts';
import type { RaftState } from './state.ts';

/**
 * Handing over leadership (dissertation 3.10): the leader takes no more proposals, brings one voter's log up to its
 * own, and sends it a TimeoutNow; that one campaigns at once, and its requests for votes say that the promises
 * to the leader before are waived, which that leader agreed to. So its lease ends with the first TimeoutNow, for
 * good in this term: it may be delivered after the leader gave up and serves again.
 *
 * The target's log is as long as the leader's, so it holds the leader's configuration: nobody is asked to lead that
 * does not know yet that it is a voter. It ends within one longest election timeout either way: the leader is
 * deposed by the new one, or goes on, and takes proposals again.
 */
export type TransferResult =
  | { readonly accepted: true; readonly leadershipTransferId: RequestId; readonly to: NodeId }
  | { readonly accepted: false; readonly reason: TransferRefusal; readonly why: string };

export type TransferRefusal =
  | 'not-leader'
  | 'already-leader'
  /** Not a voter of the configuration in force. */
  | 'not-a-voter'
  /** No other voter was heard lately, or none whose disk has room; or that of the named one has none. */
  | 'nobody-fit'
  | 'transfer-in-progress';

export type StepDownResult =
  | { readonly accepted: true }
  /** `sole-voter`: there is nobody else to lead. */
  | { readonly accepted: false; readonly reason: 'not-leader' | 'sole-voter' };

/** @param to - null for the voter whose log is the longest, of those heard lately. */
export function transferLeadership(context: Context, to: NodeId | null): TransferResult {
  const { state } = context;
  if (state.role !== 'leader') return refused('not-leader', 'this replica does not lead');
  if (to === state.self.id) return refused('already-leader', `${to} leads already`);
  if (state.leadershipTransfer !== null) {
    return refused(
      'transfer-in-progress',
      `leadership is being handed over to ${state.leadershipTransfer.to.id}`,
    );
  }
  if (to === null) {
    const best = fittest(state, () => true);
    if (best === null) return refused('nobody-fit', 'no other voter with room on its disk was heard lately');
    return beginLeadershipTransfer(context, best, { thenStepDown: false, reason: 'as asked' });
  }
  const target = state.progress.find((progress) => progress.member.id === to && mayTakeOver(state, progress));
  if (target === undefined) return refused('not-a-voter', `${to} is no voter of this cluster`);
  // It would not take over (handleTimeoutNow), and the lease would be given up for nothing.
  if (target.nearlyFull) return refused('nobody-fit', `the disk of ${to} is nearly full`);
  return beginLeadershipTransfer(context, target, { thenStepDown: false, reason: 'as asked' });
}

/** Leads no more, and gives the others a head start. */
export function stepDown(context: Context): StepDownResult {
  const { state } = context;
  if (state.role !== 'leader') return { accepted: false, reason: 'not-leader' };
  if (decidesAlone(state)) return { accepted: false, reason: 'sole-voter' };
  leaveTheLead(context, 'it was asked to step down');
  return { accepted: true };
}

export function beginLeadershipTransfer(
  context: Context,
  { member }: Progress,
  how: { readonly thenStepDown: boolean; readonly reason: string },
): TransferResult {
  const { state } = context;
  const leadershipTransferId = nextRequestId(state);
  const { id, incarnation } = member;
  state.leadershipTransfer = {
    leadershipTransferId,
    to: { id, incarnation },
    thenStepDown: how.thenStepDown,
    sent: false,
  };
  state.timers.leadershipTransfer = state.now + state.options.electionTimeoutMaxMs;
  emit(context, { kind: 'leadership-transfer-begun', leadershipTransferId, to: id, reason: how.reason });
  return { accepted: true, leadershipTransferId, to: id };
}

/** Once per drain of a leader: sends the TimeoutNow as soon as the target's log is as long as its own. */
export function advanceLeadershipTransfer(context: Context): void {
  const { state } = context;
  const { leadershipTransfer } = state;
  if (leadershipTransfer === null || leadershipTransfer.sent) return;
  const target = progressOf(state, leadershipTransfer.to);
  if (target === undefined || !mayTakeOver(state, target)) {
    endLeadershipTransfer(context, 'not-a-voter-any-more');
    return;
  }
  if (target.matchIndex < state.log.lastIndex) return;
  leadershipTransfer.sent = true;
  state.leaseForfeited = true;
  sendTimeoutNow(context);
  if (leadershipTransfer.thenStepDown) leaveTheLead(context, `it handed over to ${leadershipTransfer.to.id}`);
}

/** With each round of heartbeats: the first one may have been lost. */
export function sendTimeoutNow(context: Context): void {
  const { leadershipTransfer, hardState } = context.state;
  if (leadershipTransfer?.sent !== true) return;
  send(context, leadershipTransfer.to, { kind: 'TimeoutNow', term: hardState.term });
}

/** The message's term is the own one. */
export function handleTimeoutNow(context: Context, from: ReplicaId): void {
  const { state } = context;
  hearLeader(context, from);
  // Neither the silence after opening nor a promise stands against it: both protect the very leader that asks.
  if (isStalled(state) || !mayCampaign(state)) drop(context, from.id, 'not-fit-to-lead');
  else campaignByTransfer(context, `${from.id} hands over`);
}

/** The voter with the longest log among those heard lately for which `isFit` holds; null when there is none. */
export function fittest(state: RaftState, isFit: (progress: Progress) => boolean): Progress | null {
  let best: Progress | null = null;
  for (const progress of state.progress) {
    if (
      progress.nearlyFull ||
      !mayTakeOver(state, progress) ||
      !wasHeardLately(state, progress.member) ||
      !isFit(progress)
    )
      continue;
    if (best === null || progress.matchIndex > best.matchIndex) best = progress;
  }
  return best;
}

function mayTakeOver(state: RaftState, { member, departing }: Progress): boolean {
  return departing === null && isVoter(currentConfiguration(state), member);
}

function leaveTheLead(context: Context, reason: string): void {
  const { state } = context;
  state.headStartMs = state.options.electionTimeoutMaxMs;
  becomeFollower(context, state.hardState.term, reason);
}

function refused(reason: TransferRefusal, why: string): TransferResult {
  return { accepted: false, reason, why };
}
