import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Configuration, Member } from '../../src/raft/configuration.ts';
import type { MembershipChange } from '../../src/raft/membership-change.ts';
import { afterJoint, beforeJoint, jointOf, planMembership } from '../../src/raft/membership-plan.ts';
import { naivePlan } from './models/naive-plan.ts';
import { pair } from './models/naive-quorum.ts';
import { memberOf } from './sample-log.ts';

/** `a` is the member of that name; `a2` the same name with an emptied disk. */
function member(word: string): Member {
  const [id = '', life = '1'] = word;
  return { ...memberOf(id), incarnation: life === '1' ? `${id}-incarnation` : `${id}-incarnation-${life}` };
}

function word({ id, incarnation }: { readonly id: string; readonly incarnation: string }): string {
  return `${id}${/-(\d)$/.exec(incarnation)?.[1] ?? ''}`;
}

/** `a b c | x | y2`: voters, learners, retired. */
function configuration(text: string): Configuration {
  const [voters = [], learners = [], retired = []] = text
    .split('|')
    .map((set) => set.split(' ').filter((one) => one !== ''))
    .map((set) => set.map(member));
  return { id: '7.3', voters, outgoing: [], learners, retired };
}

const add = (...words: string[]): MembershipChange => ({ add: words.map(member) });
const learner = (one: string): MembershipChange => ({ add: [{ ...member(one), role: 'learner' }] });
const replace = (id: string, by: string): MembershipChange => ({ replace: [{ id, by: member(by) }] });

/** `abd|x|a2, d catches up, joint`, or the reason it is refused for. */
function outcome(text: string, change: MembershipChange): string {
  const plan = planMembership(configuration(text), change);
  if (!plan.accepted) return plan.reason;
  const { target, catchUp, needsJoint } = plan;
  const sets = [target.voters, target.learners, target.retired].map((set) => set.map(word).join(' '));
  const waits = catchUp.length === 0 ? 'nobody' : catchUp.map(word).join(' ');
  return `${sets.join(' | ')}, ${waits} catches up, ${needsJoint ? 'joint' : 'simple'}`;
}

describe('a change of the membership', () => {
  //  from            change                                      comes to
  test.each<[string, MembershipChange, string]>([
    ['a b c', add('d'), 'a b c d |  | , d catches up, joint'],
    ['a b c', add('d', 'e'), 'a b c d e |  | , d e catches up, joint'],
    ['a b c', learner('d'), 'a b c | d | , nobody catches up, simple'],
    ['a b c | d', add('d'), 'a b c d |  | , d catches up, joint'],
    ['a b c | d', { promote: ['d'] }, 'a b c d |  | , d catches up, joint'],
    ['a b c', { demote: ['c'] }, 'a b | c | , nobody catches up, joint'],
    ['a b c', { remove: ['c'] }, 'a b |  | , nobody catches up, joint'],
    ['a b c | d', { remove: ['d'] }, 'a b c |  | , nobody catches up, simple'],
    ['a b', { remove: ['b'] }, 'a |  | , nobody catches up, joint'],
    ['a b c', { ...add('d'), remove: ['a'] }, 'b c d |  | , d catches up, joint'],
    ['a b c', replace('c', 'd'), 'a b d |  | , d catches up, joint'],
    ['a b c', replace('b', 'b2'), 'a b2 c |  | b, b2 catches up, joint'],
    ['a b c | b2', replace('b', 'b2'), 'a b2 c |  | b, b2 catches up, joint'],
    // Emptied once more while it was coming back: neither of the earlier two stays.
    ['a b c | b2', replace('b', 'b3'), 'a b3 c |  | b b2, b3 catches up, joint'],
    ['a b c | d', replace('d', 'd2'), 'a b c | d2 | d, nobody catches up, simple'],
    ['a b c | d', replace('c', 'd'), 'a b d |  | , d catches up, joint'],
    ['a', replace('a', 'b'), 'b |  | , b catches up, joint'],
    ['a b c', { update: [{ id: 'b', address: 'far:1' }] }, 'a b c |  | , nobody catches up, simple'],
    ['a b c', { update: [{ id: 'b', metadata: { zone: 'x' } }] }, 'a b c |  | , nobody catches up, simple'],
  ])('of %s by %j comes to %s', (from, change, expected) => {
    expect(outcome(from, change)).toBe(expected);
  });

  //  from            change                                      refused, since
  test.each<[string, MembershipChange, string]>([
    ['a b c', {}, 'nothing-to-change'],
    ['a b c', add('c'), 'nothing-to-change'],
    ['a b c | d', learner('d'), 'nothing-to-change'],
    ['a b c', { promote: ['a'] }, 'nothing-to-change'],
    ['a b c | d', { demote: ['d'] }, 'nothing-to-change'],
    ['a b c', { update: [{ id: 'b', address: 'b:1' }] }, 'nothing-to-change'],
    ['a b c', { update: [{ id: 'b', metadata: {} }] }, 'nothing-to-change'],
    ['a b c', { remove: ['d'] }, 'unknown-member'],
    ['a b c', { promote: ['d'] }, 'unknown-member'],
    ['a b c', { demote: ['d'] }, 'unknown-member'],
    ['a b c', replace('d', 'e'), 'unknown-member'],
    ['a b c', { update: [{ id: 'd', address: 'far:1' }] }, 'unknown-member'],
    ['a b c', add('c2'), 'already-member'],
    ['a b c', replace('b', 'c'), 'already-member'],
    ['a b c', replace('b', 'b'), 'already-member'],
    ['a b c | b2', replace('b', 'b'), 'already-member'],
    ['a b c | | b2', replace('b', 'b2'), 'retired'],
    ['a c | | b', add('b'), 'retired'],
    ['a b c', { ...add('d'), remove: ['d'] }, 'contradiction'],
    ['a b c', { remove: ['c'], demote: ['c'] }, 'contradiction'],
    ['a b c', { remove: ['c', 'c'] }, 'contradiction'],
    ['a b c', { ...replace('b', 'd'), ...add('d') }, 'contradiction'],
    ['a', { remove: ['a'] }, 'no-voters-left'],
    ['a | b', { demote: ['a'] }, 'no-voters-left'],
    ['a b', { remove: ['a'], demote: ['b'] }, 'no-voters-left'],
  ])('of %s by %j is refused: %s', (from, change, expected) => {
    expect(outcome(from, change)).toBe(expected);
  });

  test('has room for 4096 bytes of address and metadata of a member, and for no byte more', () => {
    const of = (length: number): MembershipChange => ({
      update: [{ id: 'a', address: 'x'.repeat(length - '{}'.length) }],
    });
    expect(outcome('a b', of(4096))).toContain('simple');
    expect(outcome('a b', of(4097))).toBe('too-large');
  });

  test('leads to 64 members at most', () => {
    const many = (count: number): Configuration => ({
      ...configuration('a'),
      learners: Array.from({ length: count - 1 }, (_, at) => memberOf(`m${at}`)),
    });
    expect(planMembership(many(63), add('b'))).toMatchObject({ accepted: true });
    expect(planMembership(many(64), add('b'))).toMatchObject({ accepted: false, reason: 'too-large' });
  });
});

describe('a joint configuration', () => {
  //  from            change                                      goes on to              goes back to
  test.each<[string, MembershipChange, string, string]>([
    ['a b c', add('d'), 'a b c d |  | ', 'a b c |  | '],
    ['a b c', { demote: ['c'] }, 'a b | c | ', 'a b c |  | '],
    ['a b c', { demote: ['c'], remove: ['b'] }, 'a | c | ', 'a b c |  | '],
    ['a b c | d', { promote: ['d'] }, 'a b c d |  | ', 'a b c | d | '],
    ['a b c', replace('b', 'b2'), 'a b2 c |  | b', 'a b c |  | '],
    // Neither of the two is retired again, once both are back.
    ['a b c | b2 | e', replace('b', 'b3'), 'a b3 c |  | e b b2', 'a b c | b2 | e'],
  ])('of %s by %j goes on to %s, and back to %s', (from, change, next, back) => {
    const before = configuration(from);
    const plan = planMembership(before, change);
    if (!plan.accepted) throw new Error(plan.why);
    const joint = { id: '9.3', ...jointOf(before, plan.target) };
    const text = (target: typeof plan.target): string =>
      [target.voters, target.learners, target.retired].map((set) => set.map(word).join(' ')).join(' | ');
    expect(joint.outgoing).toEqual(before.voters);
    expect(text(afterJoint(joint))).toBe(next);
    expect(text(beforeJoint(joint, before.learners))).toBe(back);
  });
});

describe('the plan of a change, and its naive twin', () => {
  const names = [...'abcd'];
  const lives = ['', '2', '3'];
  const anyMember = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...lives)).map(([id, life]) => ({
    ...member(`${id}${life}`),
    address: life === '3' ? 'moved:1' : `${id}:1`,
  }));
  const anyName = fc.constantFrom(...names);
  const few = <Item>(one: fc.Arbitrary<Item>) => fc.array(one, { maxLength: 2 });

  /** Every name once, as it is; and one of the voters may be on its way back beside itself. */
  const anyConfiguration: fc.Arbitrary<Configuration> = fc
    .record({
      roles: fc.array(fc.constantFrom('voter', 'voter', 'learner', 'retired', 'stranger'), {
        minLength: names.length,
        maxLength: names.length,
      }),
      returning: fc.constantFrom(...names, ...lives),
      retiredLife: fc.constantFrom('', '2'),
    })
    .map(({ roles, returning, retiredLife }) => {
      const having = (role: string): string[] => names.filter((_, at) => roles[at] === role);
      const voters = having('voter');
      const back = voters.includes(returning) ? [`${returning}2`] : [];
      const sets = [voters, [...having('learner'), ...back], having('retired').map((id) => id + retiredLife)];
      return configuration(sets.map((set) => set.join(' ')).join('|'));
    })
    .filter(({ voters }) => voters.length > 0);

  const anyChange: fc.Arbitrary<MembershipChange> = fc.record(
    {
      add: few(
        fc.tuple(anyMember, fc.constantFrom('voter', 'learner')).map(([one, role]) => ({ ...one, role })),
      ),
      promote: few(anyName),
      demote: few(anyName),
      remove: few(anyName),
      replace: few(fc.record({ id: anyName, by: anyMember })),
      update: few(
        fc.record(
          {
            id: anyName,
            address: fc.constantFrom('a:1', 'moved:1'),
            metadata: fc.constantFrom({}, { zone: 'x' }),
          },
          { requiredKeys: ['id'] },
        ),
      ),
    },
    { requiredKeys: [] },
  );

  test('accept the same changes, and come to the same members', () => {
    const seen = new Map<string, number>();
    const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
    fc.assert(
      fc.property(anyConfiguration, anyChange, (from, change) => {
        const plan = planMembership(from, change);
        const twin = naivePlan(from, change);
        if (!plan.accepted) {
          expect('refused' in twin ? [...twin.refused] : twin).toContain(plan.reason);
          count(plan.reason);
          return;
        }
        const { voters, learners, retired } = plan.target;
        const set = (members: readonly { readonly id: string; readonly incarnation: string }[]) =>
          new Set(members.map(pair));
        expect({
          voters: set(voters),
          learners: set(learners),
          retired: set(retired),
          catchUp: set(plan.catchUp),
          needsJoint: plan.needsJoint,
        }).toEqual(twin);
        // Nobody is in twice, which no set would show.
        expect(voters.length + learners.length).toBe(set([...voters, ...learners]).size);
        count(plan.needsJoint ? 'joint' : 'simple');
      }),
      { numRuns: 12_000 },
    );
    expect([...seen.keys()].sort()).toEqual([
      'already-member',
      'contradiction',
      'joint',
      'no-voters-left',
      'nothing-to-change',
      'retired',
      'simple',
      'unknown-member',
    ]);
    expect(Math.min(...seen.values())).toBeGreaterThan(3);
  });
});
