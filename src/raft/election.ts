import { isVoter, members } from './configuration.ts';
import type { Context } from './context.ts';
import { drop, send } from './context.ts';
import { isPastMissing } from './damage.ts';
import { armElectionTimer, halveHeadStart } from './election-timer.ts';
import { type MemberId, type ReplicaId, sameMember } from './identity.ts';
import { becomeLeader } from './leadership.ts';
import { isUpToDate, lastTerm } from './log.ts';
import { saveHardState } from './log-changes.ts';
import { currentConfiguration, decidesAlone, mayCampaign } from './membership.ts';
import type { Message, PreVoteResponse, RequestPreVote, RequestVote, VoteResponse } from './message.ts';
import { isQuorum } from './quorum.ts';
import { becomeFollower, enterTerm, setLeader, setRole } from './roles.ts';
import { diskHangs } from './stall.ts';
import type { RaftState } from './state.ts';

/**
 * Leader election (paper 5.2, 5.4.1) with PreVote (dissertation 9.6) and the promise that CheckQuorum
 * rests on (6.2, 4.2.3). The candidate checks who answers; the voter checks no membership of its own,
 * because it may not know yet that the candidate, or itself, became a voter.
 */

export function onElectionTimeout(context: Context): void {
  const { state } = context;
  if (state.role === 'leader') return;
  halveHeadStart(state);
  if (!mayCampaign(state) || diskHangs(state)) loseLeader(context);
  else if (decidesAlone(state)) campaign(context, 'the only voter');
  else if (state.now < state.silentUntil) armElectionTimer(context);
  else if (state.options.preVote) askPreVotes(context);
  else campaign(context, 'no leader was heard');
}

/** Whoever led was not heard for as long as any leader's silence is borne: nobody is to be sent to it any more. */
function loseLeader(context: Context): void {
  setLeader(context, null);
  armElectionTimer(context);
}

/** Called once the own term and vote are durable: only then may the vote be counted, and others asked. */
export function requestVotes(context: Context): void {
  const { log, hardState } = context.state;
  askVoters(context, {
    kind: 'RequestVote',
    term: hardState.term,
    lastLogIndex: log.lastIndex,
    lastLogTerm: lastTerm(log),
    leadershipTransfer: context.state.campaignsByTransfer,
  });
  recordVote(context, context.state.self, true);
}

/** Whether the campaign still lacks its own vote, which is counted first. */
export function ownVoteIsMissing(state: RaftState): boolean {
  return state.role === 'candidate' && !state.votes.some(({ member }) => sameMember(member, state.self));
}

/** Nothing is promised by the answer, and it delays no election of its own. */
export function handleRequestPreVote(context: Context, from: ReplicaId, message: RequestPreVote): void {
  const { state } = context;
  const granted =
    message.term > state.hardState.term &&
    !isSilent(state) &&
    !hasLeader(state) &&
    holdsEnough(state, message);
  // A refusal tells the own term, so that an asker that is behind catches up: otherwise a replica with
  // the best log and one with the highest term could refuse each other for ever.
  const term = granted ? message.term : state.hardState.term;
  send(context, from, { kind: 'PreVoteResponse', term, granted });
  if (granted && state.role === 'pre-candidate' && yieldsTo(state, from)) {
    becomeFollower(context, state.hardState.term, `${from.id} asked at the same time`);
  }
}

/**
 * Two that ask at nearly the same time would each be granted by the other, both campaign, and split the
 * vote. One gives way, the same one on both sides. It costs nothing: its election timer runs on, and
 * nothing was promised. That the other was granted says that its log is no worse.
 */
function yieldsTo(state: RaftState, from: MemberId): boolean {
  return from.id > state.self.id && isVoter(currentConfiguration(state), from);
}

export function handlePreVoteResponse(context: Context, from: ReplicaId, message: PreVoteResponse): void {
  const { state } = context;
  const { term } = state.hardState;
  if (!message.granted && message.term > term) {
    becomeFollower(context, message.term, `${from.id} is in a later term`);
    return;
  }
  // It came after the majority: of no use, and nothing is wrong with it.
  if (state.role === 'candidate' || state.role === 'leader') return;
  if (message.term !== (message.granted ? term + 1 : term)) drop(context, from.id, 'stale-term');
  else if (state.role !== 'pre-candidate') drop(context, from.id, 'unexpected-in-role');
  else if (!isVoter(currentConfiguration(state), from)) drop(context, from.id, 'not-a-voter');
  else recordVote(context, from, message.granted);
}

/** The message's term is not below the own one. */
export function handleRequestVote(context: Context, from: ReplicaId, message: RequestVote): void {
  const { state } = context;
  // Not even the term is taken over: that alone would depose the leader this replica promised itself to. Unless that
  // leader waives the promise. A candidate of term T that says so was asked by the leader of T - 1, and what is
  // promised here in a term up to T - 1 was promised to that leader, or to an older one whose lease had ended
  // when that one was elected: each round of an older leader's lease was answered by one of its voters, before it
  // voted, and it voted after its promise was over.
  const isBound = isSilent(state) || (state.options.checkQuorum && hasLeader(state));
  if (isBound && !message.leadershipTransfer) {
    drop(context, from.id, 'promised-to-leader');
    return;
  }
  if (message.term > state.hardState.term) {
    becomeFollower(context, message.term, `${from.id} campaigns in a later term`);
  }
  const { votedFor } = state.hardState;
  const free = votedFor === null || sameMember(votedFor, from);
  if (!free || !holdsEnough(state, message)) {
    send(context, from, { kind: 'VoteResponse', term: state.hardState.term, granted: false });
    return;
  }
  if (votedFor === null) saveHardState(state, state.hardState.term, from);
  state.owed.vote = { candidate: from };
  armElectionTimer(context);
}

/** The message's term is the own one. */
export function handleVoteResponse(context: Context, from: ReplicaId, message: VoteResponse): void {
  const { state } = context;
  if (state.role === 'leader') return;
  if (state.role !== 'candidate') drop(context, from.id, 'unexpected-in-role');
  else if (!isVoter(currentConfiguration(state), from)) drop(context, from.id, 'not-a-voter');
  else recordVote(context, from, message.granted);
}

/** Asks first whether a campaign could succeed: a replica cut off keeps its term, and deposes nobody later. */
function askPreVotes(context: Context): void {
  const { state } = context;
  state.votes = [];
  setLeader(context, null);
  setRole(context, 'pre-candidate', 'no leader was heard');
  armElectionTimer(context);
  askVoters(context, {
    kind: 'RequestPreVote',
    term: state.hardState.term + 1,
    lastLogIndex: state.log.lastIndex,
    lastLogTerm: lastTerm(state.log),
  });
  recordVote(context, state.self, true);
}

/** The leader of this term asks for it, so nobody needs to be asked first. */
export function campaignByTransfer(context: Context, reason: string): void {
  campaign(context, reason);
  context.state.campaignsByTransfer = true;
}

/** Nothing leaves yet: promises.ts goes on with `requestVotes`. */
function campaign(context: Context, reason: string): void {
  const { state } = context;
  state.votes = [];
  enterTerm(context, state.hardState.term + 1, state.self);
  setRole(context, 'candidate', reason);
  armElectionTimer(context);
}

/** At most one answer per member counts, the first: a message may come twice. */
function recordVote(context: Context, from: MemberId, granted: boolean): void {
  const { state } = context;
  if (state.votes.some(({ member }) => sameMember(member, from))) return;
  state.votes.push({ member: { id: from.id, incarnation: from.incarnation }, granted });
  if (!granted) return;
  const won = isQuorum(currentConfiguration(state), (voter) =>
    state.votes.some((vote) => vote.granted && sameMember(vote.member, voter)),
  );
  if (!won) return;
  if (state.role === 'pre-candidate') campaign(context, 'a quorum would vote for it');
  else becomeLeader(context);
}

function askVoters(context: Context, message: Message): void {
  const configuration = currentConfiguration(context.state);
  for (const member of members(configuration)) {
    if (!sameMember(member, context.state.self) && isVoter(configuration, member)) {
      send(context, member, message);
    }
  }
}

/** The election restriction (paper 5.4.1), of the own log and of what the disk lost of it. */
function holdsEnough(
  { log, hardState }: RaftState,
  { lastLogIndex: index, lastLogTerm: term }: RequestPreVote | RequestVote,
): boolean {
  return isUpToDate(log, index, term) && isPastMissing(hardState.missing, { index, term });
}

/** After opening, and after a clock anomaly, promises given before may still bind. */
function isSilent(state: RaftState): boolean {
  return state.now < state.silentUntil;
}

/**
 * A leader was heard so recently that, by what it was told, no quorum votes against it yet. It does not
 * matter whether it is still the known leader: what was promised holds until its time has passed.
 */
function hasLeader(state: RaftState): boolean {
  if (state.role === 'leader') return true;
  return state.leaderHeardAt !== null && state.now - state.leaderHeardAt < state.options.electionTimeoutMinMs;
}
