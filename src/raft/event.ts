import type { Configuration } from './configuration.ts';
import type { Index, Term } from './entry.ts';
import type { MemberId, NodeId, RequestId } from './identity.ts';
import type { JoinOutcome } from './message.ts';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** Things that happened in the core, for logs, metrics and the lab. */
export type RaftEvent =
  | { readonly kind: 'role-changed'; readonly term: Term; readonly role: Role; readonly reason: string }
  /** `leader` is null when none is known (any more). */
  | { readonly kind: 'leader-changed'; readonly term: Term; readonly leader: NodeId | null }
  | { readonly kind: 'commit-advanced'; readonly term: Term; readonly commitIndex: Index }
  | { readonly kind: 'log-truncated'; readonly term: Term; readonly from: Index }
  | { readonly kind: 'message-dropped'; readonly from: NodeId; readonly reason: DropReason }
  | { readonly kind: 'clock-anomaly'; readonly anomaly: ClockAnomaly; readonly byMs: number }
  /** Another configuration is in force here: appended, rolled back (`rolledBack`), or out of a snapshot. */
  | {
      readonly kind: 'configuration-changed';
      readonly index: Index;
      readonly configuration: Configuration;
      readonly rolledBack: boolean;
    }
  /** A change that this leader carries out got further. */
  | {
      readonly kind: 'membership-progress';
      readonly changeId: RequestId;
      readonly progress: MembershipProgress;
    }
  /** It ended. `superseded`: this replica leads no more, and its successor may finish the change or undo it. */
  | {
      readonly kind: 'membership-ended';
      readonly changeId: RequestId;
      readonly outcome: 'completed' | 'aborted' | 'superseded';
      readonly reason: string;
    }
  /** Somebody asked to be let in, and was answered. Repeated only when the answer differs. */
  | {
      readonly kind: 'newcomer';
      readonly member: MemberId;
      readonly address: string;
      readonly answer: JoinOutcome;
    }
  /** A committed configuration does not list this replica any more, which an earlier one did. */
  | { readonly kind: 'removed'; readonly configuration: Configuration }
  | {
      readonly kind: 'snapshot-transfer';
      readonly peer: NodeId;
      readonly index: Index;
      readonly phase: 'begun' | 'resumed' | 'restarted' | 'completed' | 'failed';
    }
  /** A leader's snapshot replaced this log, or its beginning. */
  | { readonly kind: 'snapshot-installed'; readonly index: Index; readonly term: Term }
  /** The log begins after `index` now. */
  | { readonly kind: 'log-compacted'; readonly index: Index }
  /** A leader began to hand over to `to`: it takes no proposals until that has ended. */
  | {
      readonly kind: 'leadership-transfer-begun';
      readonly leadershipTransferId: RequestId;
      readonly to: NodeId;
      readonly reason: string;
    }
  /** `stepped-down`: this replica leads no more; whoever leads next is told by `leader-changed`. */
  | {
      readonly kind: 'leadership-transfer-ended';
      readonly leadershipTransferId: RequestId;
      readonly to: NodeId;
      readonly outcome: 'stepped-down' | 'timed-out' | 'not-a-voter-any-more';
    }
  /** A leader that should hand over, by `why`, found nobody fit to take over. It goes on. */
  | { readonly kind: 'no-transfer-target'; readonly stalled: Handicap }
  /** Peers gave back entries that the disk had lost; the log is held up to `to` again. */
  | { readonly kind: 'log-repaired'; readonly from: Index; readonly to: Index }
  /** Nobody has what is missing after `lastIndex`: the leader's log takes the place of what follows. */
  | { readonly kind: 'repair-abandoned'; readonly lastIndex: Index }
  /** All that was acknowledged is held again, or replaced by what the cluster committed: it may lead again. */
  | { readonly kind: 'log-whole'; readonly lastIndex: Index };

/** How far a change of the membership is. */
export type MembershipProgress =
  /** New members replicate as learners; `behind` counts the entries they lack. */
  | {
      readonly phase: 'catching-up';
      readonly members: readonly {
        readonly id: NodeId;
        readonly behind: number;
        readonly caughtUp: boolean;
      }[];
    }
  /** The joint configuration is appended: every decision needs both majorities. */
  | { readonly phase: 'joint'; readonly index: Index }
  /** The new configuration is appended and not yet committed. */
  | { readonly phase: 'leaving-joint'; readonly index: Index }
  /** The old configuration is appended anew and not yet committed. */
  | { readonly phase: 'aborting'; readonly index: Index };

export type DropReason =
  | 'wrong-cluster'
  | 'wrong-group'
  | 'not-for-this-incarnation'
  | 'stale-boot'
  | 'stale-term'
  | 'not-a-voter'
  | 'not-a-member'
  | 'unexpected-in-role'
  | 'promised-to-leader'
  | 'not-fit-to-lead'
  /** An append, or the end of one: too much waits for the disk already. */
  | 'disk-backlog'
  /** An append, or the end of one, or of a snapshot: the own disk is nearly full. */
  | 'disk-nearly-full'
  /** An append, or the end of one: entries in the middle of this log are being asked for. */
  | 'repairing'
  | 'malformed';

/** What of a replica stands still though the rest of it goes on. */
export type Stalled = 'storage' | 'state-machine';

/** Why a leader should hand over. `disk-space`: its disk is nearly full. */
export type Handicap = Stalled | 'disk-space';

export type ClockAnomaly = 'backward' | 'gap' | 'wall-divergence';
