import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestValue, mixBytes, startDigest } from '../../../lab/workload/digest.ts';
import type { KvCommand } from '../../../lab/workload/kv.ts';
import { isKvCommand, KvStateMachine } from '../../../lab/workload/kv.ts';

const command = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    key: fc.constantFrom('a', 'b'),
    value: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({
    kind: fc.constant('cas' as const),
    key: fc.constantFrom('a', 'b'),
    expected: fc.constantFrom(null, 0, 1, 2, 3),
    value: fc.integer({ min: 0, max: 3 }),
  }),
);

function machineAfter(commands: readonly KvCommand[]): KvStateMachine {
  const machine = new KvStateMachine();
  commands.forEach((one, at) => void machine.apply(one, { index: at + 1, term: 1 }));
  return machine;
}

test('it is a map, with a compare-and-set that tells whether it swapped', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
      const machine = new KvStateMachine();
      const naive = new Map<string, number>();
      commands.forEach((one, at) => {
        const swapped = one.kind === 'write' || (naive.get(one.key) ?? null) === one.expected;
        if (swapped) naive.set(one.key, one.value);
        expect(machine.apply(one, { index: at + 1, term: 1 })).toEqual(
          one.kind === 'write' ? { kind: 'write' } : { kind: 'cas', swapped },
        );
      });
      for (const key of ['a', 'b', 'never']) {
        expect(machine.query({ kind: 'read', key })).toEqual({ kind: 'read', value: naive.get(key) ?? null });
      }
      expect(machine.appliedIndex).toBe(commands.length);
      expect(machine.size).toBe(naive.size);
    }),
  );
});

test('equal commands give equal digests, and any difference shows for good', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 20 }), fc.nat(), (commands, chosen) => {
      const digest = machineAfter(commands).digest;
      expect(Number.isSafeInteger(digest)).toBe(true);
      expect(machineAfter(commands).digest).toBe(digest);
      const at = chosen % commands.length;
      const changed = commands.map((one, here) =>
        here === at ? { kind: 'write' as const, key: one.key, value: 99 } : one,
      );
      expect(machineAfter(changed).digest).not.toBe(digest);
      expect(machineAfter(commands.slice(0, -1)).digest).not.toBe(digest);
    }),
  );
});

test('bytes that differ in one bit have different digests', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  const digestOf = (data: Uint8Array): number => {
    const digest = startDigest();
    mixBytes(digest, data);
    return digestValue(digest);
  };
  fc.assert(
    fc.property(bytes, fc.nat(), (data, chosen) => {
      const changed = Uint8Array.from(data);
      const bit = chosen % (data.length * 8);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(digestOf(changed)).not.toBe(digestOf(data));
      expect(digestOf(Uint8Array.of(...data, 0))).not.toBe(digestOf(data));
    }),
  );
});

test.each([
  ['nothing', null],
  ['a read', { kind: 'read', key: 'k' }],
  ['no key', { kind: 'write', value: 1 }],
  ['a fraction', { kind: 'write', key: 'k', value: 1.5 }],
  ['text for a value', { kind: 'write', key: 'k', value: '1' }],
  ['a compare-and-set that expects nothing it could say', { kind: 'cas', key: 'k', value: 1 }],
])('%s is no command, and is not applied', (_name, what) => {
  expect(isKvCommand(what)).toBe(false);
  const machine = new KvStateMachine();
  expect(() => machine.apply(what as KvCommand, { index: 3, term: 2 })).toThrow(
    /^entry 3 of term 2 is no command of the key-value workload/,
  );
  expect(machine.appliedIndex).toBe(0);
});
