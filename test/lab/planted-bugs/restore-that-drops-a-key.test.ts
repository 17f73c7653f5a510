import { expect, it, vi } from 'vitest';
import type { KvSnapshot } from '../../../lab/workload/kv-snapshot.ts';
import { firstViolation } from './first-violation.ts';
import { followersComeBackEmpty } from './trouble.ts';

// The bug: a state machine comes out of a snapshot without one of its keys; its log and its digest of effects
// are as they should be.
vi.mock('../../../lab/workload/kv-snapshot.ts', async (original) => {
  const real = await original<typeof import('../../../lab/workload/kv-snapshot.ts')>();
  return {
    ...real,
    decodeKvSnapshot: async (chunks: AsyncIterable<Uint8Array>): Promise<KvSnapshot> => {
      const snapshot = await real.decodeKvSnapshot(chunks);
      return { ...snapshot, values: snapshot.values.slice(1) };
    },
  };
});

it('the lab catches a state machine that was restored without one of its keys', async () => {
  const found = await firstViolation(followersComeBackEmpty, 1);
  expect(found?.violation).toMatchObject({ checker: 'replica-equality' });
  expect(found?.violation?.sentence).toMatch(/different states after entry \d+ \(contents \d+ and \d+\)$/);
});
