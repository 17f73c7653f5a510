import type { SimulatedRandom } from './random.ts';
import { SortedTable } from './sorted-table.ts';

/** One put or delete; keys as in `SortedTable`. */
export interface TableChange {
  readonly key: string;
  /** null deletes. */
  readonly value: Uint8Array | null;
}

export interface DatabaseEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * What one database holds, on the medium and on its way there. LevelDB appends each batch to one log, so
 * a synced batch makes all before it durable, and a power cut keeps a prefix of what was not synced; a
 * batch is there as a whole or not at all.
 */
export class DatabaseContent {
  /** As the open handle sees it. */
  table = new SortedTable();
  #durable = new SortedTable();
  #logged: (readonly TableChange[])[] = [];

  write(batch: readonly TableChange[], sync: boolean): void {
    applyBatch(this.table, batch);
    this.#logged.push(batch);
    if (sync) this.#settle(this.#logged.length);
  }

  /** A write that failed or was cut short and reached the log: it shows once the log is replayed. */
  logOnly(batch: readonly TableChange[]): void {
    this.#logged.push(batch);
  }

  /** LevelDB replays its log when it opens, and makes durable what it found. */
  reopen(): void {
    this.#settle(this.#logged.length);
    this.table = this.#durable.copy();
  }

  losePower(random: SimulatedRandom): void {
    this.#settle(random.integer(0, this.#logged.length + 1));
    this.#logged = [];
    this.table = this.#durable.copy();
  }

  /** Bytes of keys and values, as the open handle sees them. */
  get size(): number {
    const view = this.table.view();
    let bytes = 0;
    for (const key of view.keys) bytes += key.length + (view.value(key)?.length ?? 0);
    view.release();
    return bytes;
  }

  /** In byte order. */
  entries(): DatabaseEntry[] {
    const view = this.table.view();
    const entries = view.keys.map((key) => ({
      key: new Uint8Array(Buffer.from(key, 'latin1')),
      value: view.value(key)?.slice() ?? new Uint8Array(),
    }));
    view.release();
    return entries;
  }

  /** The first `count` batches of the log are durable. */
  #settle(count: number): void {
    for (const batch of this.#logged.splice(0, count)) applyBatch(this.#durable, batch);
  }
}

function applyBatch(table: SortedTable, batch: readonly TableChange[]): void {
  for (const { key, value } of batch) {
    if (value === null) table.delete(key);
    else table.put(key, value);
  }
}
