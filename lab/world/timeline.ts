import type { Random } from '../../src/doors/random.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { resolveTargets, type StrikingFault, strike } from '../faults/fault.ts';
import { describeChange, namedIn, resolveWish } from '../faults/membership.ts';
import type { Injection } from '../report/run-result.ts';
import { whyMomentary } from '../scenario/fault-traits.ts';
import type { MembershipWish, TimelineStep } from '../scenario/scenario.ts';
import type { OrderedChange, World } from './world.ts';

/** A fault that names the leader waits for one, this long. */
const LEADER_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 10;

/** A fault that struck, before the report knows when it healed. */
export interface Struck {
  readonly step: TimelineStep;
  readonly on: readonly NodeId[];
  readonly atMs: number;
}

export interface TimelineOptions {
  readonly world: World;
  readonly random: Random;
  readonly nowMs: () => number;
  readonly schedule: (delayMs: number, label: string, callback: () => void) => void;
  /** Called just before a fault strikes. */
  readonly onStrike: (struck: Struck) => void;
  /** Called when a fault never found anybody to strike; the scenario was not what it says it is. */
  readonly onMissed: (step: TimelineStep, why: string) => void;
}

/** Lets the faults of a scenario strike and heal when their time comes. */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #injections: { injection: Injection; heal: (() => void) | null }[] = [];
  #waiting = 0;
  /** Changes of the membership whose time has come, the one under way first. */
  readonly #changes: (() => void)[] = [];
  #lastHealedAtMs: number | null = null;

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** What struck so far, in order. */
  get injections(): Injection[] {
    return this.#injections.map(({ injection }) => injection);
  }

  /** No fault is due any more, all that end by themselves have healed, and every change is over. */
  get done(): boolean {
    return this.#waiting === 0;
  }

  /** When a fault last struck for a moment, or healed; null before. */
  get lastHealedAtMs(): number | null {
    return this.#lastHealedAtMs;
  }

  start(steps: readonly TimelineStep[]): void {
    for (const step of steps) {
      this.#waiting += 1;
      const { fault } = step;
      this.#options.schedule(step.atMs, `fault of line ${step.line}`, () => {
        if (fault.kind === 'membership') this.#queue(step, fault);
        else this.#begin(step, fault);
      });
    }
  }

  /** Ends what is still there. */
  healAll(): void {
    for (const struck of this.#injections) this.#heal(struck);
  }

  #begin(step: TimelineStep, fault: StrikingFault): void {
    const { world, random, schedule, nowMs } = this.#options;
    this.#whenResolved(
      step,
      () => resolveTargets(fault, world, random),
      (targets) => {
        const { on } = targets;
        const atMs = nowMs();
        this.#options.onStrike({ step, on, atMs });
        const { what, heal } = strike(fault, targets, world, random);
        const momentary = whyMomentary(fault) !== null;
        const struck = {
          injection: { atMs, healedAtMs: null, what, on } as Injection,
          heal: momentary ? null : heal,
        };
        this.#injections.push(struck);
        if (momentary) this.#lastHealedAtMs = atMs;
        if (step.forMs === null) this.#waiting -= 1;
        else {
          schedule(step.forMs, `end of the fault of line ${step.line}`, () => {
            this.#waiting -= 1;
            this.#heal(struck);
          });
        }
      },
    );
  }

  #queue(step: TimelineStep, wish: MembershipWish): void {
    this.#changes.push(() => this.#change(step, wish));
    if (this.#changes.length === 1) this.#changes[0]?.();
  }

  #change(step: TimelineStep, wish: MembershipWish): void {
    const { world, random, nowMs } = this.#options;
    const next = (): void => {
      this.#changes.shift();
      this.#changes[0]?.();
    };
    const resolve = (): OrderedChange | null => resolveWish(wish, world, random);
    this.#whenResolved(step, resolve, (change) => {
      const on = namedIn(change);
      const atMs = nowMs();
      this.#options.onStrike({ step, on, atMs });
      const struck = {
        injection: { atMs, healedAtMs: null, what: `membership: ${describeChange(change)}`, on } as Injection,
        heal: null,
      };
      this.#injections.push(struck);
      world.changeMembership(change, () => {
        const healedAtMs = nowMs();
        struck.injection = { ...struck.injection, healedAtMs };
        this.#lastHealedAtMs = healedAtMs;
        this.#waiting -= 1;
        next();
      });
    });
  }

  /** Whoever names the leader waits for one. */
  #whenResolved<Whom>(
    step: TimelineStep,
    resolve: () => Whom | null,
    go: (whom: Whom) => void,
    patienceMs = LEADER_WITHIN_MS,
  ): void {
    const whom = resolve();
    if (whom !== null) {
      go(whom);
    } else if (patienceMs > 0) {
      this.#options.schedule(LOOK_EVERY_MS, 'waiting for a leader to strike', () =>
        this.#whenResolved(step, resolve, go, patienceMs - LOOK_EVERY_MS),
      );
    } else {
      this.#waiting -= 1;
      this.#options.onMissed(step, `no replica led within ${LEADER_WITHIN_MS} ms`);
    }
  }

  #heal(struck: { injection: Injection; heal: (() => void) | null }): void {
    const { heal } = struck;
    if (heal === null) return;
    struck.heal = null;
    heal();
    const healedAtMs = this.#options.nowMs();
    struck.injection = { ...struck.injection, healedAtMs };
    this.#lastHealedAtMs = healedAtMs;
  }
}
