import { advanceCommitIndex } from './applying.ts';
import { backlogRoom } from './backlog.ts';
import type { Context } from './context.ts';
import { drop, send } from './context.ts';
import { spareBytes } from './disk-space.ts';
import { armElectionTimer, fullHeadStartMs } from './election-timer.ts';
import type { Entry, Index } from './entry.ts';
import { entryBytes } from './entry.ts';
import { noteFreshness } from './freshness.ts';
import type { ReplicaId } from './identity.ts';
import { sameMember } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { countHeld, lastIndexNotAfterTerm, termAt } from './log.ts';
import { appendEntry, trimCache, truncateFrom } from './log-changes.ts';
import { decidesAlone } from './membership.ts';
import type { AppendEntries, Heartbeat } from './message.ts';
import { repeatQuestion } from './read-index.ts';
import { becomeFollower, setLeader } from './roles.ts';
import type { Owed, RaftState } from './state.ts';

type Acknowledgement = NonNullable<Owed['acknowledgement']>;

/**
 * The follower's side of log replication (paper 5.3): check that the logs agree where the message
 * begins, take what is new, answer when it is durable. The message's term is the own one.
 */
export function handleAppendEntries(context: Context, from: ReplicaId, message: AppendEntries): void {
  const { state } = context;
  const acknowledgement = hearLeader(context, from);
  if (state.repairing && goesPastEnd(state, message)) {
    drop(context, from.id, 'repairing');
    return;
  }
  if (!agreesAt(state, message)) {
    if (message.prevLogIndex <= state.settledIndex) refuseConflict(state, message.prevLogIndex);
    const hint = lastIndexNotAfterTerm(state.log, message.prevLogIndex, message.prevLogTerm);
    send(context, from, {
      kind: 'AppendEntriesResponse',
      accepted: false,
      term: state.hardState.term,
      rejectedIndex: message.prevLogIndex,
      hintIndex: hint.index,
      hintTerm: hint.term,
      ...saysIncomplete(state),
    });
    return;
  }
  const taken = takeEntries(context, message.entries);
  if (taken < message.entries.length) {
    drop(context, from.id, state.stall.diskNearlyFull ? 'disk-nearly-full' : 'disk-backlog');
  }
  // They may have brought the first configuration that lists this replica: from now on it waits to campaign.
  if (state.timers.election === null) armElectionTimer(context);
  acknowledgement.appendOwed = true;
  const verified = message.prevLogIndex + taken;
  if (verified > state.verifiedIndex) state.verifiedIndex = verified;
  followCommit(context, message.leaderCommit);
}

/** The message's term is the own one. */
export function handleHeartbeat(context: Context, from: ReplicaId, message: Heartbeat): void {
  const acknowledgement = hearLeader(context, from);
  if (message.round > acknowledgement.round) acknowledgement.round = message.round;
  followCommit(context, message.leaderCommit);
  const { freshness } = message;
  if (freshness?.boot === context.state.self.boot) {
    noteFreshness(context.state, { at: freshness.stamp, index: freshness.index });
  }
  repeatQuestion(context.state);
}

/** A leader of an older term learns of the present one, and steps down. */
export function refuseStaleAppend(context: Context, from: ReplicaId, message: AppendEntries): void {
  send(context, from, {
    kind: 'AppendEntriesResponse',
    accepted: false,
    term: context.state.hardState.term,
    rejectedIndex: message.prevLogIndex,
    hintIndex: 0,
    hintTerm: 0,
    ...saysIncomplete(context.state),
  });
}

/** As `refuseStaleAppend`; round 0 answers no round, and nothing is promised. */
export function refuseStaleHeartbeat(context: Context, from: ReplicaId): void {
  send(context, from, {
    kind: 'HeartbeatResponse',
    term: context.state.hardState.term,
    round: 0,
    matchIndex: 0,
    verifiedIndex: 0,
    promiseMs: 0,
    stamp: 0,
  });
}

/** Election Safety (paper 5.2) says that whoever speaks as leader of this term is its only one. */
export function hearLeader(context: Context, from: ReplicaId): Acknowledgement {
  const { state } = context;
  const known = state.role === 'leader' ? state.self : (state.owed.acknowledgement?.leader ?? from);
  if (!sameMember(known, from)) {
    throw new InvariantViolation(
      `two leaders in term ${state.hardState.term}: ${known.id} (${known.incarnation})` +
        ` and ${from.id} (${from.incarnation})`,
    );
  }
  becomeFollower(context, state.hardState.term, `${from.id} leads`);
  setLeader(context, from);
  state.leaderHeardAt = state.now;
  state.headStartMs = fullHeadStartMs(state.options);
  if (state.timers.removal !== null) state.timers.removal = state.now + state.options.electionTimeoutMinMs;
  armElectionTimer(context);
  state.owed.acknowledgement ??= { leader: from, saidMatchIndex: 0, round: 0, appendOwed: false };
  return state.owed.acknowledgement;
}

/**
 * Nothing can follow the log's end while what is missing there is asked for: it would cut off what stands after the
 * hole, and was acknowledged as well. Such a message is lost, and no answer to it makes the leader try again before
 * the next heartbeat. One that contradicts the log at or before its end is like any other: then the hole does not matter.
 */
function goesPastEnd({ log }: RaftState, { prevLogIndex, entries }: AppendEntries): boolean {
  const next = entries[countHeld(log, entries)];
  return prevLogIndex > log.lastIndex || (next !== undefined && next.index > log.lastIndex);
}

function saysIncomplete({ hardState }: RaftState): { incomplete?: true } {
  return hardState.missing === undefined ? {} : { incomplete: true };
}

/** Everything up to the floor is committed, so there every leader's log agrees with it. */
function agreesAt({ log }: RaftState, { prevLogIndex, prevLogTerm }: AppendEntries): boolean {
  return prevLogIndex < log.floorIndex || termAt(log, prevLogIndex) === prevLogTerm;
}

/**
 * Appends what the log lacks. Only a real conflict cuts anything: the message may be an old one, and what
 * follows its entries here may have been acknowledged since.
 *
 * While too much waits for the disk, or it is nearly full, no more is taken, and the message counts as one that ends
 * before: to its leader the rest is lost, and comes again after a heartbeat. Nothing is promised of it, and once the
 * disk has caught up, or has space, it is taken.
 *
 * @returns how many of them, from the first on, the log holds now.
 */
function takeEntries(context: Context, entries: readonly Entry[]): number {
  const { state } = context;
  const held = countHeld(state.log, entries);
  const first = entries[held];
  if (first === undefined || entryBytes(first) > spareBytes(state)) return held;
  if (first.index <= state.log.lastIndex) cutConflict(context, first.index);
  let room = backlogRoom(state);
  let taken = held;
  for (; taken < entries.length; taken += 1) {
    const entry = entries[taken];
    if (entry === undefined) break;
    const bytes = entryBytes(entry);
    if (bytes > room || bytes > spareBytes(state)) break;
    if (room === Number.POSITIVE_INFINITY) room = state.options.diskBacklogBytesMax;
    room -= bytes;
    if (state.stall.diskNearlyFull) state.stall.spareBytes -= bytes;
    appendEntry(context, entry);
  }
  trimCache(state);
  return taken;
}

function cutConflict(context: Context, index: Index): void {
  const { state } = context;
  if (index <= state.settledIndex) refuseConflict(state, index);
  if (index <= state.verifiedIndex) {
    throw new InvariantViolation(
      `the leader of term ${state.hardState.term} replaced its own entry ${index}; a leader only appends`,
    );
  }
  truncateFrom(context, index);
  // What is missing lay behind, and is not of the leader's log.
  state.repairing = false;
}

/** Leader Completeness (paper 5.4.3) says that every leader's log holds what is committed. */
function refuseConflict(state: RaftState, index: Index): never {
  throw new InvariantViolation(
    `the leader of term ${state.hardState.term} has another entry at ${index}, ` +
      `though the log is committed here up to ${state.settledIndex}`,
  );
}

/**
 * What lies beyond the verified index may be left over from an older leader, and is not what the leader
 * committed there, however long the own log is.
 */
export function followCommit(context: Context, leaderCommit: Index): void {
  const { verifiedIndex } = context.state;
  advanceCommitIndex(context, leaderCommit < verifiedIndex ? leaderCommit : verifiedIndex);
  // Its leader stepped down when it committed that.
  if (decidesAlone(context.state)) armElectionTimer(context);
}
