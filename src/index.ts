/** The public API: a replicated state machine inside the user's process. */
export type { BootstrapWaiting } from './node/bootstrap.ts';
export { msgpackCodec } from './node/command-codec.ts';
export {
  Closed,
  InvalidOptions,
  KontikiError,
  NotLeader,
  OutcomeUnknown,
  Overloaded,
  ProposalDropped,
  ReadFailed,
  StateMachineFailed,
} from './node/errors.ts';
export type { RaftNodeEvents } from './node/events.ts';
export type { Metrics } from './node/metrics.ts';
export type { Observation, Observer } from './node/observation.ts';
export type { BootstrapMember, RaftNodeOptions } from './node/options.ts';
export { RaftNode } from './node/raft-node.ts';
export type { RequestOptions } from './node/request.ts';
export type { ApplyMeta, CommandCodec, StateMachine } from './node/state-machine.ts';
export type { NodeStatus, PeerStatus } from './node/status.ts';
export type { Configuration, Member } from './raft/configuration.ts';
export type { ClusterId, GroupId, Incarnation, NodeId } from './raft/identity.ts';
export { defaultRaftOptions, type RaftOptions } from './raft/options.ts';
export { InvariantViolation } from './raft/raft.ts';
export { StorageFailed, StorageRefused } from './storage/errors.ts';
export { TransportFailed } from './transport/errors.ts';
