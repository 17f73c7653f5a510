import type { Operation } from '../workload/history.ts';

/** A value as a small integer: 0 for absent (null), `JUNK` for all that nobody ever asks about. */
export type Value = number;
export const ABSENT: Value = 0;
export const JUNK: Value = -1;
/** Where an operation needs no particular value, or sets none. */
export const NONE: Value = -2;

/**
 * An operation that took effect once between its call and its return.
 *
 * | kind    | a                                 | needs    | sets  |
 * |---------|-----------------------------------|----------|-------|
 * | read    | read                              | value    |       |
 * | write   | write                             |          | value |
 * | swap    | compare-and-set that swapped      | expected | value |
 * | refused | compare-and-set that did not swap | anything but `needs` |  |
 */
export interface CertainOperation {
  readonly source: Operation;
  readonly kind: 'read' | 'write' | 'swap' | 'refused';
  readonly needs: Value;
  readonly sets: Value;
  readonly called: number;
  readonly returned: number;
  /** A write that nothing can tell from not having been, once another write follows at once. */
  hideable: boolean;
}

/** Writes, or compare-and-sets, that may take effect at any time after their call, or never; all alike. */
export interface PossibleOperations {
  /** `NONE` for writes. */
  readonly needs: Value;
  readonly sets: Value;
  /** Ascending. */
  readonly calls: number[];
}

/** The operations on one register, ready for the search. */
export interface RegisterHistory {
  /** In order of their returns. */
  readonly certain: readonly CertainOperation[];
  readonly possible: readonly PossibleOperations[];
  /** For each certain operation X: those not returned before X, and called before X returned. */
  readonly open: readonly (readonly number[])[];
  /** Values that only one operation sets (or the beginning), so that once left they never return. */
  readonly setOnce: ReadonlySet<Value>;
  /** For each value the certain reads and swaps that need it, in order of their returns. */
  readonly users: ReadonlyMap<Value, readonly number[]>;
  /** For each value the last position at which it can matter whether it is there; absent: never. */
  readonly lastUse: ReadonlyMap<Value, number>;
}

/** What of a history to hold against a register. */
export interface Selection {
  /** Only what was known by this sequence number: later returns are not known yet. */
  readonly untilSequence: number;
  /**
   * Operations of which less is to be demanded: a read nothing; a write or compare-and-set may have set its
   * value at any time after its call, or never, whatever was there before.
   */
  readonly relaxed: ReadonlySet<Operation>;
}

export const everything: Selection = { untilSequence: Number.POSITIVE_INFINITY, relaxed: new Set() };

/** `operations` are all of one key. Failed ones never were; reads of unknown outcome say nothing. */
export function registerHistory(
  operations: readonly Operation[],
  selection: Selection = everything,
): RegisterHistory {
  const known: Operation[] = [];
  const unknown: Operation[] = [];
  for (const operation of operations) {
    const { outcome, calledSequence } = operation;
    if (calledSequence > selection.untilSequence || outcome?.kind === 'failed') continue;
    const returned = outcome?.kind === 'ok' && outcome.sequence <= selection.untilSequence;
    if (returned && !selection.relaxed.has(operation)) known.push(operation);
    else if (operation.call.kind !== 'read') unknown.push(operation);
  }
  const conditional = unknown.filter((operation) => !selection.relaxed.has(operation));
  const asked = valuesAskedFor(known, conditional);
  const values = new Map<number | null, Value>([[null, ABSENT]]);
  const intern = (value: number | null): Value => {
    if (value !== null && !asked.has(value)) return JUNK;
    const there = values.get(value);
    if (there !== undefined) return there;
    values.set(value, values.size);
    return values.size - 1;
  };
  const certain = known
    .map((operation) => certainOperation(operation, intern))
    .sort((a, b) => a.returned - b.returned);
  const possible = possibleOperations(unknown, selection.relaxed, intern);
  markHideable(certain, possible);
  return {
    certain,
    possible,
    open: openOperations(certain),
    setOnce: valuesSetOnce(certain, possible),
    users: usersOf(certain),
    lastUse: lastUses(certain, possible),
  };
}

function valuesAskedFor(known: readonly Operation[], unknown: readonly Operation[]): Set<number> {
  const asked = new Set<number>();
  const ask = (value: number | null): void => {
    if (value !== null) asked.add(value);
  };
  for (const { call, outcome } of known) {
    if (outcome?.kind === 'ok' && outcome.result.kind === 'read') ask(outcome.result.value);
    if (call.kind === 'cas') ask(call.expected);
  }
  for (const { call } of unknown) if (call.kind === 'cas') ask(call.expected);
  return asked;
}

function certainOperation(source: Operation, intern: (value: number | null) => Value): CertainOperation {
  const { call, outcome, calledSequence: called } = source;
  if (outcome?.kind !== 'ok') throw new Error(`operation ${source.id} was not acknowledged`);
  const common = { source, called, returned: outcome.sequence, hideable: false };
  const { result } = outcome;
  if (call.kind === 'read' && result.kind === 'read') {
    return { ...common, kind: 'read', needs: intern(result.value), sets: NONE };
  }
  if (call.kind === 'write') return { ...common, kind: 'write', needs: NONE, sets: intern(call.value) };
  if (call.kind === 'cas' && result.kind === 'cas') {
    const needs = intern(call.expected);
    return result.swapped
      ? { ...common, kind: 'swap', needs, sets: intern(call.value) }
      : { ...common, kind: 'refused', needs, sets: NONE };
  }
  throw new Error(`operation ${source.id} is a ${call.kind}, its result a ${result.kind}`);
}

function possibleOperations(
  unknown: readonly Operation[],
  relaxed: ReadonlySet<Operation>,
  intern: (value: number | null) => Value,
): PossibleOperations[] {
  const classes = new Map<string, PossibleOperations>();
  for (const operation of unknown) {
    const { call, calledSequence } = operation;
    if (call.kind === 'read') continue;
    const needs = call.kind === 'cas' && !relaxed.has(operation) ? intern(call.expected) : NONE;
    const sets = intern(call.value);
    if (needs === sets) continue;
    const key = `${needs} ${sets}`;
    const alike = classes.get(key);
    if (alike) alike.calls.push(calledSequence);
    else classes.set(key, { needs, sets, calls: [calledSequence] });
  }
  for (const { calls } of classes.values()) calls.sort((a, b) => a - b);
  return [...classes.values()];
}

/**
 * A write of a value that nobody asks about may be put right before another write at no loss: taken out of
 * where it was in an order, it leaves what was there before it for longer, until the next change, which is
 * no swap, since none needs its value. One case is excepted: what was there before could be in the way of a
 * compare-and-set that this write let be refused. So it is not hideable if it is under way at any time
 * between the first write of a value and the return of a refused one that expects it.
 */
function markHideable(certain: readonly CertainOperation[], possible: readonly PossibleOperations[]): void {
  const firstSet = new Map<Value, number>([[ABSENT, Number.NEGATIVE_INFINITY]]);
  const note = (value: Value, called: number): void => {
    firstSet.set(value, Math.min(called, firstSet.get(value) ?? Number.POSITIVE_INFINITY));
  };
  for (const { sets, called } of certain) note(sets, called);
  for (const { sets, calls } of possible) note(sets, calls[0] ?? Number.POSITIVE_INFINITY);

  const risks = certain
    .filter(({ kind, needs }) => kind === 'refused' && firstSet.has(needs))
    .map(({ needs, returned }) => ({ from: firstSet.get(needs) ?? 0, to: returned }))
    .sort((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [];
  for (const risk of risks) {
    const last = merged.at(-1);
    if (last && risk.from <= last.to) last.to = Math.max(last.to, risk.to);
    else merged.push(risk);
  }
  const writes = certain.filter(({ kind, sets }) => kind === 'write' && sets === JUNK);
  writes.sort((a, b) => a.called - b.called);
  let at = 0;
  for (const write of writes) {
    while ((merged[at]?.to ?? Number.POSITIVE_INFINITY) < write.called) at += 1;
    const risk = merged[at];
    write.hideable = risk === undefined || risk.from > write.returned;
  }
}

function openOperations(certain: readonly CertainOperation[]): number[][] {
  const open: number[][] = certain.map(() => []);
  certain.forEach(({ called }, position) => {
    // Backwards from its own return to the first return after its call.
    for (let at = position; at >= 0 && (certain[at]?.returned ?? 0) > called; at -= 1) {
      open[at]?.push(position);
    }
  });
  return open;
}

function valuesSetOnce(
  certain: readonly CertainOperation[],
  possible: readonly PossibleOperations[],
): Set<Value> {
  const times = new Map<Value, number>([[ABSENT, 1]]);
  const add = (value: Value, count: number): void => {
    times.set(value, (times.get(value) ?? 0) + count);
  };
  for (const { sets } of certain) add(sets, 1);
  for (const { sets, calls } of possible) add(sets, calls.length);
  const once = new Set<Value>();
  for (const [value, count] of times) if (count === 1) once.add(value);
  return once;
}

function usersOf(certain: readonly CertainOperation[]): Map<Value, number[]> {
  const users = new Map<Value, number[]>();
  certain.forEach(({ kind, needs }, position) => {
    if (kind !== 'read' && kind !== 'swap') return;
    const there = users.get(needs);
    if (there) there.push(position);
    else users.set(needs, [position]);
  });
  return users;
}

/** A possible swap passes the use of what it sets on to what it needs. */
function lastUses(
  certain: readonly CertainOperation[],
  possible: readonly PossibleOperations[],
): Map<Value, number> {
  const lastUse = new Map<Value, number>();
  certain.forEach(({ needs }, position) => {
    if (needs !== NONE) lastUse.set(needs, position);
  });
  const swaps = possible.filter(({ needs }) => needs !== NONE);
  for (let changed = true; changed; ) {
    changed = false;
    for (const { needs, sets } of swaps) {
      const passedOn = lastUse.get(sets) ?? -1;
      if (passedOn <= (lastUse.get(needs) ?? -1)) continue;
      lastUse.set(needs, passedOn);
      changed = true;
    }
  }
  return lastUse;
}
