import type { Clock, TimerHandle } from '../doors/clock.ts';
import type { Index } from '../raft/entry.ts';
import type { Stalled } from '../raft/event.ts';

export interface StallActions {
  /** @param forMs - since it last finished anything, or was given something to do. */
  stalled(what: Stalled, forMs: number): void;
  answered(what: Stalled): void;
}

export interface StallLimits {
  readonly storageStallMs: number;
  readonly applyStallMs: number;
}

/**
 * Notices that the storage does not finish a write, or the state machine a command, for longer than is bearable. It
 * ends by itself when they go on; nothing is retried or given up for it.
 */
export class StallWatch {
  readonly #storage: Watch;
  readonly #stateMachine: Watch;
  #writesUnderWay = 0;

  /** @param appliedIndex - the last entry that the state machine finished. */
  constructor(clock: Clock, limits: StallLimits, appliedIndex: () => Index, actions: StallActions) {
    this.#storage = new Watch(clock, limits.storageStallMs, {
      stalled: (forMs) => actions.stalled('storage', forMs),
      answered: () => actions.answered('storage'),
    });
    this.#stateMachine = new Watch(
      clock,
      limits.applyStallMs,
      {
        stalled: (forMs) => actions.stalled('state-machine', forMs),
        answered: () => actions.answered('state-machine'),
      },
      appliedIndex,
    );
  }

  writeBegun(): void {
    this.#writesUnderWay += 1;
    if (this.#writesUnderWay === 1) this.#storage.begin();
  }

  /** Writes end in the order in which they began. */
  writeEnded(): void {
    this.#writesUnderWay -= 1;
    this.#storage.end();
    if (this.#writesUnderWay > 0) this.#storage.begin();
  }

  /** Commands are being applied asynchronously. */
  applyBegun(): void {
    this.#stateMachine.begin();
  }

  applyEnded(): void {
    this.#stateMachine.end();
  }

  /** The session has ended. */
  stop(): void {
    this.#storage.stop();
    this.#stateMachine.stop();
  }
}

/** Something under way that should get on. */
class Watch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #actions: { stalled(forMs: number): void; answered(): void };
  /** Whatever shows that it got on without having ended. */
  readonly #mark: () => number;
  /** Left running when it ends: the next one begins soon, and finds it. */
  #timer: TimerHandle | null = null;
  /** When it began, or got on; null when nothing is under way. */
  #since: number | null = null;
  #seen = 0;
  #isStalled = false;

  constructor(
    clock: Clock,
    limitMs: number,
    actions: { stalled(forMs: number): void; answered(): void },
    mark: () => number = () => 0,
  ) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#actions = actions;
    this.#mark = mark;
  }

  begin(): void {
    this.#since = this.#clock.now();
    this.#seen = this.#mark();
    if (this.#timer === null) this.#arm(this.#limitMs);
  }

  end(): void {
    this.#since = null;
    this.#goesOn();
  }

  stop(): void {
    this.#since = null;
    this.#isStalled = false;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = null;
      // What completed while the process stood still is let in before it is called late.
      this.#clock.endOfTurn(() => this.#look());
    });
  }

  #look(): void {
    if (this.#since === null) return;
    const now = this.#clock.now();
    const mark = this.#mark();
    if (mark !== this.#seen) {
      this.#seen = mark;
      this.#since = now;
      this.#goesOn();
    }
    const forMs = now - this.#since;
    if (forMs >= this.#limitMs && !this.#isStalled) {
      this.#isStalled = true;
      this.#actions.stalled(forMs);
    }
    if (this.#timer === null)
      this.#arm(forMs < this.#limitMs && forMs >= 0 ? this.#limitMs - forMs : this.#limitMs);
  }

  #goesOn(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#actions.answered();
  }
}
