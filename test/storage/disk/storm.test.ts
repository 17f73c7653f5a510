import { describe, expect, it } from 'vitest';
import { storm } from './storm.ts';

const SEEDS = 40;

describe('a storage whose machine is killed, loses power and has a failing disk', () => {
  it.each([
    { backend: 'files', codec: 'none', shards: 1 },
    { backend: 'files', codec: 'gzip', shards: 2 },
    { backend: 'files', codec: 'zstd', shards: 1 },
    { backend: 'level', codec: 'none', shards: 1 },
    { backend: 'level', codec: 'gzip', shards: 2 },
    { backend: 'level', codec: 'zstd', shards: 1 },
  ] as const)(
    'opens clean each time and finds what was acknowledged: $backend, $codec, $shards shards',
    async (kind) => {
      const total = new Map<string, number>();
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        try {
          for (const [what, times] of await storm({ ...kind, seed, rounds: 8 })) {
            total.set(what, (total.get(what) ?? 0) + times);
          }
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, {
            cause: error,
          });
        }
      }
      console.log(`${JSON.stringify(kind)}: ${JSON.stringify(Object.fromEntries(total))}`);
      for (const what of ['opened', 'acknowledged', 'power cut', 'killed', 'poisoned']) {
        expect(total.get(what) ?? 0, what).toBeGreaterThan(10);
      }
      expect((total.get('compressed') ?? 0) > 10).toBe(kind.codec !== 'none');
    },
  );
});
