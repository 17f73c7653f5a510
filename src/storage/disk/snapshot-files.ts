import { sha256 } from '../../doors/digest.ts';
import type { Disk, DiskFile } from '../../doors/disk.ts';
import type { Index } from '../../raft/entry.ts';
import type { SnapshotMeta, SnapshotStorage } from '../contract.ts';
import { StorageFailed } from '../errors.ts';
import { rangeWithin, type SnapshotRange } from '../snapshot-range.ts';
import { decodeRecord, encodeRecord } from './record.ts';

const NAME = /^\d{16}-\d{16}\.snapshot$/;
const ASIDE = '.new';
/** Where the content begins: before it stands the meta record. */
const CONTENT_AT = 64 * 1024;
const READ_BYTES = 1024 * 1024;

type SnapshotPlace = Pick<SnapshotMeta, 'index' | 'term' | 'configuration'>;

/**
 * Snapshots as files, one each: room for the meta record, then the content. The content is streamed to a
 * file aside, then comes the record with size and digest, then sync, rename, sync of the folder. A file
 * aside is no snapshot; one that does not match its record and its digest is passed over.
 *
 * A range that is read is not checked by itself: whoever puts a whole together compares its digest.
 */
export class SnapshotFiles implements SnapshotStorage {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #seed: number;
  readonly #failure: () => StorageFailed | null;
  /** The last one found good. */
  #verified: SnapshotMeta | null = null;
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
    if (!(await this.#prepare())) return null;
    for (const name of (await this.#names()).reverse()) {
      if (this.#verified !== null && nameOf(this.#verified) === name) return this.#verified;
      const meta = await this.#verify(name);
      if (meta === null) continue;
      this.#verified = meta;
      return meta;
    }
    return null;
  }

  async read(meta: SnapshotMeta, range: SnapshotRange): Promise<Uint8Array> {
    const { offset, length } = rangeWithin(range, meta.size);
    const name = nameOf(meta);
    return this.#withFile(name, {}, async (file) => {
      const bytes = await this.#step(`reading snapshot ${name}`, () =>
        file.read(CONTENT_AT + offset, length),
      );
      if (bytes.length === length) return bytes;
      throw new StorageFailed(`${this.#path(name)} ends before byte ${offset + length} of its content`);
    });
  }

  async write(
    at: SnapshotPlace,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<SnapshotMeta> {
    await this.#makeFolder();
    await this.#prepare();
    const name = nameOf(at);
    this.#asides += 1;
    const aside = `${name}.${this.#asides}${ASIDE}`;
    let meta: SnapshotMeta;
    try {
      meta = await this.#withFile(aside, { create: true }, (file) => this.#stream(file, at, chunks));
      await this.#rename(aside, name);
    } catch (error) {
      // If it stays, it goes when the storage is opened again.
      await this.#remove(aside).catch(() => {});
      throw error;
    }
    await this.#syncNames();
    const found = await this.#verify(name);
    if (found?.digest !== meta.digest) {
      throw new StorageFailed(`${this.#path(name)} does not read back as it was written`);
    }
    if (this.#verified === null || nameOf(this.#verified) < name) this.#verified = meta;
    return meta;
  }

  /**
   * Removes those that a durable floor has made useless, never the only good one: until the floor is
   * durable the log may still begin at an older snapshot.
   */
  async dropBelow(index: Index): Promise<void> {
    // Only what is known already: this is no time to read a whole snapshot.
    const good = this.#verified;
    if (good === null || good.index < index) return;
    const floor = nameOf({ index, term: 0 });
    for (const name of await this.#names()) if (name < floor) await this.#remove(name);
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

  async #stream(
    file: DiskFile,
    at: SnapshotPlace,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<SnapshotMeta> {
    const digest = sha256();
    let size = 0;
    for await (const chunk of chunks) {
      await this.#step('writing a snapshot', () => file.write(CONTENT_AT + size, chunk));
      digest.update(chunk);
      size += chunk.length;
    }
    const { index, term, configuration } = at;
    const meta: SnapshotMeta = { index, term, configuration, size, digest: digest.finish() };
    const record = encodeRecord(meta, this.#seed);
    if (record.length > CONTENT_AT) {
      throw new StorageFailed(
        `the configuration takes ${record.length} bytes; a snapshot has ${CONTENT_AT} for it`,
      );
    }
    await this.#step('syncing a snapshot', async () => {
      await file.write(0, record);
      await file.sync();
    });
    return meta;
  }

  #rename(aside: string, name: string): Promise<void> {
    return this.#step(`renaming ${aside}`, () => {
      this.#renames += 1;
      if (this.#verified !== null && nameOf(this.#verified) === name) this.#verified = null;
      return this.#disk.rename(this.#path(aside), this.#path(name));
    });
  }

  /** null when it is not what was once written under that name. */
  #verify(name: string): Promise<SnapshotMeta | null> {
    return this.#withFile(name, {}, async (file) => {
      const read = (offset: number, length: number): Promise<Uint8Array> =>
        this.#step(`reading ${name}`, () => file.read(offset, length));
      const head = await read(0, CONTENT_AT);
      const record = decodeRecord(Buffer.from(head.buffer, head.byteOffset, head.length), this.#seed);
      if (record.kind !== 'value') return null;
      const meta = record.value as SnapshotMeta;
      if (nameOf(meta) !== name) return null;
      const digest = sha256();
      for (let offset = 0; offset < meta.size; offset += READ_BYTES) {
        const bytes = await read(CONTENT_AT + offset, Math.min(READ_BYTES, meta.size - offset));
        if (bytes.length === 0) return null;
        digest.update(bytes);
      }
      return digest.finish() === meta.digest ? meta : null;
    });
  }

  async #withFile<T>(
    name: string,
    options: { readonly create?: boolean },
    body: (file: DiskFile) => Promise<T>,
  ): Promise<T> {
    const file = await this.#step(`opening ${name}`, () => this.#disk.open(this.#path(name), options));
    try {
      return await body(file);
    } finally {
      await file.close();
    }
  }

  #remove(name: string): Promise<void> {
    return this.#step(`removing ${name}`, () => this.#disk.remove(this.#path(name)));
  }

  /** In the order of their indexes. */
  async #names(): Promise<string[]> {
    return ((await this.#list()) ?? []).filter((name) => NAME.test(name)).sort();
  }

  /** null when there is no folder. */
  #list(): Promise<string[] | null> {
    return this.#step('listing the folder', async () => {
      try {
        return await this.#disk.list(this.#directory);
      } catch (error) {
        if ((error as { code?: unknown }).code === 'ENOENT') return null;
        throw error;
      }
    });
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

/** Sorts by index, then by term. */
function nameOf({ index, term }: { readonly index: number; readonly term: number }): string {
  const padded = (value: number): string => String(value).padStart(16, '0');
  return `${padded(index)}-${padded(term)}.snapshot`;
}
