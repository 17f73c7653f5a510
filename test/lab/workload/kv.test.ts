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
          one.kind === 'write' ? { kind: 'write', index: at + 1 } : { kind: 'cas', swapped, index: at + 1 },
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

const piecesOf = async function* (bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
};

test('a map restored from a snapshot goes on as the one that was never away', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 20 }),
      fc.array(command, { maxLength: 10 }),
      fc.integer({ min: 1, max: 40 }),
      async (before, after, size) => {
        const original = machineAfter(before);
        const bytes = Buffer.concat([...original.snapshot()]);
        const restored = machineAfter([{ kind: 'write', key: 'other', value: 1 }]);
        await restored.restore(piecesOf(bytes, size));
        expect(restored.appliedIndex).toBe(original.appliedIndex);
        after.forEach((one, at) => {
          const meta = { index: before.length + at + 1, term: 1 };
          expect(restored.apply(one, meta)).toEqual(original.apply(one, meta));
        });
        expect(restored.digest).toBe(original.digest);
        expect(restored.content).toBe(original.content);
        expect(restored.size).toBe(original.size);
      },
    ),
  );
});

test('the digest of the content tells what a map holds, and not how that came about', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 20 }), (commands) => {
      const machine = machineAfter(commands);
      const held = new Map<string, number>();
      for (const key of ['a', 'b']) {
        const { value } = machine.query({ kind: 'read', key }) as { value: number | null };
        if (value !== null) held.set(key, value);
      }
      const written = [...held].reverse().map(([key, value]) => ({ kind: 'write' as const, key, value }));
      expect(Number.isSafeInteger(machine.content)).toBe(true);
      expect(machineAfter(written).content).toBe(machine.content);
      expect(machineAfter([...written, { kind: 'write', key: 'a', value: 99 }]).content).not.toBe(
        machine.content,
      );
      for (const gone of written) {
        expect(machineAfter(written.filter((one) => one !== gone)).content).not.toBe(machine.content);
      }
    }),
  );
});

test('a restored map tells what came in the snapshot, whatever the head of that says', async () => {
  const contentOf = async (...lines: readonly string[]): Promise<number> => {
    const machine = new KvStateMachine();
    const head = JSON.stringify({ appliedIndex: 2, high: 1, low: 1, keys: lines.length });
    await machine.restore(piecesOf(Buffer.from([head, ...lines, ''].join('\n')), 10));
    expect(machine.digest).toBe(digestValue({ high: 1, low: 1 }));
    return machine.content;
  };
  const whole = await contentOf('["a",1]', '["b",2]');
  expect(await contentOf('["b",2]', '["a",1]')).toBe(whole);
  expect(await contentOf('["a",1]')).not.toBe(whole);
  expect(await contentOf('["a",2]', '["b",1]')).not.toBe(whole);
});

test('a snapshot is the state as of its call, in bytes that do not tell of the order of keys', () => {
  const keys = Array.from({ length: 40 }, (_, at) => `k${at}`);
  const filled = (order: readonly string[]): KvStateMachine => {
    const machine = new KvStateMachine();
    order.forEach(
      (key, at) => void machine.apply({ kind: 'write', key, value: 1 }, { index: at + 1, term: 1 }),
    );
    return machine;
  };
  const linesOf = (chunks: Iterable<Uint8Array>): string[] =>
    Buffer.concat([...chunks])
      .toString()
      .split('\n');
  const forwards = filled(keys);
  const chunks = forwards.snapshot();
  forwards.apply({ kind: 'write', key: 'k0', value: 2 }, { index: 41, term: 1 });
  const taken = [...chunks];
  expect(taken.length).toBeGreaterThan(2);
  const [head, ...values] = linesOf(taken);
  expect(JSON.parse(head ?? '')).toMatchObject({ appliedIndex: 40, keys: 40 });
  expect(linesOf(filled(keys.reverse()).snapshot()).slice(1)).toEqual(values);
});

test.each([
  ['nothing', ''],
  ['a missing key', '{"appliedIndex":1,"high":1,"low":1,"keys":2}\n["a",1]\n'],
  ['a line cut short', '{"appliedIndex":1,"high":1,"low":1,"keys":1}\n["a",1]'],
  ['a value that is no number', '{"appliedIndex":1,"high":1,"low":1,"keys":1}\n["a","1"]\n'],
])('%s is no snapshot, and leaves the map as it was', async (_name, text) => {
  const machine = machineAfter([{ kind: 'write', key: 'a', value: 7 }]);
  await expect(machine.restore(piecesOf(Buffer.from(text), 10))).rejects.toThrow();
  expect(machine.query({ kind: 'read', key: 'a' })).toEqual({ kind: 'read', value: 7 });
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
