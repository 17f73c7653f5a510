import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRange, SimulatedRandom } from '../../../../lab/world/simulated/random.ts';

const draws = (random: SimulatedRandom, count = 20): number[] =>
  Array.from({ length: count }, () => random.integer(0, 1_000_000));

describe('seeded randomness', () => {
  it('draws the same from the same seed and stream, on every machine', () => {
    const random = SimulatedRandom.fromSeed(7).stream('network');
    expect(draws(random, 5)).toEqual(draws(SimulatedRandom.fromSeed(7).stream('network'), 5));
    expect(draws(SimulatedRandom.fromSeed(7), 3)).toEqual(GOLDEN);
  });

  it('draws otherwise from another seed, another name and another path', () => {
    const seven = SimulatedRandom.fromSeed(7);
    const streams = [
      seven,
      SimulatedRandom.fromSeed(8),
      SimulatedRandom.fromSeed(-7),
      seven.stream('a'),
      seven.stream('b'),
      seven.stream('a').stream('b'),
    ];
    const seen = new Set(streams.map((stream) => draws(stream).join()));
    expect(seen.size).toBe(streams.length);
  });

  it('gives a stream that draws from its parent or sibling do not move', () => {
    const quiet = SimulatedRandom.fromSeed(1).stream('disk');
    const busy = SimulatedRandom.fromSeed(1);
    draws(busy);
    draws(busy.stream('network'));
    expect(draws(busy.stream('disk'))).toEqual(draws(quiet));
  });

  it('stays within every range, ends included where they are', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
        fc.integer({ min: 1, max: 2 ** 45 }),
        (seed, from, width) => {
          const random = SimulatedRandom.fromSeed(seed);
          for (let i = 0; i < 10; i++) {
            const drawn = random.integer(from, from + width);
            expect(Number.isSafeInteger(drawn)).toBe(true);
            expect(drawn).toBeGreaterThanOrEqual(from);
            expect(drawn).toBeLessThan(from + width);
          }
        },
      ),
    );
    const ends = new Set(draws6());
    expect([...ends].sort()).toEqual([5, 6]);
  });

  it('never says yes at 0 per mille, always at 1000, and about half the time at 500', () => {
    const random = SimulatedRandom.fromSeed(3);
    const yes = (perMille: number): number =>
      Array.from({ length: 1000 }, () => random.chance(perMille)).filter(Boolean).length;
    expect(yes(0)).toBe(0);
    expect(yes(1000)).toBe(1000);
    expect(yes(500)).toBeGreaterThan(400);
    expect(yes(500)).toBeLessThan(600);
  });

  it('gives as many bytes as asked for, of all values', () => {
    const bytes = SimulatedRandom.fromSeed(4).bytes(10_000);
    expect(bytes).toHaveLength(10_000);
    expect(new Set(bytes).size).toBe(256);
    expect(SimulatedRandom.fromSeed(4).bytes(0)).toHaveLength(0);
  });

  it('refuses what it cannot draw from, and says why', () => {
    const random = SimulatedRandom.fromSeed(1);
    for (const seed of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => SimulatedRandom.fromSeed(seed)).toThrow(/safe integer/);
    }
    for (const [from, to] of [
      [1, 1],
      [2, 1],
      [0.5, 2],
      [0, Number.NaN],
    ] as const) {
      expect(() => random.integer(from, to)).toThrow(/from < to/);
    }
    expect(() => checkRange({ fromUs: 2, toUs: 1 }, 'the latency')).toThrow(/the latency must be .* 2\.\.1/);
    expect(() => checkRange({ fromUs: -1, toUs: 1 }, 'the latency')).toThrow(RangeError);
    expect(checkRange({ fromUs: 0, toUs: 0 }, 'the latency')).toEqual({ fromUs: 0, toUs: 0 });
  });
});

function draws6(): number[] {
  const random = SimulatedRandom.fromSeed(2);
  return Array.from({ length: 60 }, () => random.duration({ fromUs: 5, toUs: 6 }));
}

/** Draws are part of every seed's meaning: changing them changes what every recorded seed replays. */
const GOLDEN = [460773, 905178, 315197];
