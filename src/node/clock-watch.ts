import type { Clock } from '../doors/clock.ts';

/** Compares the two clocks of a machine: where they part, it slept, or somebody set one of them. */
export class ClockWatch {
  readonly #clock: Clock;
  readonly #gapMs: number;
  /** wall - now at the last look. */
  #wallAhead: number;

  constructor(clock: Clock, gapMs: number) {
    this.#clock = clock;
    this.#gapMs = gapMs;
    this.#wallAhead = clock.wall() - clock.now();
  }

  /** By how many milliseconds the wall clock went ahead since the last look; null for no more than the gap. */
  divergence(now: number): number | null {
    const wallAhead = this.#clock.wall() - now;
    const byMs = wallAhead - this.#wallAhead;
    this.#wallAhead = wallAhead;
    return Math.abs(byMs) > this.#gapMs ? byMs : null;
  }
}
