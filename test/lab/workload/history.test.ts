import { expect, test } from 'vitest';
import { describeOperation } from '../../../lab/workload/describe-operation.ts';
import type { Operation } from '../../../lab/workload/history.ts';
import { History } from '../../../lab/workload/history.ts';

test('calls and returns share one order, also within a millisecond', () => {
  const history = new History();
  const first = history.call(0, { kind: 'write', key: 'k', value: 1 }, 5);
  const second = history.call(1, { kind: 'read', key: 'k' }, 5);
  history.ok(second, { kind: 'read', value: null }, 5);
  history.ok(first, { kind: 'write' }, 5);
  expect(history.operations.map(({ id }) => id)).toEqual([0, 1]);
  expect([first.calledSequence, second.calledSequence]).toEqual([1, 2]);
  expect([second.outcome?.sequence, first.outcome?.sequence]).toEqual([3, 4]);
});

test('every operation is counted once, by how it ended', () => {
  const history = new History();
  const calls = [0, 1, 2, 3].map((value) => history.call(0, { kind: 'write', key: 'k', value }, value));
  const [ok, failed, unknown] = calls;
  if (!ok || !failed || !unknown) throw new Error('four calls');
  history.ok(ok, { kind: 'write' }, 4);
  history.failed(failed, 'NotLeader', 4);
  history.unknown(unknown, 'timed out', 4);
  expect(history.counts()).toEqual({ attempted: 4, acknowledged: 1, failed: 1, unknown: 1, running: 1 });
});

test('what ended has ended: an answer that comes late changes nothing', () => {
  const history = new History();
  const operation = history.call(0, { kind: 'write', key: 'k', value: 1 }, 0);
  history.unknown(operation, 'timed out', 2000);
  expect(() => history.ok(operation, { kind: 'write' }, 2001)).toThrow(
    'operation 0 already ended as unknown',
  );
  expect(operation.outcome?.kind).toBe('unknown');
  expect(history.counts().unknown).toBe(1);
});

test('a result of another kind than the call is refused', () => {
  const history = new History();
  const operation = history.call(0, { kind: 'read', key: 'k' }, 0);
  expect(() => history.ok(operation, { kind: 'write' }, 1)).toThrow(
    'operation 0 is a read, its result a write',
  );
});

test('an operation reads as a phrase', () => {
  const history = new History();
  const ended = (operation: Operation, end: (operation: Operation) => void): string => {
    end(operation);
    return describeOperation(operation);
  };
  const cas = { kind: 'cas', key: 'k', expected: null, value: 4 } as const;
  const read = { kind: 'read', key: 'k' } as const;
  expect(ended(history.call(0, read, 1), (one) => history.ok(one, { kind: 'read', value: null }, 2))).toBe(
    'client 0 read nothing from k (operation 0, 1..2 ms)',
  );
  expect(ended(history.call(1, cas, 3), (one) => history.ok(one, { kind: 'cas', swapped: true }, 4))).toBe(
    'client 1 changed k from nothing to 4 (operation 1, 3..4 ms)',
  );
  expect(ended(history.call(1, cas, 3), (one) => history.ok(one, { kind: 'cas', swapped: false }, 4))).toBe(
    'client 1 did not change k from nothing to 4 (operation 2, 3..4 ms)',
  );
  expect(ended(history.call(2, cas, 5), (one) => history.unknown(one, 'timed out', 9))).toBe(
    'client 2 tried to change k from nothing to 4, outcome unknown (operation 3, from 5 ms)',
  );
  expect(ended(history.call(2, read, 5), (one) => history.failed(one, 'timed out', 9))).toBe(
    'client 2 tried to read k, failed (operation 4, 5..9 ms)',
  );
  expect(describeOperation(history.call(2, read, 5))).toBe(
    'client 2 tried to read k, not answered (operation 5, from 5 ms)',
  );
});
