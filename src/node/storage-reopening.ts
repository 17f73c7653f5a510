import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import { InvariantViolation } from '../raft/raft.ts';
import { StorageRefused } from '../storage/errors.ts';
import { Retired, StateMachineFailed } from './errors.ts';
import type { Session } from './session.ts';

const REOPEN_AFTER_MS = 20;
const REOPEN_AFTER_MAX_MS = 2_000;

/**
 * Opens a storage again, as often as it takes. What a failed write left on the disk is unknown, and a second
 * sync that succeeds proves nothing (the kernel may have dropped the pages): the only honest way on is to open
 * the storage anew and believe what is found. The state machine keeps running; the new core is told how far
 * it is.
 */
export class StorageReopening {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #failed: (error: unknown, retryInMs: number) => void;
  #stopped = false;
  /** Ends the wait between two attempts; null while there is none. */
  #cutWaitShort: (() => void) | null = null;

  /** @param failed - told of every attempt that failed, and when the next follows. */
  constructor(clock: Clock, random: Random, failed: (error: unknown, retryInMs: number) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#failed = failed;
  }

  /** null when it was stopped; nothing is open then. @throws what no further attempt would mend. */
  async open(attempt: () => Promise<Session>): Promise<Session | null> {
    for (let waitMs = REOPEN_AFTER_MS; ; waitMs = Math.min(2 * waitMs, REOPEN_AFTER_MAX_MS)) {
      if (this.#stopped) return null;
      try {
        const session = await attempt();
        if (!this.#stopped) return session;
        await session.instance.close();
        return null;
      } catch (error) {
        if (isFinal(error)) throw error;
        const retryInMs = this.#random.integer(waitMs, 2 * waitMs);
        this.#failed(error, retryInMs);
        await this.#wait(retryInMs);
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cutWaitShort?.();
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve);
      this.#cutWaitShort = () => {
        this.#clock.clearTimer(timer);
        resolve();
      };
    });
    this.#cutWaitShort = null;
  }
}

function isFinal(error: unknown): boolean {
  if (error instanceof StorageRefused) return error.reason !== 'not-writable';
  return [StateMachineFailed, Retired, InvariantViolation].some((final) => error instanceof final);
}
