import type { Context } from './context.ts';
import { emit } from './context.ts';
import { armElectionTimer } from './election-timer.ts';
import type { Term } from './entry.ts';
import type { Role } from './event.ts';
import type { MemberId } from './identity.ts';
import { sameMember } from './identity.ts';
import { saveHardState } from './log-changes.ts';
import { endLeadershipTransfer } from './ongoing-leadership-transfer.ts';
import { leaveReadsToSuccessor } from './read-index.ts';
import { noPacing } from './snapshot-transfer.ts';

/** Term, role and known leader change here and nowhere else. */

/** Follows in `term`, its own or a later one. The wait for a leader goes on if it had begun. */
export function becomeFollower(context: Context, term: Term, reason: string): void {
  const { state } = context;
  if (term > state.hardState.term) enterTerm(context, term, null);
  if (state.role === 'follower') return;
  if (state.role === 'leader') {
    state.progress = [];
    state.rounds = [];
    state.lastRound = 0;
    state.quorumConfirmedAt = null;
    state.termStartIndex = 0;
    state.leadingSince = null;
    state.timers.heartbeat = null;
    state.timers.quorum = null;
    state.timers.snapshotTransfer = null;
    state.timers.stall = null;
    state.pacing = { ...noPacing };
    state.leaseForfeited = false;
    leaveReadsToSuccessor(state);
    supersedeChange(context);
    endLeadershipTransfer(context, 'stepped-down');
    setLeader(context, null);
  }
  state.votes = [];
  setRole(context, 'follower', reason);
  if (state.timers.election === null) armElectionTimer(context);
}

/** What was said, heard and owed in the old term means nothing in the new one. */
export function enterTerm(context: Context, term: Term, votedFor: MemberId | null): void {
  const { state } = context;
  saveHardState(state, term, votedFor);
  state.owed = { vote: null, acknowledgement: null };
  state.verifiedIndex = 0;
  setLeader(context, null);
}

export function setRole(context: Context, role: Role, reason: string): void {
  context.state.role = role;
  // Whoever campaigns by transfer says so once it is a candidate.
  context.state.campaignsByTransfer = false;
  emit(context, { kind: 'role-changed', term: context.state.hardState.term, role, reason });
}

export function setLeader(context: Context, leader: MemberId | null): void {
  const { state } = context;
  const known = state.leader;
  if (known === null ? leader === null : leader !== null && sameMember(known, leader)) return;
  state.leader = leader === null ? null : { id: leader.id, incarnation: leader.incarnation };
  emit(context, { kind: 'leader-changed', term: state.hardState.term, leader: leader?.id ?? null });
}

/** Its successor finds what is in the log: a joint configuration it finishes, learners stay learners. */
function supersedeChange(context: Context): void {
  const { state } = context;
  state.timers.membership = null;
  if (state.change === null) return;
  const { changeId } = state.change;
  state.change = null;
  emit(context, {
    kind: 'membership-ended',
    changeId,
    outcome: 'superseded',
    reason: 'this replica leads no more; its successor finishes what is joint already, and nothing else',
  });
}
