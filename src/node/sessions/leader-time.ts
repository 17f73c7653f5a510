import type { Term } from '../../raft/entry.ts';

/** What the reckoning needs to know of a replica that leads. */
export interface Leading {
  readonly term: Term;
  /** The first entry of its term is applied here, so the table has the stamps of all former leaders. */
  readonly termApplied: boolean;
}

/**
 * Replicated time as the leader reckons it: the time of the table when the leader's term began, plus monotonic
 * time since the leader was elected. Time in which nobody leads is not counted, so a session never lives shorter
 * for it.
 *
 * The monotonic clock is not trusted either. What passed between two looks counts for one `timeStepMaxMs` at
 * most, and for nothing when the clock went back: after a jump the leader goes on from there, rather than to
 * make up for it entry by entry. A leader looks at every heartbeat, so a clock that is right loses nothing.
 */
export class LeaderTime {
  #term: Term = 0;
  #lookedAt = 0;
  #elapsedMs = 0;
  #baseMs: number | null = null;

  /**
   * The stamp for an entry that is proposed now. Until the leader knows the time of its predecessors it gives
   * that of its table, which moves nothing.
   *
   * @param now - of the monotonic clock.
   */
  reckon(
    now: number,
    { term, termApplied }: Leading,
    table: { readonly timeMs: number; readonly timeStepMaxMs: number },
  ): number {
    if (term !== this.#term) {
      this.#term = term;
      this.#lookedAt = now;
      this.#elapsedMs = 0;
      this.#baseMs = null;
    }
    const passedMs = now - this.#lookedAt;
    this.#lookedAt = now;
    if (passedMs > 0) this.#elapsedMs += Math.min(passedMs, table.timeStepMaxMs);
    if (this.#baseMs === null && termApplied) this.#baseMs = table.timeMs;
    return this.#baseMs === null ? table.timeMs : Math.floor(this.#baseMs + this.#elapsedMs);
  }
}
