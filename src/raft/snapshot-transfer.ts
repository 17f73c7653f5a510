import type { Context } from './context.ts';
import { drop, emit, nextRequestId, send } from './context.ts';
import type { Index } from './entry.ts';
import type { RaftEvent } from './event.ts';
import type { MemberId, ReplicaId, RequestId } from './identity.ts';
import { sameMember } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import type { InstallSnapshotResponse } from './message.ts';
import type { Progress, SnapshotTransfer } from './progress.ts';
import { becomeReplicate, becomeSnapshot } from './progress.ts';
import type { RaftState } from './state.ts';

/**
 * The leader's side of InstallSnapshot (paper 7). A peer that needs entries from below the floor is first
 * asked how far it is with the leader's snapshot: it may have a part of it from an earlier leader. From there
 * it gets chunk after chunk, a few under way at once, and answers with the offset it wants next.
 *
 * What is lost is noticed as lost appends are, by the answer to a later round of heartbeats, so a peer that
 * answers is never left waiting, and one that does not is sent nothing. The transfer is over when the peer
 * says, as of any entry, that it durably holds what the snapshot covers.
 */

/** Bytes go out no faster than `snapshotBytesPerSecondMax`, to all peers together and to each in turn. */
export interface SnapshotPacing {
  /** No chunk goes before; null when one may. */
  until: number | null;
  /** Who got the last one. */
  served: MemberId | null;
}

export const noPacing: SnapshotPacing = { until: null, served: null };

/** The peer's next entry lies below the floor. */
export function beginTransfer(state: RaftState, progress: Progress): void {
  becomeSnapshot(progress, newTransfer(state, 'begun'));
}

/** Once per drain: whatever may go. */
export function sendSnapshots(context: Context): void {
  const { state } = context;
  for (const progress of state.progress) {
    if (progress.transfer === null || progress.departing !== null || progress.nearlyFull) continue;
    followFloor(state, progress, progress.transfer);
    askHowFar(context, progress, progress.transfer);
  }
  state.timers.snapshotTransfer = null;
  for (;;) {
    const next = nextServed(state);
    if (next === null) return;
    const { until } = state.pacing;
    if (until !== null && until > state.now) {
      state.timers.snapshotTransfer = until;
      return;
    }
    loadChunk(context, next.progress, next.transfer);
  }
}

/** The storage answered. */
export function onSnapshotLoaded(context: Context, loadId: RequestId, data: Uint8Array | null): void {
  const { state } = context;
  const progress = state.progress.find(({ transfer }) => {
    const loading = transfer?.loading?.loadId;
    return loading?.sequence === loadId.sequence && loading.boot === loadId.boot;
  });
  const transfer = progress?.transfer;
  const loading = transfer?.loading;
  if (progress === undefined || transfer == null || loading == null) return;
  if (data === null || data.length !== loading.length) {
    // Its file may be gone, with a later one in its place; or the disk fails for a while. So it begins anew
    // with the latest, after the peer's next heartbeat answer.
    tell(context, progress, transfer, 'failed');
    restart(state, progress);
    return;
  }
  transfer.loading = null;
  const { snapshot } = transfer;
  const { offset } = loading;
  send(context, progress.member, {
    kind: 'InstallSnapshot',
    term: state.hardState.term,
    snapshot,
    offset,
    data,
  });
  transfer.nextOffset = offset + data.length;
  transfer.inflight.push({ endOffset: transfer.nextOffset, round: state.lastRound });
}

/** The message's term is the own one. */
export function handleInstallSnapshotResponse(
  context: Context,
  from: ReplicaId,
  message: InstallSnapshotResponse,
): void {
  const { state } = context;
  if (state.role !== 'leader') {
    drop(context, from.id, 'unexpected-in-role');
    return;
  }
  const progress = state.progress.find(({ member }) => sameMember(member, from));
  if (progress === undefined) {
    drop(context, from.id, 'not-a-member');
    return;
  }
  const { transfer } = progress;
  // The transfer is over, or another one runs: it came late.
  if (transfer === null || !isAbout(transfer, message)) return;
  if (message.offset > transfer.snapshot.size) drop(context, from.id, 'malformed');
  else onOffset(context, progress, transfer, message.offset);
}

/** The peer answered heartbeat round `round`. What it was sent before that round has come, or is lost. */
export function onTransferRound(progress: Progress, round: number): void {
  const { transfer } = progress;
  if (transfer === null) return;
  if (transfer.askedRound !== null && transfer.askedRound < round) transfer.askedRound = null;
  if (transfer.inflight.some((sent) => sent.round < round)) {
    goTo(transfer, transfer.acknowledgedOffset ?? 0);
    transfer.cautious = true;
  }
}

/** The peer said what it durably holds. Once that is what the snapshot covers, the log goes on from there. */
export function endTransferAt(
  context: Context,
  progress: Progress,
  { matchIndex, verifiedIndex }: { readonly matchIndex: Index; readonly verifiedIndex: Index },
): void {
  const { transfer } = progress;
  const { floorIndex } = context.state.log;
  if (transfer === null) return;
  if (matchIndex >= transfer.snapshot.index) tell(context, progress, transfer, 'completed');
  // It may also hold the log from the floor on, and have needed no snapshot: a late refusal said otherwise.
  else if (matchIndex < floorIndex) return;
  becomeReplicate(context.state, progress, verifiedIndex);
  progress.recoveringAt = matchIndex < context.state.commitIndex ? context.state.now : null;
}

/**
 * An offset below the acknowledged one is an old answer as long as all goes well. Once something was lost, or
 * all was written and nothing comes of it, it is the truth: what the peer had was not the snapshot, and it
 * begins anew.
 */
function onOffset(context: Context, progress: Progress, transfer: SnapshotTransfer, offset: number): void {
  const { now, lastRound } = context.state;
  const { acknowledgedOffset, snapshot } = transfer;
  if (acknowledgedOffset === null) {
    tell(context, progress, transfer, offset > 0 ? 'resumed' : transfer.begins);
    transfer.progressAt = now;
    goTo(transfer, offset);
  } else if (offset > acknowledgedOffset) {
    transfer.progressAt = now;
    transfer.cautious = false;
    transfer.acknowledgedOffset = offset;
    transfer.inflight = transfer.inflight.filter(({ endOffset }) => endOffset > offset);
    if (offset > transfer.nextOffset) goTo(transfer, offset);
  } else if (offset < acknowledgedOffset && (transfer.cautious || acknowledgedOffset === snapshot.size)) {
    if (offset === 0) tell(context, progress, transfer, 'restarted');
    goTo(transfer, offset);
    transfer.cautious = true;
  } else {
    return;
  }
  // It has all of it: give it until the next round to make it durable before it is asked again.
  if (offset === snapshot.size) transfer.askedRound = lastRound;
}

function goTo(transfer: SnapshotTransfer, offset: number): void {
  transfer.acknowledgedOffset = offset;
  transfer.nextOffset = offset;
  transfer.inflight = [];
  transfer.loading = null;
}

/** A transfer of a snapshot that the log does not continue any more would end with another one. */
function followFloor(state: RaftState, progress: Progress, transfer: SnapshotTransfer): void {
  const { snapshot, acknowledgedOffset } = transfer;
  const isLatest = snapshot.index === state.snapshot?.index;
  if (snapshot.index < state.log.floorIndex || (acknowledgedOffset === null && !isLatest)) {
    const begins = acknowledgedOffset === null ? transfer.begins : 'restarted';
    becomeSnapshot(progress, { ...newTransfer(state, begins), askedRound: transfer.askedRound });
  }
}

function restart(state: RaftState, progress: Progress): void {
  becomeSnapshot(progress, { ...newTransfer(state, 'restarted'), askedRound: state.lastRound });
}

/** When nothing is known yet, and when everything is written. */
function askHowFar(context: Context, progress: Progress, transfer: SnapshotTransfer): void {
  const { state } = context;
  const { snapshot, acknowledgedOffset, askedRound } = transfer;
  if (askedRound !== null) return;
  if (acknowledgedOffset !== null && acknowledgedOffset < snapshot.size) return;
  transfer.askedRound = state.lastRound;
  send(context, progress.member, {
    kind: 'InstallSnapshot',
    term: state.hardState.term,
    snapshot,
    offset: snapshot.size,
    data: new Uint8Array(0),
  });
}

/** The next peer after the last one served that has room for a chunk. */
function nextServed(
  state: RaftState,
): { readonly progress: Progress; readonly transfer: SnapshotTransfer } | null {
  const { served } = state.pacing;
  const count = state.progress.length;
  const last = served === null ? -1 : state.progress.findIndex(({ member }) => sameMember(member, served));
  for (let step = 1; step <= count; step += 1) {
    const progress = state.progress[(last + step) % count];
    if (progress === undefined || progress.transfer === null || progress.departing !== null) continue;
    if (!progress.nearlyFull && hasRoom(progress.transfer, state.options.snapshotChunksInflightMax)) {
      return { progress, transfer: progress.transfer };
    }
  }
  return null;
}

function hasRoom(transfer: SnapshotTransfer, inflightMax: number): boolean {
  const { acknowledgedOffset, nextOffset, snapshot, loading, inflight, cautious } = transfer;
  if (acknowledgedOffset === null || loading !== null || nextOffset >= snapshot.size) return false;
  return inflight.length < (cautious ? 1 : inflightMax);
}

function loadChunk(context: Context, progress: Progress, transfer: SnapshotTransfer): void {
  const { state } = context;
  const { snapshotChunkBytes, snapshotBytesPerSecondMax } = state.options;
  const { snapshot, nextOffset: offset } = transfer;
  const left = snapshot.size - offset;
  const length = left < snapshotChunkBytes ? left : snapshotChunkBytes;
  const loadId = nextRequestId(state);
  transfer.loading = { loadId, offset, length };
  context.effects.push({ kind: 'load-snapshot', loadId, snapshot, offset, length });
  state.pacing = {
    served: { id: progress.member.id, incarnation: progress.member.incarnation },
    until: snapshotBytesPerSecondMax === 0 ? null : state.now + (length * 1000) / snapshotBytesPerSecondMax,
  };
}

function newTransfer(state: RaftState, begins: SnapshotTransfer['begins']): SnapshotTransfer {
  const { snapshot, log } = state;
  if (snapshot === null || snapshot.index < log.floorIndex) {
    throw new InvariantViolation(
      `the log begins after ${log.floorIndex}, and the latest snapshot is ${snapshot?.index ?? 'none'}`,
    );
  }
  return {
    snapshot,
    begins,
    acknowledgedOffset: null,
    nextOffset: 0,
    inflight: [],
    cautious: false,
    askedRound: null,
    loading: null,
    progressAt: state.now,
  };
}

function isAbout({ snapshot }: SnapshotTransfer, message: InstallSnapshotResponse): boolean {
  return snapshot.index === message.snapshotIndex && snapshot.term === message.snapshotTerm;
}

function tell(
  context: Context,
  progress: Progress,
  { snapshot }: SnapshotTransfer,
  phase: Extract<RaftEvent, { kind: 'snapshot-transfer' }>['phase'],
): void {
  emit(context, {
    kind: 'snapshot-transfer',
    peer: progress.member.id,
    index: snapshot.index,
    phase,
  });
}
