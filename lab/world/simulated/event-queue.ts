/** One thing that is going to happen. Opaque to callers: hand it back to `cancel`. */
export interface ScheduledEvent {
  readonly atUs: number;
  /** Grows with every insertion: orders the events of one moment. */
  readonly sequence: number;
  /** Constant text per kind of event; it enters the digest. */
  readonly label: string;
  /** null once it ran or was cancelled. */
  callback: (() => void) | null;
}

/**
 * A binary heap by virtual time, then by insertion, which is a total order: what comes out depends on
 * nothing but what was put in. Cancelled events stay until they come up, or until they are the majority.
 */
export class EventQueue {
  #heap: ScheduledEvent[] = [];
  #cancelled = 0;
  #lastSequence = 0;

  /** Events waiting, without the cancelled ones. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  push(atUs: number, label: string, callback: () => void): ScheduledEvent {
    this.#lastSequence += 1;
    const event: ScheduledEvent = { atUs, sequence: this.#lastSequence, label, callback };
    this.#heap.push(event);
    this.#siftUp(this.#heap.length - 1);
    return event;
  }

  /** An event that ran or was cancelled before is a no-op. */
  cancel(event: ScheduledEvent): void {
    if (event.callback === null) return;
    event.callback = null;
    this.#cancelled += 1;
    if (this.#cancelled > COMPACT_FROM && this.#cancelled * 2 > this.#heap.length) this.#compact();
  }

  /** The next event; null when none waits. */
  peek(): ScheduledEvent | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return null;
      if (first.callback !== null) return first;
      this.#removeFirst();
      this.#cancelled -= 1;
    }
  }

  /** Removes the event that `peek` showed and gives its callback, to be run now. */
  take(event: ScheduledEvent): () => void {
    const callback = event.callback;
    if (callback === null || this.#heap[0] !== event) throw new Error('take() without peek()');
    event.callback = null;
    this.#removeFirst();
    return callback;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#siftDown(0);
  }

  #siftUp(from: number): void {
    const heap = this.#heap;
    let at = from;
    const event = heap[at] as ScheduledEvent;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as ScheduledEvent;
      if (!before(event, parent)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
  }

  #siftDown(from: number): void {
    const heap = this.#heap;
    const length = heap.length;
    let at = from;
    const event = heap[at] as ScheduledEvent;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= length) break;
      let child = heap[childAt] as ScheduledEvent;
      const right = heap[childAt + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childAt += 1;
      }
      if (!before(child, event)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = event;
  }

  #compact(): void {
    this.#heap = this.#heap.filter((event) => event.callback !== null);
    this.#cancelled = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#siftDown(at);
  }
}

const COMPACT_FROM = 1024;

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence);
}
