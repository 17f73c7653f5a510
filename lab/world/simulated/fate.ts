import type { SimulatedRandom } from './random.ts';

/** What became of one unsynced change when the power went. */
export type Fate = 'kept' | 'lost' | 'torn';

/**
 * A system writes back what is unsynced whenever it likes and in any order, so every combination of
 * fates is possible. Independent draws would hardly ever show the telling ones in a long list (nothing
 * kept, all kept, cut off cleanly), so the shape is drawn first.
 */
export function drawFates(count: number, random: SimulatedRandom): Fate[] {
  const shape = random.integer(0, 4);
  if (shape === 0) return Array.from({ length: count }, () => 'lost');
  if (shape === 1) return Array.from({ length: count }, () => 'kept');
  if (shape === 2) {
    const cut = random.integer(0, count + 1);
    return Array.from({ length: count }, (_, i) => (i < cut ? 'kept' : i === cut ? 'torn' : 'lost'));
  }
  return Array.from({ length: count }, () => FATES[random.integer(0, FATES.length)] ?? 'lost');
}

const FATES: readonly Fate[] = ['kept', 'lost', 'torn'];
