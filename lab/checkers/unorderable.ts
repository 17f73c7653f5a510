import { describeOperation } from '../workload/describe-operation.ts';
import type { Operation } from '../workload/history.ts';
import { registerHistory } from './register-history.ts';
import { searchRegister } from './register-search.ts';

/** Operations on one key that have no order, though without any one of them the rest has. */
export interface Unorderable {
  readonly key: string;
  /** In order of their calls. */
  readonly operations: readonly Operation[];
  readonly sentence: string;
}

/** A search with few outcomes to honour is short, or leads nowhere. */
const SEARCH_STEPS_MAX = 20_000;
/** Bounds the time; a contradiction that is not the smallest is one too. */
const SEARCHES_MAX = 200;

/**
 * The smallest part of a history of one key that still has no order: first the shortest beginning, then
 * the shortest end of that, then as many outcomes as possible relaxed. All of it only allows more orders,
 * so what remains is truly contradictory in the whole history; and since it does, one pass over ever
 * smaller parts finds a core of which no member can be spared.
 *
 * @param operations - of one key, known to have no order.
 */
export function smallestUnorderable(operations: readonly Operation[]): Unorderable {
  const acknowledged = inOrderOfReturns(operations);
  let low = 0;
  let high = acknowledged.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isUnorderable(operations, returnAt(acknowledged, middle), [])) high = middle;
    else low = middle + 1;
  }
  const beginning = acknowledged.slice(0, high + 1);
  // It is nearly always between the last few operations and those of the value the last one is about.
  for (let size = 4; size < beginning.length; size *= 4) {
    const near = nearTheEnd(beginning, { size, aboutLast: 1 });
    const found = smallestWithin(operations, beginning, near);
    if (found) return found;
  }
  return (
    smallestWithin(operations, beginning, beginning) ??
    localUnorderable(operations) ??
    account(operations, beginning)
  );
}

/**
 * Looks for a contradiction only between operations close to each other and those of the values they are
 * about, which takes time in proportion to the history: for one that is too hard to decide as a whole.
 * Finding none proves nothing.
 */
export function localUnorderable(operations: readonly Operation[]): Unorderable | null {
  const acknowledged = inOrderOfReturns(operations);
  for (let end = WINDOW / 2; end < acknowledged.length + WINDOW / 2; end += WINDOW / 2) {
    const beginning = acknowledged.slice(0, end);
    const near = nearTheEnd(beginning, { size: WINDOW, aboutLast: WINDOW });
    const found = smallestWithin(operations, beginning, near);
    if (found) return found;
  }
  return null;
}

const WINDOW = 32;

/** The last `size` of them, and those that mention what the very last `aboutLast` need. */
function nearTheEnd(
  beginning: readonly Operation[],
  { size, aboutLast }: { size: number; aboutLast: number },
): Operation[] {
  const values = new Set(beginning.slice(-aboutLast).map(valueNeeded));
  values.delete(null);
  const from = beginning.length - size;
  return beginning.filter((operation, at) => at >= from || mentionsAny(operation, values));
}

/** The smallest contradiction among `within`, a part of `beginning`; null when none is found there. */
function smallestWithin(
  operations: readonly Operation[],
  beginning: readonly Operation[],
  within: readonly Operation[],
): Unorderable | null {
  const untilSequence = returnAt(beginning, beginning.length - 1);
  const kept = new Set(within);
  const relaxed = beginning.filter((operation) => !kept.has(operation));
  if (!isUnorderable(operations, untilSequence, relaxed)) return null;
  let core = [...within];
  let searches = 0;
  for (let size = Math.ceil(core.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    const needed: Operation[] = [];
    for (let from = 0; from < core.length; from += size) {
      const part = core.slice(from, from + size);
      searches += 1;
      if (searches <= SEARCHES_MAX && isUnorderable(operations, untilSequence, [...relaxed, ...part])) {
        relaxed.push(...part);
      } else needed.push(...part);
    }
    core = needed;
  }
  return account(operations, core);
}

function isUnorderable(
  operations: readonly Operation[],
  untilSequence: number,
  relaxed: readonly Operation[],
): boolean {
  const history = registerHistory(operations, { untilSequence, relaxed: new Set(relaxed) });
  return searchRegister(history, SEARCH_STEPS_MAX) === 'not-linearizable';
}

function account(operations: readonly Operation[], core: readonly Operation[]): Unorderable {
  const inOrder = [...core].sort((a, b) => a.id - b.id);
  const key = operations[0]?.call.key ?? '';
  return { key, operations: inOrder, sentence: sentenceOf(key, inOrder, operations) };
}

function inOrderOfReturns(operations: readonly Operation[]): Operation[] {
  const acknowledged = operations.filter(({ outcome }) => outcome?.kind === 'ok');
  return acknowledged.sort((a, b) => returned(a) - returned(b));
}

function returned({ outcome }: Operation): number {
  return outcome?.kind === 'ok' ? outcome.sequence : Number.POSITIVE_INFINITY;
}

function returnAt(operations: readonly Operation[], at: number): number {
  const operation = operations[at];
  return operation ? returned(operation) : 0;
}

const SHOWN_MAX = 8;

function sentenceOf(key: string, core: readonly Operation[], all: readonly Operation[]): string {
  const shown = core.slice(0, SHOWN_MAX).map(describeOperation);
  if (core.length > SHOWN_MAX) shown.push(`and ${core.length - SHOWN_MAX} more`);
  const [only] = shown;
  const claim =
    core.length === 1
      ? `on ${key}, this cannot have happened in any order: ${only}`
      : `on ${key}, these operations cannot be put in one order: ${shown.join('; ')}`;
  const origins = originsOf(core, all);
  return origins.length === 0 ? claim : `${claim} (${origins.join('; ')})`;
}

/** Where the values came from that the core speaks of but does not itself write. */
function originsOf(core: readonly Operation[], all: readonly Operation[]): string[] {
  const origins: string[] = [];
  for (const value of new Set(core.map(valueNeeded))) {
    if (value === null) continue;
    const writers = all.filter(({ call }) => call.kind !== 'read' && call.value === value);
    if (writers.some((writer) => core.includes(writer))) continue;
    if (writers.length === 0) origins.push(`nobody wrote ${value}`);
    else origins.push(`${value} came from: ${writers.map(describeOperation).join(' or ')}`);
  }
  return origins;
}

function valueNeeded({ call, outcome }: Operation): number | null {
  if (outcome?.kind !== 'ok') return null;
  if (outcome.result.kind === 'read') return outcome.result.value;
  return call.kind === 'cas' ? call.expected : null;
}

function mentionsAny(operation: Operation, values: ReadonlySet<number | null>): boolean {
  const { call } = operation;
  return (call.kind !== 'read' && values.has(call.value)) || values.has(valueNeeded(operation));
}
