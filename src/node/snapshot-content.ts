import { sha256 } from '../doors/digest.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { SnapshotStorage } from '../storage/contract.ts';
import { StorageRefused } from '../storage/errors.ts';

/**
 * A stored snapshot on its way into the state machine, piece by piece; the digest over the whole is checked
 * before the last piece is followed by the end, so no state machine takes damaged content for complete.
 */
export class SnapshotContent {
  readonly #snapshots: Pick<SnapshotStorage, 'read'>;
  readonly #meta: SnapshotMeta;
  readonly #chunkBytes: number;
  readonly #digest = sha256();
  #offset = 0;
  #checked = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(snapshots: Pick<SnapshotStorage, 'read'>, meta: SnapshotMeta, chunkBytes: number) {
    this.#snapshots = snapshots;
    this.#meta = meta;
    this.#chunkBytes = chunkBytes;
  }

  /** Of the whole. */
  get bytes(): number {
    return this.#meta.size;
  }

  /** Why it could not be read to its end: the storage's error, or StorageRefused when it is damaged. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    while (this.#offset < this.#meta.size) yield await this.#next();
    this.#check();
  }

  /** Reads what nobody asked for, so that the digest covers it too. */
  async finish(): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    while (this.#offset < this.#meta.size) await this.#next();
    this.#check();
  }

  async #next(): Promise<Uint8Array> {
    const range = { offset: this.#offset, length: this.#chunkBytes };
    let chunk: Uint8Array;
    try {
      chunk = await this.#snapshots.read(this.#meta, range);
    } catch (error) {
      throw this.#fail(error);
    }
    if (chunk.length === 0) throw this.#fail(this.#damaged(`it ends at byte ${this.#offset}`));
    this.#offset += chunk.length;
    this.#digest.update(chunk);
    return chunk;
  }

  #check(): void {
    if (this.#checked) return;
    const found = this.#digest.finish();
    this.#checked = true;
    if (found !== this.#meta.digest) throw this.#fail(this.#damaged(`its digest is ${found}`));
  }

  #damaged(how: string): StorageRefused {
    const { index, size, digest } = this.#meta;
    return new StorageRefused(
      'damaged',
      `the snapshot of entry ${index} is damaged: expected ${size} bytes of digest ${digest}, but ${how}. ` +
        'Open it again: what it held then comes back from the other replicas.',
    );
  }

  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    return error;
  }
}
