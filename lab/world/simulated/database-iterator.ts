import { AbstractIterator, type AbstractIteratorOptions } from 'abstract-level';
import type { SimulatedDatabase } from './database.ts';
import type { DatabaseCursor, RangeOptions } from './database-cursor.ts';
import { READ } from './device.ts';

export type DatabaseIteratorOptions = Omit<
  AbstractIteratorOptions<Uint8Array, Uint8Array>,
  keyof RangeOptions
> &
  RangeOptions;

/** Shows the database as it was when the iterator was made. */
export class SimulatedIterator extends AbstractIterator<SimulatedDatabase, Uint8Array, Uint8Array> {
  readonly #cursor: DatabaseCursor;
  /** Read from the device and not yet handed out, as classic-level does: one read serves many `next`s. */
  #readAhead: [Uint8Array, Uint8Array][] = [];

  constructor(database: SimulatedDatabase, cursor: DatabaseCursor, options: DatabaseIteratorOptions) {
    super(database, options);
    this.#cursor = cursor;
  }

  async _next(): Promise<[Uint8Array, Uint8Array] | undefined> {
    if (this.#readAhead.length === 0) this.#readAhead = (await this.#read(READ_AHEAD)).reverse();
    return this.#readAhead.pop();
  }

  async _nextv(size: number): Promise<[Uint8Array, Uint8Array][]> {
    if (this.#readAhead.length === 0) return this.#read(size);
    return this.#readAhead.splice(-Math.min(size, this.#readAhead.length)).reverse();
  }

  _seek(target: Uint8Array): void {
    this.#readAhead = [];
    this.#cursor.seek(target);
  }

  async _close(): Promise<void> {
    this.#cursor.close();
  }

  #read(count: number): Promise<[Uint8Array, Uint8Array][]> {
    return this.db.submit('scan', READ, () =>
      this.#cursor.take(count).map(([key, value]) => [Buffer.from(key, 'latin1'), value.slice()]),
    );
  }
}

const READ_AHEAD = 1000;
