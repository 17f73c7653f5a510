import type { NodeId } from '../../src/raft/identity.ts';
import type { DiskOperation, DurationRange, RottenFiles } from '../scenario/scenario.ts';

/** What a link does to messages while a fault worsens it; null leaves that as it was. */
export interface LinkTrouble {
  readonly latency: DurationRange | null;
  readonly lossPerMille: number | null;
  readonly duplicatePerMille: number | null;
}

/** One direction between two replicas. */
export interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** What faults can do to a cluster, wherever it runs. Milliseconds are those of the world's own time. */
export interface World {
  /** The voters of the configuration in force, in the cluster's order. */
  readonly replicas: readonly NodeId[];
  /** Every machine, whether its replica is a member or not. */
  readonly machineIds: readonly NodeId[];
  /** The replica that leads in the highest term and runs; null when none does. */
  leader(): NodeId | null;
  /** Nothing passes these links any more, until the returned function is called. Cuts add up. */
  cut(links: readonly Link[]): () => void;
  /** Worsens these links, until the returned function is called. The latest counts. */
  trouble(links: readonly Link[], trouble: LinkTrouble): () => void;
  /** The next `times` reads (or writes, or syncs) of the replica's disk fail. */
  failDisk(replica: NodeId, operation: DiskOperation, times: number): void;
  /** Nothing that is or will be asked of the replica's disk is answered until the returned function is called. */
  hangDisk(replica: NodeId): () => void;
  /** Each operation of the replica's disk takes this long until the returned function is called. The latest counts. */
  slowDisk(replica: NodeId, latency: DurationRange): () => void;
  /** Only so many bytes more fit on the replica's disk until the returned function is called. */
  fillDisk(replica: NodeId, bytesLeft: number): () => void;
  /** So many durable places of these files, or all there is of them, change on the replica's disk, whether it runs or not. */
  rotDisk(replica: NodeId, what: RottenFiles, places: number | 'all'): void;
  /** Sets both clocks of the replica's machine. */
  jumpClock(replica: NodeId, byMs: number): void;
  setClockRate(replica: NodeId, perMille: number): void;
  /** Kills the process; `power` also loses what its disk was not asked to sync. */
  crash(replica: NodeId, options: { readonly power: boolean }): void;
  restart(replica: NodeId): void;
  /** Kills the process and empties its disk. */
  wipe(replica: NodeId): void;
  pause(replica: NodeId): void;
  resume(replica: NodeId): void;
  /**
   * An operator asks for this, again until it is so, or for too long; `onOver` is called at its end. One at a
   * time.
   */
  changeMembership(change: OrderedChange, onOver: () => void): void;
}

/** A change of the membership with every id known. */
export interface OrderedChange {
  readonly add: readonly NodeId[];
  readonly addLearners: readonly NodeId[];
  readonly promote: readonly NodeId[];
  readonly demote: readonly NodeId[];
  readonly remove: readonly NodeId[];
  readonly replace: readonly { readonly id: NodeId; readonly by: NodeId }[];
}
