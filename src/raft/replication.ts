import { advanceCommitIndex } from './applying.ts';
import { tellBootWentBack } from './boots.ts';
import { quorumCommitIndex } from './commitment.ts';
import type { Context } from './context.ts';
import { drop, nextRequestId, send } from './context.ts';
import { lastForNearlyFull } from './disk-space.ts';
import type { Entry, Index } from './entry.ts';
import { entryBytes } from './entry.ts';
import type { MemberId, ReplicaId, RequestId } from './identity.ts';
import { sameMember } from './identity.ts';
import { cachedBatch, firstCachedIndex, lastIndexNotAfterTerm, termAt } from './log.ts';
import { trimCache } from './log-changes.ts';
import type { AppendEntriesResponse, AppendRejected } from './message.ts';
import type { Progress } from './progress.ts';
import {
  becomeProbe,
  becomeReplicate,
  noteMatch,
  noteSent,
  noteVerified,
  windowHasRoom,
} from './progress.ts';
import { beginTransfer, endTransferAt, sendSnapshots } from './snapshot-transfer.ts';
import type { RaftState } from './state.ts';

/**
 * The leader's side of log replication (paper 5.3). `replicate` runs once per drain and sends each peer
 * whatever its window allows; the handlers below only change what is known of a peer.
 */
export function replicate(context: Context): void {
  const { state } = context;
  for (const progress of state.progress) {
    if (progress.nearlyFull && lastForNearlyFull(state) === null) continue;
    // Below the floor only a snapshot helps; who was removed is not worth one.
    if (progress.mode !== 'snapshot' && progress.nextIndex <= state.log.floorIndex) {
      if (progress.departing !== null) continue;
      beginTransfer(state, progress);
    }
    if (progress.mode === 'probe') sendProbe(context, progress);
    else if (progress.mode === 'replicate') sendEntries(context, progress);
  }
  sendSnapshots(context);
}

/** The message's term is the own one. */
export function handleAppendEntriesResponse(
  context: Context,
  from: ReplicaId,
  message: AppendEntriesResponse,
): void {
  const { state } = context;
  if (state.role !== 'leader') {
    drop(context, from.id, 'unexpected-in-role');
    return;
  }
  const progress = progressOf(state, from);
  if (progress === undefined) drop(context, from.id, 'not-a-member');
  else if (!message.accepted) onRejected(context, from, progress, message);
  else if (message.verifiedIndex > state.log.lastIndex) drop(context, from.id, 'malformed');
  else onAcknowledged(context, progress, message);
}

/** A peer said what it holds, in an append's or a heartbeat's answer. */
export function onAcknowledged(
  context: Context,
  progress: Progress,
  { matchIndex, verifiedIndex }: { readonly matchIndex: Index; readonly verifiedIndex: Index },
): void {
  if (noteMatch(progress, matchIndex)) {
    const { state } = context;
    // With what is committed it has caught up.
    if (progress.recoveringAt !== null)
      progress.recoveringAt = matchIndex < state.commitIndex ? state.now : null;
    advanceCommit(context);
  }
  if (progress.mode === 'snapshot') {
    endTransferAt(context, progress, { matchIndex, verifiedIndex });
    return;
  }
  // In a probe nextIndex - 1 is where the logs were to be compared: they agree there.
  if (progress.mode === 'probe' && verifiedIndex >= progress.nextIndex - 1) {
    becomeReplicate(context.state, progress, verifiedIndex);
  } else if (progress.mode === 'replicate') {
    noteVerified(context.state, progress, verifiedIndex);
  }
}

/** After anything that may have moved a match index, the own one included. */
export function advanceCommit(context: Context): void {
  const { state } = context;
  const commitIndex = quorumCommitIndex(state);
  if (commitIndex <= state.commitIndex) return;
  advanceCommitIndex(context, commitIndex);
  trimCache(state);
}

export function progressOf(state: RaftState, member: MemberId): Progress | undefined {
  for (const progress of state.progress) if (sameMember(progress.member, member)) return progress;
  return undefined;
}

/**
 * The storage answered a load. What it read is compared with the terms that memory holds: a disk that
 * gives back another entry than it was given must not spread it.
 */
export function onLoaded(context: Context, loadId: RequestId, entries: readonly Entry[] | null): void {
  const { state } = context;
  const progress = state.progress.find(
    ({ loading }) => loading?.sequence === loadId.sequence && loading.boot === loadId.boot,
  );
  if (progress === undefined) return;
  progress.loading = null;
  if (entries === null || !isOwnRange(state, progress.nextIndex, entries)) {
    // Ask again after the peer's next heartbeat answer, not at once: the disk may fail for a while.
    becomeProbe(progress, progress.nextIndex);
    progress.probeRound = state.lastRound;
    return;
  }
  sendAppend(context, progress, entries);
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  noteSent(progress, { lastIndex: progress.nextIndex + entries.length - 1, bytes, round: state.lastRound });
}

/**
 * The logs differ at `rejectedIndex`, or the peer's ends before it. Go back as far as both hints allow,
 * never to what it is known to hold. See `lastIndexNotAfterTerm` for the argument.
 */
function onRejected(context: Context, from: ReplicaId, progress: Progress, message: AppendRejected): void {
  const { state } = context;
  if (progress.mode === 'snapshot') return;
  const stale =
    progress.mode === 'probe'
      ? message.rejectedIndex !== progress.nextIndex - 1
      : message.rejectedIndex <= progress.matchIndex || message.rejectedIndex >= progress.nextIndex;
  if (stale) return;
  // A log that holds what an earlier boot acknowledged can agree at least up to there: terms never fall along the
  // leader's log, so none before the place of the probe is later than the probe's.
  const { earlierMatchIndex } = progress;
  // One that says that its disk lost entries knows what it said, and takes care itself (damage.ts).
  const wentBack = message.rejectedIndex >= earlierMatchIndex && message.hintIndex < earlierMatchIndex;
  if (wentBack && !message.incomplete) {
    tellBootWentBack(context, from);
  }
  const agreement = lastIndexNotAfterTerm(state.log, message.hintIndex, message.hintTerm).index;
  becomeProbe(progress, agreement < message.rejectedIndex ? agreement + 1 : message.rejectedIndex);
}

function sendProbe(context: Context, progress: Progress): void {
  const { log, options, lastRound } = context.state;
  if (progress.probeRound !== null || progress.nextIndex <= log.floorIndex) return;
  // Entries may come along, but none are loaded for a comparison that may well fail.
  const endIndex = endFor(context.state, progress);
  const batch = cachedBatch(log, progress.nextIndex, options.messageBytesMax, endIndex);
  sendAppend(context, progress, batch?.entries ?? []);
  progress.probeRound = lastRound;
}

function sendEntries(context: Context, progress: Progress): void {
  const { state } = context;
  const { log, options } = state;
  const endIndex = endFor(state, progress);
  while (progress.nextIndex <= endIndex && progress.loading === null && windowHasRoom(progress, options)) {
    const batch = cachedBatch(log, progress.nextIndex, options.messageBytesMax, endIndex);
    if (batch === null) {
      load(context, progress);
      return;
    }
    sendAppend(context, progress, batch.entries);
    const lastIndex = progress.nextIndex + batch.entries.length - 1;
    noteSent(progress, { lastIndex, bytes: batch.bytes, round: state.lastRound });
  }
}

/** Who was removed gets the entry that says so, and learns nothing more. */
function endFor(state: RaftState, { departing, nearlyFull }: Progress): Index {
  const endIndex = departing?.index ?? state.log.lastIndex;
  return nearlyFull ? Math.min(endIndex, lastForNearlyFull(state) ?? 0) : endIndex;
}

function sendAppend(context: Context, progress: Progress, entries: readonly Entry[]): void {
  const { state } = context;
  const prevLogIndex = progress.nextIndex - 1;
  send(context, progress.member, {
    kind: 'AppendEntries',
    term: state.hardState.term,
    prevLogIndex,
    prevLogTerm: termAt(state.log, prevLogIndex) ?? 0,
    entries,
    leaderCommit: state.commitIndex,
  });
}

function load(context: Context, progress: Progress): void {
  const { state } = context;
  const lastUncached = firstCachedIndex(state.log) - 1;
  const loadId = nextRequestId(state);
  progress.loading = loadId;
  context.effects.push({
    kind: 'load',
    loadId,
    from: progress.nextIndex,
    to: Math.min(lastUncached, endFor(state, progress)),
    bytesMax: state.options.messageBytesMax,
  });
}

function isOwnRange(state: RaftState, from: Index, entries: readonly Entry[]): boolean {
  return (
    entries.length > 0 &&
    entries.every(
      (entry, position) => entry.index === from + position && termAt(state.log, entry.index) === entry.term,
    )
  );
}
