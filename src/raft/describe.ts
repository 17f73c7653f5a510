import type { Configuration, Member } from './configuration.ts';
import type { Effect, HardState } from './effect.ts';
import type { Entry } from './entry.ts';
import type { MembershipProgress, RaftEvent } from './event.ts';
import type { MemberId, RequestId } from './identity.ts';
import { currentConfiguration } from './membership.ts';
import type { Envelope, Message } from './message.ts';
import type { Progress } from './progress.ts';
import type { SnapshotMeta } from './snapshot.ts';
import type { ReceivingSnapshot } from './snapshot-receive.ts';
import { describeHandicap } from './stall.ts';
import type { RaftState } from './state.ts';

/** One line each, the same bytes for the same thing: what traces are made of. */

export function describeEnvelope({ from, to, message }: Envelope): string {
  return `${from.id}->${to.id} ${describeMessage(message)}`;
}

export function describeMessage(message: Message): string {
  switch (message.kind) {
    case 'RequestPreVote':
      return `RequestPreVote term=${message.term} last=${message.lastLogIndex}/${message.lastLogTerm}`;
    case 'RequestVote':
      return (
        `RequestVote term=${message.term} last=${message.lastLogIndex}/${message.lastLogTerm}` +
        (message.leadershipTransfer ? ' by transfer' : '')
      );
    case 'PreVoteResponse':
    case 'VoteResponse':
      return `${message.kind} term=${message.term} ${message.granted ? 'granted' : 'refused'}`;
    case 'AppendEntries':
      return (
        `AppendEntries term=${message.term} prev=${message.prevLogIndex}/${message.prevLogTerm}` +
        ` entries=${describeEntries(message.entries)} leaderCommit=${message.leaderCommit}`
      );
    case 'AppendEntriesResponse':
      return message.accepted
        ? `AppendEntriesResponse term=${message.term} accepted matchIndex=${message.matchIndex}` +
            ` verifiedIndex=${message.verifiedIndex}`
        : `AppendEntriesResponse term=${message.term} rejected at ${message.rejectedIndex}` +
            ` hint=${message.hintIndex}/${message.hintTerm}` +
            (message.incomplete ? ' incomplete' : '');
    case 'Heartbeat':
      return (
        `Heartbeat term=${message.term} round=${message.round} leaderCommit=${message.leaderCommit}` +
        (message.freshness === null ? '' : ` freshness=${message.freshness.stamp}@${message.freshness.index}`)
      );
    case 'HeartbeatResponse':
      return (
        `HeartbeatResponse term=${message.term} round=${message.round} matchIndex=${message.matchIndex}` +
        ` verifiedIndex=${message.verifiedIndex} promiseMs=${message.promiseMs}` +
        (message.nearlyFull ? ' nearlyFull' : '')
      );
    case 'InstallSnapshot':
      return (
        `InstallSnapshot term=${message.term} ${describeSnapshot(message.snapshot)}` +
        ` bytes=${message.offset}..${message.offset + message.data.length}`
      );
    case 'InstallSnapshotResponse':
      return (
        `InstallSnapshotResponse term=${message.term}` +
        ` snapshot=${message.snapshotIndex}/${message.snapshotTerm} offset=${message.offset}`
      );
    case 'TimeoutNow':
      return `TimeoutNow term=${message.term}`;
    case 'ReadIndexRequest':
      return (
        `ReadIndexRequest term=${message.term} read=${describeRequestId(message.readId)}` +
        (message.lease ? ' by lease' : '')
      );
    case 'ReadIndexResponse':
      return (
        `ReadIndexResponse term=${message.term} read=${describeRequestId(message.readId)}` +
        ` index=${message.index}`
      );
    case 'JoinRequest':
      return `JoinRequest address=${message.address} lastLogIndex=${message.lastLogIndex}`;
    case 'JoinAnswer':
      return `JoinAnswer ${message.answer} boot=${message.boot} leader=${message.leader?.id ?? 'none'}`;
    case 'BootstrapQuery':
      return `BootstrapQuery members=${message.members.map(({ id }) => id).join(',')}`;
    case 'BootstrapAnswer':
      return (
        `BootstrapAnswer ${message.empty ? 'empty' : 'not empty'}` +
        (message.otherMembers === null
          ? ''
          : ` other members=${message.otherMembers.map(({ id }) => id).join(',')}`)
      );
    case 'RepairRequest':
      return (
        `RepairRequest id=${describeRequestId(message.requestId)} ${message.from}..${message.to}` +
        ` anchor=${message.anchor.index}/${message.anchor.term} bytesMax=${message.bytesMax}`
      );
    case 'RepairAnswer':
      return (
        `RepairAnswer id=${describeRequestId(message.requestId)} ` +
        (message.held ? `entries=${describeEntries(message.entries)}` : message.reason)
      );
  }
}

export function describeEffect(effect: Effect): string {
  switch (effect.kind) {
    case 'write':
      return [
        `write ${describeRequestId(effect.writeId)}`,
        ...(effect.hardState === undefined ? [] : [describeHardState(effect.hardState)]),
        ...(effect.cutFrom === undefined ? [] : [`cutFrom=${effect.cutFrom}`]),
        ...(effect.floor === undefined ? [] : [`floor=${effect.floor.index}/${effect.floor.term}`]),
        `entries=${describeEntries(effect.entries)}`,
      ].join(' ');
    case 'send':
      return `send ${describeEnvelope(effect.envelope)}`;
    case 'apply':
      return `apply ${effect.from}..${effect.to}`;
    case 'load':
      return `load ${describeRequestId(effect.loadId)} ${effect.from}..${effect.to} bytesMax=${effect.bytesMax}`;
    case 'load-snapshot':
      return (
        `load ${describeRequestId(effect.loadId)} ${describeSnapshot(effect.snapshot)}` +
        ` bytes=${effect.offset}..${effect.offset + effect.length}`
      );
    case 'receive-snapshot':
      return (
        `receive ${describeRequestId(effect.transferId)} ${describeSnapshot(effect.snapshot)}` +
        ` bytes=${effect.offset}..${effect.offset + effect.data.length}`
      );
    case 'abandon-snapshot':
      return `abandon ${describeRequestId(effect.transferId)}`;
    case 'restore':
      return `restore ${describeSnapshot(effect.snapshot)}`;
    case 'read-granted':
      return `read ${describeRequestId(effect.readId)} granted at ${effect.index}`;
    case 'event':
      return describeEvent(effect.event);
  }
}

export function describeEvent(event: RaftEvent): string {
  switch (event.kind) {
    case 'role-changed':
      return `${event.role} in term ${event.term}: ${event.reason}`;
    case 'leader-changed':
      return `leader of term ${event.term}: ${event.leader ?? 'none known'}`;
    case 'commit-advanced':
      return `commitIndex=${event.commitIndex} in term ${event.term}`;
    case 'log-truncated':
      return `log cut from ${event.from} on in term ${event.term}`;
    case 'message-dropped':
      return `message from ${event.from} dropped: ${event.reason}`;
    case 'clock-anomaly':
      return `clock anomaly: ${event.anomaly} by ${event.byMs} ms`;
    case 'configuration-changed':
      return (
        `configuration ${event.configuration.id} at ${event.index}${event.rolledBack ? ' (rolled back)' : ''}:` +
        ` ${describeConfiguration(event.configuration)}`
      );
    case 'membership-progress':
      return `membership change ${describeRequestId(event.changeId)}: ${describeProgressOfChange(event.progress)}`;
    case 'membership-ended':
      return `membership change ${describeRequestId(event.changeId)} ${event.outcome}: ${event.reason}`;
    case 'newcomer':
      return `newcomer ${event.member.id} (${event.member.incarnation}) at ${event.address}: ${event.answer}`;
    case 'removed':
      return `removed by configuration ${event.configuration.id}`;
    case 'snapshot-transfer':
      return `snapshot ${event.index} to ${event.peer}: ${event.phase}`;
    case 'snapshot-installed':
      return `snapshot ${event.index}/${event.term} installed`;
    case 'log-compacted':
      return `log begins after ${event.index}`;
    case 'leadership-transfer-begun':
      return `hands over to ${event.to}: ${event.reason}`;
    case 'leadership-transfer-ended':
      return `handing over to ${event.to} ended: ${event.outcome}`;
    case 'no-transfer-target':
      return `${describeHandicap(event.stalled)}, and nobody is fit to take over`;
    case 'log-repaired':
      return `entries ${event.from} to ${event.to} are held again`;
    case 'repair-abandoned':
      return `nobody has what is missing after entry ${event.lastIndex}`;
    case 'log-whole':
      return `the log up to ${event.lastIndex} lacks nothing any more`;
  }
}

export function describeState(state: RaftState): string {
  const { self, role, log, durable } = state;
  return [
    `${self.id} ${role}`,
    describeHardState(state.hardState),
    `leader=${state.leader?.id ?? 'none'}`,
    `log=${describeRuns(state)}`,
    `durable=${durable.index}@${durable.hardState.term}`,
    `verified=${state.verifiedIndex}`,
    `commit=${state.commitIndex}`,
    `applied=${state.appliedIndex}`,
    `voters=${describeConfiguration(currentConfiguration(state))}`,
    ...(log.floorIndex > 0 ? [`floor=${log.floorIndex}/${log.floorTerm}`] : []),
    ...(state.snapshot === null ? [] : [describeSnapshot(state.snapshot)]),
    ...describeReceiving(state.receiving),
    ...(state.restoring === null ? [] : [`restoring ${state.restoring.index}/${state.restoring.term}`]),
    ...(state.now < state.silentUntil ? [`silent for ${state.silentUntil - state.now} ms`] : []),
    ...(state.leadershipTransfer === null ? [] : [`hands over to ${state.leadershipTransfer.to.id}`]),
    ...(state.reads.length === 0 ? [] : [`reads=${state.reads.length}`]),
    ...(state.repairing ? ['repairing'] : []),
    ...(state.failed ? ['failed'] : []),
    ...state.progress.map(describeProgress),
  ].join(' ');
}

export function describeProgress(progress: Progress): string {
  const { member, mode, matchIndex, nextIndex } = progress;
  return `[${member.id} ${mode} match=${matchIndex} next=${nextIndex} ${describeFlow(progress)}]`;
}

function describeFlow({ probeRound, inflight, transfer, mode }: Progress): string {
  if (transfer !== null) {
    const { snapshot, acknowledgedOffset } = transfer;
    return `snapshot=${snapshot.index}/${snapshot.term} offset=${acknowledgedOffset ?? '?'} of ${snapshot.size}`;
  }
  if (mode === 'probe') return probeRound === null ? 'idle' : 'waiting';
  return `inflight=${inflight.length}`;
}

function describeReceiving(receiving: ReceivingSnapshot | null): string[] {
  if (receiving === null) return [];
  const { snapshot, writtenOffset, stored } = receiving;
  const far = stored ? 'stored' : `offset=${writtenOffset} of ${snapshot.size}`;
  return [`receiving ${snapshot.index}/${snapshot.term} ${far}`];
}

/** Terms of the whole log, run by run: `1x3 2x1` is 1 1 1 2. */
function describeRuns({ log }: RaftState): string {
  const runs = log.runs.map(({ term, firstIndex }, position) => {
    const next = log.runs[position + 1]?.firstIndex ?? log.lastIndex + 1;
    return `${term}x${next - firstIndex}`;
  });
  return `${log.lastIndex}(${runs.join(' ')})`;
}

/** Index and term of the first, and how many follow to which: `none`, `5/2`, `5/2..9/3`. */
function describeEntries(entries: readonly Entry[]): string {
  const first = entries[0];
  const last = entries[entries.length - 1];
  if (first === undefined || last === undefined) return 'none';
  const begin = `${first.index}/${first.term}`;
  return first === last ? `${begin}(${first.kind})` : `${begin}..${last.index}/${last.term}`;
}

function describeProgressOfChange(progress: MembershipProgress): string {
  if (progress.phase !== 'catching-up') return `${progress.phase} at ${progress.index}`;
  const members = progress.members.map(
    ({ id, behind, caughtUp }) => `${id} ${caughtUp ? 'caught up' : `${behind} behind`}`,
  );
  return `catching up: ${members.join(', ')}`;
}

function describeSnapshot({ index, term, size }: SnapshotMeta): string {
  return `snapshot=${index}/${term} size=${size}`;
}

export function describeConfiguration({ voters, outgoing, learners }: Configuration): string {
  const names = (set: readonly Member[]): string => set.map(({ id }) => id).join(',');
  return (
    (names(voters) || 'none') +
    (outgoing.length > 0 ? ` outgoing=${names(outgoing)}` : '') +
    (learners.length > 0 ? ` learners=${names(learners)}` : '')
  );
}

function describeHardState({ term, votedFor, missing }: HardState): string {
  const lost = missing === undefined ? '' : ` missing=${missing.index ?? '?'}/${missing.term}`;
  return `term=${term} votedFor=${describeMember(votedFor)}${lost}`;
}

function describeMember(member: MemberId | null): string {
  return member === null ? 'none' : member.id;
}

function describeRequestId({ boot, sequence }: RequestId): string {
  return `${boot}.${sequence}`;
}
