import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLinearizable, Linearizability } from '../../../lab/checkers/linearizability.ts';
import { registerHistory } from '../../../lab/checkers/register-history.ts';
import { searchRegister } from '../../../lab/checkers/register-search.ts';
import { describeOperation } from '../../../lab/workload/describe-operation.ts';
import type { KvCall, Operation } from '../../../lab/workload/history.ts';
import { History } from '../../../lab/workload/history.ts';
import { linearizableByDefinition } from './brute-force.ts';
import { choices, everyHistory, part } from './every-history.ts';
import { drawn } from './operations.ts';
import type { RealRegisterOptions } from './real-register.ts';
import { realHistory } from './real-register.ts';

/** The ids of the contradiction, or null when there is none. */
function contradiction(operations: readonly Operation[]): number[] | null {
  const found = checkLinearizable(operations);
  if (found === null) return null;
  if ('undecided' in found) throw new Error('undecided');
  return found.operations.map(({ id }) => id);
}

function sentence(operations: readonly Operation[]): string {
  const found = checkLinearizable(operations);
  return found && 'sentence' in found ? found.sentence : 'no contradiction';
}

describe('histories that one copy could have given', () => {
  test.each([
    ['nothing at all', ''],
    ['a read of the empty register', 'c0 |--| read -'],
    [
      'one after the other',
      `
      c0 |--|           write 1
      c1      |--|      read 1
      c0           |--| cas 1 2
      c1                  |--| read 2`,
    ],
    [
      'reads that overlap a write see either value',
      `
      c0 |------------| write 1
      c1   |--|         read -
      c2        |--|    read 1`,
    ],
    [
      'concurrent writes, read in either order by the one who sees both',
      `
      c0 |------------|         write 1
      c1 |------------|         write 2
      c2   |--|                 read 2
      c2        |--|            read 1
      c3                 |--|   read 1`,
    ],
    [
      'a write nobody saw hides behind another',
      `
      c0 |--|               write 1
      c1     |---------|    write 2
      c2     |---------|    write 3
      c3        |--|        read 1
      c0               |--| read 3`,
    ],
    [
      'a write of unknown outcome is read long after',
      `
      c0 |---?                 write 1
      c1       |--|            read -
      c1            |--|       read 1
      c1                 |--|  read 1`,
    ],
    [
      'an unknown write never takes effect',
      `
      c0 |---?           write 1
      c1       |--|      read -
      c1            |--| read -`,
    ],
    [
      'an unknown write is what refused a compare-and-set',
      `
      c0 |--|               write 1
      c1   |---?            write 2
      c2         |--|       cas 1 3 no
      c2              |--|  read 2`,
    ],
    [
      'an unknown swap links two known values',
      `
      c0 |--|               write 1
      c1   |---?            cas 1 2
      c2         |--|       cas 2 3
      c2              |--|  read 3`,
    ],
    [
      'a running write is already seen',
      `
      c0 |--             write 1
      c1      |--|       read 1`,
    ],
    [
      'a failed write is not seen',
      `
      c0 |--x            write 1
      c1      |--|       read -`,
    ],
    [
      'two unknown writes of one value are both used',
      `
      c0 |--?                             write 1
      c1 |--?                             write 1
      c2      |--|                        read 1
      c2           |--|                   write 2
      c2                |--|              read 1`,
    ],
    [
      'an unknown write refuses a compare-and-set between two writes of the value that it expects',
      `
      c0 |---|                    write 2
      c1  |--                     write 1
      c2    |----|                write 2
      c3        |---|             cas 2 1 no
      c0                 |--|     read 2`,
    ],
    [
      'an unknown swap refuses a compare-and-set between two writes of the value that both expect',
      `
      c0 |---|                    write 2
      c1  |---?                   cas 2 1
      c2    |----|                write 2
      c3        |---|             cas 2 3 no
      c0                 |--|     cas 2 3`,
    ],
    [
      'keys do not disturb each other',
      `
      c0 |--|            write 1 on a
      c1      |--|       read - on b`,
    ],
  ])('%s', (_name, picture) => {
    expect(contradiction(drawn(picture))).toBe(null);
  });
});

describe('histories that no single copy could have given', () => {
  test.each([
    [
      'a stale read',
      `
      c0 |--|               write 1
      c0      |--|          write 2
      c1           |--|     read 1`,
      [0, 1, 2],
    ],
    [
      'a lost write',
      `
      c0 |--|               write 1
      c1      |--|          read -`,
      [0, 1],
    ],
    [
      'a lost update: both swaps of one value succeed',
      `
      c0 |--|               write 1
      c1      |------|      cas 1 2
      c2      |------|      cas 1 3`,
      [1, 2],
    ],
    [
      'reads go back in time while the write runs',
      `
      c0 |---------------|  write 1
      c1   |--|             read 1
      c2         |--|       read -`,
      [1, 2],
    ],
    [
      'an unknown write is read, then the value before it',
      `
      c0 |--|                       write 1
      c1      |---?                 write 2
      c2            |--|            read 2
      c3                  |--|      read 1`,
      [0, 2, 3],
    ],
    ['a value nobody wrote', 'c0 |--| read 9', [0]],
    [
      'a failed write is read',
      `
      c0 |--x           write 5
      c1      |--|      read 5`,
      [1],
    ],
    [
      'a write is read before it is called',
      `
      c0      |--|      write 5
      c1 |--|           read 5`,
      [0],
    ],
    [
      'a compare-and-set is refused though its value was there all along',
      `
      c0 |--|           write 1
      c1      |--|      cas 1 2 no
      c2           |--| read 1`,
      [0, 1],
    ],
    [
      'two readers disagree on the order of two writes',
      `
      c0 |-------------|         write 1
      c1 |-------------|         write 2
      c2   |--|                  read 1
      c2        |--|             read 2
      c3                  |--|   read 1
      c3                       |--| read 2`,
      [2, 3, 4],
    ],
  ])('%s', (_name, picture, expected) => {
    const operations = drawn(picture);
    expect(linearizableByDefinition(operations)).toBe(false);
    const found = contradiction(operations);
    expect(found).toEqual(expected);
  });

  test('the sentence names clients, operations, times and values', () => {
    const stale = drawn(`
      c0 |--|               write 1
      c0      |--|          write 2
      c1           |--|     read 1`);
    expect(sentence(stale)).toBe(
      'on k, these operations cannot be put in one order: ' +
        'client 0 wrote 1 to k (operation 0, 9..12 ms); ' +
        'client 0 wrote 2 to k (operation 1, 14..17 ms); ' +
        'client 1 read 1 from k (operation 2, 19..22 ms)',
    );
  });

  test('the sentence says where a value came from that should not be there', () => {
    expect(sentence(drawn('c0 |--| read 9'))).toMatch(/cannot have happened.*\(nobody wrote 9\)$/);
    const dirty = drawn(`
      c0 |--x           write 5
      c1      |--|      read 5`);
    expect(sentence(dirty)).toMatch(/5 came from: client 0 tried to write 5 to k, failed/);
  });

  test('the contradiction is found among unrelated operations', () => {
    const history = new History();
    const write = (client: number, value: number): void => {
      history.ok(history.call(client, { kind: 'write', key: 'k', value }, value), { kind: 'write' }, value);
    };
    const read = (client: number, value: number): void => {
      const operation = history.call(client, { kind: 'read', key: 'k' }, value);
      history.ok(operation, { kind: 'read', value }, value);
    };
    for (let value = 1; value <= 300; value += 1) {
      write(0, value);
      read(1, value);
    }
    read(2, 299);
    for (let value = 301; value <= 600; value += 1) write(0, value);
    const found = checkLinearizable(history.operations);
    expect(found && 'operations' in found && found.operations).toHaveLength(3);
    expect(sentence(history.operations)).toMatch(/(read|wrote) 299 .*(read|wrote) 300 .*client 2 read 299/);
  });
});

describe('long histories of one key', () => {
  const mixes = {
    mixed: { read: 5, write: 3, cas: 2 },
    'mostly writes': { read: 1, write: 8, cas: 1 },
    'mostly compare-and-set': { read: 1, write: 1, cas: 8 },
  };
  const options = (mix: keyof typeof mixes, operations: number): RealRegisterOptions => ({
    operations,
    clients: 10,
    unknownPercent: 5,
    mix: mixes[mix],
    seed: 7,
  });

  test.each([['mixed'], ['mostly writes'], ['mostly compare-and-set']] as const)(
    '5,000 operations of 10 clients, %s, are passed in at most one step each',
    (mix) => {
      const operations = realHistory(options(mix, 5000));
      expect(checkLinearizable(operations, operations.length)).toBe(null);
    },
  );

  test.each([
    ['mixed', 5000],
    ['mostly writes', 500],
    ['mostly compare-and-set', 5000],
  ] as const)('one stale read, %s, among %i operations is found and explained', (mix, count) => {
    const operations = realHistory(options(mix, count));
    const reads = operations.filter(({ call, outcome }) => call.kind === 'read' && outcome?.kind === 'ok');
    const stale = reads[Math.floor(reads.length * 0.9)];
    const old = reads[Math.floor(reads.length * 0.7)]?.outcome;
    if (stale?.outcome?.kind !== 'ok' || old?.kind !== 'ok') throw new Error('no reads');
    const bad: Operation = { ...stale, outcome: { ...stale.outcome, result: old.result } };
    const found = contradiction(operations.map((operation) => (operation === stale ? bad : operation)));
    expect(found).toContain(stale.id);
    expect(found?.length).toBeLessThanOrEqual(4);
  });

  test('a history of nothing but unknown outcomes but one', () => {
    const history = new History();
    for (let value = 1; value <= 500; value += 1) {
      const call: KvCall = { kind: 'cas', key: 'k', expected: value - 1 || null, value };
      history.unknown(history.call(0, call, value), 'timed out', value);
    }
    const read = history.call(1, { kind: 'read', key: 'k' }, 3000);
    history.ok(read, { kind: 'read', value: 500 }, 3001);
    expect(checkLinearizable(history.operations)).toBe(null);
  });
});

test('what is too hard to decide is not passed', () => {
  const operations = drawn(`
      c0 |--|               write 1
      c0      |--|          write 2
      c1           |--|     read 2`);
  expect(checkLinearizable(operations, 1)).toEqual({ undecided: 'k', operations: 3 });
});

test('the checker speaks at the end of the run', () => {
  const history = new History();
  const checker = new Linearizability(history);
  expect(checker.finish(100)).toBe(null);
  history.ok(history.call(3, { kind: 'read', key: 'k' }, 40), { kind: 'read', value: 1 }, 50);
  expect(checker.observe()).toBe(null);
  expect(checker.finish(100)).toMatchObject({
    checker: 'linearizability',
    atMs: 50,
    sentence: expect.stringContaining('client 3 read 1 from k (operation 0, 40..50 ms)'),
  });
});

/** Few values, so that they recur, and any outcome: most such histories are wrong, many are subtle. */
const smallHistory = fc
  .array(
    fc.record({
      kind: fc.constantFrom('read' as const, 'write' as const, 'cas' as const),
      first: fc.constantFrom(null, 1, 2),
      value: fc.constantFrom(1, 2, 3),
      swapped: fc.boolean(),
      outcome: fc.constantFrom('ok', 'ok', 'ok', 'ok', 'unknown', 'failed', 'running'),
      from: fc.integer({ min: 0, max: 12 }),
      length: fc.integer({ min: 1, max: 6 }),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((drafts): Operation[] => {
    const history = new History();
    const running = new Map<(typeof drafts)[number], Operation>();
    for (let at = 0; at <= 20; at += 1) {
      for (const draft of drafts) {
        const { kind, first, value, from } = draft;
        if (from !== at) continue;
        const key = 'k';
        const call: KvCall =
          kind === 'read'
            ? { kind, key }
            : kind === 'write'
              ? { kind, key, value }
              : { kind, key, expected: first, value };
        running.set(draft, history.call(0, call, at));
      }
      for (const draft of drafts) {
        const operation = running.get(draft);
        if (!operation || draft.from + draft.length !== at) continue;
        if (draft.outcome === 'unknown') history.unknown(operation, '', at);
        else if (draft.outcome === 'failed') history.failed(operation, '', at);
        else if (draft.outcome === 'ok') {
          const { kind, first, swapped } = draft;
          history.ok(
            operation,
            kind === 'read' ? { kind, value: first } : kind === 'write' ? { kind } : { kind, swapped },
            at,
          );
        }
      }
    }
    return [...history.operations];
  });

interface Compared {
  right: number;
  wrong: number;
}

function compare(operations: readonly Operation[], compared: Compared): void {
  const expected = linearizableByDefinition(operations);
  compared[expected ? 'right' : 'wrong'] += 1;
  const found = searchRegister(registerHistory(operations), 100_000);
  if (found === (expected ? 'linearizable' : 'not-linearizable')) return;
  expect.fail(`${found}: ${operations.map(describeOperation).join('; ')}`);
}

describe('it agrees with the definition', () => {
  // As many as there are interval orders on a labelled set, which is what "returned before it was called" is.
  test.each([
    [1, 1],
    [2, 3],
    [3, 19],
    [4, 207],
    [5, 3451],
  ])('%i operations can overlap in %i ways', (count, ways) => {
    const parts = Array.from({ length: count }, (_, at) => part(`write ${at}`));
    expect([...everyHistory(parts)]).toHaveLength(ways);
  });

  test('on every history of up to three operations and two values', () => {
    const expectations = ['-', '1', '2'];
    const swaps = expectations.flatMap((expected) => [`cas ${expected} 1`, `cas ${expected} 2`]);
    const writes = ['write 1', 'write 2'];
    const parts = [
      ...expectations.map((value) => `read ${value}`),
      ...[...writes, ...swaps].flatMap((change) => [change, `${change}?`]),
      ...swaps.map((swap) => `${swap} no`),
    ].map(part);
    const compared = { right: 0, wrong: 0 };
    for (const count of [1, 2, 3]) {
      for (const chosen of choices(parts, count)) {
        for (const operations of everyHistory(chosen)) compare(operations, compared);
      }
    }
    expect(compared).toEqual({ right: 7_814, wrong: 17_975 });
  });

  // Three operations have no room for a value that is in the way, is left and is set again.
  test('on every history of five operations that write a value twice and refuse a compare-and-set of it', () => {
    const others = ['write 1', 'write 1?', 'write 2', 'write 2?', 'read 2'];
    const swaps = ['cas 2 1', 'cas 2 1?', 'cas 2 1 no', 'cas 1 2?'];
    const write = part('write 2');
    const refused = part('cas 2 1 no');
    const compared = { right: 0, wrong: 0 };
    for (const chosen of choices([...others, ...swaps].map(part), 2)) {
      for (const operations of everyHistory([write, write, refused, ...chosen])) {
        compare(operations, compared);
      }
    }
    expect(compared).toEqual({ right: 25_459, wrong: 16_687 });
  });

  test('on 20,000 histories of up to seven', () => {
    const compared = { right: 0, wrong: 0 };
    fc.assert(
      fc.property(smallHistory, (operations) => compare(operations, compared)),
      { numRuns: 20_000, seed: 1 },
    );
    expect(compared.right).toBeGreaterThan(1000);
    expect(compared.wrong).toBeGreaterThan(1000);
  });
});

test('a contradiction is one in itself, and no part of it can be spared', () => {
  fc.assert(
    fc.property(smallHistory, (operations) => {
      const found = checkLinearizable(operations);
      if (!found || !('sentence' in found)) return;
      // Only what was known by the last return of the core, and of that only the core, must be honoured.
      const until = Math.max(...found.operations.map(({ outcome }) => outcome?.sequence ?? 0));
      const bound = (core: readonly Operation[]): Operation[] =>
        operations.flatMap((operation) => {
          const { call, outcome, calledSequence } = operation;
          if (calledSequence > until) return [];
          if (outcome?.kind !== 'ok' || core.includes(operation)) return [operation];
          if (call.kind === 'read' || outcome.sequence > until) return [{ ...operation, outcome: null }];
          return [{ ...operation, call: { kind: 'write', key: 'k', value: call.value }, outcome: null }];
        });
      expect(linearizableByDefinition(bound(found.operations))).toBe(false);
      for (const spared of found.operations) {
        const rest = found.operations.filter((operation) => operation !== spared);
        expect(linearizableByDefinition(bound(rest))).toBe(true);
      }
    }),
    { numRuns: 3_000, seed: 1 },
  );
});
