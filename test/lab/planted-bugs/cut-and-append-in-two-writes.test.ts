import { expect, it, vi } from 'vitest';
import type { WriteRequest } from '../../../src/storage/contract.ts';
import { firstUncertified } from './first-uncertified.ts';

// The bug: what is replaced is cut first, and what replaces it is appended afterwards.
vi.mock('../../../src/storage/disk/group-log.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/group-log.ts')>();
  return {
    ...real,
    GroupLog: class extends real.GroupLog {
      override async write(request: WriteRequest): Promise<void> {
        const { cutFrom, entries, ...rest } = request;
        if (cutFrom === undefined) return super.write(request);
        await super.write({ ...rest, cutFrom, entries: [] });
        await super.write({ writeId: request.writeId, entries });
      }
    },
  };
});

it('certification catches a storage that deletes before it writes', async () => {
  const { workload, told } = await firstUncertified('files');
  expect(workload).toBe('open, append, replace');
  expect(told).toMatch(/expected: .*entries 1:1.*entries 1:2/);
  expect(told).toMatch(/found: .*no entries/);
});
