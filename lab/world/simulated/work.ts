import type { Work } from '../../../src/doors/work.ts';
import type { SimulatedProcess } from './process.ts';
import { checkRange, type RangeUs, type SimulatedRandom } from './random.ts';

export interface SimulatedWorkOptions {
  /** Of each piece of work; 50 to 300 µs by default. */
  readonly latency?: RangeUs;
}

/**
 * Off-thread work as one process sees it. `gzip` only frames its input: real compression gives other
 * bytes on other versions of Node, and no run may depend on them. `gunzip` refuses what real gunzip
 * refuses: damage, and output beyond the bound.
 */
export function simulatedWork(
  process: SimulatedProcess,
  random: SimulatedRandom,
  options: SimulatedWorkOptions = {},
): Work {
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
  return {
    gzip: (data) => run(() => frame(data)),
    gunzip: (data, bytesMax) => run(() => unframe(data, bytesMax)),
  };
}

/** Magic, length, checksum, then the data as it is. */
function frame(data: Uint8Array): Uint8Array {
  const framed = new Uint8Array(HEADER_BYTES + data.length);
  const view = new DataView(framed.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, data.length);
  view.setUint32(8, fnv1a(data));
  framed.set(data, HEADER_BYTES);
  return framed;
}

function unframe(framed: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(framed.buffer, framed.byteOffset, framed.length);
  if (framed.length < HEADER_BYTES || view.getUint32(0) !== MAGIC) {
    throw workError('Z_DATA_ERROR', 'incorrect header check');
  }
  const length = view.getUint32(4);
  if (length > bytesMax) {
    throw workError('ERR_BUFFER_TOO_LARGE', `Cannot create a Buffer larger than ${bytesMax} bytes`);
  }
  const data = new Uint8Array(framed.subarray(HEADER_BYTES));
  if (data.length < length) throw workError('Z_BUF_ERROR', 'unexpected end of file');
  if (data.length > length) throw workError('Z_DATA_ERROR', 'trailing bytes');
  if (fnv1a(data) !== view.getUint32(8)) throw workError('Z_DATA_ERROR', 'incorrect data check');
  return data;
}

function workError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function fnv1a(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < data.length; i++) hash = Math.imul(hash ^ (data[i] ?? 0), 0x01000193);
  return hash >>> 0;
}

const MAGIC = 0x6b7a6970;
const HEADER_BYTES = 12;
