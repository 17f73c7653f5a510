import { expect, test } from 'vitest';
import { recoveryAfter } from '../../../lab/checkers/recovery.ts';
import { drawn } from './operations.ts';

const operations = drawn(`
c0      |----------|           write 1
c1         |--x                write 2
c2           |---------|       write 3
c3               |---|         read 1
c4                        |-   write 4`);
const [before] = operations;
const healedAtMs = before?.calledAtMs ?? 0;

test('the first acknowledged of those called since', () => {
  expect(recoveryAfter(operations, healedAtMs)?.operation.id).toBe(0);
  expect(recoveryAfter(operations, healedAtMs + 1)).toMatchObject({ operation: { id: 3 }, durationMs: 12 });
});

test('one called before proves nothing, and one that failed or runs neither', () => {
  expect(recoveryAfter(operations, healedAtMs + 10)).toBe(null);
  expect(recoveryAfter([], 0)).toBe(null);
});
