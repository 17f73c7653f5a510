import type { Clock, TimerHandle } from '../../src/doors/clock.ts';

/** A clock that a test moves by hand. */
export class ManualClock implements Clock {
  #now = 1_000;
  #last = 0;
  readonly #timers = new Map<number, { at: number; callback: () => void }>();
  readonly #turns: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    this.#last += 1;
    this.#timers.set(this.#last, { at: this.#now + delayMs, callback });
    return { timer: this.#last };
  }

  clearTimer(handle: TimerHandle): void {
    this.#timers.delete(handle.timer as number);
  }

  endOfTurn(callback: () => void): void {
    this.#turns.push(callback);
  }

  get timersSet(): number {
    return this.#timers.size;
  }

  endTurn(): void {
    for (const callback of this.#turns.splice(0)) callback();
  }

  /** Runs what is due on the way, in order. */
  advance(byMs: number): void {
    const until = this.#now + byMs;
    for (;;) {
      const due = [...this.#timers].filter(([, t]) => t.at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].callback();
    }
    this.#now = until;
  }
}
