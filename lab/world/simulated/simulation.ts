import { setImmediate } from 'node:timers';
import { EventQueue, type ScheduledEvent } from './event-queue.ts';
import { SimulatedRandom } from './random.ts';
import { RunDigest } from './run-digest.ts';
import { blame, listenForStrayErrors, type StrayErrorListener } from './stray-errors.ts';
import { seconds, Trace } from './trace.ts';

export interface SimulationOptions {
  /** Any safe integer. Equal seeds and equal programs give equal runs. */
  readonly seed: number;
  /** Lines that `trace()` keeps; 200 by default. */
  readonly traceLines?: number;
}

/** When `run` stops, whatever comes first. Without any, it runs until no event waits. */
export interface StopCondition {
  /** Virtual time; every event at or before it runs, and time stands there afterwards. */
  readonly atUs?: number;
  /** Asked before the first event and after each one, with all it set off drained. */
  readonly when?: () => boolean;
  /** Counted from this call. */
  readonly eventsMax?: number;
}

export type StopReason = 'time' | 'condition' | 'events' | 'idle';

/**
 * Virtual time and the queue of what happens in it, one event at a time. After each event all
 * microtasks and `nextTick`s that it set off are drained, so the order of events never depends on how
 * many `await`s the code under test goes through.
 *
 * Nothing drains real timers, the thread pool or sockets: code in a simulation must not reach them, and
 * comes by time, chance, network, disk and off-thread work only through the doors of this folder.
 */
export class Simulation {
  readonly seed: number;
  /** The root of all chance; take a named stream of it. */
  readonly random: SimulatedRandom;
  readonly #queue = new EventQueue();
  readonly #digest = new RunDigest();
  readonly #trace: Trace;
  #nowUs = 0;
  #events = 0;
  #eventsAtThisMoment = 0;
  #failure: SimulationFailed | null = null;
  #running = false;

  /** @throws RangeError for a seed that is no safe integer, or a trace of no lines. */
  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.random = SimulatedRandom.fromSeed(options.seed);
    this.#trace = new Trace(options.traceLines ?? 200);
  }

  /** Virtual microseconds since the beginning; an integer. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  /** Events waiting. */
  get pending(): number {
    return this.#queue.size;
  }

  /**
   * Calls back once, `delayUs` from now and after every event already waiting for that moment. The label
   * enters the digest.
   * @throws RangeError when the delay is negative or no integer.
   */
  schedule(delayUs: number, label: string, callback: () => void): ScheduledEvent {
    const atUs = this.#nowUs + delayUs;
    if (!(delayUs >= 0) || !Number.isSafeInteger(atUs)) {
      throw new RangeError(`a delay must be whole microseconds, zero or more, got ${delayUs} for '${label}'`);
    }
    return this.#queue.push(atUs, label, callback);
  }

  /** An event that ran, or was cancelled before, is a no-op. */
  cancel(event: ScheduledEvent): void {
    this.#queue.cancel(event);
  }

  /** Resolves `delayUs` from now, for scripts that drive a simulation from inside. */
  sleep(delayUs: number, label = 'sleep'): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(delayUs, label, resolve);
    });
  }

  /** A step worth reading: enters the digest and the trace. */
  record(line: string): void {
    this.#digest.line(line);
    this.#trace.record(this.#nowUs, line);
  }

  /** Bytes that must be equal in equal runs (a frame, a write): enter the digest only. */
  recordBytes(data: Uint8Array): void {
    this.#digest.bytes(data);
  }

  /** Hex SHA-256 over every event, recorded line and recorded byte so far. */
  digest(): string {
    return this.#digest.value();
  }

  /** The last recorded lines, oldest first, each with its moment. */
  trace(): string[] {
    return this.#trace.lines();
  }

  /** Ends the run: `run` rejects after the event under way. The first failure stays. */
  fail(cause: unknown, during: string): void {
    this.#failure ??= new SimulationFailed(cause, during, this.#nowUs);
  }

  /**
   * Runs events until the condition holds; may be called again to go on.
   * @throws SimulationFailed when an event threw, code in the simulation left a rejection unhandled or an
   *   exception uncaught, or a moment never ends. A failed simulation stays failed.
   */
  run(stop: StopCondition = {}): Promise<StopReason> {
    if (this.#running) return Promise.reject(new Error('this simulation is running already'));
    if (stop.atUs !== undefined && !(stop.atUs >= this.#nowUs)) {
      return Promise.reject(new RangeError(`cannot run back to ${stop.atUs} µs from ${this.#nowUs} µs`));
    }
    this.#running = true;
    return new Promise((resolve, reject) => {
      const onStray: StrayErrorListener = (error, origin) => this.fail(error, origin);
      const stopListening = listenForStrayErrors(onStray);
      const eventsMax = stop.eventsMax === undefined ? Infinity : this.#events + stop.eventsMax;
      let finished = false;
      const turn = (): void => {
        if (finished) return;
        blame(onStray);
        const reason = this.#turn(stop, eventsMax);
        if (reason === null) return;
        finished = true;
        this.#running = false;
        stopListening();
        if (this.#failure === null) resolve(reason);
        else reject(this.#failure);
      };
      // Node drains microtasks and ticks between two immediates of one loop iteration, which is all that
      // is needed; a whole iteration for each event would cost fifteen times as much.
      const pump = (): void => {
        if (finished) return;
        for (let i = 0; i < TURNS_PER_LOOP; i++) setImmediate(turn);
        setImmediate(pump);
      };
      pump();
    });
  }

  /** One event, or the reason why there is none. */
  #turn(stop: StopCondition, eventsMax: number): StopReason | null {
    try {
      if (this.#failure !== null) return 'condition';
      if (stop.when?.() === true) return 'condition';
      if (this.#events >= eventsMax) return 'events';
      const event = this.#queue.peek();
      if (event === null && stop.atUs === undefined) return 'idle';
      if (event === null || (stop.atUs !== undefined && event.atUs > stop.atUs)) {
        this.#nowUs = stop.atUs ?? this.#nowUs;
        return 'time';
      }
      this.#runEvent(event);
    } catch (error) {
      this.fail(error, 'the stop condition');
    }
    return null;
  }

  #runEvent(event: ScheduledEvent): void {
    if (event.atUs > this.#nowUs) {
      this.#nowUs = event.atUs;
      this.#eventsAtThisMoment = 0;
    }
    const callback = this.#queue.take(event);
    this.#events += 1;
    this.#eventsAtThisMoment += 1;
    this.#digest.event(event.atUs, event.label);
    if (this.#eventsAtThisMoment > EVENTS_PER_MOMENT_MAX) {
      this.fail(new Error(`${EVENTS_PER_MOMENT_MAX} events and time does not move on`), event.label);
      return;
    }
    try {
      callback();
    } catch (error) {
      this.fail(error, event.label);
    }
  }
}

/** The run cannot go on; `cause` is what went wrong. */
export class SimulationFailed extends Error {
  readonly code = 'KONTIKI_SIMULATION_FAILED';
  /** The label of the event, or the origin, where it surfaced. */
  readonly during: string;
  readonly atUs: number;
  constructor(cause: unknown, during: string, atUs: number) {
    const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(`the simulation failed at ${seconds(atUs)} during '${during}': ${said}`, { cause });
    this.name = 'SimulationFailed';
    this.during = during;
    this.atUs = atUs;
  }
}

const TURNS_PER_LOOP = 64;
const EVENTS_PER_MOMENT_MAX = 100_000;
