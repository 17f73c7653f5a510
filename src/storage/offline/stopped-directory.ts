import type { DirectoryLock, Disk } from '../../doors/disk.ts';
import type { Entry } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { Backend, Scan } from '../disk/backends/backend.ts';
import { makeBackend } from '../disk/backends/make-backend.ts';
import { unreadableShard } from '../disk/backends/unreadable.ts';
import { SEGMENT_BYTES } from '../disk/file-storage.ts';
import type { FloorRecord } from '../disk/floor-file.ts';
import { FoundBlocks } from '../disk/found-blocks.ts';
import { groupsIn, type RecordPlaces, readRecords } from '../disk/group-records.ts';
import { HardStateFiles, hardStateNames } from '../disk/hard-state-file.ts';
import { FORMAT_VERSION, type IdentityRecord, readIdentity, seedOf } from '../disk/identity-file.ts';
import { MarkFile } from '../disk/mark-file.ts';
import { type FoundHardState, type Records, recover, type Verdict } from '../disk/recover.ts';
import { noDatabase, noFolder, scanShard } from '../disk/scan-shard.ts';
import { shardNumberOf } from '../disk/shard-number.ts';
import type { StorageDoors } from '../disk/storage-doors.ts';
import { entriesOf, type StoredBlock } from '../disk/stored-block.ts';
import { InspectionRefused } from '../errors.ts';
import { codeOf, copyFolder, namesIn, removeFolder } from './folder-tree.ts';
import { readOnlyDisk } from './read-only-disk.ts';

/** How a long reading gets on. */
export interface Progress {
  readonly doing: string;
  readonly done: number;
  readonly all: number;
}

export interface ReadingOptions {
  /** The machine's own, but for simulations. */
  readonly doors: StorageDoors;
  /** A folder for copies, not there yet; it is gone afterwards. A LevelDB writes when it is opened. */
  readonly scratch: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** A shard as it was found. */
export interface StoppedShard {
  readonly number: number;
  readonly backend: Backend;
  readonly found: FoundBlocks;
  /** Why not all of it can be read; null when it was read. */
  readonly broken: string | null;
}

/** What the disk shows of one group, and what that means. */
export interface JudgedGroup {
  readonly group: GroupId;
  readonly shard: StoppedShard;
  /** Of blocks and floor alone; a snapshot may make up for what is missing, or be missing itself. */
  readonly verdict: Verdict;
  readonly records: Records;
  readonly hardState: FoundHardState;
  readonly floor: FloorRecord | null;
}

/** A directory whose identity is gone, so that nothing in it can be told from another's. */
export interface NamelessDirectory {
  readonly directory: string;
  readonly identity: null;
  readonly damage: string;
}

/**
 * Reads the directory of a stopped replica as opening it would, and changes no byte of it. No replica is started on
 * it meanwhile, if one ever was.
 *
 * @throws InspectionRefused; the signal's reason; errors of the disk.
 */
export async function withStoppedDirectory<T>(
  directory: string,
  options: ReadingOptions,
  use: (found: StoppedDirectory | NamelessDirectory) => Promise<T>,
): Promise<T> {
  const disk = readOnlyDisk(options.doors.disk);
  try {
    const names = await namesOf(disk, directory);
    const lock = await disk.lock(directory);
    return await released(directory, lock, async () => {
      const identity = await identityOf(disk, directory, names);
      if (typeof identity === 'string') return use({ directory, identity: null, damage: identity });
      const stopped = new StoppedDirectory(directory, identity, disk, options);
      try {
        await stopped.read();
        return await use(stopped);
      } finally {
        await stopped.close();
      }
    });
  } catch (error) {
    throw asRefusal(directory, error);
  }
}

export class StoppedDirectory {
  readonly directory: string;
  readonly identity: IdentityRecord;
  readonly disk: Disk;
  /** What checksums of this storage begin with. */
  readonly seed: number;
  readonly shards: StoppedShard[] = [];
  readonly #options: ReadingOptions;
  #places: RecordPlaces | null = null;

  constructor(directory: string, identity: IdentityRecord, disk: Disk, options: ReadingOptions) {
    this.directory = directory;
    this.identity = identity;
    this.disk = disk;
    this.seed = seedOf(identity.incarnation);
    this.#options = options;
  }

  async read(): Promise<void> {
    const { directory, disk, seed } = this;
    const hardStates = await HardStateFiles.open(disk, directory, seed);
    const { clock } = this.#options.doors;
    const marks = await MarkFile.open(disk, `${directory}/mark`, seed, { clock, onFailed: () => {} });
    this.#places = { disk, directory, seed, hardStates, marks };
    const { shards } = this.identity;
    for (let number = 0; number < shards; number += 1) {
      this.step({ doing: 'reading shards', done: number, all: shards });
      this.shards.push(await this.#readShard(number));
    }
  }

  /** Of which anything is there, sorted. */
  get groups(): GroupId[] {
    return groupsIn(this.#opened(), this.shards);
  }

  async judge(group: GroupId): Promise<JudgedGroup> {
    const shard = this.shards[shardNumberOf(group, this.identity.shards)];
    if (shard === undefined) throw new Error(`there is no shard for group ${group}`);
    const { hardStates } = this.#opened();
    const { records: found, floor } = await readRecords(group, this.#opened(), shard.found);
    // With none of the two files there is no telling whether it voted.
    const isLost = !(await HardStateFiles.exist(this.disk, this.directory));
    const hardState: FoundHardState = isLost ? { kind: 'damaged' } : hardStates.find(group);
    const records = { ...found, hardState };
    return { group, shard, verdict: recover(records), records, hardState, floor };
  }

  /** The entries of a block that was found whole. @throws Error when they cannot be read or decoded. */
  entriesOf({ backend }: StoppedShard, block: StoredBlock): Promise<Entry[]> {
    return entriesOf(block, { backend, work: this.#options.doors.work });
  }

  /** Before each piece of work. @throws the signal's reason. */
  step(progress: Progress): void {
    this.#options.signal?.throwIfAborted();
    this.#options.onProgress?.(progress);
  }

  async close(): Promise<void> {
    const places = this.#places;
    const closing = [places?.hardStates.close(), places?.marks.close()];
    await Promise.allSettled([...closing, ...this.shards.map(({ backend }) => backend.close())]);
    await removeFolder(this.#options.doors.disk, this.#options.scratch);
  }

  async #readShard(number: number): Promise<StoppedShard> {
    const name = `shard-${number}`;
    const path = `${this.directory}/${name}`;
    const isThere = (await namesIn(this.disk, path)) !== null;
    const { backend } = this.identity;
    // A database opens itself as soon as it is made, so not even one of a missing folder is made in the directory.
    const folder = backend === 'level' ? `${this.#options.scratch}/${name}` : path;
    if (backend === 'level' && isThere) await this.#copy(name, folder);
    const doors = { ...this.#options.doors, disk: this.disk };
    const opened = makeBackend({ backend, segmentBytes: SEGMENT_BYTES, doors }, folder, this.seed);
    const shard = (scan: Scan): StoppedShard => {
      const broken = scan.unreadable?.replaceAll(this.#options.scratch, this.directory) ?? null;
      return { number, backend: opened, found: new FoundBlocks(scan), broken };
    };
    if (!isThere) {
      return shard(unreadableShard(noFolder(name)));
    }
    try {
      return shard(await scanShard(opened, name, { isThorough: true }));
    } catch (error) {
      const why = this.#whyBroken(error);
      if (why === null) throw error;
      return shard(unreadableShard(noDatabase(name, why)));
    }
  }

  /** What of a copied database makes it unreadable; null for what a disk or a system did. */
  #whyBroken(error: unknown): string | null {
    const cause = rootOf(error);
    // Whatever stands in the directory was copied, so what LevelDB does not find is not there.
    const isDamage = cause.code === 'LEVEL_CORRUPTION' || cause.code === 'LEVEL_IO_ERROR';
    if (!isDamage || /no space left|too many open files/i.test(cause.message)) return null;
    return cause.message;
  }

  async #copy(name: string, to: string): Promise<void> {
    const { scratch, signal, doors } = this.#options;
    try {
      await copyFolder(doors.disk, { from: `${this.directory}/${name}`, to }, { signal });
    } catch (cause) {
      if (codeOf(cause) !== 'ENOSPC' && codeOf(cause) !== 'EDQUOT') throw cause;
      throw new InspectionRefused(
        'no-room',
        `${this.directory}: LevelDB writes when it is opened, so ${name} is read from a copy, for which there is no ` +
          `room in ${scratch}. Set TMPDIR to a folder that has room for it.`,
        { cause },
      );
    }
  }

  #opened(): RecordPlaces {
    if (this.#places === null) throw new Error('the directory is not read yet');
    return this.#places;
  }
}

async function namesOf(disk: Disk, directory: string): Promise<string[]> {
  let names: string[] | null;
  try {
    names = await namesIn(disk, directory);
  } catch (cause) {
    if (codeOf(cause) !== 'ENOTDIR') throw cause;
    throw notAStorage(`${directory} is a file. Name the directory that fileStorage was given.`);
  }
  if (names === null) throw notAStorage(`${directory}: there is no such directory`);
  if (names.length === 0) throw notAStorage(`${directory} is empty: no replica ever ran on it`);
  return names;
}

/** Text says what is wrong with it. */
async function identityOf(
  disk: Disk,
  directory: string,
  names: readonly string[],
): Promise<IdentityRecord | string> {
  const found = await readIdentity(disk, directory);
  if (found.kind === 'damaged') {
    return 'the identity file is damaged, so it is not known whose storage this is, and nothing else can be checked';
  }
  if (found.kind === 'none') {
    if (await hasLog(disk, directory, names)) {
      return 'the identity file is missing, but there is a log. Without it nothing else can be checked';
    }
    throw notAStorage(await describeOther(disk, directory, names));
  }
  const { format } = found.identity;
  if (format === FORMAT_VERSION) return found.identity;
  throw new InspectionRefused(
    'other-format',
    `${directory} has format ${format}; this version reads format ${FORMAT_VERSION}. Use the version that wrote it.`,
  );
}

/** The identity is written last when a storage is made: before it these files are there, and empty. */
async function hasLog(disk: Disk, directory: string, names: readonly string[]): Promise<boolean> {
  for (const name of [...hardStateNames, 'mark']) {
    if (!names.includes(name)) continue;
    const file = await disk.open(`${directory}/${name}`);
    const size = await file.size().finally(() => file.close());
    if (size > 0) return true;
  }
  return false;
}

async function describeOther(disk: Disk, directory: string, names: readonly string[]): Promise<string> {
  const some = names.slice(0, 3).join(', ');
  const inner: string[] = [];
  for (const name of names.slice(0, 100)) {
    const within = await namesIn(disk, `${directory}/${name}`).catch(() => null);
    if (within?.includes('identity')) inner.push(`${directory}/${name}`);
  }
  const advice = inner.length > 0 ? `Did you mean ${inner.join(' ')}?` : 'Check the path.';
  return `${directory} is no directory of a replica: it has no identity file, but ${some}. ${advice}`;
}

async function released<T>(directory: string, lock: DirectoryLock, body: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await body();
  } catch (error) {
    await lock.release().catch(() => {});
    throw error;
  }
  try {
    await lock.release();
  } catch (cause) {
    if (codeOf(cause) !== 'ELOCKED') throw cause;
    throw new InspectionRefused(
      'in-use',
      `${directory}: a replica was started on it meanwhile. Stop it first.`,
      {
        cause,
      },
    );
  }
  return result;
}

function notAStorage(message: string): InspectionRefused {
  return new InspectionRefused('not-a-storage', message);
}

function asRefusal(directory: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'ELOCKED') {
    return new InspectionRefused(
      'in-use',
      `${directory} is in use: a replica runs on it. Stop that replica first.`,
      {
        cause: error,
      },
    );
  }
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') return error;
  return new InspectionRefused(
    'unreadable',
    `${directory} cannot be read: ${(error as Error).message}. Every file must be readable, and ${directory}/lock/LOCK ` +
      'writable too, since that is how it is made sure that no replica runs. Do it as the user of the replica.',
    { cause: error },
  );
}

/** abstract-level wraps what LevelDB said, and a refusal wraps that. */
function rootOf(error: unknown): Error & { readonly code?: string } {
  let root = error as Error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}
