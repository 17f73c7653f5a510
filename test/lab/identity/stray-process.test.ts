import { expect, it } from 'vitest';
import { allThree, IdentityWorld, seeds } from './identity-world.ts';

it.each(seeds.flatMap((seed) => [[seed, 'n2'] as const, [seed, 'n1'] as const]))(
  'a stray process with a member id and an empty disk evicts nobody (seed %i, %s)',
  async (seed, id) => {
    const world = await new IdentityWorld(seed).begin();
    const before = world.status(id);
    const leaderships = world.cluster.leaderships.length;
    // The double of the leader would have to ask itself, by its id; the others cannot let it in.
    const refusal = world.cluster.leader() === id ? 'ask-leader' : 'member-is-alive';

    world.cluster.startDouble({ name: 'stray', of: id, disk: null, flags: allThree });
    await world.until('the stray is answered', () => world.answersTo('stray').includes(refusal));
    await world.for(5_000);
    expect(['ask-leader', 'member-is-alive']).toEqual(
      expect.arrayContaining([...new Set(world.answersTo('stray'))]),
    );
    const stray = world.status('stray');
    expect(stray).toMatchObject({ clusterId: null, lastIndex: 0 });
    expect(stray.incarnation).not.toBe(before.incarnation);
    const told = world.newcomers.filter(({ address, answer }) => address === 'stray' && answer === refusal);
    expect(told.length).toBeGreaterThan(0);
    expect(world.status(id)).toMatchObject({
      state: 'running',
      incarnation: before.incarnation,
      boot: before.boot,
    });
    expect(world.listed(id)).toBe(before.incarnation);
    expect(world.cluster.leaderships).toHaveLength(leaderships);

    world.cluster.crash('stray', { power: false });
    await world.end();
  },
);

it.each(seeds)('a stray process is refused also after the leader has changed (seed %i)', async (seed) => {
  const world = await new IdentityWorld(seed).begin();
  const leader = world.cluster.leader() ?? '';
  const id = ['n1', 'n2', 'n3'].find((one) => one !== leader) ?? '';
  const before = world.status(id);
  world.cluster.startDouble({ name: 'stray', of: id, disk: null, flags: allThree });
  await world.until('the stray is answered', () => world.answersTo('stray').includes('member-is-alive'));
  world.cluster.crash(leader, { power: false });
  await world.until('another leader', () => ![null, leader].includes(world.cluster.leader()));
  await world.for(3_000);
  world.cluster.restart(leader);
  await world.for(3_000);
  expect(world.listed(id)).toBe(before.incarnation);
  expect(world.answersTo('stray')).not.toContain('replacing');
  world.cluster.crash('stray', { power: false });
  await world.end();
});
