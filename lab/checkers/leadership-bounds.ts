import type { NodeId } from '../../src/raft/identity.ts';
import type { Expectations, Fault } from '../scenario/scenario.ts';
import type { Struck } from '../world/timeline.ts';
import type { Violation } from './checker.ts';

/** Who leads, as the bounds need to know it. */
export interface Leaders {
  /** The voters of the time. */
  readonly replicas: readonly NodeId[];
  leader(): NodeId | null;
  termLedBy(id: NodeId): number;
  readonly leaderships: readonly { readonly replica: NodeId; readonly term: number }[];
}

type Schedule = (delayMs: number, label: string, callback: () => void) => void;

/**
 * How soon a cluster must react when a fault takes its leader away: the rest elects another, the old one
 * steps down. It does not judge faults shorter than the bound, nor ones that leave no majority.
 */
export class LeadershipBounds {
  static readonly newLeader = 'new-leader-within';
  static readonly stepDown = 'step-down-within';
  readonly #leaders: Leaders;
  readonly #expect: Expectations;
  readonly #schedule: Schedule;
  readonly #found: (violation: Violation) => void;

  constructor(
    leaders: Leaders,
    expect: Expectations,
    schedule: Schedule,
    found: (violation: Violation) => void,
  ) {
    this.#leaders = leaders;
    this.#expect = expect;
    this.#schedule = schedule;
    this.#found = found;
  }

  /** Just before a fault strikes. */
  onStrike({ step, on, atMs }: Struck): void {
    const leader = this.#leaders.leader();
    if (leader === null || !on.includes(leader)) return;
    const others = this.#leaders.replicas.filter((id) => !on.includes(id));
    if (2 * others.length <= this.#leaders.replicas.length) return;
    const { fault } = step;
    const { kind } = fault;
    if (!takesAway(fault)) return;

    const term = this.#leaders.termLedBy(leader);
    const lasts = (boundMs: number): boolean => step.forMs === null || step.forMs > boundMs;
    const { newLeaderWithinMs, stepDownWithinMs } = this.#expect;
    if (newLeaderWithinMs !== null && lasts(newLeaderWithinMs)) {
      this.#schedule(newLeaderWithinMs, LeadershipBounds.newLeader, () => {
        const elected = this.#leaders.leaderships.some((l) => l.term > term && others.includes(l.replica));
        if (elected) return;
        this.#found({
          checker: LeadershipBounds.newLeader,
          sentence:
            `${leader}, leader of term ${term}, was taken away at ${atMs} ms, and within ` +
            `${newLeaderWithinMs} ms none of ${others.join(', ')} led a later term`,
          atMs: atMs + newLeaderWithinMs,
        });
      });
    }
    if (stepDownWithinMs !== null && lasts(stepDownWithinMs) && kind === 'partition') {
      this.#schedule(stepDownWithinMs, LeadershipBounds.stepDown, () => {
        if (this.#leaders.termLedBy(leader) !== term) return;
        this.#found({
          checker: LeadershipBounds.stepDown,
          sentence:
            `${leader} was cut off from the majority at ${atMs} ms and ${stepDownWithinMs} ms later ` +
            `it still leads term ${term}`,
          atMs: atMs + stepDownWithinMs,
        });
      });
    }
  }
}

/** Where a leader still sees some, it may well go on; one whose disk hangs or is full cannot. */
function takesAway(fault: Fault): boolean {
  switch (fault.kind) {
    case 'partition':
      return fault.shape === 'cut-off' && fault.from === null;
    case 'disk':
      return fault.how === 'hangs' || (fault.how === 'fills' && fault.bytesLeft === 0);
    default:
      return fault.kind === 'crash' || fault.kind === 'pause' || fault.kind === 'wipe';
  }
}
