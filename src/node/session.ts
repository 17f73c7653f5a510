import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import { emptyConfiguration } from '../raft/configuration.ts';
import type { GroupId, Incarnation, ReplicaId } from '../raft/identity.ts';
import { sameMember } from '../raft/identity.ts';
import type { RaftOptions } from '../raft/options.ts';
import { Raft } from '../raft/raft.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import { reconcile } from '../raft/start.ts';
import type {
  LogStorage,
  RecoveredLog,
  SnapshotStorage,
  Storage,
  StorageIdentity,
  StorageInstance,
  StorageSpace,
} from '../storage/contract.ts';
import { StorageRefused } from '../storage/errors.ts';
import type { Applier } from './applier.ts';
import { Retired, StateMachineFailed } from './errors.ts';
import { type OthersSettings, openStorage } from './lost-storage.ts';
import { SnapshotContent } from './snapshot-content.ts';

/** One open of the storage and the core that stands on it. A failed write ends both. */
export interface Session {
  readonly self: ReplicaId;
  readonly instance: StorageInstance;
  readonly log: LogStorage;
  readonly snapshots: SnapshotStorage;
  readonly core: Raft;
  /** From which the state machine was restored at this opening; null when it held as much or more. */
  readonly restoredFrom: SnapshotMeta | null;
}

export interface SessionSettings extends OthersSettings {
  readonly group: GroupId;
  readonly raft: RaftOptions;
  readonly clock: Clock;
  readonly random: Random;
  /** What the storage says of its space. */
  readonly onSpace?: (space: StorageSpace) => void;
}

/**
 * Opens the storage, brings the state machine at least up to the latest snapshot, and begins a core there. A
 * reopened storage finds a running state machine, which is left alone unless the snapshot is ahead of it, or a
 * part of another snapshot is in it: then any snapshot will do, and the log has what follows.
 *
 * @param forget - the incarnation that the cluster does not take for a member any more, if there is one: the
 *   storage is emptied of it, and what follows is another server.
 * @throws whatever the storage refuses with, StateMachineFailed, or Retired when the incarnation that is forgotten, or
 *   was put aside, lives on in the state machine, which cannot be emptied; nothing is left open then.
 */
export async function openSession(
  storage: Storage,
  settings: SessionSettings,
  applier: Pick<Applier<unknown, unknown>, 'appliedIndex' | 'isTorn' | 'restore'>,
  forget: Incarnation | null,
): Promise<Session> {
  const { id, onSpace } = settings;
  const request = {
    id,
    ...(forget === null ? {} : { forget }),
    ...(onSpace === undefined ? {} : { onSpace }),
  };
  const instance = await openStorage(storage, request, settings);
  try {
    if (forget !== null && (applier.appliedIndex > 0 || applier.isTorn)) {
      throw Retired.wentBack({ id: settings.id, incarnation: forget });
    }
    const snapshots = instance.snapshots(settings.group);
    const snapshot = await snapshots.latest();
    const log = await instance.openLog(settings.group, { snapshot });
    refuseOthersState(instance.identity, log.recovered, snapshot, applier);
    refuseGap(settings, log.recovered.floor.index, snapshot);
    const self = replicaOf(instance.identity);
    refuseBeyondRepair(log.recovered, snapshot, self, settings);
    if (applier.isTorn && snapshot === null) throw tornForGood();
    const isBehind = snapshot !== null && (applier.isTorn || applier.appliedIndex < snapshot.index);
    if (isBehind) {
      await applier.restore(
        snapshot,
        new SnapshotContent(snapshots, snapshot, settings.raft.snapshotChunkBytes),
      );
    }
    const core = new Raft(
      {
        self,
        group: settings.group,
        clusterId: instance.identity.clusterId,
        options: settings.raft,
        now: settings.clock.now(),
        recovered: log.recovered,
        snapshot,
        appliedIndex: applier.appliedIndex,
      },
      settings.random,
    );
    return { self, instance, log, snapshots, core, restoredFrom: isBehind ? snapshot : null };
  } catch (error) {
    await instance.close().catch(() => {});
    throw error;
  }
}

/** What it applied as the server that it was cannot be taken out of the state machine again. */
function refuseOthersState(
  { id, putAside }: StorageIdentity,
  { lastIndex, floor }: RecoveredLog,
  snapshot: SnapshotMeta | null,
  applier: Pick<Applier<unknown, unknown>, 'appliedIndex' | 'isTorn'>,
): void {
  if (putAside === undefined || lastIndex > 0 || floor.index > 0 || snapshot !== null) return;
  if (applier.appliedIndex > 0 || applier.isTorn) throw Retired.putAside(id, putAside);
}

/**
 * A floor becomes durable only after its snapshot, which is dropped only for a later one. A storage that does not make
 * a hole of what a lost snapshot held (`OpenLogOptions`) has no log to begin with.
 */
function refuseGap(
  { id, group }: Pick<SessionSettings, 'id' | 'group'>,
  floorIndex: number,
  snapshot: SnapshotMeta | null,
): void {
  if (floorIndex <= (snapshot?.index ?? 0)) return;
  throw new StorageRefused(
    'damaged',
    `replica ${id}, group ${group}: the log begins after entry ${floorIndex}, but ` +
      (snapshot === null ? 'there is no whole snapshot' : `the latest snapshot ends at ${snapshot.index}`) +
      '. Keep a copy, then empty the directory: the replica comes back from the others.',
  );
}

/** What a sole voter lost nobody else has, and to go on without it would be to forget what was acknowledged. */
function refuseBeyondRepair(
  recovered: RecoveredLog,
  snapshot: SnapshotMeta | null,
  self: ReplicaId,
  { bootstrap, join }: Pick<SessionSettings, 'bootstrap' | 'join'>,
): void {
  const { damage } = recovered;
  if (damage === null) return;
  const { configurations, floor } = reconcile(recovered, snapshot);
  // A log that lost its beginning holds what its storage knows of its end.
  const { voters, outgoing } =
    damage.configuration ?? configurations.at(-1)?.configuration ?? floor.configuration ?? emptyConfiguration;
  const isAlone =
    voters.length > 0
      ? [...voters, ...outgoing].every((member) => sameMember(member, self))
      : join === null && bootstrap !== null && bootstrap.every(({ id }) => id === self.id);
  if (!isAlone) return;
  throw new StorageRefused(
    'damaged',
    `${damage.report}. As far as its log can be read this replica is the only voter, so nobody else has what is ` +
      'missing. The log was left as it is. Keep a copy, then restore the directory from where it is intact, make a new ' +
      'cluster of a backup, or, if there are other voters by now, empty the directory: the replica comes back from them.',
  );
}

function tornForGood(): StateMachineFailed {
  return new StateMachineFailed(
    'a part of a snapshot was restored before the storage failed, and there is no snapshot any more from which ' +
      'to restore the state again. This replica stops here; restart it: a new state machine begins with the log.',
  );
}

function replicaOf({ id, incarnation, boot }: StorageIdentity): ReplicaId {
  return { id, incarnation, boot };
}
