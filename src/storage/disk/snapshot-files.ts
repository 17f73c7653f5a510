import { sha256 } from '../../doors/digest.ts';
import type { Disk, DiskFile } from '../../doors/disk.ts';
import type { SnapshotMeta, SnapshotStorage } from '../contract.ts';
import { StorageFailed } from '../errors.ts';
import { decodeRecord, encodeRecord } from './record.ts';

const SUFFIX = '.snapshot';
const ASIDE = '.new';
/** Where the content begins: before it stands the meta record. */
const CONTENT_AT = 64 * 1024;
const READ_BYTES = 1024 * 1024;
const SEED = 0;

/**
 * Snapshots as files, one each: room for the meta record, then the content. The content is streamed to a
 * file aside, then comes the record with size and digest, then sync, rename, sync of the folder. A file
 * without its suffix is no snapshot; one whose content does not match its digest is passed over.
 */
export class SnapshotFiles implements SnapshotStorage {
  readonly #disk: Disk;
  readonly #directory: string;
  /** The last one found good, by its name. */
  #verified: { readonly name: string; readonly meta: SnapshotMeta } | null = null;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  async latest(): Promise<SnapshotMeta | null> {
    for (const name of (await this.#names()).reverse()) {
      if (this.#verified?.name === name) return this.#verified.meta;
      const meta = await this.#verify(name);
      if (meta === null) continue;
      this.#verified = { name, meta };
      return meta;
    }
    return null;
  }

  async read(meta: SnapshotMeta, range: { offset: number; length: number }): Promise<Uint8Array> {
    const file = await this.#disk.open(this.#path(nameOf(meta)));
    try {
      const length = Math.max(0, Math.min(range.length, meta.size - range.offset));
      const bytes = await file.read(CONTENT_AT + range.offset, length);
      if (bytes.length === length) return bytes;
      throw new StorageFailed(`snapshot ${nameOf(meta)} ends before byte ${range.offset + length}`);
    } finally {
      await file.close();
    }
  }

  async write(
    at: Pick<SnapshotMeta, 'index' | 'term' | 'configuration'>,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<SnapshotMeta> {
    await this.#disk.makeDirectory(this.#directory);
    await this.#disk.syncDirectory(this.#directory.slice(0, this.#directory.lastIndexOf('/')));
    await this.#removeLeftovers();
    const name = nameOf(at);
    const aside = this.#path(`${name}${ASIDE}`);
    const file = await this.#disk.open(aside, { create: true });
    let meta: SnapshotMeta;
    try {
      meta = await stream(file, at, chunks);
    } finally {
      await file.close();
    }
    await this.#disk.rename(aside, this.#path(name));
    await this.#disk.syncDirectory(this.#directory);
    if ((await this.#verify(name)) === null) {
      throw new StorageFailed(`snapshot ${name} does not read back as it was written`);
    }
    this.#verified = { name, meta };
    // The old ones go only now that the new one is durable and read back.
    for (const old of await this.#names()) if (old < name) await this.#disk.remove(this.#path(old));
    return meta;
  }

  async #verify(name: string): Promise<SnapshotMeta | null> {
    const path = this.#path(name);
    const file = await this.#disk.open(path);
    try {
      const head = await file.read(0, CONTENT_AT);
      const record = decodeRecord(Buffer.from(head.buffer, head.byteOffset, head.length), SEED);
      if (record.kind !== 'value') return null;
      const meta = record.value as SnapshotMeta;
      const digest = sha256();
      for (let offset = 0; offset < meta.size; offset += READ_BYTES) {
        const bytes = await file.read(CONTENT_AT + offset, Math.min(READ_BYTES, meta.size - offset));
        if (bytes.length === 0) return null;
        digest.update(bytes);
      }
      return digest.finish() === meta.digest ? meta : null;
    } finally {
      await file.close();
    }
  }

  async #removeLeftovers(): Promise<void> {
    for (const name of await this.#disk.list(this.#directory)) {
      if (name.endsWith(ASIDE)) await this.#disk.remove(this.#path(name));
    }
  }

  /** In the order of their indexes. */
  async #names(): Promise<string[]> {
    try {
      return (await this.#disk.list(this.#directory)).filter((name) => name.endsWith(SUFFIX)).sort();
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return [];
      throw error;
    }
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

async function stream(
  file: DiskFile,
  at: Pick<SnapshotMeta, 'index' | 'term' | 'configuration'>,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<SnapshotMeta> {
  const digest = sha256();
  let size = 0;
  for await (const chunk of chunks) {
    await file.write(CONTENT_AT + size, chunk);
    digest.update(chunk);
    size += chunk.length;
  }
  const meta: SnapshotMeta = { ...at, size, digest: digest.finish() };
  const record = encodeRecord(meta, SEED);
  if (record.length > CONTENT_AT) throw new StorageFailed('the configuration is too large for a snapshot');
  await file.write(0, record);
  await file.sync();
  return meta;
}

/** Sorts by index, then by term. */
function nameOf({ index, term }: { readonly index: number; readonly term: number }): string {
  const padded = (value: number): string => String(value).padStart(16, '0');
  return `${padded(index)}-${padded(term)}${SUFFIX}`;
}
