import { expect, it } from 'vitest';
import { IdentityWorld, seeds } from './identity-world.ts';

it.each(seeds)('a directory that was set back is taken for an emptied one (seed %i)', async (seed) => {
  const world = await new IdentityWorld(seed).begin();
  const disk = world.cluster.machine('n2').copyDisk();
  const before = world.status('n2');
  for (let restarts = 0; restarts < 2; restarts += 1) {
    await world.for(1_000);
    world.cluster.crash('n2', { power: false });
    await world.for(500);
    world.cluster.restart('n2');
    await world.until('n2 is back', () => world.cluster.machine('n2').node !== null);
  }
  await world.for(2_000);
  expect(world.status('n2')).toMatchObject({ incarnation: before.incarnation, boot: before.boot + 2 });

  // It would open as the next boot of the copy, which was heard before.
  world.cluster.rollBack('n2', disk);
  await world.for(500);
  world.cluster.restart('n2');
  await world.until(
    'n2 is told and stops',
    () => world.cluster.machine('n2').node?.status().state === 'stopped',
  );
  expect(world.answersTo('n2')).toContain('boot-went-back');

  // Whoever runs it starts it again: its storage is empty now.
  world.cluster.crash('n2', { power: false });
  world.cluster.restart('n2');
  await world.until('n2 is back', () => world.cluster.machine('n2').node !== null);
  expect(world.status('n2')).toMatchObject({ clusterId: null, lastIndex: 0 });
  expect(world.status('n2').incarnation).not.toBe(before.incarnation);
  await world.until('n2 is a member again', () => world.listed('n2') === world.status('n2').incarnation);
  expect(world.leaderStatus().configuration.retired).toContainEqual({
    id: 'n2',
    incarnation: before.incarnation,
  });
  await world.end();
});
