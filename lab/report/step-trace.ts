import type { WorldObservation } from '../checkers/checker.ts';
import { describeObservation } from './describe-observation.ts';

type Step = { readonly atMs: number; readonly line: string } | WorldObservation;

/**
 * The last steps of a run, for the reader of a violation. They are put into words only when asked for:
 * nearly every run passes.
 */
export class StepTrace {
  readonly #kept: number;
  #older: Step[] = [];
  #newer: Step[] = [];

  /** @param kept - lines to show at the most. */
  constructor(kept: number) {
    this.#kept = kept;
  }

  observe(observation: WorldObservation): void {
    // The state of a step lives on and changes; what led to it stands in the other observations.
    if (observation.kind === 'replica' && observation.observation.kind === 'step') return;
    this.#add(observation);
  }

  note(atMs: number, line: string): void {
    this.#add({ atMs, line });
  }

  /** Oldest first, each with its moment. */
  lines(): string[] {
    return [...this.#older, ...this.#newer]
      .slice(-this.#kept)
      .map((step) => `${step.atMs.toFixed(3)} ms  ${'line' in step ? step.line : describeObservation(step)}`);
  }

  /** Two halves, of which the older is dropped whole: nothing is moved for each step. */
  #add(step: Step): void {
    this.#newer.push(step);
    if (this.#newer.length < this.#kept) return;
    this.#older = this.#newer;
    this.#newer = [];
  }
}
