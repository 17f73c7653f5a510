import { expect, it } from 'vitest';
import { HardStateFiles } from '../../../src/storage/disk/hard-state-file.ts';
import { MemoryDisk } from './memory-disk.ts';

it('the longest hard state fits its slot, and comes back with what it says is missing', async () => {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/data');
  const most = Number.MAX_SAFE_INTEGER;
  const group = 'g'.repeat(64);
  const hardState = {
    term: most,
    votedFor: { id: 'n'.repeat(64), incarnation: 'f'.repeat(16) },
    missing: { term: most, index: most },
  };
  const files = await HardStateFiles.open(disk, '/data', 1);
  await files.write(group, hardState);
  await files.close();
  const again = await HardStateFiles.open(disk, '/data', 1);
  expect(again.find(group)).toEqual({ kind: 'found', hardState });
  await again.write(group, { term: most, votedFor: null });
  await again.close();
  const third = await HardStateFiles.open(disk, '/data', 1);
  expect(third.find(group)).toEqual({ kind: 'found', hardState: { term: most, votedFor: null } });
});
