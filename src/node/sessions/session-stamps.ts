import type { Clock, TimerHandle } from '../../doors/clock.ts';
import type { RaftState } from '../../raft/state.ts';
import { LeaderTime, type Leading } from './leader-time.ts';
import type { SessionTable } from './session-table.ts';

/** What is looked at of the core. */
export type LeaderState = Pick<RaftState, 'role' | 'hardState' | 'appliedIndex' | 'termStartIndex'>;

/**
 * Stamps the session entries that this replica proposes, and sees that replicated time goes on while a leader
 * has sessions and nobody sends anything: then it proposes an entry with nothing but the time, every half of a
 * `timeStepMaxMs`. Without sessions it proposes nothing.
 */
export class SessionStamps {
  readonly #clock: Clock;
  readonly #table: () => Pick<SessionTable, 'size' | 'timeMs' | 'timeStepMaxMs'>;
  readonly #propose: (stampMs: number) => void;
  readonly #time = new LeaderTime();
  #leading: Leading | null = null;
  #timer: TimerHandle | null = null;
  #stampedAt = 0;

  /** @param propose - proposes an entry with nothing but this stamp. */
  constructor(
    clock: Clock,
    table: () => Pick<SessionTable, 'size' | 'timeMs' | 'timeStepMaxMs'>,
    propose: (stampMs: number) => void,
  ) {
    this.#clock = clock;
    this.#table = table;
    this.#propose = propose;
  }

  /** Called after every drain of the core, and with null once there is no core. */
  look(state: LeaderState | null): void {
    this.#leading = state === null ? null : leadingOf(state);
    if (this.#leading === null || this.#table().size === 0) {
      this.#disarm();
      return;
    }
    this.#reckon(this.#leading);
    if (this.#timer === null) this.#arm(this.#intervalMs);
  }

  /** For an entry that is proposed now; 0, which moves nothing, while this replica does not lead. */
  stamp(): number {
    this.#stampedAt = this.#clock.now();
    return this.#leading === null ? 0 : this.#reckon(this.#leading);
  }

  get #intervalMs(): number {
    return this.#table().timeStepMaxMs / 2;
  }

  #reckon(leading: Leading): number {
    return this.#time.reckon(this.#clock.now(), leading, this.#table());
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = null;
      const idleMs = this.#clock.now() - this.#stampedAt;
      if (idleMs < this.#intervalMs && idleMs >= 0) {
        this.#arm(this.#intervalMs - idleMs);
      } else {
        this.#propose(this.stamp());
        this.#arm(this.#intervalMs);
      }
    });
  }

  #disarm(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}

function leadingOf({ role, hardState, appliedIndex, termStartIndex }: LeaderState): Leading | null {
  return role === 'leader' ? { term: hardState.term, termApplied: appliedIndex >= termStartIndex } : null;
}
