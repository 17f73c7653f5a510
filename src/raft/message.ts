import type { Entry, Index, Term } from './entry.ts';
import type { ClusterId, GroupId, NodeId, ReplicaId } from './identity.ts';

/** What travels between two replicas. */
export interface Envelope {
  /** null while the sender belongs to no cluster yet (before bootstrap). */
  readonly clusterId: ClusterId | null;
  readonly group: GroupId;
  readonly from: ReplicaId;
  /** `incarnation` is null where the sender does not know it yet (bootstrap only). */
  readonly to: { readonly id: NodeId; readonly incarnation: string | null };
  readonly message: Message;
}

export type Message = RaftMessage | BootstrapQuery | BootstrapAnswer;

/** What the core acts upon; all of it has a term. */
export type RaftMessage =
  | RequestPreVote
  | PreVoteResponse
  | RequestVote
  | VoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse;

/** "Would you vote for me in `term`?" Nothing is persisted for it (dissertation 9.6). */
export interface RequestPreVote {
  readonly kind: 'RequestPreVote';
  /** The term the sender would campaign in: its own plus one. */
  readonly term: Term;
  readonly lastLogIndex: Index;
  readonly lastLogTerm: Term;
}

export interface PreVoteResponse {
  readonly kind: 'PreVoteResponse';
  /** The asked term when granted; the answerer's own term when refused. */
  readonly term: Term;
  readonly granted: boolean;
}

/** Leaves only once the sender's own term and vote are durable. */
export interface RequestVote {
  readonly kind: 'RequestVote';
  readonly term: Term;
  readonly lastLogIndex: Index;
  readonly lastLogTerm: Term;
}

export interface VoteResponse {
  readonly kind: 'VoteResponse';
  /** The answerer's term. A granted one leaves only once the vote is durable. */
  readonly term: Term;
  readonly granted: boolean;
}

export interface AppendEntries {
  readonly kind: 'AppendEntries';
  readonly term: Term;
  readonly prevLogIndex: Index;
  readonly prevLogTerm: Term;
  /** Consecutive from `prevLogIndex + 1`; empty in a probe. */
  readonly entries: readonly Entry[];
  readonly leaderCommit: Index;
}

export type AppendEntriesResponse = AppendAccepted | AppendRejected;

export interface AppendAccepted {
  readonly kind: 'AppendEntriesResponse';
  readonly accepted: true;
  readonly term: Term;
  /** Promise: everything up to here equals the leader's log and is durable. */
  readonly matchIndex: Index;
  /** No promise, flow control only: everything up to here equals the leader's log; `>= matchIndex`. */
  readonly verifiedIndex: Index;
}

/** The consistency check failed, or the term is stale (then `term` is greater than the asked one). */
export interface AppendRejected {
  readonly kind: 'AppendEntriesResponse';
  readonly accepted: false;
  readonly term: Term;
  /** The `prevLogIndex` refused; tells answers to different probes apart. */
  readonly rejectedIndex: Index;
  /** The last index at which the logs may still agree, and its term here (etcd's reject hint idea). */
  readonly hintIndex: Index;
  readonly hintTerm: Term;
}

export interface Heartbeat {
  readonly kind: 'Heartbeat';
  readonly term: Term;
  /** 1, 2, 3, ... within the term: which round of heartbeats an answer belongs to. */
  readonly round: number;
  /** min(commitIndex, the receiver's matchIndex): never beyond what the receiver is known to hold. */
  readonly leaderCommit: Index;
}

export interface HeartbeatResponse {
  readonly kind: 'HeartbeatResponse';
  readonly term: Term;
  /** Echoed; 0 when the heartbeat was of a stale term. */
  readonly round: number;
  /** As in AppendAccepted. */
  readonly matchIndex: Index;
  /** As in AppendAccepted: lets the leader see that an append it sent before this round was lost. */
  readonly verifiedIndex: Index;
  /** From the moment it answered, the sender votes for nobody else for this many milliseconds of its clock. */
  readonly promiseMs: number;
}

/** Sent by the first listed member of a bootstrap to all listed ones. */
export interface BootstrapQuery {
  readonly kind: 'BootstrapQuery';
}

export interface BootstrapAnswer {
  readonly kind: 'BootstrapAnswer';
  /** No cluster id, no entries, no term: never part of anything. The incarnation is in the envelope. */
  readonly empty: boolean;
}
