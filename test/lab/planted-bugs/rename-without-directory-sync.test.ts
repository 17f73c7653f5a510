import { expect, it, vi } from 'vitest';
import type { Disk } from '../../../src/doors/disk.ts';
import { firstUncertified } from './first-uncertified.ts';

// The bug: a file that was renamed is taken for durable though its folder was not synced.
vi.mock('../../../src/storage/disk/record.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/record.ts')>();
  return {
    ...real,
    replaceRecordFile: (disk: Disk, ...rest: [{ directory: string; name: string }, unknown, number]) =>
      real.replaceRecordFile({ ...disk, syncDirectory: async () => {} }, ...rest),
  };
});

it('certification catches a storage that renames and does not sync the folder', async () => {
  const { workload, told } = await firstUncertified('files');
  expect(workload).toBe('open');
  expect(told).toMatch(/struck: {3}a power cut/);
  expect(told).toMatch(
    /found: .*been cut off from power: .*the identity file is missing, but there is a log/,
  );
});
