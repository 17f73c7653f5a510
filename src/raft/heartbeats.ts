import type { Configuration } from './configuration.ts';
import type { Context } from './context.ts';
import { drop, send } from './context.ts';
import { noteFreshness, proveStamps, takeStamp } from './freshness.ts';
import type { ReplicaId } from './identity.ts';
import { sameMember } from './identity.ts';
import { promiseEnd } from './lease.ts';
import { currentConfiguration } from './membership.ts';
import type { HeartbeatResponse } from './message.ts';
import { becomeProbe } from './progress.ts';
import { quorumValue } from './quorum.ts';
import { onAcknowledged, progressOf } from './replication.ts';
import { onTransferRound } from './snapshot-transfer.ts';
import type { RaftState } from './state.ts';

/**
 * The leader's heartbeats keep followers from campaigning, and their answers are its proof that it still
 * leads (CheckQuorum, dissertation 6.2). Each round has a number, so that an answer proves contact as of
 * the moment its round was *sent*, however long the answer took.
 */
export function sendHeartbeats(context: Context): void {
  const { state } = context;
  forgetDeparted(state);
  state.lastRound += 1;
  state.rounds.push({ round: state.lastRound, sentAt: state.now });
  forgetOldRounds(state);
  for (const { member, matchIndex, departing, provenFreshness } of state.progress) {
    // A heartbeat checks no log, so it must not commit what the receiver is not known to hold.
    const leaderCommit = state.commitIndex < matchIndex ? state.commitIndex : matchIndex;
    send(context, member, {
      kind: 'Heartbeat',
      term: state.hardState.term,
      round: state.lastRound,
      leaderCommit,
      freshness: provenFreshness,
    });
    if (departing !== null && leaderCommit >= departing.index) departing.toldRound ??= state.lastRound;
  }
  // Only the timer moves the timer: a round for reads comes on top, or reads that never end would put off for ever
  // what is done with each heartbeat.
  if (state.progress.length === 0) state.timers.heartbeat = null;
  else state.timers.heartbeat ??= state.now + state.options.heartbeatIntervalMs;
  confirmQuorum(context);
}

/** The message's term is the own one. */
export function handleHeartbeatResponse(context: Context, from: ReplicaId, message: HeartbeatResponse): void {
  const { state } = context;
  if (state.role !== 'leader') {
    drop(context, from.id, 'unexpected-in-role');
    return;
  }
  const progress = progressOf(state, from);
  if (progress === undefined) {
    drop(context, from.id, 'not-a-member');
    return;
  }
  if (message.round > state.lastRound || message.verifiedIndex > state.log.lastIndex) {
    drop(context, from.id, 'malformed');
    return;
  }
  onAcknowledged(context, progress, message);
  if (message.round <= progress.answeredRound) return;

  progress.answeredRound = message.round;
  progress.nearlyFull = message.nearlyFull ?? false;
  const sentAt = roundSentAt(state, message.round);
  if (sentAt !== null) {
    progress.contactAt = sentAt;
    progress.promisedUntil = promiseEnd(state, sentAt, message.promiseMs);
  }
  confirmQuorum(context);
  takeStamp(state, progress, { boot: from.boot, stamp: message.stamp });

  if (progress.mode === 'probe') {
    if (progress.probeRound !== null && progress.probeRound < message.round) progress.probeRound = null;
    return;
  }
  if (progress.mode === 'snapshot') {
    onTransferRound(progress, message.round);
    return;
  }
  // An append sent before this round should have come before it. If it did not, it was lost, or will
  // come too late to be worth waiting for. Without this a window lost as a whole would stay full for ever.
  const { round, verifiedIndex } = message;
  if (progress.inflight.some((sent) => sent.round < round && sent.lastIndex > verifiedIndex)) {
    becomeProbe(progress, verifiedIndex + 1);
  }
}

/** The latest round that a quorum answered; 0 when none was. The leader itself has answered all. */
export function confirmedRound(state: RaftState): number {
  return roundConfirmedBy(state, currentConfiguration(state));
}

/** When that round of this configuration was sent; null when that is not known. */
export function confirmedBy(state: RaftState, configuration: Configuration): number | null {
  return roundSentAt(state, roundConfirmedBy(state, configuration));
}

function roundConfirmedBy(state: RaftState, configuration: Configuration): number {
  return quorumValue(configuration, (member) => {
    if (sameMember(member, state.self)) return state.lastRound;
    return progressOf(state, member)?.answeredRound ?? 0;
  });
}

/** null for a round from before a clock anomaly, or so old that it proves nothing. */
function roundSentAt({ rounds }: RaftState, round: number): number | null {
  const first = rounds[0];
  return first === undefined ? null : (rounds[round - first.round]?.sentAt ?? null);
}

/** What was sent longer ago than an election timeout proves nothing. Done in bulk: reads may make many rounds. */
function forgetOldRounds({ rounds, now, options }: RaftState): void {
  const before = now - options.electionTimeoutMaxMs;
  if ((rounds[rounds.length >> 1]?.sentAt ?? now) >= before) return;
  const kept = rounds.findIndex(({ sentAt }) => sentAt >= before);
  rounds.splice(0, kept < 0 ? rounds.length : kept);
}

function confirmQuorum(context: Context): void {
  const { state } = context;
  const round = confirmedRound(state);
  proveStamps(state, round);
  const confirmedAt = roundSentAt(state, round);
  if (confirmedAt !== null && (state.quorumConfirmedAt === null || confirmedAt > state.quorumConfirmedAt)) {
    state.quorumConfirmedAt = confirmedAt;
    if (state.commitIndex >= state.termStartIndex) {
      noteFreshness(state, { at: confirmedAt, index: state.commitIndex });
    }
  }
  if (state.timers.quorum === null || state.quorumConfirmedAt === null) return;
  const due = state.quorumConfirmedAt + state.options.electionTimeoutMinMs;
  if (due > state.timers.quorum) state.timers.quorum = due;
}

/** Forgets those that left once they know it, or do not answer. */
function forgetDeparted(state: RaftState): void {
  if (state.progress.every(({ departing }) => departing === null)) return;
  state.progress = state.progress.filter(({ departing, answeredRound }) => {
    if (departing === null) return true;
    const knows = departing.toldRound !== null && answeredRound >= departing.toldRound;
    return !knows && state.now < departing.until;
  });
}
