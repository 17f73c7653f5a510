import type { Metadata } from './configuration.ts';
import type { Entry, Index, Term } from './entry.ts';
import type { ClusterId, GroupId, NodeId, ReplicaId, RequestId } from './identity.ts';
import type { SnapshotMeta } from './snapshot.ts';

/** What travels between two replicas. */
export interface Envelope {
  /** null while the sender belongs to no cluster yet (before bootstrap). */
  readonly clusterId: ClusterId | null;
  readonly group: GroupId;
  readonly from: ReplicaId;
  /** `incarnation` is null where the sender does not know it (bootstrap and joining only). */
  readonly to: { readonly id: NodeId; readonly incarnation: string | null };
  readonly message: Message;
}

export type Message =
  | RaftMessage
  | JoinRequest
  | JoinAnswer
  | BootstrapQuery
  | BootstrapAnswer
  | RepairRequest
  | RepairAnswer;

/** What the core acts upon; all of it has a term. */
export type RaftMessage =
  | RequestPreVote
  | PreVoteResponse
  | RequestVote
  | VoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | InstallSnapshotResponse
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexResponse;

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
  /** The leader of the term before asked the sender to campaign: what was promised to that leader is waived. */
  readonly leadershipTransfer: boolean;
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
  /** The answerer's disk lost entries that it may have acknowledged, and it behaves accordingly (damage.ts). */
  readonly incomplete?: true;
}

export interface Heartbeat {
  readonly kind: 'Heartbeat';
  readonly term: Term;
  /** 1, 2, 3, ... within the term: which round of heartbeats an answer belongs to. */
  readonly round: number;
  /** min(commitIndex, the receiver's matchIndex): never beyond what the receiver is known to hold. */
  readonly leaderCommit: Index;
  /** How fresh the receiver's state is, as far as that is proven; null: no news. */
  readonly freshness: ProvenFreshness | null;
}

/**
 * Everything that anybody had been told was committed when the receiver sent the heartbeat answer of `stamp` lies
 * at `index` or before: the sender was confirmed as leader, by a round that it began after it had that answer.
 */
export interface ProvenFreshness {
  /** The boot of the receiver that gave the stamp: the clock of another run says nothing here. */
  readonly boot: number;
  readonly stamp: number;
  readonly index: Index;
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
  /** When it was sent, on the sender's own clock; it comes back in `Heartbeat.freshness`. Means nothing elsewhere. */
  readonly stamp: number;
  /** The sender's disk is nearly full: it takes no entries until it says otherwise. */
  readonly nearlyFull?: true;
}

/** One chunk of the leader's snapshot, for a follower whose next entry the leader's log does not hold any more. */
export interface InstallSnapshot {
  readonly kind: 'InstallSnapshot';
  readonly term: Term;
  readonly snapshot: SnapshotMeta;
  /** Where `data` begins in the content; `snapshot.size` asks only how far the follower is. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/**
 * How much of the snapshot the follower has written; flow control, no promise. That the snapshot is
 * installed is said by an ordinary accepted append, once it is durable.
 */
export interface InstallSnapshotResponse {
  readonly kind: 'InstallSnapshotResponse';
  readonly term: Term;
  /** Which snapshot is meant: an answer about another one is no news. */
  readonly snapshotIndex: Index;
  readonly snapshotTerm: Term;
  /** The next offset wanted: everything before it is written. `size` while it is being verified and installed. */
  readonly offset: number;
}

/**
 * "Campaign now": a leader hands over to a voter whose log is as long as its own (dissertation 3.10). It may come
 * late, when the leader had long given up handing over.
 */
export interface TimeoutNow {
  readonly kind: 'TimeoutNow';
  readonly term: Term;
}

/** "Up to where must I have applied the log to read what is current?" From a replica that does not lead (6.4). */
export interface ReadIndexRequest {
  readonly kind: 'ReadIndexRequest';
  readonly term: Term;
  /** The latest of the asker's reads that wait; the answer is good for all before it too. Never given out twice. */
  readonly readId: RequestId;
  /** The leader may answer by its lease, without a round of heartbeats. */
  readonly lease: boolean;
}

/** The answerer led at some moment after the request had come, with this commit index. */
export interface ReadIndexResponse {
  readonly kind: 'ReadIndexResponse';
  readonly term: Term;
  readonly readId: RequestId;
  readonly index: Index;
}

/**
 * "I am this pair, at this address": from a replica that belongs to no cluster yet, that was emptied, or that
 * hears no leader and may have been removed or have moved. Promises nothing, asks for no vote.
 */
export interface JoinRequest {
  readonly kind: 'JoinRequest';
  readonly address: string;
  readonly metadata: Metadata;
  /** 0: it holds nothing. */
  readonly lastLogIndex: Index;
}

export interface JoinAnswer {
  readonly kind: 'JoinAnswer';
  readonly answer: JoinOutcome;
  /** The boot that asked: the answer is for no other run of that pair. */
  readonly boot: number;
  /** Where to ask instead, or whom to expect; null when the answerer knows of no leader. */
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
}

export type JoinOutcome =
  /** The answerer does not lead. */
  | 'ask-leader'
  /** The pair is a member; the leader will be heard. */
  | 'listed'
  /** The id is a member's whose incarnation is gone, and the replacement is under way. */
  | 'replacing'
  /** Noted; an operator has to add it (or to approve that it replaces its predecessor). */
  | 'waiting-for-operator'
  /** Noted; another change of the membership has to end first. */
  | 'waiting-for-change'
  /** Refused: the member of this id is another incarnation, and well. */
  | 'member-is-alive'
  /** Refused for ever: this incarnation was replaced. */
  | 'retired'
  /** Refused for ever: a later boot of this pair was heard; its storage was copied or rolled back. */
  | 'boot-went-back'
  /** Refused: it belongs to another cluster. */
  | 'other-cluster';

/** Sent by the first listed member of a bootstrap to all listed ones. */
export interface BootstrapQuery {
  readonly kind: 'BootstrapQuery';
  /** The founder's whole list, in its order. */
  readonly members: readonly BootstrapMember[];
}

/** A member of a cluster that is not founded yet, as its operator wrote it down. */
export interface BootstrapMember {
  readonly id: NodeId;
  /** Where its transport can be reached. */
  readonly address: string;
}

export interface BootstrapAnswer {
  readonly kind: 'BootstrapAnswer';
  /** No cluster id, no entries, no term: never part of anything. The incarnation is in the envelope. */
  readonly empty: boolean;
  /** The answerer's own list when it differs from the asker's; null when it has none, or the same. */
  readonly otherMembers: readonly BootstrapMember[] | null;
}

/**
 * "Which entries did my disk lose?" From whoever holds an entry on both sides of a hole in its log, or the last of the
 * hole's entries by term and index. Neither promises anything, whatever the terms: who holds the anchor holds, before
 * it, the very entries that the asker held (Log Matching, paper 5.3).
 */
export interface RepairRequest {
  readonly kind: 'RepairRequest';
  readonly requestId: RequestId;
  /** The missing entries, both inclusive. */
  readonly from: Index;
  readonly to: Index;
  /** An entry at or after `to` that the asker's log has. */
  readonly anchor: { readonly index: Index; readonly term: Term };
  /** Bytes of entries that one answer may have (at least one entry always fits). */
  readonly bytesMax: number;
}

export type RepairAnswer = RepairEntries | RepairRefused;

export interface RepairEntries {
  readonly kind: 'RepairAnswer';
  readonly requestId: RequestId;
  readonly held: true;
  /** Consecutive, at least one; the last is the last that was asked for. Durable where they come from. */
  readonly entries: readonly Entry[];
}

export interface RepairRefused {
  readonly kind: 'RepairAnswer';
  readonly requestId: RequestId;
  readonly held: false;
  readonly reason: RepairRefusal;
}

export type RepairRefusal =
  /** They are in a snapshot. */
  | 'compacted'
  /** The answerer's log has no such anchor, or has lost these entries itself. */
  | 'not-held';
