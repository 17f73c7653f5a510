import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';
import { simulatedWork } from '../../../../lab/world/simulated/work.ts';
import type { Work } from '../../../../src/doors/work.ts';
import { play, stateAfter } from './play.ts';

function begin(): { simulation: Simulation; program: SimulatedProcess; work: Work } {
  const simulation = new Simulation({ seed: 1 });
  const program = new SimulatedProcess(simulation, 'n1');
  return { simulation, program, work: simulatedWork(program, simulation.random.stream('work')) };
}

describe('simulated off-thread work', () => {
  it('gives back after gunzip what gzip was given', async () => {
    const { simulation, work } = begin();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (data) => {
        const back = await play(simulation, async () => work.gunzip(await work.gzip(data), data.length));
        expect(back).toEqual(data);
      }),
    );
  });

  it('refuses a flipped bit, a lost tail and bytes after the end', async () => {
    const { simulation, work } = begin();
    const framed = await play(simulation, () => work.gzip(new TextEncoder().encode('raft')));
    const refused = async (bytes: Uint8Array): Promise<void> => {
      await expect(play(simulation, () => work.gunzip(bytes, 1000))).rejects.toMatchObject({
        code: expect.stringMatching(/^Z_|ERR_BUFFER_TOO_LARGE/),
      });
    };
    for (let i = 0; i < framed.length * 8; i++) {
      const flipped = framed.slice();
      flipped[i >> 3] = (flipped[i >> 3] ?? 0) ^ (1 << (i & 7));
      await refused(flipped);
    }
    for (let length = 0; length < framed.length; length++) await refused(framed.slice(0, length));
    await refused(Uint8Array.from([...framed, 0]));
  });

  it('refuses output beyond the bound, and allows it up to the bound', async () => {
    const { simulation, work } = begin();
    const framed = await play(simulation, () => work.gzip(new Uint8Array(100)));
    await expect(play(simulation, () => work.gunzip(framed, 99))).rejects.toMatchObject({
      code: 'ERR_BUFFER_TOO_LARGE',
    });
    expect(await play(simulation, () => work.gunzip(framed, 100))).toHaveLength(100);
  });

  it('takes its time, and never answers a dead process', async () => {
    const { simulation, program, work } = begin();
    expect(await stateAfter(simulation, work.gzip(new Uint8Array(1)), 49)).toBe('pending');
    const second = work.gzip(new Uint8Array(1));
    program.kill();
    const third = work.gzip(new Uint8Array(1));
    expect(await stateAfter(simulation, second, 10_000)).toBe('pending');
    expect(await stateAfter(simulation, third, 10_000)).toBe('pending');
  });

  it('refuses a latency that goes backwards', () => {
    const { simulation, program } = begin();
    const random = simulation.random.stream('work');
    expect(() => simulatedWork(program, random, { latency: { fromUs: 2, toUs: 1 } })).toThrow(
      /work's latency/,
    );
  });
});
