import type { RandomSource } from '../../src/raft/options.ts';

/** A small generator of our own (mulberry32), so that a seed means the same everywhere. */
export function seeded(seed: number): RandomSource {
  let state = seed >>> 0;
  return {
    integer(from, to) {
      state = (state + 0x6d2b79f5) >>> 0;
      let z = Math.imul(state ^ (state >>> 15), state | 1);
      z = (z + Math.imul(z ^ (z >>> 7), z | 61)) ^ z;
      return from + (((z ^ (z >>> 14)) >>> 0) % (to - from));
    },
  };
}
