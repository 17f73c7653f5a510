import { randomFillSync } from 'node:crypto';
import type { Random } from './random.ts';

/** The operating system's randomness. */
export function nodeRandom(): Random {
  const pool = new BigUint64Array(POOL_WORDS);
  let next = POOL_WORDS;
  const word = (): bigint => {
    if (next === POOL_WORDS) {
      randomFillSync(pool);
      next = 0;
    }
    const value = pool[next] ?? 0n;
    next += 1;
    return value;
  };
  return {
    integer(from, to) {
      if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from >= to) {
        throw new RangeError(`integer: needs safe integers from < to, got ${from} and ${to}`);
      }
      const span = BigInt(to) - BigInt(from);
      // A remainder alone would favour small values: words beyond the last whole multiple are thrown away.
      const limit = WORD_VALUES - (WORD_VALUES % span);
      let drawn = word();
      while (drawn >= limit) drawn = word();
      return Number(BigInt(from) + (drawn % span));
    },
    bytes(length) {
      return randomFillSync(new Uint8Array(length));
    },
  };
}

const POOL_WORDS = 128;
const WORD_VALUES = 1n << 64n;
