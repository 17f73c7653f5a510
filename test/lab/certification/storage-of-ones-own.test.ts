import { describe, expect, it } from 'vitest';
import { certify, formatCertification, type StorageFactory } from '../../../lab/index.ts';
import { StorageRefused } from '../../../src/storage/index.ts';
import { wholeFileStorage } from './whole-file-storage.ts';

const failureOf = async (factory: StorageFactory, crashStates = 1_000) => {
  const result = await certify(factory, { crashStates, damagedStates: 1_000 });
  return { failure: result.failure, inVain: result.damages.inVain, told: formatCertification(result) };
};

describe('a storage that somebody else wrote', () => {
  it('is certified when it is right', async () => {
    const { failure, told } = await failureOf(wholeFileStorage);
    expect(failure, told).toBeNull();
  });

  it('is not when it never syncs', async () => {
    const { failure } = await failureOf(({ disk, random }) => {
      const open: typeof disk.open = async (...request) => ({
        ...(await disk.open(...request)),
        sync: async () => {},
      });
      return wholeFileStorage({ random, disk: { ...disk, open } });
    });
    expect(failure).toMatchObject({ workload: 'open', struck: expect.stringContaining('a power cut') });
  });

  it('is not when it believes whatever it reads', async () => {
    const { failure } = await failureOf(({ disk, random }) => {
      const list: typeof disk.list = async (path) =>
        (await disk.list(path)).filter((name) => name !== 'used' || path !== '/data');
      return wholeFileStorage({ random, disk: { ...disk, list } });
    });
    expect(failure).toMatchObject({
      workload: 'open, append',
      struck: expect.stringContaining('/data/state is missing'),
      expected: expect.stringContaining('incarnation'),
    });
  });

  it('is told that it refuses for the sake of a file that it can do without', async () => {
    const careful: StorageFactory = (doors) => ({
      open: async (request) => {
        const instance = await wholeFileStorage(doors).open(request);
        const spare = await doors.disk.open('/data/spare', { create: true });
        const found = Buffer.from(await spare.read(0, 5)).toString();
        if (found !== '' && found !== 'spare') throw new StorageRefused('damaged', `the spare says ${found}`);
        await spare.write(0, Buffer.from('spare'));
        return instance;
      },
    });
    // After a power cut it refuses too: its spare may be torn.
    const { failure, inVain, told } = await failureOf(careful, 0);
    expect(failure).toBeNull();
    expect(Object.keys(inVain)).toEqual(['/data/spare']);
    expect(told).toMatch(/in vain, in \/data\/spare: \d+/);
  });

  it('is not when it hangs', async () => {
    const { failure } = await failureOf(({ disk, random }) => {
      const storage = wholeFileStorage({ random, disk });
      return { open: (request) => storage.open(request).then(() => new Promise(() => {})) };
    });
    expect(failure).toMatchObject({ workload: 'open', found: expect.stringContaining('does not answer') });
  });
});
