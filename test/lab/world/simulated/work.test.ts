import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';
import { type SimulatedWork, simulatedWork } from '../../../../lab/world/simulated/work.ts';
import { play, stateAfter } from './play.ts';

const formats = ['gzip', 'zstd'] as const;

function begin(): { simulation: Simulation; program: SimulatedProcess; work: SimulatedWork } {
  const simulation = new Simulation({ seed: 1 });
  const program = new SimulatedProcess(simulation, 'n1');
  return { simulation, program, work: simulatedWork(program, simulation.random.stream('work')) };
}

describe('simulated off-thread work', () => {
  it.each(formats)('gives back what it compressed: %s', async (format) => {
    const { simulation, work } = begin();
    const { compress, decompress } = work[format];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // Runs of any length, which are what it shortens.
      fc
        .array(fc.tuple(fc.nat(3), fc.nat(600)), { maxLength: 5 })
        .map((runs) => Uint8Array.from(runs.flatMap(([byte, times]) => Array(times).fill(byte)))),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (data) => {
        const back = await play(simulation, async () => decompress(await compress(data), data.length));
        expect(back).toEqual(data);
      }),
    );
  });

  it('shortens runs of equal bytes, and little else', async () => {
    const { simulation, work } = begin();
    const lengthOf = async (data: Uint8Array): Promise<number> =>
      (await play(simulation, () => work.gzip.compress(data))).length;
    expect(await lengthOf(new Uint8Array(10_000))).toBeLessThan(200);
    expect(await lengthOf(Uint8Array.from({ length: 10_000 }, (_, i) => i))).toBeGreaterThan(10_000);
  });

  it.each(formats)('refuses a flipped bit, a lost tail and bytes after the end: %s', async (format) => {
    const { simulation, work } = begin();
    const { compress, decompress } = work[format];
    const data = new TextEncoder().encode('rafttttttt');
    const framed = await play(simulation, () => compress(data));
    const refused = async (bytes: Uint8Array): Promise<void> => {
      await expect(play(simulation, () => decompress(bytes, data.length))).rejects.toMatchObject({
        code: 'Z_DATA_ERROR',
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

  it('refuses data of another length, and what the other format made', async () => {
    const { simulation, work } = begin();
    const framed = await play(simulation, () => work.gzip.compress(new Uint8Array(100)));
    for (const length of [99, 101]) {
      await expect(play(simulation, () => work.gzip.decompress(framed, length))).rejects.toMatchObject({
        code: 'Z_DATA_ERROR',
      });
    }
    await expect(play(simulation, () => work.zstd.decompress(framed, 100))).rejects.toThrow(/header/);
    expect(await play(simulation, () => work.gzip.decompress(framed, 100))).toHaveLength(100);
  });

  it('takes its time, and never answers a dead process', async () => {
    const { simulation, program, work } = begin();
    expect(await stateAfter(simulation, work.gzip.compress(new Uint8Array(1)), 49)).toBe('pending');
    const second = work.gzip.compress(new Uint8Array(1));
    program.kill();
    const third = work.gzip.compress(new Uint8Array(1));
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
