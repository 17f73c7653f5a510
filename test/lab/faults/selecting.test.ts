import { describe, expect, it } from 'vitest';
import { describeChange, namedIn, resolveWish } from '../../../lab/faults/membership.ts';
import { strikePartition } from '../../../lab/faults/partition.ts';
import { resolveSelector } from '../../../lab/faults/resolve-selector.ts';
import type { MembershipWish, Selector } from '../../../lab/scenario/scenario.ts';
import { parseSelector } from '../../../lab/scenario/selectors.ts';
import { SimulatedRandom } from '../../../lab/world/simulated/random.ts';
import type { Link, World } from '../../../lab/world/world.ts';

const random = SimulatedRandom.fromSeed(1);
const noWish: MembershipWish = {
  add: [],
  addLearners: [],
  promote: [],
  demote: null,
  remove: null,
  replace: [],
};

/** n1 has left, n2 leads n3 and n4, and n5 is a spare. */
function world(leader: string | null = 'n2'): World & { readonly links: Link[] } {
  const links: Link[] = [];
  const some: Partial<World> = {
    replicas: ['n2', 'n3', 'n4'],
    machineIds: ['n1', 'n2', 'n3', 'n4', 'n5'],
    leader: () => leader,
    cut: (cut) => {
      links.push(...cut);
      return () => {};
    },
  };
  return Object.assign(some as World, { links });
}

const select = (text: string): Selector => {
  const read = parseSelector(text);
  if (!read.ok) throw new Error(read.expected);
  return read.value;
};

describe('a selector means', () => {
  it.each<[string, string[]]>([
    ['leader', ['n2']],
    ['all followers', ['n3', 'n4']],
    ['all', ['n2', 'n3', 'n4']],
    ['n5', ['n5']],
    ['n1', ['n1']],
  ])('by %s the voters of the time, and by an id any machine', (text, ids) => {
    expect(resolveSelector(select(text), world(), random)).toEqual(ids);
  });

  it('as many as a majority and a minority of the voters', () => {
    expect(resolveSelector(select('majority'), world(), random)).toHaveLength(2);
    expect(resolveSelector(select('minority'), world(), random)).toHaveLength(1);
  });

  it('nobody yet while it needs a leader and there is none', () => {
    expect(resolveSelector(select('leader'), world(null), random)).toBeNull();
    expect(resolveSelector(select('all'), world(null), random)).toHaveLength(3);
  });
});

describe('a wish for another membership', () => {
  const wish: MembershipWish = {
    ...noWish,
    add: ['n5'],
    remove: { kind: 'leader' },
    replace: [{ id: 'n3', by: 'n1' }],
  };

  it('names everybody once it is resolved', () => {
    const change = resolveWish(wish, world(), random);
    expect(change).toEqual({ ...noWish, ...wish, demote: [], remove: ['n2'] });
    if (change === null) throw new Error('not resolved');
    expect(namedIn(change)).toEqual(['n5', 'n2', 'n3', 'n1']);
    expect(describeChange(change)).toBe('add n5; remove n2; replace n3 by n1');
  });

  it('waits for a leader where it names one, and only there', () => {
    expect(resolveWish(wish, world(null), random)).toBeNull();
    expect(resolveWish({ ...noWish, add: ['n5'] }, world(null), random)).not.toBeNull();
  });
});

it('a partition keeps machines apart that are no members yet', () => {
  const there = world();
  const fault = { kind: 'partition', on: { kind: 'leader' }, direction: 'outgoing' } as const;
  const { what } = strikePartition(fault, ['n2'], there);
  expect(what).toBe('partition: n2 cut off from n3, n4, outgoing only');
  expect(there.links).toEqual(['n1', 'n3', 'n4', 'n5'].map((to) => ({ from: 'n2', to })));
});
