import type { Configuration } from '../raft/configuration.ts';
import type { Index, Term } from '../raft/entry.ts';
import type { ClockAnomaly, RaftEvent, Role, Stalled } from '../raft/event.ts';
import type { NodeId } from '../raft/identity.ts';
import type { JoinOutcome } from '../raft/message.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { CoveredDamage, LogDamage, PutAside, StorageSpace } from '../storage/contract.ts';
import type { TransportEvent } from '../transport/contract.ts';
import type { BootstrapWaiting } from './bootstrap.ts';
import type { LogRepaired } from './log-repair.ts';

/** An event of the core, without its name. */
type Told<Kind extends RaftEvent['kind']> = Omit<Extract<RaftEvent, { readonly kind: Kind }>, 'kind'>;

/** Events of a RaftNode, by name, with what a listener is given. */
export interface RaftNodeEvents {
  'role-changed': [{ readonly term: Term; readonly role: Role; readonly reason: string }];
  /** `leader` is null when none is known (any more). */
  'leader-changed': [{ readonly term: Term; readonly leader: NodeId | null }];
  /** Another configuration is in force here: appended, loaded from the log, or rolled back. */
  'configuration-changed': [{ readonly configuration: Configuration }];
  /** Uncommitted entries were replaced by the leader's. */
  'log-truncated': [{ readonly term: Term; readonly from: Index }];
  'clock-anomaly': [{ readonly anomaly: ClockAnomaly; readonly byMs: number }];
  /** The cluster cannot be founded yet; repeated when the reason changes. */
  'bootstrap-waiting': [BootstrapWaiting];
  /** What was answered when this replica asked to be let in; repeated with every answer. */
  joining: [
    {
      readonly from: NodeId;
      readonly answer: JoinOutcome;
      readonly leader: { readonly id: NodeId; readonly address: string } | null;
    },
  ];
  /** Somebody asked this replica to be let in; repeated when the answer differs. */
  newcomer: [Told<'newcomer'>];
  /** Leader: a change of the membership got further. */
  'membership-progress': [Told<'membership-progress'>];
  'membership-ended': [Told<'membership-ended'>];
  /** The cluster does not list this replica any more. It stops. */
  removed: [{ readonly configuration: Configuration }];
  /** A snapshot of the state machine is durable. */
  'snapshot-taken': [SnapshotMeta];
  /** None came of it: the state machine's iterator failed (`taken`), or what a leader sent was damaged. */
  'snapshot-failed': [
    { readonly index: Index; readonly origin: 'taken' | 'received'; readonly error: unknown },
  ];
  /**
   * Leader: the disk changed or lost a part of its latest snapshot, which it was about to send. `isReplaced`: another is
   * taken of the state machine; else it has no `snapshot()`, and a follower that needs one waits for another leader.
   */
  'snapshot-damaged': [
    { readonly index: Index; readonly term: Term; readonly error: unknown; readonly isReplaced: boolean },
  ];
  /** A leader's snapshot took the place of the log up to `index`. */
  'snapshot-installed': [Told<'snapshot-installed'>];
  /** Leader: how sending a snapshot to a peer goes. */
  'snapshot-transfer': [Told<'snapshot-transfer'>];
  'log-compacted': [Told<'log-compacted'>];
  /** This leader takes no proposals while it hands over to `to`. */
  'leadership-transfer-begun': [Told<'leadership-transfer-begun'>];
  /** It leads no more (`stepped-down`), or goes on leading. */
  'leadership-transfer-ended': [Told<'leadership-transfer-ended'>];
  /**
   * A write, or a command being applied, has not finished for too long: none did for `forMs`. Leadership is handed over, if
   * it can be.
   */
  stalled: [{ readonly what: Stalled; readonly forMs: number }];
  /** It goes on. */
  'stall-ended': [{ readonly what: Stalled }];
  /** Leader that should hand over, by `stalled`: nobody is fit to take over, so it goes on leading. */
  'no-transfer-target': [Told<'no-transfer-target'>];
  /** A write, sync or read failed; the storage is being reopened. */
  'storage-failed': [{ readonly error: unknown }];
  /** An attempt to reopen failed; the next follows after `retryInMs`. */
  'storage-reopen-failed': [{ readonly error: unknown; readonly retryInMs: number }];
  /** The replica is back from what is really on its disk. */
  'storage-reopened': [{ readonly boot: number }];
  /**
   * Less room is left on the disk than is kept in reserve: this replica takes no entries, and hands over if it leads and
   * the others can go on without it. `report` says what to do.
   */
  'disk-nearly-full': [StorageSpace & { readonly report: string }];
  /** There is room again, and it takes part as before. */
  'disk-has-space': [StorageSpace];
  /**
   * What this replica had promised was lost with its hard state, identity or floor. The storage is kept in `directory`,
   * and the replica asks to be let in as another server. Told at every start until it is.
   */
  'storage-put-aside': [PutAside];
  /** The log lacks entries that may have been acknowledged: the disk lost or changed them. */
  'damage-found': [LogDamage];
  /** The disk lost entries that a snapshot here holds: nothing is missing. Told at every opening until the log begins behind. */
  'damage-covered': [CoveredDamage];
  /** It lacks nothing any more. */
  'damage-repaired': [LogRepaired];
  transport: [TransportEvent];
  /** The node is closed (`error` null), or stopped by itself. Nothing follows. */
  stopped: [{ readonly error: Error | null }];
}
