import { expect, it, vi } from 'vitest';
import type { Disk } from '../../../src/doors/disk.ts';
import { firstUncertified } from './first-uncertified.ts';

// The bug: a block is acknowledged as soon as it is written, while its sync is still under way.
vi.mock('../../../src/storage/disk/backends/files.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/backends/files.ts')>();
  const hasty = (disk: Disk): Disk => ({
    ...disk,
    open: async (...request) => {
      const file = await disk.open(...request);
      return { ...file, sync: async () => void file.sync() };
    },
  });
  return {
    ...real,
    FilesBackend: class extends real.FilesBackend {
      constructor(...[disk, ...others]: ConstructorParameters<typeof real.FilesBackend>) {
        super(hasty(disk), ...others);
      }
    },
  };
});

it('certification catches a storage that acknowledges before its disk has synced', async () => {
  const { workload, told } = await firstUncertified('files');
  expect(workload).toBe('open, append');
  expect(told).toMatch(/struck: {3}a power cut/);
  expect(told).toMatch(/expected: .*entries 1:1/);
});
