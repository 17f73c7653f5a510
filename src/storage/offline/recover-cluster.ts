import { resolve } from 'node:path';
import type { DirectoryLock } from '../../doors/disk.ts';
import type { ClusterId } from '../../raft/identity.ts';
import type { FoundIdentity, IdentityRecord } from '../disk/identity-file.ts';
import { nodeStorageDoors, type StorageDoors } from '../disk/storage-doors.ts';
import { RecoveryRefused } from '../errors.ts';
import { buildAside } from './aside.ts';
import { codeOf } from './folder-tree.ts';
import { type NewCluster, writeNewCluster } from './new-cluster.ts';
import { type NewMember, refuseBadMembers } from './new-members.ts';
import { beginningOf } from './recovered-log.ts';
import { accountOf, type RecoveryAccount } from './recovery-account.ts';
import { identityIn, inspect, type Survivor, withCopy } from './survivor.ts';

export interface RecoverOptions {
  /**
   * The directories that are left of a cluster whose quorum is lost, those of stopped replicas. They stay as they
   * are, but for the folder `lock` in each, by which it is made sure that no replica runs on it.
   */
  readonly survivors: readonly string[];
  /** Where the directories of the members are made, one each, by their ids. Not there yet, or empty; the folder above it is. */
  readonly out: string;
  /** The members of the new cluster: these, and no others. */
  readonly members: readonly NewMember[];
  /** The phrase of the account. Without it, or with another, the account is all that is given. */
  readonly confirm?: string;
  /** Ends it early; nothing is left then. */
  readonly signal?: AbortSignal;
  /** The machine's own by default; a simulation brings its own. */
  readonly doors?: StorageDoors;
}

export interface Recovery {
  readonly account: RecoveryAccount;
  /** null when it was not confirmed: nothing was changed. */
  readonly cluster: NewCluster | null;
}

/**
 * Makes a new cluster of what is left of one that lost its quorum for good. **This may lose acknowledged entries**,
 * those that only the lost members held, and may commit entries whose outcome was told as unknown. So it first gives
 * an account, and goes on only with the phrase of that very account.
 *
 * One survivor's snapshot and log, chosen as `chooseSurvivor` says, go to fresh directories `<out>/<id>` of all members,
 * under a new cluster id and new incarnations, in a term above all that were seen. Members of the old cluster that
 * were not lost but cut off are refused when they come back, by every handshake and every envelope.
 *
 * All directories appear together, once everything in them is durable, or none does. While it works it takes as much
 * room as one survivor does, and that of the result.
 *
 * @throws RecoveryRefused: `wrong-options`, `target-exists`, `unreadable`, `in-use`, `other-cluster`,
 *   `several-groups`, `nothing-to-recover`, `damaged` when no survivor is sound.
 * @throws the signal's reason; StorageRefused, StorageFailed and errors of the disk. Nothing is left then.
 */
export async function recoverCluster(options: RecoverOptions): Promise<Recovery> {
  const { survivors: directories, out, members, confirm, signal } = options;
  const { doors = nodeStorageDoors() } = options;
  refuseBadMembers(members);
  if (directories.length === 0) {
    throw new RecoveryRefused('wrong-options', 'survivors: expected at least one directory');
  }
  for (const directory of directories) refuseWithin(out, directory);
  // Before anything is touched: a lock makes a folder.
  for (const directory of directories) await identityIn(doors, directory);
  return withLocks(doors, directories, async () => {
    const found = await Promise.all(directories.map((directory) => identityIn(doors, directory)));
    const clusterId = onlyCluster(directories, found);
    return buildAside<Recovery>(doors.disk, out, async ({ result: folder, scratch }) => {
      const by = { doors, scratch, signal };
      const survivors: Survivor[] = [];
      for (const [position, directory] of directories.entries()) {
        survivors.push(await inspect(directory, found[position] ?? { kind: 'none' }, by));
      }
      const account = accountOf(clusterId, survivors, members);
      if (confirm !== account.phrase) return { value: { account, cluster: null }, show: false };
      const { directory } = account.chosen;
      const identity = identityOf(found[directories.indexOf(directory)]);
      const term = 1 + Math.max(...survivors.map(({ held }) => held?.hardState.term ?? 0));
      const cluster = await withCopy(directory, identity, by, (copy) => {
        const { backend, shards } = identity;
        return writeNewCluster(beginningOf(copy, { term, signal }), {
          folder,
          members,
          backend,
          shards,
          doors,
        });
      });
      signal?.throwIfAborted();
      return { value: { account, cluster }, show: true };
    });
  });
}

/** A survivor is only read; and what is made within one would be copied into itself, for ever. */
function refuseWithin(out: string, directory: string): void {
  const inner = `${resolve(out)}/`;
  if (!inner.startsWith(`${resolve(directory)}/`)) return;
  throw new RecoveryRefused(
    'wrong-options',
    `out: ${out} is within ${directory}, which is to stay as it is. Name a folder beside it.`,
  );
}

/** No replica runs on any of them meanwhile, nor is started. */
async function withLocks<T>(
  doors: StorageDoors,
  directories: readonly string[],
  body: () => Promise<T>,
): Promise<T> {
  const locks: DirectoryLock[] = [];
  try {
    for (const directory of directories) locks.push(await lock(doors, directory));
    return await body();
  } finally {
    await Promise.allSettled(locks.map((held) => held.release()));
  }
}

async function lock(doors: StorageDoors, directory: string): Promise<DirectoryLock> {
  try {
    return await doors.disk.lock(directory);
  } catch (cause) {
    if (codeOf(cause) === 'ELOCKED') {
      throw new RecoveryRefused(
        'in-use',
        `${directory} is in use: a replica runs on it, or it is given twice. Stop that replica first.`,
        { cause },
      );
    }
    throw new RecoveryRefused(
      'unreadable',
      `${directory} cannot be locked, so it is not sure that no replica runs on it: ${(cause as Error).message}. ` +
        'Its folder lock must be writable.',
      { cause },
    );
  }
}

/** @throws RecoveryRefused (`other-cluster`, `nothing-to-recover`, `wrong-options`). */
function onlyCluster(directories: readonly string[], found: readonly FoundIdentity[]): ClusterId {
  let first: { readonly directory: string; readonly clusterId: ClusterId } | null = null;
  const known = new Map<string, string>();
  for (const [position, one] of found.entries()) {
    const directory = directories[position] ?? '';
    // It is told as damaged.
    if (one.kind !== 'found') continue;
    const { id, incarnation, clusterId } = one.identity;
    if (clusterId === null) {
      throw new RecoveryRefused(
        'nothing-to-recover',
        `${directory} belongs to no cluster yet. Leave it out.`,
      );
    }
    const twin = known.get(`${id}/${incarnation}`);
    if (twin !== undefined) {
      throw new RecoveryRefused(
        'wrong-options',
        `${twin} and ${directory} are one replica, ${id} (${incarnation}): one is a copy. Give the newer one.`,
      );
    }
    known.set(`${id}/${incarnation}`, directory);
    first ??= { directory, clusterId };
    if (first.clusterId === clusterId) continue;
    throw new RecoveryRefused(
      'other-cluster',
      `${first.directory} belongs to cluster ${first.clusterId}, but ${directory} to ${clusterId}`,
    );
  }
  if (first !== null) return first.clusterId;
  throw new RecoveryRefused('damaged', `the identity files are damaged: ${directories.join(', ')}`);
}

function identityOf(found: FoundIdentity | undefined): IdentityRecord {
  if (found?.kind !== 'found') throw new Error('a survivor without identity was chosen');
  return found.identity;
}
