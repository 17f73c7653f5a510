import { hearLeader } from './append-entries.ts';
import { advanceCommitIndex } from './applying.ts';
import { isMember } from './configuration.ts';
import type { Context } from './context.ts';
import { drop, emit, nextRequestId, send } from './context.ts';
import { armElectionTimer } from './election-timer.ts';
import type { Term } from './entry.ts';
import { moveFloor } from './floor.ts';
import type { ReplicaId, RequestId } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { termAt } from './log.ts';
import type { InstallSnapshot } from './message.ts';
import { becomeFollower } from './roles.ts';
import type { SnapshotMeta } from './snapshot.ts';
import { sameSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';

/**
 * The follower's side of InstallSnapshot (paper 7). Chunks go to the storage one after the other, and what is
 * written is told to the leader. What was written stays when the leader goes: a later one with the same
 * snapshot goes on where it stopped. Once the storage has verified the whole and made it durable it is
 * installed, unless the log has got as far by itself.
 */

export interface ReceivingSnapshot {
  readonly transferId: RequestId;
  readonly snapshot: SnapshotMeta;
  /** The latest term whose leader sent it. */
  term: Term;
  /** Everything before it was handed to the storage; one chunk at a time. */
  handedOffset: number;
  /** Everything before it is written: what the leader is told. `<= handedOffset` */
  writtenOffset: number;
  /** Chunks that came while another was being written, or before their turn; few, in no order. */
  waiting: { readonly offset: number; readonly data: Uint8Array }[];
  /** Its last byte was handed over: it ends by itself, as stored or failed. */
  complete: boolean;
  /** It is durable and verified, and is installed as soon as nothing is being applied. */
  stored: boolean;
}

/** The message's term is the own one. */
export function handleInstallSnapshot(context: Context, from: ReplicaId, message: InstallSnapshot): void {
  const { state } = context;
  const acknowledgement = hearLeader(context, from);
  const { snapshot } = message;
  if (snapshot.index <= state.settledIndex) {
    refuseConflict(state, snapshot);
    // Everything up to the settled index is committed and in this log, and what is committed is in the
    // leader's log too (paper 5.4.3). So the two are equal up to there, and the ordinary answer, as soon as
    // that is durable, makes the leader go on from there.
    if (snapshot.index > state.verifiedIndex) state.verifiedIndex = snapshot.index;
    acknowledgement.appendOwed = true;
    return;
  }
  if (state.stall.diskNearlyFull) {
    drop(context, from.id, 'disk-nearly-full');
    return;
  }
  const receiving = receivingOf(context, message);
  if (receiving === null) return;
  if (isNews(receiving, message)) take(context, receiving, message);
  else answer(context, receiving);
}

/** As `refuseStaleAppend`: a leader of an older term learns of the present one. */
export function refuseStaleSnapshot(context: Context, from: ReplicaId, { snapshot }: InstallSnapshot): void {
  send(context, from, {
    kind: 'InstallSnapshotResponse',
    term: context.state.hardState.term,
    snapshotIndex: snapshot.index,
    snapshotTerm: snapshot.term,
    offset: 0,
  });
}

export function onSnapshotWritten(context: Context, transferId: RequestId, offset: number): void {
  const { receiving } = context.state;
  if (receiving === null || !isId(receiving, transferId)) return;
  if (offset !== receiving.handedOffset || offset <= receiving.writtenOffset) return;
  receiving.writtenOffset = offset;
  answer(context, receiving);
  handNext(context, receiving);
}

export function onSnapshotStored({ state }: Context, transferId: RequestId): void {
  const { receiving } = state;
  if (receiving === null || !isId(receiving, transferId) || !receiving.complete) return;
  receiving.writtenOffset = receiving.snapshot.size;
  receiving.stored = true;
}

/** The leader is not told at once: it asks, and hears that it has to begin anew. */
export function onSnapshotFailed({ state }: Context, transferId: RequestId): void {
  if (state.receiving !== null && isId(state.receiving, transferId)) state.receiving = null;
}

/** Once per drain: installs what is stored, and gives up what is of no use any more. */
export function finishReceiving(context: Context): void {
  const { state } = context;
  const { receiving } = state;
  if (receiving === null) return;
  if (receiving.stored) {
    // A range being applied is read from the log that the snapshot is about to replace, and its end must not
    // be taken for news after a restored snapshot: the two take turns.
    const isBusy = state.applyingIndex > state.appliedIndex;
    if (isBusy && !overtaken(state, receiving)) return;
    state.receiving = null;
    install(context, receiving.snapshot);
  } else if (!receiving.complete && (overtaken(state, receiving) || state.role === 'leader')) {
    abandon(context, receiving);
  }
}

/** Never moves the term, the commit index or what is applied back. */
function install(context: Context, snapshot: SnapshotMeta): void {
  const { state } = context;
  const { index, term, configuration } = snapshot;
  if (index > (state.snapshot?.index ?? 0)) state.snapshot = snapshot;
  if (index <= state.settledIndex) {
    refuseConflict(state, snapshot);
    return;
  }
  const isHeld = termAt(state.log, index) === term;
  if (!isHeld) {
    // What is committed is in the log of whoever leads this term, and so in whatever was found equal to it.
    if (state.role === 'leader' || index <= state.verifiedIndex) refuseReplacement(state, snapshot);
    // A campaign is judged by the log it began with.
    becomeFollower(context, state.hardState.term, 'a snapshot replaced its log');
  }
  if (state.role === 'leader') return;

  // A leader sends its snapshot to members only: that the snapshot does not list this replica tells of a time
  // before it came, or came back, and is no removal.
  if (!isMember(configuration, state.self)) state.wasMember = false;
  moveFloor(context, { index, term, configuration });
  if (state.keepFrom <= index) state.keepFrom = index + 1;
  // What the snapshot covers is committed, so every leader's log agrees with it (paper 5.4.3).
  if (state.verifiedIndex < index) state.verifiedIndex = index;
  advanceCommitIndex(context, index);
  if (state.owed.acknowledgement !== null) state.owed.acknowledgement.appendOwed = true;
  emit(context, { kind: 'snapshot-installed', index, term });
  if (index > state.appliedIndex) {
    state.applyingIndex = index;
    state.restoring = snapshot;
    context.effects.push({ kind: 'restore', snapshot });
  }
  if (state.timers.election === null) armElectionTimer(context);
}

/**
 * The transfer that the message is about, begun if need be; null when it is late or has to wait.
 *
 * A leader's snapshots only get later, so within a term an older one is an old message. A leader of a later
 * term may have an older snapshot, and nothing else to give. A transfer that is complete is left to end: it
 * takes no leader any more.
 */
function receivingOf(context: Context, { term, snapshot }: InstallSnapshot): ReceivingSnapshot | null {
  const { state } = context;
  const { receiving } = state;
  if (receiving !== null && sameSnapshot(receiving.snapshot, snapshot)) {
    receiving.term = term;
    return receiving;
  }
  if (receiving !== null) {
    if (receiving.complete || (receiving.term === term && snapshot.index < receiving.snapshot.index))
      return null;
    abandon(context, receiving);
  }
  state.receiving = {
    transferId: nextRequestId(state),
    snapshot,
    term,
    handedOffset: 0,
    writtenOffset: 0,
    waiting: [],
    complete: false,
    stored: false,
  };
  return state.receiving;
}

/** Whether it brings bytes that were not handed over. An empty snapshot is brought by the question itself. */
function isNews(receiving: ReceivingSnapshot, { offset, data, snapshot }: InstallSnapshot): boolean {
  if (receiving.complete) return false;
  return snapshot.size === 0 || (data.length > 0 && offset + data.length > receiving.handedOffset);
}

function take(context: Context, receiving: ReceivingSnapshot, { offset, data }: InstallSnapshot): void {
  const { waiting } = receiving;
  const isThere = waiting.some((chunk) => chunk.offset === offset && chunk.data.length >= data.length);
  const room = context.state.options.snapshotChunksInflightMax;
  // What finds no room is lost, and comes again.
  if (!isThere && (waiting.length < room || offset <= receiving.handedOffset)) waiting.push({ offset, data });
  // With nothing being written there is a gap, and the answer says where.
  const isGap = offset > receiving.handedOffset && receiving.handedOffset === receiving.writtenOffset;
  if (isGap) answer(context, receiving);
  handNext(context, receiving);
}

/** Hands over the chunk that comes next, if the one before it is written. */
function handNext(context: Context, receiving: ReceivingSnapshot): void {
  const { snapshot, handedOffset, writtenOffset, transferId } = receiving;
  if (handedOffset > writtenOffset || receiving.complete) return;
  const next = receiving.waiting.find(
    ({ offset, data }) =>
      offset <= handedOffset && (offset + data.length > handedOffset || snapshot.size === 0),
  );
  if (next === undefined) return;
  const data = next.data.subarray(handedOffset - next.offset);
  receiving.handedOffset = handedOffset + data.length;
  receiving.complete = receiving.handedOffset === snapshot.size;
  receiving.waiting = receiving.waiting.filter(
    (chunk) => chunk.offset + chunk.data.length > receiving.handedOffset,
  );
  context.effects.push({ kind: 'receive-snapshot', transferId, snapshot, offset: handedOffset, data });
}

/** To the leader that sends it; one of another term asks for itself. */
function answer(context: Context, { snapshot, writtenOffset, term }: ReceivingSnapshot): void {
  const { hardState, owed } = context.state;
  if (owed.acknowledgement === null || term !== hardState.term) return;
  send(context, owed.acknowledgement.leader, {
    kind: 'InstallSnapshotResponse',
    term,
    snapshotIndex: snapshot.index,
    snapshotTerm: snapshot.term,
    offset: writtenOffset,
  });
}

function abandon(context: Context, receiving: ReceivingSnapshot): void {
  context.state.receiving = null;
  if (receiving.handedOffset === 0) return;
  context.effects.push({ kind: 'abandon-snapshot', transferId: receiving.transferId });
}

function overtaken({ settledIndex }: RaftState, { snapshot }: ReceivingSnapshot): boolean {
  return snapshot.index <= settledIndex;
}

function isId({ transferId }: ReceivingSnapshot, other: RequestId): boolean {
  return transferId.sequence === other.sequence && transferId.boot === other.boot;
}

/** A snapshot holds committed entries only; so does this log up to its settled index (paper 5.4.3). */
function refuseConflict(state: RaftState, { index, term }: SnapshotMeta): void {
  const own = termAt(state.log, index);
  if (own === null || own === term) return;
  throw new InvariantViolation(
    `a snapshot says that entry ${index} is of term ${term}, but ${index}/${own} is committed here`,
  );
}

function refuseReplacement(state: RaftState, { index, term }: SnapshotMeta): never {
  throw new InvariantViolation(
    `a snapshot of ${index}/${term} contradicts the log of term ${state.hardState.term}'s leader, ` +
      `which has ${termAt(state.log, index) ?? 'nothing'} there`,
  );
}
