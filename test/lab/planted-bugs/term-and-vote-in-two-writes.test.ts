import { expect, it, vi } from 'vitest';
import type { HardState } from '../../../src/raft/effect.ts';
import { firstUncertified } from './first-uncertified.ts';

// The bug: the term becomes durable first, the vote in it afterwards.
vi.mock('../../../src/storage/disk/hard-state-file.ts', async (original) => {
  const real = await original<typeof import('../../../src/storage/disk/hard-state-file.ts')>();
  const { write } = real.HardStateFiles.prototype;
  real.HardStateFiles.prototype.write = async function (group: string, hardState: HardState) {
    await write.call(this, group, { ...hardState, votedFor: null });
    await write.call(this, group, hardState);
  };
  return real;
});

it('certification catches a storage that writes term and vote one after the other', async () => {
  const { workload, told } = await firstUncertified('files');
  expect(workload).toBe('open, vote');
  expect(told).toMatch(/expected: .*term 0, no vote.*term 1, voted for n2/);
  expect(told).toMatch(/found: .*term 1, no vote/);
});
