import type { Clock, TimerHandle } from './clock.ts';

/** The machine's own clock and event loop. */
export function nodeClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimer(delayMs, callback) {
      if (!Number.isFinite(delayMs)) {
        throw new RangeError(`setTimer: delayMs must be a finite number of milliseconds, got ${delayMs}`);
      }
      const due = performance.now() + delayMs;
      const pending: PendingTimer = { timeout: undefined };
      arm(pending, due, callback);
      return { timer: pending };
    },
    clearTimer(handle: TimerHandle) {
      const pending = handle.timer as PendingTimer;
      clearTimeout(pending.timeout);
      pending.timeout = undefined;
    },
    endOfTurn(callback) {
      // The check phase comes right after the poll phase, in this turn or, from within it, in the next.
      setImmediate(callback);
    },
  };
}

interface PendingTimer {
  timeout: NodeJS.Timeout | undefined;
}

/** setTimeout takes no longer delay than this; a longer one fires at once. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/**
 * The event loop counts in whole milliseconds, so setTimeout may fire up to one too early by
 * `performance.now()`. An early callback would make the core's `tick` a no-op, so wait for the rest.
 */
function arm(pending: PendingTimer, due: number, callback: () => void): void {
  const remainingMs = Math.min(Math.ceil(due - performance.now()), TIMEOUT_MAX_MS);
  pending.timeout = setTimeout(() => {
    if (performance.now() < due) {
      arm(pending, due, callback);
      return;
    }
    pending.timeout = undefined;
    callback();
  }, remainingMs);
}
