import type { MetricSample, Metrics } from '../metrics/catalogue.ts';
import { isJoint } from '../raft/configuration.ts';
import { cacheBytes } from '../raft/log.ts';
import { currentConfiguration } from '../raft/membership.ts';
import type { Progress } from '../raft/progress.ts';
import { uncommittedBytes } from '../raft/proposals.ts';
import type { RaftState } from '../raft/state.ts';
import type { StorageSpace, StorageStats } from '../storage/contract.ts';
import type { TransportStats } from '../transport/contract.ts';
import type { RaftNodeEvents } from './events.ts';
import type { Instruments, RequestTally } from './instruments.ts';
import type { AppliedSessions } from './sessions/applied-sessions.ts';

/** Events of one node since it was opened, kept across a reopened storage. */
export interface EventCounters {
  /** Times this node learnt of another leader; losing one does not count. */
  leaderChanges: number;
  storageFailures: number;
  /** Openings of the storage at which the log was damaged. */
  damageFound: number;
  clockAnomalies: number;
  snapshotsTaken: number;
  /** Taken or received, and nothing came of it. */
  snapshotsFailed: number;
  snapshotsInstalled: number;
}

export function newCounters(): EventCounters {
  return {
    leaderChanges: 0,
    storageFailures: 0,
    damageFound: 0,
    clockAnomalies: 0,
    snapshotsTaken: 0,
    snapshotsFailed: 0,
    snapshotsInstalled: 0,
  };
}

/** Counts what a node tells of itself. */
export function countEvent<Name extends keyof RaftNodeEvents>(
  counters: EventCounters,
  name: Name,
  [event]: RaftNodeEvents[Name],
): void {
  if (name === 'leader-changed') {
    if ('leader' in event && event.leader !== null) counters.leaderChanges += 1;
  } else if (name === 'storage-failed') counters.storageFailures += 1;
  else if (name === 'damage-found' || name === 'damage-covered') counters.damageFound += 1;
  else if (name === 'clock-anomaly') counters.clockAnomalies += 1;
  else if (name === 'snapshot-taken') counters.snapshotsTaken += 1;
  else if (name === 'snapshot-failed') counters.snapshotsFailed += 1;
  else if (name === 'snapshot-installed') counters.snapshotsInstalled += 1;
}

export interface MetricSources {
  /** The core's state, or its last one when it is not running. */
  readonly state: RaftState;
  readonly running: boolean;
  readonly appliedIndex: number;
  readonly pendingRequests: number;
  readonly counters: EventCounters;
  readonly instruments: Instruments;
  readonly sessions: Pick<AppliedSessions, 'counts' | 'table'>;
  readonly storage: StorageStats;
  readonly disk: StorageSpace | null;
  readonly transport: TransportStats;
}

/** All of the catalogue: what is missing here, or is not in there, does not compile. */
export function metricsOf(sources: MetricSources): Metrics {
  const { state, running, appliedIndex, counters, instruments, sessions, storage, disk, transport } = sources;
  const { latencies, requests } = instruments;
  const configuration = currentConfiguration(state);
  // A core whose storage failed leads nobody any more, whatever its last state says of its peers.
  const progress = running ? state.progress : [];
  const now = state.clockOffsetMs + instruments.clock.now();
  return {
    raft_running: bit(running),
    raft_is_leader: bit(running && state.role === 'leader'),
    raft_leader_known: bit(running && state.leader !== null),
    raft_term: state.hardState.term,
    raft_leader_changes: counters.leaderChanges,
    raft_quorum_confirmed_age_seconds:
      running && state.role === 'leader' && state.quorumConfirmedAt !== null
        ? secondsBetween(state.quorumConfirmedAt, now)
        : null,
    raft_clock_anomalies_total: counters.clockAnomalies,

    raft_last_index: state.log.lastIndex,
    raft_durable_index: state.durable.index,
    raft_commit_index: state.commitIndex,
    raft_applied_index: appliedIndex,
    raft_apply_backlog: Math.max(0, state.commitIndex - appliedIndex),
    raft_floor_index: state.log.floorIndex,
    raft_uncommitted_bytes: running ? uncommittedBytes(state) : 0,
    raft_log_cache_bytes: cacheBytes(state.log),
    raft_log_incomplete: bit(state.hardState.missing !== undefined),
    raft_damage_found_total: counters.damageFound,
    raft_repaired_entries_total: instruments.repairedEntries,

    raft_proposals_total: requests.proposal.total,
    raft_proposals_pending: pendingOf(requests.proposal),
    raft_proposals_succeeded_total: requests.proposal.succeeded,
    raft_proposals_failed_total: byReason(requests.proposal.failedBy),
    raft_reads_total: requests.read.total,
    raft_reads_pending: pendingOf(requests.read),
    raft_reads_succeeded_total: requests.read.succeeded,
    raft_reads_failed_total: byReason(requests.read.failedBy),
    raft_requests_pending: sources.pendingRequests,

    raft_sessions: sessions.table.size,
    raft_session_result_bytes: sessions.table.resultBytes,
    raft_session_retries_answered_total: sessions.counts.repeated,
    raft_sessions_evicted_total: sessions.counts.evicted,
    raft_sessions_expired_total: sessions.counts.expired,

    raft_proposal_latency_seconds: latencies.proposal.value(),
    raft_read_latency_seconds: latencies.read.value(),
    raft_append_latency_seconds: latencies.append.value(),
    raft_commit_latency_seconds: latencies.commit.value(),
    raft_apply_latency_seconds: latencies.apply.value(),
    raft_state_machine_apply_seconds: latencies.stateMachine.value(),
    storage_write_latency_seconds: latencies.storageWrite.value(),
    storage_sync_latency_seconds: storage.syncLatency,

    raft_peer_match_lag: ofPeers(progress, ({ matchIndex }) => Math.max(0, state.log.lastIndex - matchIndex)),
    raft_peer_inflight_messages: ofPeers(progress, ({ inflight }) => inflight.length),
    raft_peer_inflight_bytes: ofPeers(progress, ({ inflightBytes }) => inflightBytes),
    raft_peer_mode: progress.map((peer) => ({ labels: { ...labelsOf(peer), mode: peer.mode }, value: 1 })),
    raft_peer_contact_age_seconds: ofPeers(progress, ({ contactAt }) =>
      contactAt === null ? null : secondsBetween(contactAt, now),
    ),
    raft_peer_snapshot_acknowledged_bytes: ofPeers(progress, ({ transfer }) =>
      transfer === null ? null : (transfer.acknowledgedOffset ?? 0),
    ),
    raft_peer_snapshot_size_bytes: ofPeers(progress, ({ transfer }) => transfer?.snapshot.size ?? null),

    raft_snapshot_index: state.snapshot?.index ?? 0,
    raft_snapshot_bytes: state.snapshot?.size ?? 0,
    raft_snapshots_taken_total: counters.snapshotsTaken,
    raft_snapshots_installed_total: counters.snapshotsInstalled,
    raft_snapshots_failed_total: counters.snapshotsFailed,
    raft_snapshot_transfers: progress.filter(({ mode }) => mode === 'snapshot').length,
    raft_snapshot_receiving: bit(state.receiving !== null),
    raft_snapshot_received_bytes: state.receiving?.writtenOffset ?? null,
    raft_snapshot_receiving_size_bytes: state.receiving?.snapshot.size ?? null,

    raft_membership_voters: configuration.voters.length,
    raft_membership_learners: configuration.learners.length,
    raft_membership_joint: bit(isJoint(configuration)),
    raft_membership_changing: bit(state.change !== null),
    raft_newcomers: state.newcomers.length,

    raft_messages_dropped_total: byReason(Object.entries(instruments.drops())),
    transport_messages_sent_total: transport.messagesSent,
    transport_messages_received_total: transport.messagesReceived,
    transport_sent_bytes_total: transport.bytesSent,
    transport_received_bytes_total: transport.bytesReceived,
    transport_messages_dropped_total: byReason([
      ['unknown-peer', transport.droppedUnknownPeer],
      ['queue-full', transport.droppedQueueFull],
      ['disconnected', transport.droppedDisconnected],
    ]),
    transport_bad_frames_total: transport.badFrames,
    transport_refused_handshakes_total: transport.refusedHandshakes,
    transport_queued_bytes: transport.queuedBytes,

    storage_writes_pending: storage.pendingWrites,
    storage_writes_total: storage.writes,
    storage_blocks_total: storage.blocks,
    storage_syncs_total: storage.syncs,
    storage_written_bytes_total: storage.bytesWritten,
    storage_raw_bytes_total: storage.rawBytes,
    storage_failures_total: counters.storageFailures,
    storage_free_bytes: disk !== null && Number.isFinite(disk.freeBytes) ? disk.freeBytes : null,
    storage_reserve_bytes: disk?.reserveBytes ?? null,
    storage_nearly_full: bit(disk?.nearlyFull ?? false),
  };
}

const bit = (truth: boolean): number => (truth ? 1 : 0);

function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1000;
}

function pendingOf({ total, succeeded, failed }: RequestTally): number {
  return total - succeeded - failed;
}

function byReason(counts: Iterable<readonly [string, number]>): MetricSample<'reason'>[] {
  return [...counts].map(([reason, value]) => ({ labels: { reason }, value }));
}

type PeerLabels = { readonly peer: string; readonly incarnation: string };

/** An id alone may be there twice while an emptied member is replaced. */
function labelsOf({ member }: Progress): PeerLabels {
  return { peer: member.id, incarnation: member.incarnation };
}

/** null: it has no such value now. */
function ofPeers(
  peers: readonly Progress[],
  value: (peer: Progress) => number | null,
): MetricSample<keyof PeerLabels>[] {
  return peers.flatMap((peer) => {
    const found = value(peer);
    return found === null ? [] : [{ labels: labelsOf(peer), value: found }];
  });
}
