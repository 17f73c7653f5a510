import type { Clock, TimerHandle } from '../../../src/doors/clock.ts';
import type { ScheduledEvent } from './event-queue.ts';
import type { SimulatedProcess } from './process.ts';
import type { Simulation } from './simulation.ts';

export interface SimulatedClockOptions {
  readonly simulation: Simulation;
  /** For labels. */
  readonly name: string;
  /** What the monotonic clock shows at the beginning; microseconds, one hour by default. */
  readonly originUs?: number;
  /** What the wall clock shows at the beginning; milliseconds since the Unix epoch, 2026 by default. */
  readonly epochMs?: number;
}

/**
 * The clock of one machine; it outlives the processes there. It may be set forwards and backwards and
 * run fast or slow while timers wait. A timer is due at a moment of *this* clock, so a jump forwards
 * fires overdue timers late and a jump backwards holds them up, which is what a broken monotonic clock
 * does to a program.
 */
export class SimulatedClock {
  readonly #simulation: Simulation;
  readonly #name: string;
  readonly #originUs: number;
  readonly #epochMs: number;
  #anchorTrueUs: number;
  #anchorLocalUs: number;
  #ratePerMille = 1000;
  #wallOffsetUs = 0;
  readonly #timers = new Map<number, Timer>();
  #lastTimer = 0;

  constructor(options: SimulatedClockOptions) {
    this.#simulation = options.simulation;
    this.#name = options.name;
    this.#originUs = options.originUs ?? 3_600_000_000;
    this.#epochMs = options.epochMs ?? 1_767_225_600_000;
    this.#anchorTrueUs = options.simulation.nowUs;
    this.#anchorLocalUs = this.#originUs;
  }

  /** What the monotonic clock shows, in whole microseconds. */
  get localUs(): number {
    const passed = (this.#simulation.nowUs - this.#anchorTrueUs) * this.#ratePerMille;
    return this.#anchorLocalUs + (passed - (passed % 1000)) / 1000;
  }

  get ratePerMille(): number {
    return this.#ratePerMille;
  }

  /** Sets both `now` and `wall` forwards, or backwards when negative. @throws RangeError unless an integer. */
  jump(byUs: number): void {
    if (!Number.isSafeInteger(byUs)) throw new RangeError(`a jump must be whole microseconds, got ${byUs}`);
    this.#anchor();
    this.#anchorLocalUs += byUs;
    this.#rearm();
  }

  /** Sets only `wall`, as an operator or NTP does. @throws RangeError unless an integer. */
  jumpWall(byUs: number): void {
    if (!Number.isSafeInteger(byUs)) throw new RangeError(`a jump must be whole microseconds, got ${byUs}`);
    this.#wallOffsetUs += byUs;
  }

  /** Local time per thousand of true time from now on. @throws RangeError unless an integer from 1 on. */
  setRate(perMille: number): void {
    if (!Number.isSafeInteger(perMille) || perMille < 1) {
      throw new RangeError(`a clock's rate must be a whole per mille, 1 or more, got ${perMille}`);
    }
    this.#anchor();
    this.#ratePerMille = perMille;
    this.#rearm();
  }

  /** The clock as one process sees it. Its timers die with it. */
  door(process: SimulatedProcess): Clock {
    const timerLabel = `${process.name} timer`;
    const endOfTurnLabel = `${process.name} end of turn`;
    process.onKill(() => this.#dropTimers(process));
    return {
      now: () => this.localUs / 1000,
      wall: () => this.#epochMs + (this.localUs - this.#originUs + this.#wallOffsetUs) / 1000,
      setTimer: (delayMs, callback) => this.#setTimer(process, timerLabel, delayMs, callback),
      clearTimer: (handle) => this.#clearTimer(handle),
      endOfTurn: (callback) => {
        if (process.alive) process.schedule(0, endOfTurnLabel, 'input', callback);
      },
    };
  }

  #setTimer(process: SimulatedProcess, label: string, delayMs: number, callback: () => void): TimerHandle {
    if (!Number.isFinite(delayMs))
      throw new RangeError(`${this.#name}: a timer needs a delay, got ${delayMs}`);
    this.#lastTimer += 1;
    const id = this.#lastTimer;
    if (process.alive) {
      const dueLocalUs = this.localUs + (delayMs > 0 ? Math.ceil(delayMs * 1000) : 0);
      const timer: Timer = { id, process, label, dueLocalUs, callback, event: null };
      this.#timers.set(id, timer);
      this.#arm(timer);
    }
    return { timer: id };
  }

  #clearTimer(handle: TimerHandle): void {
    const timer = this.#timers.get(handle.timer as number);
    if (timer === undefined) return;
    this.#timers.delete(timer.id);
    if (timer.event !== null) this.#simulation.cancel(timer.event);
  }

  /** To the true moment at which this clock will show what the timer waits for, rounded up. */
  #arm(timer: Timer): void {
    const waitLocalUs = timer.dueLocalUs - this.localUs;
    const waitUs = waitLocalUs <= 0 ? 0 : Math.ceil((waitLocalUs * 1000) / this.#ratePerMille);
    timer.event = this.#simulation.schedule(waitUs, timer.label, () => {
      timer.event = null;
      timer.process.deliver(timer.label, 'timer', () => {
        // It may have been cleared between the end of a pause and now.
        if (this.#timers.delete(timer.id)) timer.callback();
      });
    });
  }

  #anchor(): void {
    this.#anchorLocalUs = this.localUs;
    this.#anchorTrueUs = this.#simulation.nowUs;
  }

  /** After the clock was set: each timer not yet fired moves to its new true moment, earliest due first. */
  #rearm(): void {
    const waiting = [...this.#timers.values()].filter((timer) => timer.event !== null);
    waiting.sort((a, b) => a.dueLocalUs - b.dueLocalUs || a.id - b.id);
    for (const timer of waiting) {
      if (timer.event !== null) this.#simulation.cancel(timer.event);
      this.#arm(timer);
    }
  }

  #dropTimers(process: SimulatedProcess): void {
    for (const timer of [...this.#timers.values()]) {
      if (timer.process === process) this.#clearTimer({ timer: timer.id });
    }
  }
}

interface Timer {
  readonly id: number;
  readonly process: SimulatedProcess;
  readonly label: string;
  readonly dueLocalUs: number;
  readonly callback: () => void;
  /** null once it fired; it may still wait for its process to be resumed. */
  event: ScheduledEvent | null;
}
