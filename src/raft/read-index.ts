import { followCommit } from './append-entries.ts';
import { isMember } from './configuration.ts';
import type { Context } from './context.ts';
import { drop, nextRequestId, send } from './context.ts';
import { takeAnswerForEnd } from './damage.ts';
import type { Index } from './entry.ts';
import { confirmedRound, sendHeartbeats } from './heartbeats.ts';
import type { MemberId, ReplicaId, RequestId } from './identity.ts';
import { sameMember } from './identity.ts';
import { holdsLease } from './lease.ts';
import { currentConfiguration } from './membership.ts';
import type { ReadIndexRequest, ReadIndexResponse } from './message.ts';
import type { RaftState } from './state.ts';

/**
 * Linearizable reads that write nothing (dissertation 6.4). The leader takes its commit index, makes sure *after
 * that was asked for* that it still leads, and whoever asked reads once it has applied up to there:
 *
 *  - An entry of the leader's own term is committed: before that it may not know of what is (paper 8).
 *  - A quorum answers a round of heartbeats that was sent after the read was asked for, so nobody else was elected
 *    before the read began, and no write acknowledged before it is missing. No clock is involved. With a lease
 *    (lease.ts) that round is spared.
 *  - Between that proof and the reading there may be any gap: the state that is read holds at least that index, and
 *    the read takes effect when the proof was made, which lies between its call and its answer.
 *
 * Reads asked for while a round is under way share the next one. A replica that does not lead asks the leader,
 * one question at a time: it names the latest of its reads, and the answer is good for that one and all before
 * it. Ids hold the boot, envelopes the id and the incarnation, and none recurs, so a late answer grants only what
 * it was given for. A question that gets no answer is repeated, to whoever leads then.
 */
export interface PendingRead {
  readonly readId: RequestId;
  /** Who asked; null: this replica. Others are of interest to a leader only. */
  readonly asker: ReplicaId | null;
  readonly lease: boolean;
  /** Leader: the first round of heartbeats to be sent after it was asked for; null when not leading. */
  round: number | null;
}

/** The one question under way. */
export interface AskedReadIndex {
  readonly readId: RequestId;
  readonly leader: MemberId;
  /** When it was sent last. */
  askedAt: number;
  /** It should have been answered by now. */
  overdue: boolean;
}

export function requestRead(context: Context, lease: boolean): RequestId {
  const { state } = context;
  const readId = nextRequestId(state);
  state.reads.push({ readId, asker: null, lease, round: roundToCome(state) });
  return readId;
}

/** Nobody waits for it any more. */
export function cancelRead(state: RaftState, readId: RequestId): void {
  const at = state.reads.findIndex(
    (read) =>
      read.asker === null && read.readId.boot === readId.boot && read.readId.sequence === readId.sequence,
  );
  if (at < 0) return;
  state.reads.splice(at, 1);
  // Nor for the answer to a question that was asked for its sake alone: later reads need not wait for that one.
  const { asked, reads } = state;
  if (asked !== null && reads.every((read) => read.readId.sequence > asked.readId.sequence))
    state.asked = null;
}

/** Once per drain: grants what can be granted, and asks for what is needed to grant the rest. */
export function advanceReads(context: Context): void {
  const { state } = context;
  if (state.reads.length === 0) return;
  if (state.role === 'leader') proveReads(context);
  else askLeader(context);
}

/** The message's term is the own one. */
export function handleReadIndexRequest(context: Context, from: ReplicaId, message: ReadIndexRequest): void {
  const { state } = context;
  const { readId, lease } = message;
  if (state.role !== 'leader') {
    drop(context, from.id, 'unexpected-in-role');
    return;
  }
  if (!isMember(currentConfiguration(state), from)) {
    drop(context, from.id, 'not-a-member');
    return;
  }
  const known = state.reads.find(({ asker }) => asker !== null && sameMember(asker, from));
  // Repeated: the round that it waits for is under way, and must not be put off.
  if (known?.asker?.boot === from.boot && known.readId.sequence >= readId.sequence) return;
  // A later question takes the place of an earlier one, so that each member takes up one place at most.
  state.reads = state.reads.filter((read) => read !== known);
  state.reads.push({ readId, asker: from, lease, round: roundToCome(state) });
}

/** The message's term is the own one. */
export function handleReadIndexResponse(context: Context, from: ReplicaId, message: ReadIndexResponse): void {
  const { state } = context;
  const { readId, index } = message;
  if (state.role === 'leader' || readId.boot !== state.self.boot) {
    drop(context, from.id, 'unexpected-in-role');
    return;
  }
  if (state.asked !== null && state.asked.readId.sequence <= readId.sequence) state.asked = null;
  const covered = state.reads.filter((read) => read.readId.sequence <= readId.sequence);
  if (covered.length === 0) return;
  state.reads = state.reads.filter((read) => read.readId.sequence > readId.sequence);
  for (const { readId: granted } of covered) {
    if (takeAnswerForEnd(context, granted, index)) continue;
    context.effects.push({ kind: 'read-granted', readId: granted, index });
  }
  // It is the commit index of this term's leader, so an idle replica need not wait for a heartbeat to learn of it.
  followCommit(context, index);
}

/** A leader was heard: a question that it, or its predecessor, should have answered by now goes out again. */
export function repeatQuestion({ asked, now, options }: RaftState): void {
  if (asked !== null && now - asked.askedAt >= options.heartbeatIntervalMs) asked.overdue = true;
}

/** Others ask whoever leads next; own reads go on waiting. */
export function leaveReadsToSuccessor(state: RaftState): void {
  state.reads = state.reads.filter(({ asker }) => asker === null);
  for (const read of state.reads) read.round = null;
}

/** What was asked of the leader before is now this replica's to answer. */
export function takeReadsOver(state: RaftState): void {
  state.asked = null;
  for (const read of state.reads) read.round = roundToCome(state);
}

/** Whatever is sent from now on is sent after the read was asked for. */
function roundToCome({ role, lastRound }: RaftState): number | null {
  return role === 'leader' ? lastRound + 1 : null;
}

function proveReads(context: Context): void {
  const { state } = context;
  if (state.commitIndex < state.termStartIndex) return;
  grantProven(context);
  // One round at a time: what comes meanwhile shares the next. A round of the heartbeat timer serves as well.
  const underWay = state.reads.some(({ round }) => round !== null && round <= state.lastRound);
  if (underWay || state.reads.length === 0) return;
  sendHeartbeats(context);
  // Whoever decides alone has its quorum already.
  grantProven(context);
}

function grantProven(context: Context): void {
  const { state } = context;
  const confirmed = confirmedRound(state);
  const byLease = state.reads.some(({ lease }) => lease) && holdsLease(state);
  const waiting: PendingRead[] = [];
  for (const read of state.reads) {
    const proven = (read.round !== null && read.round <= confirmed) || (read.lease && byLease);
    if (proven) grant(context, read, state.commitIndex);
    else waiting.push(read);
  }
  state.reads = waiting;
}

function grant(context: Context, { readId, asker }: PendingRead, index: Index): void {
  if (asker === null) context.effects.push({ kind: 'read-granted', readId, index });
  else send(context, asker, { kind: 'ReadIndexResponse', term: context.state.hardState.term, readId, index });
}

function askLeader(context: Context): void {
  const { state } = context;
  const { leader, asked, reads } = state;
  const last = reads[reads.length - 1];
  if (leader === null || last === undefined) {
    state.asked = null;
    return;
  }
  const isSame = asked !== null && sameMember(asked.leader, leader);
  if (isSame && !asked.overdue) return;
  // A repeated question is the same question: the leader may be half way through the proof.
  const readId = isSame ? asked.readId : last.readId;
  const covered = reads.filter((read) => read.readId.sequence <= readId.sequence);
  state.asked = {
    readId,
    leader: { id: leader.id, incarnation: leader.incarnation },
    askedAt: state.now,
    overdue: false,
  };
  const { term } = state.hardState;
  send(context, leader, {
    kind: 'ReadIndexRequest',
    term,
    readId,
    lease: covered.every(({ lease }) => lease),
  });
}
