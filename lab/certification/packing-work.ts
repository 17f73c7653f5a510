import type { Compressor, Work } from '../../src/doors/work.ts';
import { frame, magics, unframe } from '../world/simulated/packed-bytes.ts';

const compressor = (magic: number): Compressor => ({
  compress: async (data) => frame(data, magic),
  decompress: async (data, length) => unframe(data, magic, length),
});

/** The door of work without threads: long entries become shorter, as they do on a real machine. */
export const packingWork: Work = { gzip: compressor(magics.gzip), zstd: compressor(magics.zstd) };
