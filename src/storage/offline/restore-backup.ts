import type { BackupHeader } from '../backup-format.ts';
import { nodeStorageDoors, type StorageDoors } from '../disk/storage-doors.ts';
import { RecoveryRefused } from '../errors.ts';
import { buildAside } from './aside.ts';
import { withBackup } from './backup-file.ts';
import { type NewCluster, writeNewCluster } from './new-cluster.ts';
import { type NewMember, refuseBadMembers } from './new-members.ts';

export interface RestoreOptions {
  /** The file that `node.backup()` was written to. It is only read. */
  readonly backup: string;
  /** Where the directories of the members are made, one each, by their ids. Not there yet, or empty; the folder above it is. */
  readonly out: string;
  /** The members of the new cluster: these, and no others. */
  readonly members: readonly NewMember[];
  /** As `fileStorage` will be given it when the members are started. Default `files`. */
  readonly backend?: 'files' | 'level';
  /** As `fileStorage` will be given it when the members are started. Default 1, at most 64. */
  readonly shards?: number;
  /** Ends it early; nothing is left then. */
  readonly signal?: AbortSignal;
  /** The machine's own by default; a simulation brings its own. */
  readonly doors?: StorageDoors;
}

export interface RestoredCluster extends NewCluster {
  /** What the backup said of itself. */
  readonly backup: BackupHeader;
}

/**
 * Makes a new cluster from a backup: verifies all of it, then writes one fresh directory `<out>/<id>` for each member,
 * with the snapshot, a new cluster id, new incarnations, and a configuration of exactly these members. Start
 * each replica on its directory as ever; whatever it is given as `bootstrap` is ignored, since it is not empty.
 *
 * All directories appear together, once everything in them is durable, or none does.
 *
 * @throws RecoveryRefused: `wrong-options`, `target-exists`, `unreadable`, `not-a-backup`, `other-version`, `damaged`.
 * @throws the signal's reason; StorageRefused, StorageFailed and errors of the disk. Nothing is left then.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoredCluster> {
  const { backup: path, out, members, backend = 'files', shards = 1, signal } = options;
  const { doors = nodeStorageDoors() } = options;
  refuseBadMembers(members);
  if (!Number.isInteger(shards) || shards < 1 || shards > 64) {
    throw new RecoveryRefused('wrong-options', `shards: found ${String(shards)}, expected 1 to 64`);
  }
  return withBackup(doors.disk, path, signal, (backup) =>
    buildAside(doors.disk, out, async ({ result }) => {
      const { group, index, term, size, digest } = backup.header;
      const snapshot = { meta: { index, term, size, digest }, chunks: () => backup.content() };
      const beginning = { group, term: term + 1, snapshot, entries: noEntries };
      const cluster = await writeNewCluster(beginning, { folder: result, members, backend, shards, doors });
      signal?.throwIfAborted();
      return { value: { ...cluster, backup: backup.header }, show: true };
    }),
  );
}

async function* noEntries(): AsyncGenerator<never> {}
