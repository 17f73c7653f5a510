import { sha256 } from '../../doors/digest.ts';
import type { Disk, DiskFile } from '../../doors/disk.ts';
import type { Index } from '../../raft/entry.ts';
import { type SnapshotMeta, sameSnapshot } from '../../raft/snapshot.ts';
import type { LogPosition, SnapshotStorage } from '../contract.ts';
import { SnapshotDamaged, SnapshotMismatch, StorageFailed } from '../errors.ts';
import { type ExpectedContent, refuseLongerContent, refuseOtherContent } from '../expected-content.ts';
import { rangeWithin, type SnapshotRange } from '../snapshot-range.ts';
import type { ContentSums } from './content-sums.ts';
import { encodeRecord } from './record.ts';
import { checkSnapshot } from './snapshot-check.ts';
import {
  contentOffset,
  isSnapshotName,
  placeOfName,
  readSnapshotRecord,
  type SnapshotPlace,
  snapshotName,
} from './snapshot-record.ts';

const ASIDE = '.new';
/** Synced that often: one sync of gigabytes would hold up those of the log. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/**
 * Snapshots as files, one each, and few of them: the newest, the oldest that no floor passed, the one that
 * was read last, which may be on its way to a follower, and those that are held. In a file is room for the meta record, then the
 * content. The content is streamed to a file aside, then comes the record with size and digest, then sync,
 * rename, sync of the folder. A file aside is no snapshot; one that does not match its record and its digest
 * is passed over.
 *
 * A range that is read is checked where the whole was found good since the storage was opened, as the latest and those
 * written since were. Of others it is not: whoever puts a whole together compares its digest.
 */
export class SnapshotFiles implements SnapshotStorage {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #seed: number;
  readonly #failure: () => StorageFailed | null;
  /** The last one found good. */
  #verified: SnapshotMeta | null = null;
  /** Newer than the latest, and not whole: the last entry of the newest of them, by its name. */
  #damagedAhead: LogPosition | null = null;
  /** Of those found good, by name. */
  readonly #sums = new Map<string, { readonly meta: SnapshotMeta; readonly sums: ContentSums }>();
  /** The highest durable floor that was told. */
  #floor: Index = 0;
  /** The name of the one read last. */
  #lastRead: string | null = null;
  readonly #held = new Set<{ readonly name: string }>();
  /** Not told as durable yet: nothing of theirs is removed by others. */
  readonly #writes = new Set<{ readonly name: string }>();
  #thinning: Promise<void> = Promise.resolve();
  #folderIsDurable = false;
  #cleared: Promise<void> | null = null;
  #asides = 0;
  /** Names given, and how many of them are durable: an earlier process may have left one that is not. */
  #renames = 1;
  #durableRenames = 0;
  readonly #underWay = new Set<Promise<unknown>>();

  /** @param failure - why nothing may be touched any more: the storage failed, or is closed. */
  constructor(
    disk: Disk,
    place: {
      readonly directory: string;
      /** What the checksums of this storage's records begin with. */
      readonly seed: number;
      readonly failure: () => StorageFailed | null;
    },
  ) {
    this.#disk = disk;
    this.#directory = place.directory;
    this.#seed = place.seed;
    this.#failure = place.failure;
  }

  async latest(): Promise<SnapshotMeta | null> {
    this.#damagedAhead = null;
    if (!(await this.#prepare())) return null;
    for (const name of (await this.#names()).reverse()) {
      if (this.#verified !== null && snapshotName(this.#verified) === name) return this.#verified;
      const meta = await this.#verify(name);
      if (meta === 'changed') this.#damagedAhead ??= placeOfName(name);
      if (meta === 'missing' || meta === 'changed') continue;
      this.#verified = meta;
      return meta;
    }
    return null;
  }

  /** As `latest` found it the last time: a damaged snapshot that is newer than that one; null when there is none. */
  get damagedAhead(): LogPosition | null {
    return this.#damagedAhead;
  }

  async read(meta: SnapshotMeta, range: SnapshotRange): Promise<Uint8Array> {
    const { offset, length } = rangeWithin(range, meta.size);
    const name = snapshotName(meta);
    // Whoever holds one needs no second place for it.
    if (![...this.#held].some((hold) => hold.name === name)) this.#lastRead = name;
    const file = await this.#openIfThere(name);
    if (file === null) throw new SnapshotMismatch(`${this.#path(name)} is not kept any more`);
    return closing(file, async () => {
      if (!(await this.#holds(file, meta))) {
        throw new SnapshotMismatch(`${this.#path(name)} is another snapshot than that of ${meta.digest}`);
      }
      return this.#readContent(file, meta, { offset, length });
    });
  }

  async #readContent(file: DiskFile, meta: SnapshotMeta, range: SnapshotRange): Promise<Uint8Array> {
    const { offset, length } = range;
    const name = snapshotName(meta);
    const known = this.#sums.get(name);
    const sums = known !== undefined && sameSnapshot(known.meta, meta) ? known.sums : null;
    const wider = length === 0 || sums === null ? range : sums.around(range);
    const bytes = await this.#step(`reading ${name}`, () =>
      file.read(contentOffset(meta) + wider.offset, wider.length),
    );
    const first = offset - wider.offset;
    const isThere = bytes.length >= first + length;
    const isRight = sums === null || (bytes.length === wider.length && sums.match(wider.offset, bytes));
    if (isThere && isRight) return bytes.subarray(first, first + length);
    // It is not the latest any more: the next that asks for that has every byte of it read again.
    if (this.#verified !== null && sameSnapshot(this.#verified, meta)) this.#verified = null;
    throw new SnapshotDamaged(
      isThere
        ? `${this.#path(name)} was changed after it was written: bytes ${offset} to ${offset + length} of its content, or some beside them`
        : `${this.#path(name)} ends before byte ${offset + length} of its content`,
    );
  }

  async hold(meta: SnapshotMeta): Promise<() => void> {
    const hold = { name: snapshotName(meta) };
    this.#held.add(hold);
    const release = (): void => {
      // What cannot be removed now goes with the next that can: nobody waits for it.
      if (this.#held.delete(hold)) this.#thin().catch(() => {});
    };
    try {
      // A removal that was decided before may be under way: what is there after it stays.
      await this.#thinning.catch(() => {});
      await this.read(meta, { offset: 0, length: 0 });
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  async write(
    at: SnapshotPlace,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    expected?: ExpectedContent,
  ): Promise<SnapshotMeta> {
    const write = { name: snapshotName(at) };
    this.#writes.add(write);
    try {
      const meta = await this.#write(write.name, { at, chunks, expected });
      if (this.#verified !== null && snapshotName(this.#verified) >= write.name) return meta;
      this.#verified = meta;
      await this.#thin();
      return meta;
    } finally {
      this.#writes.delete(write);
    }
  }

  /** A floor became durable: what lies below it is of no use, but for the only good one. */
  async dropBelow(index: Index): Promise<void> {
    this.#floor = Math.max(this.#floor, index);
    await this.#thin();
  }

  /** Nothing is under way on the disk any more; nothing begins once the storage has failed. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /**
   * Removes what an interrupted write left, and makes the names durable that an earlier process may have
   * left in the cache only: a floor may come to stand on them.
   *
   * @returns whether there is a folder.
   */
  async #prepare(): Promise<boolean> {
    if ((await this.#list()) === null) return false;
    this.#cleared ??= this.#removeLeftovers();
    try {
      await this.#cleared;
    } catch (error) {
      this.#cleared = null;
      throw error;
    }
    if (this.#durableRenames < this.#renames) await this.#syncNames();
    return true;
  }

  async #makeFolder(): Promise<void> {
    if (this.#folderIsDurable) return;
    const parent = this.#directory.slice(0, this.#directory.lastIndexOf('/'));
    await this.#step('making the folder', async () => {
      await this.#disk.makeDirectory(this.#directory);
      await this.#disk.syncDirectory(parent);
    });
    this.#folderIsDurable = true;
  }

  async #removeLeftovers(): Promise<void> {
    for (const name of (await this.#list()) ?? []) if (name.endsWith(ASIDE)) await this.#remove(name);
  }

  async #syncNames(): Promise<void> {
    const renames = this.#renames;
    await this.#step('syncing the folder', () => this.#disk.syncDirectory(this.#directory));
    this.#durableRenames = Math.max(this.#durableRenames, renames);
  }

  async #write(name: string, content: NewContent): Promise<SnapshotMeta> {
    await this.#makeFolder();
    await this.#prepare();
    this.#asides += 1;
    const aside = `${name}.${this.#asides}${ASIDE}`;
    let meta: SnapshotMeta;
    try {
      const file = await this.#step(`opening ${aside}`, () =>
        this.#disk.open(this.#path(aside), { create: true }),
      );
      meta = await closing(file, () => this.#stream(file, content));
      await this.#rename(aside, name);
    } catch (error) {
      // If it stays, it goes when the storage is opened again.
      await this.#remove(aside).catch(() => {});
      throw error;
    }
    await this.#syncNames();
    const found = await this.#verify(name);
    if (found === 'changed') {
      throw new StorageFailed(`${this.#path(name)} does not read back as it was written`);
    }
    if (found === 'missing' || found.digest !== meta.digest) {
      throw new SnapshotMismatch(
        `${this.#path(name)} went as soon as it was there: a floor passed it, or another took its place`,
      );
    }
    return meta;
  }

  /** One after another: two would remove the same file. */
  #thin(): Promise<void> {
    this.#thinning = this.#thinning.catch(() => {}).then(() => this.#removeSuperfluous());
    return this.#thinning;
  }

  /**
   * Removes those older than the last one found good, which is durable: what lies between it and the oldest
   * that no floor passed serves nobody. Nothing goes while a floor is ahead of it: it is not the newest then.
   */
  async #removeSuperfluous(): Promise<void> {
    // Only what is known already: this is no time to read a whole snapshot.
    const good = this.#verified;
    if (good === null || good.index < this.#floor) return;
    const newest = snapshotName(good);
    const floor = snapshotName({ index: this.#floor, term: 0 });
    const older = (await this.#names()).filter((name) => name < newest);
    const kept = [older.find((name) => name >= floor), this.#lastRead];
    for (const name of older) {
      if (name >= floor && kept.includes(name)) continue;
      const isNamed = (one: { readonly name: string }): boolean => one.name === name;
      if ([...this.#held, ...this.#writes].some(isNamed)) continue;
      await this.#remove(name);
    }
  }

  async #stream(file: DiskFile, { at, chunks, expected }: NewContent): Promise<SnapshotMeta> {
    const contentAt = contentOffset(at);
    const digest = sha256();
    let size = 0;
    let unsynced = 0;
    for await (const chunk of chunks) {
      refuseLongerContent(size + chunk.length, expected);
      await this.#step('writing a snapshot', () => file.write(contentAt + size, chunk));
      digest.update(chunk);
      size += chunk.length;
      unsynced += chunk.length;
      if (unsynced < SYNC_EVERY_BYTES) continue;
      await this.#step('syncing a snapshot', () => file.sync());
      unsynced = 0;
    }
    const { index, term, configuration } = at;
    const meta: SnapshotMeta = { index, term, configuration, size, digest: digest.finish() };
    refuseOtherContent(meta, expected);
    await this.#step('syncing a snapshot', async () => {
      await file.write(0, encodeRecord(meta, this.#seed));
      await file.sync();
    });
    return meta;
  }

  #rename(aside: string, name: string): Promise<void> {
    return this.#step(`renaming ${aside}`, () => {
      this.#renames += 1;
      if (this.#verified !== null && snapshotName(this.#verified) === name) this.#verified = null;
      return this.#disk.rename(this.#path(aside), this.#path(name));
    });
  }

  /** `changed` when it is not what was once written under that name. */
  async #verify(name: string): Promise<SnapshotMeta | 'missing' | 'changed'> {
    const file = await this.#openIfThere(name);
    if (file === null) return 'missing';
    const checked = await closing(file, () =>
      checkSnapshot(name, this.#seed, (offset, length) =>
        this.#step(`reading ${name}`, () => file.read(offset, length)),
      ),
    );
    if (!checked.isWhole) return 'changed';
    this.#sums.set(name, checked);
    return checked.meta;
  }

  /** Whether an open file is of that very snapshot: one of the same index and term may take its place. */
  async #holds(file: DiskFile, meta: SnapshotMeta): Promise<boolean> {
    const known = this.#verified;
    if (known !== null && sameSnapshot(known, meta)) return true;
    const found = await this.#recordOf(file);
    return found !== null && sameSnapshot(found, meta);
  }

  #recordOf(file: DiskFile): Promise<SnapshotMeta | null> {
    return readSnapshotRecord(
      (offset, length) => this.#step('reading a snapshot', () => file.read(offset, length)),
      this.#seed,
    );
  }

  #openIfThere(name: string): Promise<DiskFile | null> {
    return this.#step(`opening ${name}`, () => this.#disk.open(this.#path(name)).catch(nullWhenMissing));
  }

  #remove(name: string): Promise<void> {
    this.#sums.delete(name);
    return this.#step(`removing ${name}`, () => this.#disk.remove(this.#path(name)));
  }

  /** In the order of their indexes. */
  async #names(): Promise<string[]> {
    return ((await this.#list()) ?? []).filter((name) => isSnapshotName(name)).sort();
  }

  /** null when there is no folder. */
  #list(): Promise<string[] | null> {
    return this.#step('listing the folder', () => this.#disk.list(this.#directory).catch(nullWhenMissing));
  }

  /** One step on the disk; none is taken once the storage has failed or is closed. */
  async #step<T>(what: string, take: () => Promise<T>): Promise<T> {
    const failure = this.#failure();
    if (failure !== null) throw failure;
    const step = take();
    this.#underWay.add(step);
    try {
      return await step;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StorageFailed(`${this.#directory}: ${what} failed: ${why}`, { cause });
    } finally {
      this.#underWay.delete(step);
    }
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

interface NewContent {
  readonly at: SnapshotPlace;
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly expected: ExpectedContent | undefined;
}

async function closing<T>(file: DiskFile, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } finally {
    await file.close();
  }
}

function nullWhenMissing(error: { readonly code?: unknown }): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
