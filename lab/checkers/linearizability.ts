import type { History, Operation } from '../workload/history.ts';
import type { Checker, Violation } from './checker.ts';
import { registerHistory } from './register-history.ts';
import { searchRegister } from './register-search.ts';
import type { Unorderable } from './unorderable.ts';
import { localUnorderable, smallestUnorderable } from './unorderable.ts';

/** Points one search may visit. Histories of correct registers need about one per operation. */
const STEPS_MAX = 300_000;

/**
 * Whether a history of reads, writes and compare-and-sets is one that a single copy could have given
 * (Herlihy and Wing 1990). Keys are judged one by one, which loses nothing: linearizability is local.
 * Operations of unknown outcome, and running ones, may have taken effect at any time after their call, or
 * never; failed ones never did.
 *
 * @returns null when it is; else the first key that is not, with a smallest contradiction. A history too
 *   hard to decide within `stepsMax` is never passed: `undecided` names its key.
 */
export function checkLinearizable(
  operations: readonly Operation[],
  stepsMax: number = STEPS_MAX,
): Unorderable | { readonly undecided: string; readonly operations: number } | null {
  for (const [key, ofKey] of byKey(operations)) {
    const result = searchRegister(registerHistory(ofKey), stepsMax);
    if (result === 'undecided')
      return localUnorderable(ofKey) ?? { undecided: key, operations: ofKey.length };
    if (result === 'not-linearizable') return smallestUnorderable(ofKey);
  }
  return null;
}

/** Does not check: anything but what clients saw; a write lost after the last read of its key is not seen. */
export class Linearizability implements Checker {
  readonly name = 'linearizability';
  readonly property =
    'What clients saw could have come from one copy, each operation taking effect between its call and its return (Herlihy and Wing 1990).';
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  observe(): Violation | null {
    return null;
  }

  finish(atMs: number): Violation | null {
    const found = checkLinearizable(this.#history.operations);
    if (found === null) return null;
    if ('undecided' in found) {
      const sentence = `the ${found.operations} operations on ${found.undecided} could not be decided within ${STEPS_MAX} steps: use more keys, fewer clients or a shorter run`;
      return { checker: this.name, sentence, atMs, undecided: true };
    }
    const ends = found.operations.map(({ outcome }) => outcome?.atMs ?? 0);
    return { checker: this.name, sentence: found.sentence, atMs: Math.max(...ends) };
  }
}

function byKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    const ofKey = keys.get(operation.call.key);
    if (ofKey) ofKey.push(operation);
    else keys.set(operation.call.key, [operation]);
  }
  return keys;
}
