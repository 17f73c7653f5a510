import { expect, test } from 'vitest';
import { longestOutage } from '../../../lab/workload/availability.ts';
import type { Operation } from '../../../lab/workload/history.ts';
import { History } from '../../../lab/workload/history.ts';

/** Each row: called at, ended at (or null), acknowledged. */
function history(...rows: readonly [number, number | null, boolean][]): readonly Operation[] {
  const recorded = new History();
  const moments = rows.flatMap(([from, to], row) => [
    { atMs: from, row, end: false },
    ...(to === null ? [] : [{ atMs: to, row, end: true }]),
  ]);
  moments.sort((a, b) => a.atMs - b.atMs || Number(a.end) - Number(b.end));
  const operations = new Map<number, Operation>();
  for (const { atMs, row, end } of moments) {
    const operation = operations.get(row);
    if (!end) operations.set(row, recorded.call(row, { kind: 'write', key: 'k', value: row }, atMs));
    else if (operation && rows[row]?.[2]) recorded.ok(operation, { kind: 'write' }, atMs);
    else if (operation) recorded.unknown(operation, 'timed out', atMs);
  }
  return recorded.operations;
}

test('nobody asked, nothing was unavailable', () => {
  expect(longestOutage([], 100)).toBe(null);
});

test('a single call waits from its call to its answer', () => {
  expect(longestOutage(history([10, 25, true]), 100)).toEqual({ fromMs: 10, toMs: 25, durationMs: 15 });
});

test('an answer to one ends the wait of all', () => {
  const operations = history([0, 100, true], [10, 30, true], [20, 60, true]);
  expect(longestOutage(operations, 200)).toEqual({ fromMs: 60, toMs: 100, durationMs: 40 });
});

test('time in which nobody waits does not count', () => {
  expect(longestOutage(history([0, 5, true], [500, 507, true]), 600)?.durationMs).toBe(7);
});

test('giving up and asking again later does not make a cluster available', () => {
  const operations = history([0, 5, true], [10, 2010, false], [2060, 4060, false], [4100, 4200, true]);
  expect(longestOutage(operations, 5000)).toEqual({ fromMs: 10, toMs: 4200, durationMs: 4190 });
});

test('a wait without end lasts until someone stopped looking, or the last one gave up', () => {
  expect(longestOutage(history([0, 5, true], [10, null, false]), 900)?.durationMs).toBe(890);
  expect(longestOutage(history([0, 5, true], [10, 310, false]), 900)?.durationMs).toBe(300);
});
