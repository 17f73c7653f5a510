/**
 * Keys in byte order with their values. Keys are strings of one character per byte, because such
 * strings compare as their bytes do, and fast.
 */
export class SortedTable {
  #keys: string[] = [];
  #values = new Map<string, Uint8Array>();
  #readers = 0;
  #bytes = 0;

  get size(): number {
    return this.#keys.length;
  }

  /** Of all keys and values. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.#own();
    const before = this.#values.get(key);
    if (before === undefined) {
      const last = this.#keys.at(-1);
      // The log's keys grow, so the end is the usual place.
      if (last === undefined || last < key) this.#keys.push(key);
      else this.#keys.splice(this.firstAtOrAfter(key), 0, key);
      this.#bytes += key.length;
    }
    this.#values.set(key, value);
    this.#bytes += value.length - (before?.length ?? 0);
  }

  delete(key: string): void {
    const before = this.#values.get(key);
    if (before === undefined) return;
    this.#own();
    this.#keys.splice(this.firstAtOrAfter(key), 1);
    this.#values.delete(key);
    this.#bytes -= key.length + before.length;
  }

  /** The position of the first key that is `key` or after it; `size` when there is none. */
  firstAtOrAfter(key: string): number {
    return firstAtOrAfter(this.#keys, key);
  }

  copy(): SortedTable {
    const copy = new SortedTable();
    copy.#keys = [...this.#keys];
    copy.#values = new Map(this.#values);
    copy.#bytes = this.#bytes;
    return copy;
  }

  /** The table as of now, unmoved by later changes. Cheap: the table copies itself when it changes under a view. */
  view(): TableView {
    this.#readers += 1;
    const keys = this.#keys;
    const values = this.#values;
    return {
      keys,
      value: (key) => values.get(key),
      firstAtOrAfter: (key) => firstAtOrAfter(keys, key),
      release: () => {
        if (keys === this.#keys && this.#readers > 0) this.#readers -= 1;
      },
    };
  }

  /** Before a change: views keep the arrays they have, and the table goes on with copies. */
  #own(): void {
    if (this.#readers === 0) return;
    this.#keys = [...this.#keys];
    this.#values = new Map(this.#values);
    this.#readers = 0;
  }
}

export interface TableView {
  readonly keys: readonly string[];
  value(key: string): Uint8Array | undefined;
  firstAtOrAfter(key: string): number;
  /** Once, when it is no longer needed. */
  release(): void;
}

function firstAtOrAfter(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
