import { createHash } from 'node:crypto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import type { Random } from '../../../src/doors/random.ts';

/** Both ends inclusive; microseconds. */
export interface RangeUs {
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * The one source of chance in a simulation. A stream is named by its path from the seed, and what it
 * draws depends on nothing else: a new consumer of randomness gets a stream of its own and so changes
 * no draw of any other.
 */
export class SimulatedRandom implements Random {
  readonly #path: string;
  readonly #generator: RandomGenerator;

  private constructor(path: string) {
    this.#path = path;
    const digest = createHash('sha256').update(path).digest();
    const words = [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset));
    this.#generator = xoroshiro128plusFromState(words);
  }

  /** @throws RangeError when the seed is no safe integer. */
  static fromSeed(seed: number): SimulatedRandom {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed must be a safe integer, got ${seed}`);
    return new SimulatedRandom(String(seed));
  }

  /** An independent stream. The same name gives the same stream again, from its beginning. */
  stream(name: string): SimulatedRandom {
    return new SimulatedRandom(`${this.#path}/${name}`);
  }

  /** @throws RangeError unless both are safe integers and `from < to`. */
  integer(from: number, to: number): number {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from >= to) {
      throw new RangeError(`integer() needs safe integers with from < to, got ${from} and ${to}`);
    }
    return uniformInt(this.#generator, from, to - 1);
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#generator.next() >>> 24;
    return bytes;
  }

  /** True `perMille` times in a thousand; draws even where the answer is sure, so rates shift no stream. */
  chance(perMille: number): boolean {
    return uniformInt(this.#generator, 0, 999) < perMille;
  }

  /** A duration within the range, both ends included. */
  duration(range: RangeUs): number {
    return uniformInt(this.#generator, range.fromUs, range.toUs);
  }
}

/** @throws RangeError naming `what` unless the range holds non-negative integers in order. */
export function checkRange(range: RangeUs, what: string): RangeUs {
  const { fromUs, toUs } = range;
  if (!Number.isSafeInteger(fromUs) || !Number.isSafeInteger(toUs) || fromUs < 0 || toUs < fromUs) {
    throw new RangeError(`${what} must be whole microseconds with 0 <= from <= to, got ${fromUs}..${toUs}`);
  }
  return range;
}
