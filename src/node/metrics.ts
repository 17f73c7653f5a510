import { isJoint } from '../raft/configuration.ts';
import { currentConfiguration } from '../raft/membership.ts';
import type { RaftState } from '../raft/state.ts';
import type { StorageStats } from '../storage/contract.ts';
import type { TransportStats } from '../transport/contract.ts';
import type { RaftNodeEvents } from './events.ts';

/** Counts of one node since it was opened, kept across a reopened storage. */
export interface NodeCounters {
  /** Times this node learnt of another leader; losing one does not count. */
  leaderChanges: number;
  proposals: number;
  reads: number;
  proposalsRefused: number;
  storageFailures: number;
  snapshotsTaken: number;
  /** Taken or received, and nothing came of it. */
  snapshotsFailed: number;
  snapshotsInstalled: number;
}

export function newCounters(): NodeCounters {
  return {
    leaderChanges: 0,
    proposals: 0,
    reads: 0,
    proposalsRefused: 0,
    storageFailures: 0,
    snapshotsTaken: 0,
    snapshotsFailed: 0,
    snapshotsInstalled: 0,
  };
}

/** Counts what a node tells of itself. */
export function countEvent<Name extends keyof RaftNodeEvents>(
  counters: NodeCounters,
  name: Name,
  [event]: RaftNodeEvents[Name],
): void {
  if (name === 'leader-changed') {
    if ('leader' in event && event.leader !== null) counters.leaderChanges += 1;
  } else if (name === 'storage-failed') counters.storageFailures += 1;
  else if (name === 'snapshot-taken') counters.snapshotsTaken += 1;
  else if (name === 'snapshot-failed') counters.snapshotsFailed += 1;
  else if (name === 'snapshot-installed') counters.snapshotsInstalled += 1;
}

/**
 * A snapshot of a node's metrics: stable names, plain numbers. Names that end in `_total` only grow
 * while the node runs; `_bytes` are bytes; the rest are values of this moment.
 */
export type Metrics = Readonly<Record<string, number>>;

export function metricsOf(sources: {
  readonly state: RaftState;
  readonly appliedIndex: number;
  readonly pendingRequests: number;
  readonly counters: NodeCounters;
  readonly storage: StorageStats;
  readonly transport: TransportStats;
}): Metrics {
  const { state, counters, storage, transport } = sources;
  const configuration = currentConfiguration(state);
  const metrics: Record<string, number> = {
    raft_term: state.hardState.term,
    raft_is_leader: state.role === 'leader' ? 1 : 0,
    raft_leader_changes: counters.leaderChanges,
    raft_last_index: state.log.lastIndex,
    raft_durable_index: state.durable.index,
    raft_commit_index: state.commitIndex,
    raft_applied_index: sources.appliedIndex,
    raft_floor_index: state.log.floorIndex,
    raft_snapshot_index: state.snapshot?.index ?? 0,
    raft_snapshot_bytes: state.snapshot?.size ?? 0,
    raft_snapshots_taken_total: counters.snapshotsTaken,
    raft_snapshots_failed_total: counters.snapshotsFailed,
    raft_snapshots_installed_total: counters.snapshotsInstalled,
    raft_snapshot_transfers: state.progress.filter(({ mode }) => mode === 'snapshot').length,
    raft_snapshot_receiving: state.receiving === null ? 0 : 1,
    raft_membership_voters: configuration.voters.length,
    raft_membership_learners: configuration.learners.length,
    raft_membership_joint: isJoint(configuration) ? 1 : 0,
    raft_membership_changing: state.change === null ? 0 : 1,
    raft_newcomers: state.newcomers.length,
    raft_uncommitted_bytes: state.uncommittedBytes,
    raft_log_cache_bytes: state.log.cacheBytes,
    raft_requests_pending: sources.pendingRequests,
    raft_proposals_total: counters.proposals,
    raft_proposals_refused_total: counters.proposalsRefused,
    raft_reads_total: counters.reads,
    storage_failures_total: counters.storageFailures,
    storage_writes_total: storage.writes,
    storage_blocks_total: storage.blocks,
    storage_syncs_total: storage.syncs,
    storage_written_bytes_total: storage.bytesWritten,
    storage_writes_pending: storage.pendingWrites,
    transport_messages_sent_total: transport.messagesSent,
    transport_messages_received_total: transport.messagesReceived,
    transport_sent_bytes_total: transport.bytesSent,
    transport_received_bytes_total: transport.bytesReceived,
    transport_dropped_unknown_peer_total: transport.droppedUnknownPeer,
    transport_dropped_queue_full_total: transport.droppedQueueFull,
    transport_dropped_disconnected_total: transport.droppedDisconnected,
    transport_bad_frames_total: transport.badFrames,
    transport_refused_handshakes_total: transport.refusedHandshakes,
    transport_queued_bytes: transport.queuedBytes,
  };
  for (const [reason, count] of Object.entries(state.drops)) {
    metrics[`raft_messages_dropped_${reason.replaceAll('-', '_')}_total`] = count;
  }
  return metrics;
}
