import type { TableView } from './sorted-table.ts';

/** As abstract-level hands them to a database, keys already encoded. */
export interface RangeOptions {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse: boolean;
  /** Below zero: none. */
  readonly limit: number;
}

/** One character per byte: such strings compare as the bytes do. */
export function tableKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

/** A place in a range of a table as it was when the cursor was made. */
export class DatabaseCursor {
  readonly #view: TableView;
  readonly #reverse: boolean;
  readonly #from: number;
  readonly #to: number;
  #left: number;
  #at: number;

  constructor(view: TableView, options: RangeOptions) {
    this.#view = view;
    this.#reverse = options.reverse;
    this.#left = options.limit < 0 ? Number.POSITIVE_INFINITY : options.limit;
    const { gt, gte, lt, lte } = options;
    this.#from =
      gte !== undefined ? view.firstAtOrAfter(tableKey(gte)) : gt !== undefined ? this.#after(gt) : 0;
    this.#to =
      lte !== undefined
        ? this.#after(lte)
        : lt !== undefined
          ? view.firstAtOrAfter(tableKey(lt))
          : view.keys.length;
    this.#at = this.#reverse ? this.#to - 1 : this.#from;
  }

  /** The next entries, at most `count`; fewer only at the end. */
  take(count: number): [key: string, value: Uint8Array][] {
    const taken: [string, Uint8Array][] = [];
    while (taken.length < count && this.#left > 0 && this.#at >= this.#from && this.#at < this.#to) {
      const key = this.#view.keys[this.#at];
      const value = key === undefined ? undefined : this.#view.value(key);
      if (key === undefined || value === undefined) break;
      taken.push([key, value]);
      this.#at += this.#reverse ? -1 : 1;
      this.#left -= 1;
    }
    return taken;
  }

  /** Goes to the target, or past it in the direction of travel; outside the range there is nothing. */
  seek(target: Uint8Array): void {
    this.#at = this.#reverse ? this.#after(target) - 1 : this.#view.firstAtOrAfter(tableKey(target));
  }

  close(): void {
    this.#view.release();
  }

  #after(key: Uint8Array): number {
    return this.#view.firstAtOrAfter(`${tableKey(key)}\0`);
  }
}
