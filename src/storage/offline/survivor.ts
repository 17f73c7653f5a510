import type { Configuration } from '../../raft/configuration.ts';
import { emptyConfiguration } from '../../raft/configuration.ts';
import type { HardState, MissingEntries } from '../../raft/effect.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { SnapshotMeta } from '../../raft/snapshot.ts';
import { reconcile } from '../../raft/start.ts';
import type { LogStorage, SnapshotStorage } from '../contract.ts';
import { damagedLog } from '../disk/damaged-log.ts';
import { openDirectory, SEGMENT_BYTES } from '../disk/file-storage.ts';
import { type FoundIdentity, type IdentityRecord, readIdentity } from '../disk/identity-file.ts';
import { noScrub } from '../disk/scrub.ts';
import type { StorageDoors } from '../disk/storage-doors.ts';
import { RecoveryRefused, StorageFailed, StorageRefused } from '../errors.ts';
import { codeOf, copyFolder, namesIn, removeFolder, UnreadableFile } from './folder-tree.ts';
import type { HeldLog } from './held-log.ts';

/** A directory that was given as a survivor, and what is in it. */
export interface Survivor {
  readonly directory: string;
  /** null when that cannot be read. */
  readonly identity: Omit<IdentityRecord, 'format'> | null;
  /** null when nothing of it can be used: `damage` says why. */
  readonly held: Held | null;
  /**
   * What is wrong with it; null when nothing is. One whose term and vote are lost has a log all the same: it can begin
   * a new cluster, and be no member of the old one.
   */
  readonly damage: string | null;
}

/** What a survivor holds that can be recovered from. */
export interface Held {
  readonly group: GroupId;
  readonly hardState: HardState;
  readonly log: HeldLog;
  readonly snapshot: SnapshotMeta | null;
  /** The latest in its log, committed or not. */
  readonly configuration: Configuration;
}

/** A survivor's log and snapshots, opened from a copy. */
export interface OpenedCopy {
  readonly held: Held;
  readonly log: LogStorage;
  readonly snapshots: SnapshotStorage;
  /** What is lost beside the log: term and vote. null when they are not. */
  readonly lost: string | null;
}

/** What was put aside before is none of what the replica is now. */
const NOT_COPIED = /^(lock|damaged-\d+)$/;

/** What a directory says of itself; nothing is changed by asking. @throws RecoveryRefused. */
export async function identityIn(doors: StorageDoors, directory: string): Promise<FoundIdentity> {
  let found: FoundIdentity;
  try {
    const names = await namesIn(doors.disk, directory);
    found = names?.includes('identity') ? await readIdentity(doors.disk, directory) : { kind: 'none' };
  } catch (cause) {
    throw new RecoveryRefused('unreadable', `${directory}: ${(cause as Error).message}`, { cause });
  }
  if (found.kind !== 'none') return found;
  throw new RecoveryRefused(
    'nothing-to-recover',
    `${directory} is no directory of a replica: it is not there, or has no identity file`,
  );
}

/**
 * Opens a copy of a survivor's directory, which itself is only read: to open a storage is to begin a new boot of
 * it, and to write that. The copy goes once it was used.
 *
 * @throws StorageRefused (`damaged`, `other-format`) when it cannot be opened as it is; UnreadableFile; RecoveryRefused
 *   (`several-groups`, `nothing-to-recover`).
 */
export async function withCopy<T>(
  directory: string,
  identity: IdentityRecord,
  by: { readonly doors: StorageDoors; readonly scratch: string; readonly signal: AbortSignal | undefined },
  use: (copy: OpenedCopy) => Promise<T>,
): Promise<T> {
  const { doors, scratch, signal } = by;
  try {
    await copyFolder(doors.disk, { from: directory, to: scratch }, { without: NOT_COPIED, signal });
    const { id, backend, shards } = identity;
    const place = { directory: scratch, backend, shards, segmentBytes: SEGMENT_BYTES, doors } as const;
    const settings = { ...place, codec: 'none', scrub: noScrub, reserveBytes: 0, logAlone: true } as const;
    const instance = await openDirectory(settings, { id });
    try {
      const group = onlyGroup(directory, instance.groups);
      const log = await instance.openLog(group);
      const { damage, hardState } = log.recovered;
      if (damage !== null) throw damagedLog(scratch, damage.report);
      if (hardState.missing !== undefined) throw damagedLog(scratch, lackOf(hardState.missing));
      const snapshots = instance.snapshots(group);
      const held = heldBy(group, log.recovered, await snapshots.latest());
      return await use({ held, log, snapshots, lost: instance.lostHardState });
    } finally {
      await instance.close();
    }
  } finally {
    await removeFolder(doors.disk, scratch);
  }
}

/** A storage that a replica would refuse to start on is told as damaged. */
export async function inspect(
  directory: string,
  found: FoundIdentity,
  by: Parameters<typeof withCopy>[2],
): Promise<Survivor> {
  if (found.kind !== 'found') {
    return { directory, identity: null, held: null, damage: `${directory}: its identity file is damaged` };
  }
  const { format: _, ...identity } = found.identity;
  if (identity.putAside?.isMoved === false) {
    const { folder } = identity.putAside;
    const damage =
      `${directory}: what it was is being put aside in ${folder}, and parts of it may be there already. ` +
      `Start its replica once, which ends that, and give ${directory}/${folder}`;
    return { directory, identity, held: null, damage };
  }
  try {
    const { held, lost } = await withCopy(directory, found.identity, by, async (copy) => copy);
    const damage = lost === null ? null : `${directory}: ${lost}`;
    return { directory, identity, held, damage };
  } catch (error) {
    // It was the copy that was opened; the operator knows the directory.
    const told = (what: Error): string => what.message.replaceAll(by.scratch, directory);
    if (error instanceof StorageRefused && error.reason === 'missing-codec') {
      throw new RecoveryRefused('unreadable', told(error), { cause: error });
    }
    if (!isDamage(error)) throw error;
    return { directory, identity, held: null, damage: told(error) };
  }
}

/** Its log is whole as far as it goes, but a replica may have acknowledged more than it holds. */
function lackOf({ term, index }: MissingEntries): string {
  const upTo = index === null ? `of terms up to ${term}` : `up to entry ${index} of term ${term}`;
  return `entries ${upTo} were lost to earlier damage, and were not yet replaced by the other members`;
}

/** A block may turn out to be unreadable only when it is read, and a file when it is copied. */
function isDamage(error: unknown): error is Error {
  if (error instanceof UnreadableFile) return true;
  if (error instanceof StorageFailed) return codeOf(error.cause) === null;
  return error instanceof StorageRefused && (error.reason === 'damaged' || error.reason === 'other-format');
}

function onlyGroup(directory: string, groups: readonly GroupId[]): GroupId {
  const [group, ...others] = groups;
  if (group === undefined) {
    throw new RecoveryRefused('nothing-to-recover', `${directory} holds no log at all. Leave it out.`);
  }
  if (others.length === 0) return group;
  throw new RecoveryRefused(
    'several-groups',
    `${directory} holds the logs of several groups (${groups.join(', ')}); only one can be recovered`,
  );
}

/** @throws StorageRefused (`damaged`) when entries are in neither log nor snapshot. */
function heldBy(group: GroupId, recovered: LogStorage['recovered'], snapshot: SnapshotMeta | null): Held {
  if (recovered.floor.index > (snapshot?.index ?? 0)) {
    throw new StorageRefused(
      'damaged',
      `the log begins after entry ${recovered.floor.index}, but ` +
        (snapshot === null ? 'there is no whole snapshot' : `the latest snapshot ends at ${snapshot.index}`),
    );
  }
  const log = reconcile(recovered, snapshot);
  const { index, term } = snapshot ?? { index: 0, term: 0 };
  return {
    group,
    hardState: log.hardState,
    log: {
      snapshot: { index, term },
      floor: { index: log.floor.index, term: log.floor.term },
      runs: log.runs,
      lastIndex: log.lastIndex,
    },
    snapshot,
    configuration: log.configurations.at(-1)?.configuration ?? log.floor.configuration ?? emptyConfiguration,
  };
}
