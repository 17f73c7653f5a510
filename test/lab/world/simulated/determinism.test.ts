import { describe, expect, it } from 'vitest';
import { SimulatedRandom } from '../../../../lab/world/simulated/random.ts';
import { simulatedWork } from '../../../../lab/world/simulated/work.ts';
import { codeOf, Machine } from './fixture-machine.ts';

/** Everything a replica may touch, with faults, kills, pauses and power cuts; `awaits` must not matter. */
async function course(seed: number, awaits: number): Promise<string> {
  const machine = new Machine(seed);
  const { simulation } = machine;
  // The course itself draws from a source of its own, so that only the doors are on trial.
  const random = SimulatedRandom.fromSeed(seed).stream('course');
  const dawdle = async (): Promise<void> => {
    for (let i = 0; i < awaits; i++) await undefined;
  };
  for (let boot = 0; boot < 6; boot++) {
    const { program, disk } = machine;
    const work = simulatedWork(program, simulation.random.stream(`work ${boot}`));
    const db = machine.openDatabase('/db');
    const life = async (name: string): Promise<void> => {
      const file = await disk.open(`/${name}`, { create: true });
      for (let i = 0; ; i++) {
        await dawdle();
        const data = await work.gzip.compress(random.bytes(random.integer(1, 50)));
        simulation.record(`${name} ${i} ${await codeOf(file.append(data))}`);
        if (random.chance(300)) await codeOf(file.sync());
        await dawdle();
        await codeOf(db.batch([{ type: 'put', key: random.bytes(1), value: data }]));
        if (random.chance(100)) machine.device.failNext('write', 1);
        if (random.chance(100)) await codeOf(disk.syncDirectory('/'));
      }
    };
    void life('a');
    void life('b');
    await simulation.run({ atUs: simulation.nowUs + 5_000 });
    program.pause();
    await simulation.run({ atUs: simulation.nowUs + 5_000 });
    program.resume();
    await simulation.run({ atUs: simulation.nowUs + 5_000 });
    machine.crash({ power: boot % 2 === 0 });
  }
  const names = await machine.play((disk) => disk.list('/'));
  for (const name of names) simulation.recordBytes(machine.files.inspect(`/${name}`));
  return `${simulation.events} events, ${simulation.digest()}`;
}

describe('a whole simulated machine', () => {
  it('does the same for the same seed, however many awaits its programs go through', async () => {
    const digests = new Set<string>();
    for (const seed of [1, 2, 3]) {
      const digest = await course(seed, 0);
      expect(await course(seed, 0)).toBe(digest);
      expect(await course(seed, 1)).toBe(digest);
      expect(await course(seed, 17)).toBe(digest);
      digests.add(digest);
    }
    expect(digests.size).toBe(3);
  });
});
