import { type Configuration, configurationIdOf } from '../../raft/configuration.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import type { ClusterId, GroupId, Incarnation } from '../../raft/identity.ts';
import type { SnapshotMeta } from '../../raft/snapshot.ts';
import { openDirectory, SEGMENT_BYTES } from '../disk/file-storage.ts';
import type { FileStorageInstance } from '../disk/file-storage-instance.ts';
import { noScrub } from '../disk/scrub.ts';
import type { StorageDoors } from '../disk/storage-doors.ts';
import type { NewMember } from './new-members.ts';

/** What the members of a new cluster all begin with. */
export interface Beginning {
  readonly group: GroupId;
  /** Of the hard state, without a vote: above the term of every entry. */
  readonly term: Term;
  /** Where the log begins; null: with entry 1. */
  readonly snapshot: BeginningSnapshot | null;
  /** Those after the snapshot, in order, in pieces; read once for each member. */
  entries(founding: Founding): AsyncIterable<readonly Entry[]>;
}

export interface BeginningSnapshot {
  readonly meta: Omit<SnapshotMeta, 'configuration'>;
  /** Its content; read once for each member. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** Who the new cluster is. */
export interface Founding {
  readonly clusterId: ClusterId;
  readonly configuration: Configuration;
}

export interface NewCluster extends Founding {
  readonly group: GroupId;
  readonly members: readonly (NewMember & { readonly incarnation: Incarnation })[];
  /** The last entry that all members hold. */
  readonly last: { readonly index: Index; readonly term: Term };
}

/**
 * Writes a fresh directory `<folder>/<id>` for each member: a new cluster id, new incarnations, a configuration
 * of exactly these members, and everywhere the same log, durable.
 *
 * **Why that is a cluster as any other.** Raft is safe from every state in which its invariants hold, and they
 * hold here: all logs are equal (Log Matching); no entry is of a term above the members' own, in which nobody voted
 * and nobody leads (Election Safety in all terms to come); and every member, hence every leader to come, holds
 * every entry (Leader Completeness), so each of them may count as committed from now on. Nothing that was ever
 * said under the old cluster id counts in the new one: it stands in every handshake and every envelope, and
 * the pairs (id, incarnation) are others.
 *
 * @throws StorageRefused, StorageFailed, and what the beginning throws; directories may be left then.
 */
export async function writeNewCluster(
  beginning: Beginning,
  options: {
    readonly folder: string;
    readonly members: readonly NewMember[];
    readonly backend: 'files' | 'level';
    readonly shards: number;
    readonly doors: StorageDoors;
  },
): Promise<NewCluster> {
  const { doors, backend, shards } = options;
  const opened: FileStorageInstance[] = [];
  try {
    for (const { id } of options.members) {
      const directory = `${options.folder}/${id}`;
      const settings = {
        directory,
        backend,
        shards,
        codec: 'none',
        segmentBytes: SEGMENT_BYTES,
        scrub: noScrub,
        reserveBytes: 0,
        doors,
      } as const;
      opened.push(await openDirectory(settings, { id }));
    }
    const members = options.members.map(({ id, address }, position) => {
      return { id, address, incarnation: opened[position]?.identity.incarnation ?? '' };
    });
    const clusterId = Buffer.from(doors.random.bytes(8)).toString('hex');
    const founding = { clusterId, configuration: configurationOf(members, beginning.snapshot) };
    let last = { index: 0, term: 0 };
    for (const instance of opened) last = await writeMember(instance, beginning, founding);
    return { ...founding, group: beginning.group, members, last };
  } finally {
    // What was written is durable already.
    await Promise.allSettled(opened.map((instance) => instance.close()));
  }
}

/** Its id is that of the entry in whose place it stands: entry 1, or the last one of the snapshot. */
function configurationOf(voters: NewCluster['members'], snapshot: BeginningSnapshot | null): Configuration {
  const at = snapshot === null ? { index: 1, term: 1 } : snapshot.meta;
  return { id: configurationIdOf(at), voters, outgoing: [], learners: [], retired: [] };
}

async function writeMember(
  instance: FileStorageInstance,
  { group, term, snapshot, entries }: Beginning,
  founding: Founding,
): Promise<NewCluster['last']> {
  await instance.adoptCluster(founding.clusterId);
  const { boot } = instance.identity;
  let sequence = 0;
  const nextId = (): { boot: number; sequence: number } => {
    sequence += 1;
    return { boot, sequence };
  };
  const log = await instance.openLog(group);
  await log.write({ writeId: nextId(), hardState: { term, votedFor: null }, entries: [] });
  let last = { index: 0, term: 0 };
  if (snapshot !== null) {
    const { index, term: ofTerm, size, digest } = snapshot.meta;
    const { configuration } = founding;
    const at = { index, term: ofTerm, configuration };
    await instance.snapshots(group).write(at, snapshot.chunks(), { size, digest });
    await log.write({ writeId: nextId(), entries: [], floor: at });
    last = { index, term: ofTerm };
  }
  for await (const piece of entries(founding)) {
    await log.write({ writeId: nextId(), entries: piece });
    last = piece.at(-1) ?? last;
  }
  return { index: last.index, term: last.term };
}
