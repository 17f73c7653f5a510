import { expect, it, vi } from 'vitest';
import type { Records } from '../../../src/storage/disk/recover.ts';
import { firstUncertified } from './first-uncertified.ts';

// The bug: the log is cut at the first block that is not whole, whatever else tells that it was acknowledged.
vi.mock('../../../src/storage/disk/recover.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/recover.ts')>();
  return {
    ...real,
    recover: (records: Records) => {
      const whole = records.blocks.filter(({ intact }) => intact).sort((a, b) => a.number - b.number);
      const first = whole[0]?.number ?? 1;
      const blocks = whole.filter(({ number }, place) => number === first + place);
      return real.recover({ ...records, blocks, stray: 'none', markedNumber: blocks.at(-1)?.number ?? 0 });
    },
  };
});

it('certification catches a storage that takes damage for a torn tail', async () => {
  const { workload, told } = await firstUncertified('files', { crashStates: 0, damagedStates: 4000 });
  expect(workload).toBe('open, append');
  expect(told).toMatch(/struck: .*\.blocks/);
  expect(told).toMatch(/found: .*no entries/);
});
