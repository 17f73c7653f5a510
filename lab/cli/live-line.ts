import type { Machine } from './machine.ts';

/** How often the line is drawn anew on a terminal, and how often said where there is none. */
const REDRAW_MS = 100;
const REPEAT_MS = 10_000;

/**
 * One line that tells what is going on: redrawn in place on a terminal, printed now and then elsewhere.
 * Clear it before printing anything else.
 */
export class LiveLine {
  readonly #machine: Machine;
  #lastMs: number;
  #drawn = false;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#lastMs = machine.now();
  }

  /** A new piece of work begins; said at once. */
  begin(text: string): void {
    this.#lastMs = this.#machine.now();
    this.#show(text);
  }

  /** `text` is asked for only when it is due, since progress comes far more often. */
  update(text: () => string): void {
    const now = this.#machine.now();
    if (now - this.#lastMs < (this.#machine.liveColumns === null ? REPEAT_MS : REDRAW_MS)) return;
    this.#lastMs = now;
    this.#show(text());
  }

  clear(): void {
    if (this.#drawn) this.#machine.complain('\r\x1b[K');
    this.#drawn = false;
  }

  #show(text: string): void {
    const columns = this.#machine.liveColumns;
    if (columns === null) {
      this.#machine.complain(`${text}\n`);
      return;
    }
    // A line as long as the terminal is wide would wrap, and could not be drawn over.
    this.#machine.complain(`\r\x1b[K${text.slice(0, columns - 1)}`);
    this.#drawn = true;
  }
}
