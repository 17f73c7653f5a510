import { digestValue, mixNumber, mixString, startDigest } from './digest.ts';

/**
 * A digest of what a map holds, however it came about: the sum of one digest a pair, modulo 2^53. So it is
 * kept up to date pair by pair, and, other than a chain of effects, it can be made anew from the pairs alone.
 */
export class ContentDigest {
  #sum = 0;

  /** A safe integer. */
  get value(): number {
    return this.#sum;
  }

  add(key: string, value: number): void {
    const pair = digestOfPair(key, value);
    // Never past 2^53 on the way: numbers there are not exact.
    this.#sum = this.#sum >= MODULUS - pair ? this.#sum - (MODULUS - pair) : this.#sum + pair;
  }

  /** Takes back an `add` of the same pair. */
  remove(key: string, value: number): void {
    const pair = digestOfPair(key, value);
    this.#sum = this.#sum >= pair ? this.#sum - pair : this.#sum + (MODULUS - pair);
  }
}

const MODULUS = 2 ** 53;

function digestOfPair(key: string, value: number): number {
  const digest = startDigest();
  mixString(digest, key);
  mixNumber(digest, value);
  return digestValue(digest);
}
