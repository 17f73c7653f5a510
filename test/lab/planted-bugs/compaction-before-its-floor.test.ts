import { expect, it, vi } from 'vitest';
import type { Disk } from '../../../src/doors/disk.ts';
import type { Backend } from '../../../src/storage/disk/backends/backend.ts';
import type { FloorRecord } from '../../../src/storage/disk/floor-file.ts';
import { firstUncertified } from './first-uncertified.ts';

const backends = vi.hoisted(() => new WeakMap<object, unknown>());

// The bug: blocks below a floor are deleted before the floor is durable.
vi.mock('../../../src/storage/disk/backends/make-backend.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/backends/make-backend.ts')>();
  return {
    makeBackend: (...request: Parameters<typeof real.makeBackend>): Backend => {
      const backend = real.makeBackend(...request);
      backends.set(request[0].doors.disk, backend);
      return backend;
    },
  };
});
vi.mock('../../../src/storage/disk/floor-file.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/floor-file.ts')>();
  return {
    ...real,
    writeFloor: async (
      disk: Disk,
      place: { directory: string; group: string },
      floor: FloorRecord,
      seed: number,
    ) => {
      await (backends.get(disk) as Backend).dropBelow(place.group, floor.lowestNumber);
      await real.writeFloor(disk, place, floor, seed);
    },
  };
});

it('certification catches a compaction that deletes before its floor is durable', async () => {
  const { workload, told } = await firstUncertified('level');
  expect(workload).toBe('open, append, compact');
  expect(told).toMatch(/struck: {3}a power cut/);
  expect(told).toMatch(/expected: .*1/);
});
