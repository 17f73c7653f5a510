import type { Clock, TimerHandle } from '../doors/clock.ts';

/**
 * Wakes the event loop at the core's deadline. The deadline moves with every message, mostly later, so
 * the timer is left alone then: it fires early, finds nothing due, and is set anew.
 */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #handle: TimerHandle | null = null;
  #firesAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Makes sure that `wake` is called no later than `deadline`; null: never. */
  arm(deadline: number | null): void {
    if (deadline === null || deadline >= this.#firesAt) return;
    this.disarm();
    this.#firesAt = deadline;
    this.#handle = this.#clock.setTimer(Math.max(0, deadline - this.#clock.now()), () => {
      this.#handle = null;
      this.#firesAt = Number.POSITIVE_INFINITY;
      // Timers run before the sockets are read: whatever already waits there, a leader's heartbeat
      // perhaps, is let in before a late timer is believed.
      this.#clock.endOfTurn(this.#wake);
    });
  }

  disarm(): void {
    if (this.#handle !== null) this.#clock.clearTimer(this.#handle);
    this.#handle = null;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }
}
