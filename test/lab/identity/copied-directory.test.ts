import { expect, it } from 'vitest';
import { allThree, IdentityWorld, seeds } from './identity-world.ts';

it.each(seeds)(
  'a copied directory, started elsewhere, turns nobody away from the original (seed %i)',
  async (seed) => {
    const world = await new IdentityWorld(seed).begin();
    const disk = world.cluster.machine('n2').copyDisk();
    const before = world.status('n2');
    const leaderships = world.cluster.leaderships.length;
    await world.for(1_000);

    world.cluster.startDouble({ name: 'n2-copy', of: 'n2', disk, flags: allThree });
    await world.until('the copy asks', () => world.newcomers.some(({ address }) => address === 'n2-copy'));
    await world.for(5_000);
    const leader = world.cluster.leader();
    const told = world.newcomers.filter(({ by, address }) => by === leader && address === 'n2-copy');
    expect(told).toMatchObject([
      {
        member: { id: 'n2', incarnation: before.incarnation },
        address: 'n2-copy',
        answer: 'member-is-alive',
      },
    ]);
    expect(world.status('n2-copy')).toMatchObject({
      incarnation: before.incarnation,
      boot: before.boot + 1,
      leader: null,
    });
    expect(world.status('n2')).toMatchObject({
      state: 'running',
      incarnation: before.incarnation,
      boot: before.boot,
    });
    expect(world.listed('n2')).toBe(before.incarnation);
    expect(world.cluster.leaderships).toHaveLength(leaderships);

    world.cluster.crash('n2-copy', { power: false });
    await world.end();
    expect(world.status('n2').incarnation).toBe(before.incarnation);
  },
);
