/** A pending timer. Opaque: hand it back to `clearTimer`. */
export type TimerHandle = { readonly timer: unknown };

/**
 * The door of time. Nothing in Kontiki asks the machine for the time, or waits, in any other way, so a
 * simulation that replaces this door owns time entirely.
 */
export interface Clock {
  /** Milliseconds of a monotonic clock; fractions allowed, the origin is arbitrary. */
  now(): number;
  /** Milliseconds since the Unix epoch. It may jump; it is compared with `now`, never used to measure. */
  wall(): number;
  /** Calls back once, no earlier than `delayMs` milliseconds from now. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /** Cancels a timer. A timer that already ran, or was cleared, is a no-op. */
  clearTimer(handle: TimerHandle): void;
  /**
   * Calls back once after everything of this turn of the event loop, and one poll for input, is done.
   * Work of one turn gathers into one batch here, and a late timer lets waiting input go first here.
   */
  endOfTurn(callback: () => void): void;
}
