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
const SHRINK_STEPS_MAX = 20_000;
const SHRINK_SEARCHES_MAX = 200;

/**
 * The smallest part of a history of one key that still has no order: first the shortest beginning, then
 * the shortest end of that, then as many outcomes as possible relaxed. All of it only allows more orders,
 * so what remains is truly contradictory in the whole history; and since it does, one pass over ever
 * smaller parts finds a core of which no member can be spared.
 *
 * @param operations - of one key, known to have no order.
 */
export function smallestUnorderable(operations: readonly Operation[]): Unorderable {
  const unorderable = (untilSequence: number, relaxed: ReadonlySet<Operation>): boolean => {
    const history = registerHistory(operations, { untilSequence, relaxed });
    return searchRegister(history, SHRINK_STEPS_MAX) === 'not-linearizable';
  };
  const acknowledged = operations
    .filter(({ outcome }) => outcome?.kind === 'ok')
    .sort((a, b) => returned(a) - returned(b));
  let low = 0;
  let high = acknowledged.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (unorderable(returnAt(acknowledged, middle), new Set())) high = middle;
    else low = middle + 1;
  }
  const untilSequence = returnAt(acknowledged, high);
  const beginning = acknowledged.slice(0, high + 1);
  const core = spareWhatCanBe(beginning, (relaxed) => unorderable(untilSequence, relaxed));
  core.sort((a, b) => a.id - b.id);
  const key = operations[0]?.call.key ?? '';
  return { key, operations: core, sentence: sentenceOf(key, core, operations) };
}

/**
 * @param beginning - in order of returns; the last one is part of every contradiction.
 * @param still - whether a contradiction remains with these operations relaxed; monotone.
 */
function spareWhatCanBe(
  beginning: readonly Operation[],
  still: (relaxed: ReadonlySet<Operation>) => boolean,
): Operation[] {
  let core: Operation[] = [...beginning];
  const relaxed = new Set<Operation>();
  // It is nearly always between the last few operations and those of the value the last one is about.
  const value = valueNeeded(beginning.at(-1));
  for (let size = 4; size < beginning.length; size *= 4) {
    const near = beginning.length - size;
    const apart = beginning.filter((operation, at) => at < near && !mentions(operation, value));
    if (!still(new Set(apart))) continue;
    for (const operation of apart) relaxed.add(operation);
    core = core.filter((operation) => !relaxed.has(operation));
    break;
  }
  // Bounds the time; a contradiction that is not the smallest is one too.
  let searches = 0;
  for (let size = Math.ceil(core.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < core.length; from += size) {
      const part = core.slice(from, from + size);
      searches += 1;
      if (searches > SHRINK_SEARCHES_MAX) break;
      if (still(new Set([...relaxed, ...part]))) for (const operation of part) relaxed.add(operation);
    }
    core = core.filter((operation) => !relaxed.has(operation));
  }
  return core;
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
  for (const value of new Set(core.map((operation) => valueNeeded(operation)))) {
    if (value === null) continue;
    const writers = all.filter(({ call }) => call.kind !== 'read' && call.value === value);
    if (writers.some((writer) => core.includes(writer))) continue;
    if (writers.length === 0) origins.push(`nobody wrote ${value}`);
    else origins.push(`${value} came from: ${writers.map(describeOperation).join(' or ')}`);
  }
  return origins;
}

function valueNeeded(operation: Operation | undefined): number | null {
  const { call, outcome } = operation ?? {};
  if (!call || outcome?.kind !== 'ok') return null;
  if (outcome.result.kind === 'read') return outcome.result.value;
  return call.kind === 'cas' ? call.expected : null;
}

function mentions(operation: Operation, value: number | null): boolean {
  const { call } = operation;
  return (call.kind !== 'read' && call.value === value) || valueNeeded(operation) === value;
}
