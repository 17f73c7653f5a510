import { DatabaseContent, type TableChange } from '../world/simulated/database-content.ts';
import type { DatabaseImage } from './image.ts';

/** A simulated LevelDB that remembers every batch, so that it can be shown as it may come back. */
export class RecordedDatabase extends DatabaseContent {
  readonly #batches: (readonly TableChange[])[] = [];
  #synced = 0;

  constructor({ batches, opens }: DatabaseImage) {
    super();
    this.opens = opens;
    for (const batch of batches) this.write(batch, true);
  }

  override write(batch: readonly TableChange[], sync: boolean): void {
    super.write(batch, sync);
    this.#batches.push(batch);
    if (sync) this.#synced = this.#batches.length;
  }

  override reopen(): void {
    super.reopen();
    this.#synced = this.#batches.length;
  }

  get batchCount(): number {
    return this.#batches.length;
  }

  get lastBatchSize(): number {
    return this.#batches.at(-1)?.length ?? 0;
  }

  /** Batches that a power cut may take, the last first. */
  get unsynced(): number {
    return this.#batches.length - this.#synced;
  }

  /** With so many of the unsynced batches. */
  image(kept = this.unsynced): DatabaseImage {
    return { batches: this.#batches.slice(0, this.#synced + kept), opens: this.opens };
  }
}
