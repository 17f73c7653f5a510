import type { Checker, Violation, WorldObservation } from './checker.ts';

/** How one checker fared. */
export interface CheckerResult {
  readonly name: string;
  readonly property: string;
  readonly passed: boolean;
}

/** Runs checkers side by side. One that found something is not asked again; the others go on. */
export class CheckerSet {
  readonly #all: readonly Checker[];
  #asked: readonly Checker[];
  readonly #violations: Violation[] = [];

  constructor(checkers: readonly Checker[]) {
    this.#all = checkers;
    this.#asked = checkers;
  }

  /** Everything found so far, oldest first. */
  get violations(): readonly Violation[] {
    return this.#violations;
  }

  /** @returns the first thing found at this step, or null. */
  observe(observation: WorldObservation): Violation | null {
    let first: Violation | null = null;
    for (const checker of this.#asked) {
      const violation = checker.observe(observation);
      if (violation === null) continue;
      this.#note(checker, violation);
      first ??= violation;
    }
    return first;
  }

  /** Call it once, when the cluster is quiet. @returns the first thing found, or null. */
  finish(atMs: number): Violation | null {
    let first: Violation | null = null;
    for (const checker of this.#asked) {
      const violation = checker.finish(atMs);
      if (violation === null) continue;
      this.#note(checker, violation);
      first ??= violation;
    }
    return first;
  }

  results(): CheckerResult[] {
    const failed = new Set(this.#violations.map(({ checker }) => checker));
    return this.#all.map(({ name, property }) => ({ name, property, passed: !failed.has(name) }));
  }

  /** Leaves the list that is being iterated as it is. */
  #note(checker: Checker, violation: Violation): void {
    this.#violations.push(violation);
    this.#asked = this.#asked.filter((other) => other !== checker);
  }
}
