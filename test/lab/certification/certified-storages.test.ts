import { describe, expect, it } from 'vitest';
import { certify, type DamageKind, formatCertification, type StorageFactory } from '../../../lab/index.ts';
import { fileStorage } from '../../../src/storage/index.ts';

const CRASH_STATES = 5_000;
const DAMAGED_STATES = 5_000;

const storages = [
  { backend: 'files', codec: 'none', shards: 1, seed: 1 },
  { backend: 'files', codec: 'gzip', shards: 2, seed: 2 },
  { backend: 'level', codec: 'none', shards: 1, seed: 3 },
  { backend: 'level', codec: 'gzip', shards: 2, seed: 4 },
] as const;

describe('a storage in a directory', () => {
  it.each(storages)(
    'is clean after every power cut, and says what one damage took: $backend, $codec, $shards shards',
    async ({ seed, ...options }) => {
      // The smallest segments, so that floors take some away.
      const factory: StorageFactory = (doors) =>
        fileStorage({ directory: '/data', segmentBytes: 512, doors, ...options });
      const result = await certify(factory, {
        seed,
        crashStates: CRASH_STATES,
        damagedStates: DAMAGED_STATES,
      });
      const told = formatCertification(result);
      expect(result.failure, told).toBeNull();
      console.log(`${options.backend}, ${options.codec}, ${options.shards} shards: ${told}`);
      expect(result.crashes.states).toBeGreaterThanOrEqual(CRASH_STATES);
      expect(result.damages.states).toBeGreaterThanOrEqual(DAMAGED_STATES);
      expect(result.crashes.completeMoments).toBeGreaterThan(result.crashes.moments / 2);
      const { verdicts, inVain } = result.damages;
      // Changed bytes of a segment may be those of a block that the mark did not know yet, dead as the others are.
      for (const path of Object.keys(inVain)) expect(path).toMatch(/\.blocks$/);
      const countTold = (kind: DamageKind): number => {
        const ofKind = Object.entries(verdicts[kind] ?? {});
        return ofKind.reduce((sum, [verdict, count]) => (verdict === 'clean' ? sum : sum + count), 0);
      };
      expect(countTold('flipped bit')).toBeGreaterThan(100);
      expect(verdicts['flipped bit']?.clean).toBeGreaterThan(100);
      // What cannot be opened at all is put aside, every time; and never a database, whose log is repaired by others.
      const all = Object.values(verdicts);
      expect(all.some((ofKind) => 'refused' in ofKind || 'failed' in ofKind)).toBe(false);
      expect(all.reduce((sum, ofKind) => sum + (ofKind['put aside'] ?? 0), 0)).toBeGreaterThan(10);
      const isLevel = options.backend === 'level';
      // Segments that are indexed are believed until they are read.
      expect(result.damages.foundByReading > 0).toBe(!isLevel);
      expect(Object.keys(verdicts['a corrupt database'] ?? {})).toEqual(isLevel ? ['lost tail'] : []);
      expect(countTold('records vanished') > 10).toBe(isLevel);
      expect(countTold('a changed value') > 100).toBe(isLevel);
    },
    300_000,
  );

  it('is judged the same by the same seed, and in other states by another', async () => {
    const tell = async (seed: number): Promise<string> => {
      const factory: StorageFactory = (doors) => fileStorage({ directory: '/data', doors });
      return formatCertification(await certify(factory, { seed, crashStates: 300, damagedStates: 300 }));
    };
    const told = await tell(1);
    expect(await tell(1)).toBe(told);
    expect(await tell(2)).not.toBe(told);
  });
});
