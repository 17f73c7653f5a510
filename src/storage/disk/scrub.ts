import type { Clock, TimerHandle } from '../../doors/clock.ts';
import type { GroupLog } from './group-log.ts';

const STEP_MS = 1000;

export interface ScrubPace {
  /** Between the end of a pass and the next, and before the first; 0: never. */
  readonly intervalMs: number;
  /** On average; one block is read at once. */
  readonly bytesPerSecond: number;
}

export const noScrub: ScrubPace = { intervalMs: 0, bytesPerSecond: 1024 };

/**
 * Reads the blocks of open logs from time to time, all of them and nobody asking, so that damage is found while the
 * other replicas still hold what it took. It reads through the operating system: what that keeps in memory is
 * no news of the disk.
 */
export class Scrub {
  readonly #clock: Clock;
  readonly #pace: ScrubPace;
  readonly #logs: () => readonly GroupLog[];
  #timer: TimerHandle | null = null;
  /** Goes on once the step's time is over. */
  #resume: () => void = () => {};
  #passing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(clock: Clock, pace: ScrubPace, logs: () => readonly GroupLog[]) {
    this.#clock = clock;
    this.#pace = pace;
    this.#logs = logs;
  }

  start(): void {
    if (this.#stopped || this.#pace.intervalMs === 0) return;
    this.#timer = this.#clock.setTimer(this.#pace.intervalMs, () => {
      this.#passing = this.#pass().then(() => this.start());
    });
  }

  /** Reads nothing any more once it resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#resume();
    await this.#passing;
  }

  async #pass(): Promise<void> {
    let left = this.#pace.bytesPerSecond;
    for (const log of this.#logs()) {
      for (const piece of log.blocks.held()) {
        if (this.#stopped) return;
        // What was found damaged fails the storage: whoever opens it anew is told.
        if (!(await log.check(piece))) {
          this.#stopped = true;
          return;
        }
        left -= piece.block.header.bodyLength;
        while (left <= 0 && !this.#stopped) {
          await this.#pause();
          left += this.#pace.bytesPerSecond;
        }
      }
    }
  }

  /** As long as the bytes of one step are meant to take. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.#timer = this.#clock.setTimer(STEP_MS, resolve);
    });
  }
}
