import type { HistogramValue } from './histogram.ts';

/** What one metric is. `node.metrics()`, both adapters and docs/metrics.md follow from it. */
export interface MetricDefinition {
  /** A counter only grows while the node runs; a gauge is a value of this moment; histograms are durations. */
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly unit: 'seconds' | 'bytes' | 'entries' | 'index' | 'term' | 'yes=1' | 'count';
  readonly help: string;
  /** The metric is a list of samples, one for each combination of these. */
  readonly labels?: readonly string[];
  /** It is null while it does not apply. */
  readonly sometimes?: true;
}

/**
 * Every metric of a node, by its name in Prometheus. Names follow its conventions: base units last, counters in
 * `_total`; `raft_leader_changes` is the one exception.
 */
export const metricCatalogue = {
  // ---- where this replica stands
  raft_running: {
    kind: 'gauge',
    unit: 'yes=1',
    help: 'The storage is open and the replica takes part; 0 while it is reopened, and once stopped.',
  },
  raft_is_leader: { kind: 'gauge', unit: 'yes=1', help: 'This replica leads.' },
  raft_leader_known: { kind: 'gauge', unit: 'yes=1', help: 'This replica leads or knows who does.' },
  raft_term: { kind: 'gauge', unit: 'term', help: 'The current term.' },
  raft_leader_changes: {
    kind: 'counter',
    unit: 'count',
    help: 'Times this replica learnt of another leader; losing one does not count.',
  },
  raft_quorum_confirmed_age_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    sometimes: true,
    help: 'Leader: time since the sending of the latest heartbeats that a quorum answered. At the shortest election timeout it steps down.',
  },
  raft_clock_anomalies_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Times the clock went back, jumped, or left the wall clock.',
  },

  // ---- the log
  raft_last_index: { kind: 'gauge', unit: 'index', help: 'The last entry of the log.' },
  raft_durable_index: { kind: 'gauge', unit: 'index', help: 'The last entry known durable here.' },
  raft_commit_index: { kind: 'gauge', unit: 'index', help: 'The last entry known committed.' },
  raft_applied_index: { kind: 'gauge', unit: 'index', help: 'The last entry the state machine finished.' },
  raft_apply_backlog: {
    kind: 'gauge',
    unit: 'entries',
    help: 'Committed entries that the state machine has not finished.',
  },
  raft_floor_index: {
    kind: 'gauge',
    unit: 'index',
    help: 'The log begins after this entry; what lies below is in a snapshot.',
  },
  raft_uncommitted_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    help: 'Leader: appended and not yet committed; bounded by raft.uncommittedBytesMax.',
  },
  raft_log_cache_bytes: { kind: 'gauge', unit: 'bytes', help: 'Recent entries held in memory.' },
  raft_log_incomplete: {
    kind: 'gauge',
    unit: 'yes=1',
    help: 'The disk lost entries that may have been acknowledged; until they are back this replica does not campaign.',
  },
  raft_damage_found_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Times the storage was opened and its log was damaged, be it where a snapshot makes up for it.',
  },
  raft_repaired_entries_total: {
    kind: 'counter',
    unit: 'entries',
    help: 'Entries that peers gave in place of lost ones.',
  },

  // ---- requests of this process
  raft_proposals_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Calls of propose, those in sessions and what opens and closes them included: pending, succeeded and failed ones together.',
  },
  raft_proposals_pending: { kind: 'gauge', unit: 'count', help: 'Proposals that wait for their outcome.' },
  raft_proposals_succeeded_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Proposals that ended with the result of their command.',
  },
  raft_proposals_failed_total: {
    kind: 'counter',
    unit: 'count',
    labels: ['reason'],
    help: 'Proposals that ended with an error; reason is its code, for an overload with the bound that was met.',
  },
  raft_reads_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Calls of read: pending, succeeded and failed ones together.',
  },
  raft_reads_pending: { kind: 'gauge', unit: 'count', help: 'Reads that wait for their answer.' },
  raft_reads_succeeded_total: { kind: 'counter', unit: 'count', help: 'Reads that were answered.' },
  raft_reads_failed_total: {
    kind: 'counter',
    unit: 'count',
    labels: ['reason'],
    help: 'Reads that ended with an error; reason is its code, for an overload with the bound that was met.',
  },
  raft_requests_pending: {
    kind: 'gauge',
    unit: 'count',
    help: 'Proposals and reads under way; each of both is bounded by pendingRequestsMax.',
  },

  // ---- sessions of clients
  raft_sessions: {
    kind: 'gauge',
    unit: 'count',
    help: 'Sessions of clients that are open, as of what is applied here.',
  },
  raft_session_result_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    help: 'Results kept for the retries of sessions; bounded by sessionResultBytesMax.',
  },
  raft_session_retries_answered_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Retries in sessions, applied here, that were answered with their first result.',
  },
  raft_sessions_evicted_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Sessions that made place for another, as applied here; bounded by sessionsMax.',
  },
  raft_sessions_expired_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Sessions that were not used for sessionTimeoutMs, as applied here.',
  },

  // ---- where the time goes
  raft_proposal_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'From the call of propose to its result; successful ones only.',
  },
  raft_read_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'From the call of read to its answer; successful ones only.',
  },
  raft_append_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'Leader: from taking a proposal into the log to its being durable here.',
  },
  raft_commit_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'From taking a proposal into the log as leader to its being committed.',
  },
  raft_apply_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'From learning that an entry is committed to its being applied here.',
  },
  raft_state_machine_apply_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: "Time inside the state machine's apply, until its promise settles if it returns one.",
  },
  storage_write_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'From handing a write to the storage to its being durable.',
  },
  storage_sync_latency_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time the storage needs to append one commit of log blocks and sync it.',
  },

  // ---- peers: on the leader
  raft_peer_match_lag: {
    kind: 'gauge',
    unit: 'entries',
    labels: ['peer', 'incarnation'],
    help: 'Entries of the log that the peer is not known to hold durably.',
  },
  raft_peer_inflight_messages: {
    kind: 'gauge',
    unit: 'count',
    labels: ['peer', 'incarnation'],
    help: 'Appends sent to the peer and not acknowledged.',
  },
  raft_peer_inflight_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    labels: ['peer', 'incarnation'],
    help: 'Bytes of entries sent to the peer and not acknowledged.',
  },
  raft_peer_mode: {
    kind: 'gauge',
    unit: 'yes=1',
    labels: ['peer', 'incarnation', 'mode'],
    help: 'How the peer is sent to: probe, replicate or snapshot.',
  },
  raft_peer_contact_age_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['peer', 'incarnation'],
    help: 'Time since the sending of the latest heartbeat that the peer answered; none before the first answer.',
  },
  raft_peer_snapshot_acknowledged_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    labels: ['peer', 'incarnation'],
    help: 'Bytes of the snapshot on its way to the peer that it has written.',
  },
  raft_peer_snapshot_size_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    labels: ['peer', 'incarnation'],
    help: 'Size of the snapshot on its way to the peer.',
  },

  // ---- snapshots
  raft_snapshot_index: {
    kind: 'gauge',
    unit: 'index',
    help: 'The last entry in the latest snapshot; 0 without one.',
  },
  raft_snapshot_bytes: { kind: 'gauge', unit: 'bytes', help: 'Size of the latest snapshot.' },
  raft_snapshots_taken_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Snapshots of the state machine that became durable.',
  },
  raft_snapshots_installed_total: {
    kind: 'counter',
    unit: 'count',
    help: "Leaders' snapshots that took the place of the log.",
  },
  raft_snapshots_failed_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Snapshots, taken or received, of which nothing came.',
  },
  raft_snapshot_transfers: { kind: 'gauge', unit: 'count', help: 'Leader: peers that are sent a snapshot.' },
  raft_snapshot_receiving: { kind: 'gauge', unit: 'yes=1', help: "A leader's snapshot is being received." },
  raft_snapshot_received_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    sometimes: true,
    help: 'Bytes of it that are written here.',
  },
  raft_snapshot_receiving_size_bytes: { kind: 'gauge', unit: 'bytes', sometimes: true, help: 'Its size.' },

  // ---- the membership
  raft_membership_voters: { kind: 'gauge', unit: 'count', help: 'Voters of the configuration in force.' },
  raft_membership_learners: { kind: 'gauge', unit: 'count', help: 'Learners of the configuration in force.' },
  raft_membership_joint: {
    kind: 'gauge',
    unit: 'yes=1',
    help: 'The configuration is a joint one: every decision needs both majorities.',
  },
  raft_membership_changing: {
    kind: 'gauge',
    unit: 'yes=1',
    help: 'This replica carries out a change of the membership.',
  },
  raft_newcomers: { kind: 'gauge', unit: 'count', help: 'Replicas that asked lately to be let in.' },

  // ---- messages
  raft_messages_dropped_total: {
    kind: 'counter',
    unit: 'count',
    labels: ['reason'],
    help: 'Messages received and not acted upon.',
  },
  transport_messages_sent_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Messages taken into a send queue.',
  },
  transport_messages_received_total: { kind: 'counter', unit: 'count', help: 'Messages that arrived whole.' },
  transport_sent_bytes_total: { kind: 'counter', unit: 'bytes', help: 'Their bytes on the wire, sent.' },
  transport_received_bytes_total: {
    kind: 'counter',
    unit: 'bytes',
    help: 'Their bytes on the wire, received.',
  },
  transport_messages_dropped_total: {
    kind: 'counter',
    unit: 'count',
    labels: ['reason'],
    help: 'Messages not sent: unknown-peer, queue-full or disconnected.',
  },
  transport_bad_frames_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Connections dropped because of invalid bytes, and messages that would make no valid frame.',
  },
  transport_refused_handshakes_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Handshakes refused, by either side.',
  },
  transport_queued_bytes: { kind: 'gauge', unit: 'bytes', help: 'Bytes that wait to be sent, to all peers.' },

  // ---- the storage; all of its groups together
  storage_writes_pending: { kind: 'gauge', unit: 'count', help: 'Writes handed over and not yet durable.' },
  storage_writes_total: { kind: 'counter', unit: 'count', help: 'Writes that became durable.' },
  storage_blocks_total: { kind: 'counter', unit: 'count', help: 'Blocks of the log written.' },
  storage_syncs_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Syncs of the log; writes that queue meanwhile share the next.',
  },
  storage_written_bytes_total: { kind: 'counter', unit: 'bytes', help: 'Bytes of the blocks written.' },
  storage_raw_bytes_total: {
    kind: 'counter',
    unit: 'bytes',
    help: 'What they would have been without compression.',
  },
  storage_failures_total: {
    kind: 'counter',
    unit: 'count',
    help: 'Times the storage failed and was reopened.',
  },
  storage_free_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    sometimes: true,
    help: 'Free on the disk of the storage when it was last asked, at most a second before the last write.',
  },
  storage_reserve_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    sometimes: true,
    help: 'With less than this free the replica steps aside (docs/disk-space.md).',
  },
  storage_nearly_full: {
    kind: 'gauge',
    unit: 'yes=1',
    help: 'Less than the reserve is free: this replica takes no entries, and leads only where nobody else can.',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metricCatalogue;

/** One value of a metric with labels. */
export interface MetricSample<Label extends string = string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

type ValueOf<Definition extends MetricDefinition> = Definition['kind'] extends 'histogram'
  ? HistogramValue
  : Definition extends { readonly labels: readonly (infer Label extends string)[] }
    ? readonly MetricSample<Label>[]
    : Definition extends { readonly sometimes: true }
      ? number | null
      : number;

/** A snapshot of a node's metrics, by name; plain data. Names, units and meaning: docs/metrics.md. */
export type Metrics = { readonly [Name in MetricName]: ValueOf<(typeof metricCatalogue)[Name]> };
