import type { DirectoryLock } from '../../doors/disk.ts';
import { nodesWithZstd } from '../../doors/work.ts';
import type { NodeId } from '../../raft/identity.ts';
import { isOptions, shown, unknownOptions } from '../../raft/option-mistakes.ts';
import type { Storage, StorageOpenRequest } from '../contract.ts';
import { StorageRefused } from '../errors.ts';
import { refuseBadName } from '../names.ts';
import { asRefusal } from './as-refusal.ts';
import { type CodecName, codecs } from './block-header.ts';
import { FileStorageInstance } from './file-storage-instance.ts';
import { forgetStorage } from './forget.ts';
import {
  FORMAT_VERSION,
  type FoundIdentity,
  type IdentityRecord,
  readIdentity,
  seedOf,
} from './identity-file.ts';
import { parentOf } from './parent-of.ts';
import { finishPuttingAside, putAside } from './put-aside.ts';
import type { ScrubPace } from './scrub.ts';
import { nodeStorageDoors, type StorageDoors } from './storage-doors.ts';

export const SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENT_BYTES_MIN = 512;
const SCRUB_INTERVAL_MS = 3_600_000;
const SCRUB_BYTES_PER_SECOND = 4 * 1024 * 1024;
/** As long as a timer of Node can wait. */
const SCRUB_INTERVAL_MS_MAX = 2 ** 31 - 1;

export interface FileStorageOptions {
  /** Made when it is missing. One replica, one directory. */
  readonly directory: string;
  /** How blocks are kept; fixed when the storage is created. Default `files`. */
  readonly backend?: 'files' | 'level';
  /**
   * How new blocks are compressed, where that pays; old ones stay readable. `zstd` needs Node 22.15, 23.8, or
   * 24 and later, and so does whoever opens the directory from then on. Default `none`.
   */
  readonly codec?: CodecName;
  /** Independent logs that groups are spread over; fixed when the storage is created. Default 1, at most 64. */
  readonly shards?: number;
  /**
   * A file of the `files` backend that has grown to this is followed by another, and goes as a whole once
   * snapshots have made all of it useless. Default 64 MiB, at least 512 bytes; may change at any time.
   */
  readonly segmentBytes?: number;
  /**
   * Milliseconds from the end of a scrub, which reads all blocks of open logs and so finds damage that nobody has met
   * yet, to the next; and before the first. What is damaged is told as if it had been read, and repaired from
   * other replicas. 0: never. Default one hour.
   */
  readonly scrubIntervalMs?: number;
  /** How fast a scrub reads, in bytes a second. Default 4 MiB, at least 1 KiB. */
  readonly scrubBytesPerSecond?: number;
  /**
   * When less than this is free where the directory is, the replica steps aside until half as much again is
   * (docs/disk-space.md). 0: never. Default 128 MiB, but not more than a twentieth of the disk.
   */
  readonly reserveBytes?: number;
  /** The machine's own by default; a simulation brings its own. */
  readonly doors?: StorageDoors;
}

/**
 * A storage in a directory of this machine.
 *
 * @throws StorageRefused (`wrong-options`) with every mistake in the options.
 */
export function fileStorage(options: FileStorageOptions): Storage {
  const mistakes = mistakesIn(options);
  if (mistakes.length > 0) {
    throw new StorageRefused('wrong-options', `invalid storage options:\n${mistakes.join('\n')}`);
  }
  const settings = {
    directory: options.directory,
    backend: options.backend ?? 'files',
    codec: options.codec ?? 'none',
    shards: options.shards ?? 1,
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    scrub: {
      intervalMs: options.scrubIntervalMs ?? SCRUB_INTERVAL_MS,
      bytesPerSecond: options.scrubBytesPerSecond ?? SCRUB_BYTES_PER_SECOND,
    },
    reserveBytes: options.reserveBytes ?? null,
    doors: options.doors ?? nodeStorageDoors(),
  } as const;
  return { open: (request) => openDirectory(settings, request) };
}

export interface FileStorageSettings {
  readonly directory: string;
  readonly backend: 'files' | 'level';
  readonly codec: CodecName;
  readonly shards: number;
  readonly segmentBytes: number;
  readonly scrub: ScrubPace;
  /** null: the default, which depends on the disk. */
  readonly reserveBytes: number | null;
  readonly doors: StorageDoors;
  /**
   * Only the log is wanted, of a copy that no replica is started on: it is read in full, since there is nobody to repair
   * what a later read finds damaged; and it is opened also where term and vote are lost, with no vote, in the highest
   * term that a block was written in.
   */
  readonly logAlone?: true;
}

/** @throws StorageRefused */
export async function openDirectory(
  settings: FileStorageSettings,
  request: StorageOpenRequest,
): Promise<FileStorageInstance> {
  const { directory, doors } = settings;
  refuseBadName('id', request.id);
  try {
    await doors.disk.makeDirectory(directory);
    await doors.disk.syncDirectory(parentOf(directory));
    const lock = await doors.disk.lock(directory);
    try {
      const found = await readIdentity(doors.disk, directory);
      if (found.kind === 'found') refuseOthers(settings, request, found.identity);
      const instance = await openFound(settings, request, found, lock).catch(async (error: unknown) => {
        if (request.putAside !== true || !(error instanceof StorageRefused)) throw error;
        const { lostPromises } = error;
        if (lostPromises === null) throw error;
        const clusterId = found.kind === 'found' ? found.identity.clusterId : null;
        // The cluster that it was part of is the only one that it may be let into.
        const begun = { ...newIdentity(settings, request.id), clusterId };
        const identity = await putAside(settings, begun, lostPromises.what);
        return openIdentity(settings, identity, { isNew: true, lock });
      });
      if (request.onSpace !== undefined) instance.watchSpace(request.onSpace);
      return instance;
    } catch (error) {
      await lock.release().catch(() => {});
      throw error;
    }
  } catch (error) {
    throw asRefusal(directory, error);
  }
}

/** @throws StorageRefused */
async function openFound(
  settings: FileStorageSettings,
  request: StorageOpenRequest,
  found: FoundIdentity,
  lock: DirectoryLock,
): Promise<FileStorageInstance> {
  if (found.kind === 'damaged') {
    const what = 'the identity file is damaged, so it is not known whose storage this is';
    throw new StorageRefused(
      'damaged',
      `${settings.directory}: ${what}. ` +
        'Keep a copy; replace this replica, or restore the directory from where it is intact.',
      { lostPromises: { what, configurations: [] } },
    );
  }
  const before = found.kind === 'found' ? found.identity : null;
  const known = before?.incarnation === request.forget ? null : before;
  const identity = known ?? newIdentity(settings, request.id, before?.putAside);
  if (before === null) return openIdentity(settings, identity, { isNew: true, lock });
  if (identity.boot > 0) return openIdentity(settings, identity, { isNew: false, lock });
  const isToBeMoved = identity.putAside?.isMoved === false;
  if (!isToBeMoved) await forgetStorage(settings, identity);
  const rid = isToBeMoved ? await finishPuttingAside(settings, identity) : identity;
  return openIdentity(settings, rid, { isNew: true, lock });
}

function openIdentity(
  settings: FileStorageSettings,
  identity: IdentityRecord,
  how: { readonly isNew: boolean; readonly lock: DirectoryLock },
): Promise<FileStorageInstance> {
  return FileStorageInstance.open(settings, { identity, seed: seedOf(identity.incarnation), ...how });
}

/** @param putAside - what was put aside stays so for ever, whoever comes after it in its directory. */
function newIdentity(
  { doors, shards, backend }: FileStorageSettings,
  id: NodeId,
  putAside?: IdentityRecord['putAside'],
): IdentityRecord {
  const incarnation = Buffer.from(doors.random.bytes(8)).toString('hex');
  const fresh = { format: FORMAT_VERSION, id, incarnation, boot: 0, clusterId: null, shards, backend };
  return putAside === undefined ? fresh : { ...fresh, putAside };
}

/** Also what cannot be changed once a storage is created. */
function refuseOthers(
  { directory, shards, backend }: FileStorageSettings,
  request: StorageOpenRequest,
  identity: IdentityRecord,
): void {
  if (identity.format !== FORMAT_VERSION) {
    throw new StorageRefused(
      'other-format',
      `${directory} has format ${identity.format}; this version reads format ${FORMAT_VERSION}`,
    );
  }
  if (identity.id !== request.id) {
    throw new StorageRefused(
      'other-replica',
      `${directory} belongs to replica ${identity.id}, not to ${request.id}. Check the id and the directory.`,
    );
  }
  if (
    request.clusterId !== undefined &&
    identity.clusterId !== null &&
    identity.clusterId !== request.clusterId
  ) {
    throw new StorageRefused(
      'other-cluster',
      `${directory} belongs to cluster ${identity.clusterId}, not to ${request.clusterId}. Check the directory.`,
    );
  }
  if (identity.backend !== backend || identity.shards !== shards) {
    throw new StorageRefused(
      'wrong-options',
      `${directory} was created with backend ${identity.backend} and ${identity.shards} shards, ` +
        `not with ${backend} and ${shards}; these cannot be changed. Open it with what it was created with.`,
    );
  }
}

/** Every option there is; one that is missing here does not compile. */
const KNOWN: Readonly<Record<keyof FileStorageOptions, true>> = {
  directory: true,
  backend: true,
  codec: true,
  shards: true,
  segmentBytes: true,
  scrubIntervalMs: true,
  scrubBytesPerSecond: true,
  reserveBytes: true,
  doors: true,
};

function mistakesIn(options: FileStorageOptions): string[] {
  if (!isOptions(options)) return [`- expected an object of options, found ${shown(options)}`];
  const { directory, backend, codec, shards, segmentBytes, reserveBytes } = options;
  const mistakes = unknownOptions(options, Object.keys(KNOWN), '- ');
  if (options.doors !== undefined && !isOptions(options.doors)) {
    mistakes.push(`- doors: found ${shown(options.doors)}, expected an object`);
  }
  if (typeof directory !== 'string' || directory === '')
    mistakes.push(`- directory: found ${shown(directory)}, expected a path`);
  if (backend !== undefined && backend !== 'files' && backend !== 'level') {
    mistakes.push(`- backend: found ${shown(backend)}, expected "files" or "level"`);
  }
  const { work } = isOptions(options.doors) ? options.doors : nodeStorageDoors();
  if (codec !== undefined && !(typeof codec === 'string' && Object.hasOwn(codecs, codec))) {
    mistakes.push(`- codec: found ${shown(codec)}, expected "none", "gzip" or "zstd"`);
  } else if (codec === 'zstd' && work.zstd === null) {
    mistakes.push(`- codec: "zstd" needs ${nodesWithZstd}; this Node does not have it`);
  }
  if (shards !== undefined && !(Number.isInteger(shards) && shards >= 1 && shards <= 64)) {
    mistakes.push(`- shards: found ${shown(shards)}, expected a whole number from 1 to 64`);
  }
  if (
    segmentBytes !== undefined &&
    !(Number.isSafeInteger(segmentBytes) && segmentBytes >= SEGMENT_BYTES_MIN)
  ) {
    mistakes.push(
      `- segmentBytes: found ${shown(segmentBytes)}, expected a whole number from ${SEGMENT_BYTES_MIN}`,
    );
  }
  if (reserveBytes !== undefined && !(Number.isSafeInteger(reserveBytes) && reserveBytes >= 0)) {
    mistakes.push(`- reserveBytes: found ${shown(reserveBytes)}, expected a whole number from 0`);
  }
  return [...mistakes, ...mistakesInScrub(options)];
}

function mistakesInScrub({ scrubIntervalMs, scrubBytesPerSecond }: FileStorageOptions): string[] {
  const mistakes: string[] = [];
  const isWithin = (value: number, least: number, most: number): boolean =>
    Number.isSafeInteger(value) && value >= least && value <= most;
  if (scrubIntervalMs !== undefined && !isWithin(scrubIntervalMs, 0, SCRUB_INTERVAL_MS_MAX)) {
    mistakes.push(
      `- scrubIntervalMs: found ${shown(scrubIntervalMs)}, expected a whole number from 0 to ${SCRUB_INTERVAL_MS_MAX}`,
    );
  }
  const bytesMax = Number.MAX_SAFE_INTEGER;
  if (scrubBytesPerSecond !== undefined && !isWithin(scrubBytesPerSecond, 1024, bytesMax)) {
    mistakes.push(
      `- scrubBytesPerSecond: found ${shown(scrubBytesPerSecond)}, expected a whole number from 1024`,
    );
  }
  return mistakes;
}
