import type { Histogram } from '../metrics/histogram.ts';
import type { Index, Term } from '../raft/entry.ts';

interface Slot {
  from: Index;
  to: Index;
  term: Term;
  /** How many of the entries count. */
  count: number;
  /** When they began to wait; milliseconds. */
  since: number;
}

const SLOTS = 256;

/**
 * How long entries wait for something that happens in the order of the log: to be durable, committed, applied.
 * A batch is measured as a whole, when its last entry is there.
 *
 * The memory is bounded however long they wait: once all slots are taken, neighbours share one, with the mean of
 * their times. So what is counted and summed stays true; only the buckets get coarser.
 */
export class EntryTimes {
  readonly #histogram: Histogram;
  /** A ring of slots that are used again and again; made when the first is needed. */
  #slots: Slot[] = [];
  #head = 0;
  #size = 0;

  constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  get waiting(): number {
    return this.#size;
  }

  /** A batch begins to wait. Whatever else was waiting from its first entry on has been overwritten. */
  begin(batch: Readonly<Slot>): void {
    if (this.#slots.length === 0) this.#slots = Array.from({ length: SLOTS }, emptySlot);
    while (this.#size > 0 && this.#at(this.#size - 1).to >= batch.from) this.#size -= 1;
    if (this.#size === SLOTS) this.#shareSlots();
    Object.assign(this.#at(this.#size), batch);
    this.#size += 1;
  }

  /** Would `reach(index)` find anything that waited for it? */
  hasReached(index: Index): boolean {
    return this.#size > 0 && this.#at(0).to <= index;
  }

  /**
   * Everything up to `index` is there. An entry of another term took the place of what waited: that is forgotten.
   * By Log Matching it is enough to look at the last of a batch, all of one term.
   *
   * @param termAt - the log's terms; null when nothing that waits can be overwritten any more.
   */
  reach(index: Index, now: number, termAt: ((index: Index) => Term | null) | null): void {
    while (this.hasReached(index)) {
      const { to, term, count, since } = this.#at(0);
      if (termAt === null || termAt(to) === term) this.#histogram.observe(now - since, count);
      this.#head = (this.#head + 1) % SLOTS;
      this.#size -= 1;
    }
  }

  /** Two and two become one. Those of different terms cannot; with nothing but such, the oldest is forgotten. */
  #shareSlots(): void {
    const shared: Slot[] = [];
    let isShared = true;
    for (let position = 0; position < this.#size; position += 1) {
      const slot = this.#at(position);
      const last = shared.at(-1);
      if (!isShared && last?.term === slot.term) {
        const count = last.count + slot.count;
        last.since = (last.since * last.count + slot.since * slot.count) / count;
        last.count = count;
        last.to = slot.to;
        isShared = true;
      } else {
        shared.push(slot);
        isShared = false;
      }
    }
    if (shared.length === SLOTS) shared.shift();
    this.#head = 0;
    this.#size = shared.length;
    this.#slots = [...shared, ...Array.from({ length: SLOTS - shared.length }, emptySlot)];
  }

  #at(position: number): Slot {
    const slot = this.#slots[(this.#head + position) % SLOTS];
    if (slot === undefined) throw new Error(`there is no slot ${position}`);
    return slot;
  }
}

const emptySlot = (): Slot => ({ from: 0, to: 0, term: 0, count: 0, since: 0 });
