import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeRandom } from '../../src/doors/node-random.ts';

const random = nodeRandom();
const safe = fc.maxSafeInteger();

describe('the machine randomness', () => {
  it('stays within its bounds, however wide or negative', () => {
    fc.assert(
      fc.property(safe, safe, (a, b) => {
        fc.pre(a !== b);
        const from = Math.min(a, b);
        const to = Math.max(a, b);
        const drawn = random.integer(from, to);
        expect(Number.isSafeInteger(drawn)).toBe(true);
        expect(drawn).toBeGreaterThanOrEqual(from);
        expect(drawn).toBeLessThan(to);
      }),
      { numRuns: 1000 },
    );
  });

  it('draws the only value of a range of one', () => {
    expect(random.integer(7, 8)).toBe(7);
    expect(random.integer(Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER + 1)).toBe(
      Number.MIN_SAFE_INTEGER,
    );
  });

  it('draws every value of a small range about equally often', () => {
    const counts = [0, 0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 70_000; i += 1) {
      const drawn = random.integer(0, counts.length);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    // Each expects 10,000 with a deviation of 93; eight deviations are missed once in 10^14 runs.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(750);
  });

  it('refuses an empty range and bounds that are no safe integers', () => {
    for (const [from, to] of [
      [5, 5],
      [6, 5],
      [0.5, 2],
      [0, 2 ** 53],
      [Number.NaN, 1],
    ] as const) {
      expect(() => random.integer(from, to), `${from}..${to}`).toThrow(/needs safe integers from < to/);
    }
  });

  it('gives as many bytes as asked, and others each time', () => {
    expect(random.bytes(0).length).toBe(0);
    const [a, b] = [random.bytes(16), random.bytes(16)];
    expect(a.length).toBe(16);
    expect([...a]).not.toEqual([...b]);
  });
});
