import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.ts';
import { isQuorum, quorumValue } from '../../src/raft/quorum.ts';
import { memberOf } from './sample-log.ts';

const configurationOf = (voters: string, outgoing = '', learners = ''): Configuration => ({
  id: '1.1',
  voters: [...voters].map(memberOf),
  outgoing: [...outgoing].map(memberOf),
  learners: [...learners].map(memberOf),
  retired: [],
});

describe('the value that a quorum has reached', () => {
  //  voters  outgoing  learners  reached by each                     by a quorum
  test.each([
    ['', '', '', {}, 0],
    ['a', '', '', { a: 7 }, 7],
    ['ab', '', '', { a: 7, b: 3 }, 3],
    ['abc', '', '', { a: 7, b: 3, c: 5 }, 5],
    ['abc', '', '', { a: 7 }, 0],
    ['abcd', '', '', { a: 9, b: 8, c: 2, d: 1 }, 2],
    ['abcde', '', '', { a: 9, b: 8, c: 5, d: 1, e: 1 }, 5],
    ['abc', '', 'xyz', { a: 1, x: 9, y: 9, z: 9 }, 0],
    ['abc', 'cde', '', { a: 9, b: 9, c: 4 }, 0],
    ['abc', 'cde', '', { a: 9, b: 9, c: 4, d: 2 }, 2],
    ['abc', 'abc', '', { a: 9, b: 5, c: 4 }, 5],
  ] as const)(
    'of voters %s and outgoing %s, learners %s, with %j, is %i',
    (voters, outgoing, learners, reached, expected) => {
      const values: Record<string, number> = reached;
      const configuration = configurationOf(voters, outgoing, learners);
      expect(quorumValue(configuration, ({ id }) => values[id] ?? 0)).toBe(expected);
    },
  );

  test('is what trying every value finds', () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const majority = (set: string[], values: Record<string, number>, value: number): boolean =>
      set.filter((id) => (values[id] ?? 0) >= value).length * 2 > set.length;
    const naive = (voters: string[], outgoing: string[], values: Record<string, number>): number => {
      for (let value = 20; value > 0; value -= 1) {
        const outgoingAgrees = outgoing.length === 0 || majority(outgoing, values, value);
        if (majority(voters, values, value) && outgoingAgrees) return value;
      }
      return 0;
    };
    fc.assert(
      fc.property(
        fc.subarray(ids, { minLength: 1 }),
        fc.subarray(ids),
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 7, maxLength: 7 }),
        (voters, outgoing, reached) => {
          const values = Object.fromEntries(ids.map((id, position) => [id, reached[position] ?? 0]));
          const configuration = configurationOf(voters.join(''), outgoing.join(''));
          expect(quorumValue(configuration, ({ id }) => values[id] ?? 0)).toBe(
            naive(voters, outgoing, values),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('two quorums of one configuration always share a member', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(127), fc.nat(127), (size, one, other) => {
        const configuration = configurationOf('abcdefg'.slice(0, size));
        const has = (set: number) => (member: { id: string }) =>
          ((set >> 'abcdefg'.indexOf(member.id)) & 1) === 1;
        if (isQuorum(configuration, has(one)) && isQuorum(configuration, has(other))) {
          expect(one & other & ((1 << size) - 1)).not.toBe(0);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
