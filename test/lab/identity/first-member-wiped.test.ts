import { expect, it } from 'vitest';
import { IdentityWorld, seeds } from './identity-world.ts';

const aroundFirst = ['n2', 'n3'].flatMap((other) => [
  { from: 'n1', to: other },
  { from: other, to: 'n1' },
]);

it.each(seeds)(
  'the first member, emptied and cut off, founds nothing and says for whom it waits (seed %i)',
  async (seed) => {
    const world = await new IdentityWorld(seed).begin();
    const before = world.status('n1');
    const mend = world.cluster.cut(aroundFirst);
    world.cluster.wipe('n1');
    world.cluster.restart('n1');
    await world.until('the others have a leader', () => ['n2', 'n3'].includes(world.cluster.leader() ?? ''));
    await world.for(10_000);
    expect(world.status('n1')).toMatchObject({
      clusterId: null,
      lastIndex: 0,
      bootstrap: { unanswered: ['n2', 'n3'], notEmpty: [] },
    });

    mend();
    await world.until('n1 is a member again', () => world.listed('n1') === world.status('n1').incarnation);
    expect(world.status('n1').incarnation).not.toBe(before.incarnation);
    expect(world.leaderStatus().configuration.retired).toContainEqual({
      id: 'n1',
      incarnation: before.incarnation,
    });
    await world.end();
  },
);

it.each(seeds)(
  'the first member, emptied while all are down, waits until they are back (seed %i)',
  async (seed) => {
    const world = await new IdentityWorld(seed).begin();
    world.cluster.wipe('n1');
    for (const id of ['n2', 'n3']) world.cluster.crash(id, { power: true });
    world.cluster.restart('n1');
    await world.for(5_000);
    expect(world.status('n1')).toMatchObject({ clusterId: null, bootstrap: { unanswered: ['n2', 'n3'] } });
    for (const id of ['n2', 'n3']) world.cluster.restart(id);
    await world.until('a leader', () => world.cluster.leader() !== null);
    await world.until('n1 is a member again', () => world.listed('n1') === world.status('n1').incarnation);
    await world.end();
  },
);

it.each(seeds)(
  'two of three emptied wait for an operator, and whoever is left says so (seed %i)',
  async (seed) => {
    const world = await new IdentityWorld(seed).begin();
    for (const id of ['n1', 'n2']) world.cluster.wipe(id);
    for (const id of ['n1', 'n2']) world.cluster.restart(id);
    await world.for(15_000);
    expect(world.cluster.leader()).toBe(null);
    for (const id of ['n1', 'n2']) expect(world.status(id)).toMatchObject({ clusterId: null, lastIndex: 0 });
    const { quorum } = world.status('n3');
    expect(quorum.reachable).toBe(false);
    expect(quorum.missing.map(({ id }) => id).sort()).toEqual(['n1', 'n2']);
    expect(world.clusterIds.size).toBe(1);
  },
);
