import { expect, it } from 'vitest';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';

it('prints how many events it runs a second', async () => {
  const simulation = new Simulation({ seed: 1 });
  const random = simulation.random.stream('actors');
  const actor = async (name: string): Promise<void> => {
    for (;;) {
      await simulation.sleep(random.integer(1, 1000), name);
      simulation.cancel(simulation.schedule(500_000, 'timeout', () => {}));
    }
  };
  for (let i = 0; i < 30; i++) void actor(`actor ${i}`);
  await simulation.run({ eventsMax: 20_000 });
  const begin = process.hrtime.bigint();
  await simulation.run({ eventsMax: 300_000 });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  console.log(`simulated kernel: ${Math.round(300_000 / seconds)} events a second`);
  expect(simulation.events).toBe(320_000);
});
