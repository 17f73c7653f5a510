import { proposeMembership } from './active-change.ts';
import { knownBoot, wasHeardLately } from './boots.ts';
import type { Member, Metadata } from './configuration.ts';
import { isJoint, isMember, isRetired, membersNamed } from './configuration.ts';
import type { Context } from './context.ts';
import { emit, send } from './context.ts';
import type { MemberId, ReplicaId } from './identity.ts';
import { sameMember } from './identity.ts';
import { currentConfiguration, decidesAlone, leaderToAsk } from './membership.ts';
import type { Envelope, JoinOutcome, JoinRequest } from './message.ts';
import type { RaftState } from './state.ts';

/** Somebody who asked to be let in, by its latest request. */
export interface Newcomer {
  readonly member: MemberId;
  boot: number;
  address: string;
  metadata: Metadata;
  heardAt: number;
  answer: JoinOutcome;
}

const NEWCOMERS_MAX = 32;
/** In election timeouts: who asks no more is forgotten. */
const FORGOTTEN_AFTER = 20;

/**
 * What becomes of a replica that asks to be let in. A known id under a new incarnation is a server whose
 * disk was emptied: another server by every rule of Raft, since it remembers neither its votes nor its
 * entries. Its return is the removal of the old pair and the addition of the new one in one joint change, so
 * that the dissertation's proof (4.3) covers it as it covers any other change; see docs/identity.md.
 *
 * Whether the old pair is gone is a guess from silence. A wrong guess costs a member's seat, never safety:
 * nobody's vote is counted but by the configuration in force.
 */
export function handleJoinRequest(context: Context, envelope: Envelope, request: JoinRequest): void {
  const { state } = context;
  const { from } = envelope;
  const foreign = envelope.clusterId !== null && envelope.clusterId !== state.clusterId;
  const answer = foreign ? 'other-cluster' : judge(context, from, request);
  note(context, from, request, answer);
  send(context, from, { kind: 'JoinAnswer', answer, boot: from.boot, leader: leaderToAsk(state) });
}

/**
 * A replacement that lost its leader while the new pair caught up: it is a learner beside its silent
 * predecessor, hears the leader, and asks no more. Whoever leads now goes on with it.
 */
export function resumeReplacement(context: Context): void {
  const { state } = context;
  if (state.change !== null) return;
  const { voters, learners } = currentConfiguration(state);
  for (const learner of learners) {
    const predecessor = voters.find(({ id }) => id === learner.id);
    if (predecessor === undefined || sameMember(predecessor, learner) || !isSilent(state, predecessor))
      continue;
    // Another life of it may have come and gone.
    if (!wasHeardLately(state, learner)) continue;
    replace(context, learner);
    return;
  }
}

function judge(context: Context, from: ReplicaId, request: JoinRequest): JoinOutcome {
  const { state } = context;
  if (state.role !== 'leader') return 'ask-leader';
  const configuration = currentConfiguration(state);
  if (isMember(configuration, from)) return judgeMember(context, from, request);
  // What is not committed may come to nothing, and who was deposed without knowing it may speak of a membership
  // that is over: nobody is sent away for ever because of either.
  const latest = state.configurations[state.configurations.length - 1];
  const isSettled = latest !== undefined && latest.index <= state.commitIndex && !isJoint(configuration);
  if (!isSettled || !leadsForSure(state)) return 'waiting-for-change';
  if (isRetired(configuration, from)) return 'retired';
  const namesakes = membersNamed(configuration, from.id);
  if (namesakes.length === 0) return 'waiting-for-operator';
  if (namesakes.some((member) => wasHeardLately(state, member))) return 'member-is-alive';
  if (state.options.replacement === 'approved') return 'waiting-for-operator';
  if (!namesakes.every((member) => isSilent(state, member))) return 'waiting-for-change';
  return replace(context, memberOf(from, request));
}

/** The listed pair itself: it hears no leader, because it moved, or because it is a double of itself. */
function judgeMember(context: Context, from: ReplicaId, request: JoinRequest): JoinOutcome {
  const { state } = context;
  const known = knownBoot(state, from);
  if (known !== null && known.boot !== from.boot && wasHeardLately(state, from)) return 'member-is-alive';
  if (known !== null && from.boot < known.boot) return 'boot-went-back';
  const listed = membersNamed(currentConfiguration(state), from.id).find((member) =>
    sameMember(member, from),
  );
  if (listed !== undefined && listed.address !== request.address) {
    // It is reached nowhere else. A change under way delays it: the member asks again.
    proposeMembership(
      context,
      { update: [{ id: from.id, incarnation: from.incarnation, address: request.address }] },
      null,
    );
  }
  return 'listed';
}

function replace(context: Context, by: Member): JoinOutcome {
  const result = proposeMembership(context, { replace: [{ id: by.id, by }] }, null, true);
  if (result.accepted) return 'replacing';
  return result.reason === 'retired' ? 'retired' : 'waiting-for-change';
}

/** Within this time no quorum votes for anybody else (dissertation 6.4.1). */
function leadsForSure(state: RaftState): boolean {
  const { quorumConfirmedAt, now, options } = state;
  if (decidesAlone(state)) return true;
  return quorumConfirmedAt !== null && now - quorumConfirmedAt < options.electionTimeoutMinMs;
}

/** Not heard for an election timeout of this leader's own office: before it led, it had no reason to hear it. */
function isSilent(state: RaftState, member: MemberId): boolean {
  const { leadingSince, now, options } = state;
  if (leadingSince === null || now - leadingSince < options.electionTimeoutMinMs) return false;
  return !wasHeardLately(state, member);
}

function note(context: Context, from: ReplicaId, request: JoinRequest, answer: JoinOutcome): void {
  const { state } = context;
  const { address, metadata } = request;
  const member = { id: from.id, incarnation: from.incarnation };
  const known = state.newcomers.find((one) => sameMember(one.member, from));
  if (known === undefined || known.answer !== answer)
    emit(context, { kind: 'newcomer', member, address, answer });
  const newcomer = { member, boot: from.boot, address, metadata, heardAt: state.now, answer };
  const longAgo = state.now - FORGOTTEN_AFTER * state.options.electionTimeoutMaxMs;
  const others = state.newcomers.filter((one) => !sameMember(one.member, from) && one.heardAt > longAgo);
  state.newcomers = [...others.slice(1 - NEWCOMERS_MAX), newcomer];
}

function memberOf({ id, incarnation }: ReplicaId, { address, metadata }: JoinRequest): Member {
  return { id, incarnation, address, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
}
