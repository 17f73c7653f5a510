import { describe, expect, it } from 'vitest';
import { resolveTargets, strike } from '../../../lab/faults/fault.ts';
import { describeChange, namedIn, resolveWish } from '../../../lab/faults/membership.ts';
import { resolveSelector } from '../../../lab/faults/resolve-selector.ts';
import type { Fault, MembershipWish, PartitionShape, Selector } from '../../../lab/scenario/scenario.ts';
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

/** Five voters, n1 leads. */
function five(): World & { readonly links: Link[] } {
  const there = world('n1');
  return Object.assign(there, { replicas: there.machineIds });
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

describe('a partition', () => {
  const cutOff = (shape: PartitionShape, there = world()): string => {
    const fault = { kind: 'partition', ...shape } satisfies Fault;
    const targets = resolveTargets(fault, there, random);
    if (targets === null) throw new Error('not resolved');
    return strike(fault, targets, there, random).what;
  };
  const pairs = (links: readonly Link[]): string[] => links.map(({ from, to }) => `${from}>${to}`).sort();
  const leader = { kind: 'leader' } as const;

  it('keeps machines apart that are no members yet', () => {
    const there = world();
    const what = cutOff({ shape: 'cut-off', on: leader, from: null, direction: 'outgoing' }, there);
    expect(what).toBe('partition: n2 cut off from n3, n4, outgoing only');
    expect(pairs(there.links)).toEqual(['n2>n1', 'n2>n3', 'n2>n4', 'n2>n5']);
  });

  it('cuts what one sends to another, and nothing else', () => {
    const there = world();
    const what = cutOff({ shape: 'cut-off', on: leader, from: select('n4'), direction: 'outgoing' }, there);
    expect(what).toBe('partition: n2 cut off from n4, outgoing only');
    expect(pairs(there.links)).toEqual(['n2>n4']);
  });

  it('cuts nobody off from itself', () => {
    const there = world();
    cutOff({ shape: 'cut-off', on: leader, from: select('all'), direction: 'both' }, there);
    expect(pairs(there.links)).toEqual(['n2>n3', 'n2>n4', 'n3>n2', 'n4>n2']);
  });

  it('waits for a leader on either side', () => {
    const fault = { kind: 'partition', shape: 'cut-off', direction: 'both' } as const;
    expect(resolveTargets({ ...fault, on: select('n2'), from: leader }, world(null), random)).toBeNull();
    expect(resolveTargets({ ...fault, on: leader, from: null }, world(null), random)).toBeNull();
    expect(resolveTargets({ ...fault, on: select('n2'), from: null }, world(null), random)).toEqual({
      on: ['n2'],
      from: null,
    });
  });

  it('is a bridge: two halves, and one that sees both', () => {
    const there = five();
    const what = cutOff({ shape: 'bridge', on: select('n3') }, there);
    expect(what).toMatch(/^partition: a bridge, n\d, n\d \| n3 \| n\d, n\d$/);
    expect(there.links).toHaveLength(8);
    const seen = there.replicas.map((id) => `${id}:${there.links.filter(({ from }) => from === id).length}`);
    expect(seen).toEqual(['n1:2', 'n2:2', 'n3:0', 'n4:2', 'n5:2']);
    expect(pairs(there.links.map(({ from, to }) => ({ from: to, to: from })))).toEqual(pairs(there.links));
  });

  it('is a bridge with other halves by another chance', () => {
    const all = Array.from({ length: 40 }, () => cutOff({ shape: 'bridge', on: select('n3') }, five()));
    expect(new Set(all.map((what) => what.split(' | ')[0])).size).toBeGreaterThan(3);
  });

  it('is a ring: each sees its two neighbours', () => {
    const there = five();
    expect(cutOff({ shape: 'ring', on: select('all') }, there)).toBe(
      'partition: a ring, n1 - n2 - n3 - n4 - n5 -',
    );
    const apart = ['n1>n3', 'n1>n4', 'n2>n4', 'n2>n5', 'n3>n5'];
    const back = apart.map((pair) => pair.split('>').reverse().join('>'));
    expect(pairs(there.links)).toEqual([...apart, ...back].sort());
  });
});
