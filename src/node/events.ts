import type { Configuration } from '../raft/configuration.ts';
import type { Index, Term } from '../raft/entry.ts';
import type { ClockAnomaly, Role } from '../raft/event.ts';
import type { NodeId } from '../raft/identity.ts';
import type { TransportEvent } from '../transport/contract.ts';
import type { BootstrapWaiting } from './bootstrap.ts';

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
  /** A write, sync or read failed; the storage is being reopened. */
  'storage-failed': [{ readonly error: unknown }];
  /** An attempt to reopen failed; the next follows after `retryInMs`. */
  'storage-reopen-failed': [{ readonly error: unknown; readonly retryInMs: number }];
  /** The replica is back from what is really on its disk. */
  'storage-reopened': [{ readonly boot: number }];
  transport: [TransportEvent];
  /** The node is closed (`error` null), or stopped by itself. Nothing follows. */
  stopped: [{ readonly error: Error | null }];
}
