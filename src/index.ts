/** The public API: a replicated state machine inside the user's process. */
export {
  type MetricDefinition,
  type MetricName,
  type MetricSample,
  type Metrics,
  metricCatalogue,
} from './metrics/catalogue.ts';
export type { HistogramValue } from './metrics/histogram.ts';
export type { BootstrapWaiting, DifferingList } from './node/bootstrap.ts';
export type {
  ApplyMessage,
  EventMessage,
  NodeMessage,
  ProposeMessage,
  RangeMessage,
  ReadMessage,
  StorageWriteMessage,
} from './node/channels.ts';
export { msgpackCodec } from './node/command-codec.ts';
export {
  BackupFailed,
  Closed,
  InvalidOptions,
  KontikiError,
  MembershipAborted,
  MembershipRefused,
  NotLeader,
  OutcomeUnknown,
  Overloaded,
  ProposalDropped,
  ReadFailed,
  Removed,
  Retired,
  SessionExpired,
  SessionRefused,
  StateMachineFailed,
  StepDownRefused,
  TooStale,
  TransferFailed,
} from './node/errors.ts';
export type { RaftNodeEvents } from './node/events.ts';
export type { DamageStatus, LogRepaired } from './node/log-repair.ts';
export type { MembershipOptions } from './node/membership-requests.ts';
export type { Observation, Observer } from './node/observation.ts';
export type { BootstrapMember, RaftNodeOptions } from './node/options.ts';
export type { QuorumStatus } from './node/quorum-status.ts';
export { RaftNode } from './node/raft-node.ts';
export type { ReadConsistency, ReadOptions } from './node/read-queue.ts';
export type { RepairFailure } from './node/repairer.ts';
export type { ProposeOptions, RequestOptions } from './node/request.ts';
export type { RequestedChange, RequestedMember } from './node/requested-change.ts';
export { ClientSession, type RetryOptions } from './node/sessions/client-session.ts';
export type { SessionOptions } from './node/sessions/node-sessions.ts';
export type { SessionSettings } from './node/sessions/session-limits.ts';
export type { SessionOutcome, SessionRefusal } from './node/sessions/session-table.ts';
export type { SessionToken } from './node/sessions/session-token.ts';
export {
  type SnapshotDue,
  type SnapshotPolicy,
  type SnapshotPolicyOptions,
  snapshotPolicy,
} from './node/snapshot-policy.ts';
export type { ApplyMeta, CommandCodec, StateMachine } from './node/state-machine.ts';
export type { NewcomerStatus, NodeStatus, PeerStatus } from './node/status.ts';
export type { Configuration, ConfigurationId, Member, Metadata } from './raft/configuration.ts';
export type { MissingEntries } from './raft/effect.ts';
export type { MembershipProgress, Stalled } from './raft/event.ts';
export type { ClusterId, GroupId, Incarnation, NodeId } from './raft/identity.ts';
export type { MembershipRefusal } from './raft/membership-change.ts';
export type { JoinOutcome } from './raft/message.ts';
export { defaultRaftOptions, type RaftOptions } from './raft/options.ts';
export { InvariantViolation } from './raft/raft.ts';
export type { SnapshotMeta } from './raft/snapshot.ts';
export { StorageFailed, StorageRefused } from './storage/errors.ts';
export { TransportFailed } from './transport/errors.ts';
