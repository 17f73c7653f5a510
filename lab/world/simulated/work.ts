import type { Compressor, Work } from '../../../src/doors/work.ts';
import { frame, magics, unframe } from './packed-bytes.ts';
import type { SimulatedProcess } from './process.ts';
import { checkRange, type RangeUs, type SimulatedRandom } from './random.ts';

export interface SimulatedWorkOptions {
  /** Of each piece of work; 50 to 300 µs by default. */
  readonly latency?: RangeUs;
}

/** A simulated machine has every format. */
export interface SimulatedWork extends Work {
  readonly zstd: Compressor;
}

/**
 * Off-thread work as one process sees it. Real compression gives other bytes on other versions of Node, and
 * no run may depend on them: here both formats are one of our own, which only shortens runs of equal bytes.
 * Like the real ones they refuse damage, and data of another length.
 */
export function simulatedWork(
  process: SimulatedProcess,
  random: SimulatedRandom,
  options: SimulatedWorkOptions = {},
): SimulatedWork {
  const latency = checkRange(options.latency ?? { fromUs: 50, toUs: 300 }, "work's latency");
  const label = `${process.name} work`;
  const run = (work: () => Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      if (!process.alive) return;
      process.schedule(random.duration(latency), label, 'input', () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  const compressor = (magic: number): Compressor => ({
    compress: (data) => run(() => frame(data, magic)),
    decompress: (data, length) => run(() => unframe(data, magic, length)),
  });
  return { gzip: compressor(magics.gzip), zstd: compressor(magics.zstd) };
}
