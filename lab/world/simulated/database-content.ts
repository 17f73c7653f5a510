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
  /** false: LevelDB finds it corrupt. Whoever has it open goes on. */
  opens = true;
  #durable = new SortedTable();
  #logged: (readonly TableChange[])[] = [];
  /** The latest durable batches in the log, with what each took the place of; a reopening begins another log. */
  #journal: JournalChange[][] = [];

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
    this.#journal = [];
    this.table = this.#durable.copy();
  }

  losePower(random: SimulatedRandom): void {
    this.#settle(random.integer(0, this.#logged.length + 1));
    this.#logged = [];
    this.table = this.#durable.copy();
  }

  /**
   * The medium changes what is durable, and LevelDB tells nobody (measured: one flipped bit in its log lost 45 of 60
   * synced writes). A value that differs is read at once, all else shows when the log is replayed. What the last sync
   * made durable does not vanish by itself: perhaps nothing else tells of that sync yet (docs/decisions/0005).
   *
   * @returns false when there is nothing durable.
   */
  rot(random: SimulatedRandom): boolean {
    if (this.#durable.size === 0) return false;
    const way = random.integer(0, 8);
    if (way === 0) this.#openEmpty();
    else if (way > 5 || !(way > 3 ? this.#bringBack(random) : this.#loseRun(random))) this.#alter(random);
    return true;
  }

  /** Bytes of keys and values, as the open handle sees them. */
  get size(): number {
    return this.table.bytes;
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
    for (const batch of this.#logged.splice(0, count)) {
      this.#journal.push(batch.map(({ key }) => ({ key, before: this.#durable.get(key) ?? null })));
      applyBatch(this.#durable, batch);
    }
    this.#journal.splice(0, this.#journal.length - JOURNAL_BATCHES);
  }

  #openEmpty(): void {
    this.#durable = new SortedTable();
    this.#journal = [];
  }

  /** Consecutive batches of the log are not replayed: their puts, deletes and overwrites never were. */
  #loseRun(random: SimulatedRandom): boolean {
    const last = this.#journal.length - 1;
    if (last < 1) return false;
    const from = random.integer(0, last);
    const to = random.integer(from, last) + 1;
    const kept = new Set(this.#journal.slice(to).flatMap((batch) => batch.map(({ key }) => key)));
    for (const batch of this.#journal.splice(from, to - from).reverse()) {
      for (const { key, before } of batch.toReversed()) {
        if (!kept.has(key)) applyBatch(this.#durable, [{ key, value: before }]);
      }
    }
    return true;
  }

  /** A key has the value again that it had before it was overwritten or deleted. */
  #bringBack(random: SimulatedRandom): boolean {
    const older = this.#journal.flat().filter(({ before }) => before !== null);
    const one = older[random.integer(0, Math.max(1, older.length))];
    if (one === undefined) return false;
    applyBatch(this.#durable, [{ key: one.key, value: one.before }]);
    return true;
  }

  #alter(random: SimulatedRandom): void {
    const view = this.#durable.view();
    const key = view.keys[random.integer(0, view.keys.length)] ?? '';
    view.release();
    const value = this.#durable.get(key) ?? new Uint8Array();
    const altered = value.slice();
    const at = random.integer(0, Math.max(1, value.length));
    altered[at] = (value[at] ?? 0) ^ (1 << random.integer(0, 8));
    if (this.table.get(key) === value) this.table.put(key, altered);
    this.#durable.put(key, altered);
  }
}

const JOURNAL_BATCHES = 128;

interface JournalChange {
  readonly key: string;
  /** null: it was not there. */
  readonly before: Uint8Array | null;
}

function applyBatch(table: SortedTable, batch: readonly TableChange[]): void {
  for (const { key, value } of batch) {
    if (value === null) table.delete(key);
    else table.put(key, value);
  }
}
