import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Configuration, Member } from '../../src/raft/configuration.ts';
import { members } from '../../src/raft/configuration.ts';
import { isQuorum, quorumValue } from '../../src/raft/quorum.ts';
import { pair, quorumsOf, reachedByAQuorum, someQuorumAgrees } from './models/naive-quorum.ts';
import { memberOf, votersOf } from './sample-log.ts';

/** Two of the names come twice: as they were, and as they came back with an emptied disk. */
const everybody: readonly Member[] = [
  ...[...'abcde'].map(memberOf),
  ...[...'ab'].map((id) => ({ ...memberOf(id), incarnation: `${id}-incarnation-2` })),
];

const anySet = fc.subarray([...everybody], { maxLength: 5 });

const anyConfiguration: fc.Arbitrary<Configuration> = fc
  .record({ voters: anySet, outgoing: fc.oneof(fc.constant([]), anySet), learners: anySet })
  .map((sets) => ({ id: '5.2', ...sets, retired: [] }));

/** What each of `everybody` has reached; absent ones were never heard. */
const anyValues = fc
  .array(fc.option(fc.nat(6), { nil: 0 }), { minLength: everybody.length, maxLength: everybody.length })
  .map((values) => new Map(everybody.map((member, at) => [pair(member), values[at] ?? 0])));

describe('the arithmetic of quorums, and its naive twin', () => {
  test('find the same value reached by a quorum: the commit index and the round that was answered', () => {
    const seen = { nothing: 0, something: 0 };
    fc.assert(
      fc.property(anyConfiguration, anyValues, (configuration, values) => {
        const found = quorumValue(configuration, (member) => values.get(pair(member)) ?? 0);
        expect(found).toBe(reachedByAQuorum(configuration, (member) => values.get(member) ?? 0, 6));
        seen[found === 0 ? 'nothing' : 'something'] += 1;
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(seen.nothing, seen.something)).toBeGreaterThan(100);
  });

  test('find the same outcome of a vote', () => {
    const seen = { won: 0, open: 0 };
    fc.assert(
      fc.property(anyConfiguration, fc.subarray([...everybody]), (configuration, granted) => {
        const said = new Set(granted.map(pair));
        const won = isQuorum(configuration, (member) => said.has(pair(member)));
        expect(won).toBe(someQuorumAgrees(configuration, (member) => said.has(member)));
        seen[won ? 'won' : 'open'] += 1;
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(seen.won, seen.open)).toBeGreaterThan(100);
  });
});

describe('what the dissertation needs of quorums', () => {
  const share = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
    [...one].some((member) => other.has(member));
  const decidesAlone = (member: Member, configuration: Configuration): boolean =>
    isQuorum(configuration, (one) => pair(one) === pair(member));

  test('each step of a change, old, joint and new, shares a member with every quorum of the step before', () => {
    fc.assert(
      fc.property(
        fc.subarray([...everybody], { minLength: 1, maxLength: 4 }),
        fc.subarray([...everybody], { minLength: 1, maxLength: 4 }),
        (from, to) => {
          const old: Configuration = { ...votersOf(), voters: from };
          const joint: Configuration = { ...votersOf(), voters: to, outgoing: from };
          const next: Configuration = { ...votersOf(), voters: to };
          for (const quorum of quorumsOf(joint)) {
            expect(isQuorum(joint, (member) => quorum.has(pair(member)))).toBe(true);
            for (const other of [...quorumsOf(old), ...quorumsOf(next), ...quorumsOf(joint)]) {
              expect(share(quorum, other)).toBe(true);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('without the joint step an old and a new quorum may have nobody in common', () => {
    const [old, next] = [votersOf('a', 'b', 'c'), votersOf('c', 'd', 'e')];
    const apart = quorumsOf(old).some((one) => quorumsOf(next).some((other) => !share(one, other)));
    expect(apart).toBe(true);
  });

  test('a quorum stays one when more agree, and fails when one fewer than a majority does', () => {
    fc.assert(
      fc.property(anyConfiguration, fc.constantFrom(...everybody), (configuration, member) => {
        for (const quorum of quorumsOf(configuration)) {
          const more = new Set([...quorum, pair(member)]);
          expect(isQuorum(configuration, (one) => more.has(pair(one)))).toBe(true);
          const fewer = [...quorum].slice(1);
          const still = someQuorumAgrees(configuration, (one) => fewer.includes(one));
          expect(isQuorum(configuration, (one) => fewer.includes(pair(one)))).toBe(still);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('learners never count, nor another incarnation of a voter', () => {
    fc.assert(
      fc.property(anyConfiguration, (configuration) => {
        const counted = new Set([...configuration.voters, ...configuration.outgoing].map(pair));
        const others = everybody.filter((member) => !counted.has(pair(member)));
        expect(isQuorum(configuration, (member) => others.some((one) => pair(one) === pair(member)))).toBe(
          false,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('one member decides alone exactly where it is the only voter of both sets', () => {
    fc.assert(
      fc.property(anyConfiguration, (configuration) => {
        const { voters, outgoing } = configuration;
        for (const member of members(configuration)) {
          const onlyOne = (set: readonly Member[]): boolean =>
            set.length === 1 && set.every((one) => pair(one) === pair(member));
          expect(decidesAlone(member, configuration)).toBe(
            onlyOne(voters) && (outgoing.length === 0 || onlyOne(outgoing)),
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});
