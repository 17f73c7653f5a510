import type { ActiveChange } from './active-change.ts';
import type { KnownBoot } from './boots.ts';
import type { Configuration } from './configuration.ts';
import type { HardState } from './effect.ts';
import type { Entry, Index, Term, TermRun } from './entry.ts';
import type { DropReason, Role } from './event.ts';
import type { Freshness } from './freshness.ts';
import type { ClusterId, GroupId, MemberId, ReplicaId, RequestId } from './identity.ts';
import type { Newcomer } from './newcomers.ts';
import type { OngoingLeadershipTransfer } from './ongoing-leadership-transfer.ts';
import type { RaftOptions } from './options.ts';
import type { Progress } from './progress.ts';
import type { AskedReadIndex, PendingRead } from './read-index.ts';
import type { SnapshotMeta } from './snapshot.ts';
import type { ReceivingSnapshot } from './snapshot-receive.ts';
import type { SnapshotPacing } from './snapshot-transfer.ts';
import type { StallState } from './stall.ts';
import type { Timers } from './timers.ts';

/** The whole of one core: plain data, so it can be cloned, hashed, printed and explored. */
export interface RaftState {
  readonly self: ReplicaId;
  readonly group: GroupId;
  clusterId: ClusterId | null;
  readonly options: RaftOptions;

  /** The core's time: the embedder's `now` plus `clockOffsetMs`. It never goes back; milliseconds. */
  now: number;
  /** The sum of all backward steps of the embedder's clock. */
  clockOffsetMs: number;
  clockAnomalies: number;
  timers: Timers;

  /** As it stands in memory; what is durable of it stands in `durable`. */
  hardState: HardState;
  role: Role;
  leader: MemberId | null;
  log: LogState;
  /** The configurations of the log in order, the floor's first; the last one is in force. Never empty. */
  configurations: ConfigurationAt[];

  /**
   * Never moves back. `appliedIndex <= commitIndex <= log.lastIndex`, except that after a reopened
   * storage lost what was applied but not durable, it stands at `appliedIndex` beyond the log's end.
   */
  commitIndex: Index;
  /**
   * This log is known to hold the committed entries up to here, so a conflict at or below is a violation.
   * It is the commit index, but for what was applied before the storage was reopened: that is committed,
   * yet the recovered log may still hold older entries in its place. `settledIndex <= commitIndex`.
   */
  settledIndex: Index;
  /** The last entry the state machine finished. */
  appliedIndex: Index;
  /** The last entry handed out to be applied; `appliedIndex <= applyingIndex <= commitIndex`. */
  applyingIndex: Index;

  /** The latest durable snapshot here, taken or received; it reaches at least the floor. null: none. */
  snapshot: SnapshotMeta | null;
  /** The first entry that the embedder wants kept; compaction.ts may keep more. */
  keepFrom: Index;
  /** Follower: what it has of a leader's snapshot that is not installed yet. */
  receiving: ReceivingSnapshot | null;
  /** The state machine is being restored from this, up to `applyingIndex`; null when it is not. */
  restoring: SnapshotMeta | null;

  /** Follower: the log was found equal to the leader's up to here, in this term. Leader: its last index. */
  verifiedIndex: Index;
  durable: Durable;
  /** Writes issued and not yet persisted, oldest first. */
  writes: OutstandingWrite[];
  /** Bytes of all entries in all writes of this boot: issued so far, and durable of them; see backlog.ts. */
  issuedBytes: number;
  persistedBytes: number;
  /** What the next write effect will hold; null when there is nothing to write. */
  unissued: UnissuedWrite | null;
  /** Sequence of the last request id given out in this boot. */
  lastSequence: number;

  /** No vote, pre-vote or campaign before this moment (after opening, and after a clock anomaly). */
  silentUntil: number;
  /** How much longer than the others this replica waits before it campaigns, at present; milliseconds. */
  headStartMs: number;
  /** The moment the current leader was last heard; `-Infinity` is written as null. */
  leaderHeardAt: number | null;

  /** Entries in the middle of the log are missing and peers are asked for them: until then none can be taken. */
  repairing: boolean;
  /** The read that is to tell how much a log with a lost end has to hold; null when none is under way. */
  endAsked: RequestId | null;

  /** Answers of the campaign under way, at most one per member. */
  votes: { readonly member: MemberId; readonly granted: boolean }[];
  /** What the follower owes the leader or candidate; derived promises are said from these. */
  owed: Owed;
  /** The leader's view of its peers, one per member but itself; empty otherwise. */
  progress: Progress[];
  /** Recent rounds of heartbeats since the last clock anomaly; their numbers follow one another. */
  rounds: { readonly round: number; readonly sentAt: number }[];
  lastRound: number;
  /**
   * The leader's proof of leadership: when the latest round that a quorum answered was sent. null when
   * not leading, and while there is no such proof: at first, and after a clock anomaly.
   */
  quorumConfirmedAt: number | null;
  /** The first index of the leader's own term (its no-op); 0 when not leading. */
  termStartIndex: Index;
  /** Leader: when and to whom the next bytes of a snapshot may go. */
  pacing: SnapshotPacing;
  /** Reads that wait, in the order of their ids: own ones, and on a leader those that others ask for. */
  reads: PendingRead[];
  /** Not leading: the question about own reads that is under way; null when none is. */
  asked: AskedReadIndex | null;
  /** How fresh the state machine's state is known to be. */
  freshness: Freshness;
  /** Leader: to whom it hands over; null when it does not. */
  leadershipTransfer: OngoingLeadershipTransfer | null;
  /** Leader: a TimeoutNow left in this term, and may arrive at any time: no lease is a right any more. */
  leaseForfeited: boolean;
  /** The campaign under way was asked for by the leader before. */
  campaignsByTransfer: boolean;
  /** What of this replica stands still. */
  stall: StallState;
  /** Leader: since when; null otherwise. */
  leadingSince: number | null;
  /** Leader: the change of the membership it carries out. */
  change: ActiveChange | null;
  /** Who asked to be let in lately, the latest last; on every replica, so that each can tell an operator. */
  newcomers: Newcomer[];
  /** A committed configuration listed this replica. */
  wasMember: boolean;
  /** The latest committed configuration does not list it any more. */
  removed: boolean;
  /** Highest boot heard per member. */
  boots: KnownBoot[];
  /** Messages dropped, by reason. */
  drops: Partial<Record<DropReason, number>>;
  /** A write failed: nothing is known of the disk, so nothing is said or done any more. */
  failed: boolean;
}

export interface LogState {
  /** Everything up to here is in a snapshot (0: nothing). */
  floorIndex: Index;
  floorTerm: Term;
  lastIndex: Index;
  /** Terms of floorIndex + 1 .. lastIndex. */
  runs: TermRun[];
  /** The recent tail: consecutive entries ending at lastIndex; bounded by `cacheBytesMax`. */
  cache: Entry[];
  /**
   * For each cached entry the bytes of everything up to and including it, counted from some beginning; and
   * `bytesBefore` what lies before the first. Any difference of two is the size of what lies between, so that no
   * count of a part of the log is kept anywhere, and none can drift.
   */
  bytesThrough: number[];
  bytesBefore: number;
}

export interface ConfigurationAt {
  readonly index: Index;
  readonly configuration: Configuration;
}

/** What would be found after a crash now, at the least. */
export interface Durable {
  index: Index;
  hardState: HardState;
}

export interface OutstandingWrite {
  readonly writeId: RequestId;
  /** The first entry that it appends; null where it appends none. */
  readonly appendFrom: Index | null;
  /** The durable index once this is persisted; lowered by every cut issued after it. */
  endIndex: Index;
  readonly hardState: HardState | null;
  /** `issuedBytes` once this write was issued: what is durable with it. */
  readonly issuedBytes: number;
}

export interface UnissuedWrite {
  hardState: boolean;
  cutFrom: Index | null;
  /** Everything from here to the log's end is to be appended; null when nothing is. */
  appendFrom: Index | null;
}

export interface Owed {
  /** The candidate that gets a vote of `hardState.term` once it is durable, and has not been told. */
  vote: { readonly candidate: ReplicaId } | null;
  /** The leader of `hardState.term`, as soon as it was heard, and what it was told. */
  acknowledgement: {
    readonly leader: ReplicaId;
    /** The greatest matchIndex said to it. */
    saidMatchIndex: Index;
    /** Latest heartbeat round not answered yet; 0 when none. */
    round: number;
    /** An append was accepted since the last answer. */
    appendOwed: boolean;
  } | null;
}
