import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import type { GroupId, NodeId, ReplicaId } from '../raft/identity.ts';
import type { RaftOptions } from '../raft/options.ts';
import { Raft } from '../raft/raft.ts';
import type { LogStorage, Storage, StorageIdentity, StorageInstance } from '../storage/contract.ts';

/** One open of the storage and the core that stands on it. A failed write ends both. */
export interface Session {
  readonly self: ReplicaId;
  readonly instance: StorageInstance;
  readonly log: LogStorage;
  readonly core: Raft;
}

/** @throws whatever the storage refuses with; nothing is left open then. */
export async function openSession(
  storage: Storage,
  settings: {
    readonly id: NodeId;
    readonly group: GroupId;
    readonly raft: RaftOptions;
    readonly clock: Clock;
    readonly random: Random;
  },
  appliedIndex: () => number,
): Promise<Session> {
  const instance = await storage.open({ id: settings.id });
  try {
    const log = await instance.openLog(settings.group);
    const self = replicaOf(instance.identity);
    const core = new Raft(
      {
        self,
        group: settings.group,
        clusterId: instance.identity.clusterId,
        options: settings.raft,
        now: settings.clock.now(),
        recovered: log.recovered,
        appliedIndex: appliedIndex(),
      },
      settings.random,
    );
    return { self, instance, log, core };
  } catch (error) {
    await instance.close().catch(() => {});
    throw error;
  }
}

function replicaOf({ id, incarnation, boot }: StorageIdentity): ReplicaId {
  return { id, incarnation, boot };
}
