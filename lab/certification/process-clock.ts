import type { Clock, TimerHandle } from '../../src/doors/clock.ts';

/** Time that stands still until it is moved. */
export class ProcessClock implements Clock {
  #nowMs = 0;
  #lastTimer = 0;
  #timers: { readonly id: number; readonly dueMs: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    this.#lastTimer += 1;
    this.#timers.push({ id: this.#lastTimer, dueMs: this.#nowMs + Math.max(0, delayMs), callback });
    this.#timers.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id);
    return { timer: this.#lastTimer };
  }

  clearTimer({ timer }: TimerHandle): void {
    this.#timers = this.#timers.filter(({ id }) => id !== timer);
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Goes to the next timer that is due by then, and calls it back. @returns false when there is none. */
  runNext(byMs = Number.POSITIVE_INFINITY): boolean {
    const [next] = this.#timers;
    if (next === undefined || next.dueMs > byMs) return false;
    this.#timers.shift();
    this.#nowMs = next.dueMs;
    next.callback();
    return true;
  }
}
