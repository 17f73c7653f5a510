import { describe, expect, it } from 'vitest';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import {
  type FileStorageOptions,
  fileStorage,
  type StorageInstance,
  type StorageSpace,
} from '../../../src/storage/index.ts';
import { ManualClock } from '../../node/manual-clock.ts';
import { MemoryDisk } from './memory-disk.ts';

const MIB = 1024 * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A disk whose free bytes a test sets, that answers when it is let. */
class CountedDisk extends MemoryDisk {
  asked = 0;
  answering: Promise<void> = Promise.resolve();
  fails = false;
  totalBytes = Number.POSITIVE_INFINITY;

  override async space() {
    this.asked += 1;
    await this.answering;
    if (this.fails) throw new Error('EIO');
    return { freeBytes: this.freeBytes, totalBytes: this.totalBytes };
  }
}

async function opened(options: Partial<FileStorageOptions> & { readonly freeBytes?: number } = {}) {
  const { freeBytes = 500 * MIB, ...others } = options;
  const disk = new CountedDisk();
  disk.freeBytes = freeBytes;
  const clock = new ManualClock();
  const doors = { ...nodeStorageDoors(), disk, clock };
  const storage = fileStorage({ directory: '/d', scrubIntervalMs: 0, doors, ...others });
  const told: StorageSpace[] = [];
  const instance = await storage.open({ id: 'n1', onSpace: (space) => told.push(space) });
  await turn();
  const log = await instance.openLog('a');
  let last = 0;
  /** One entry; then what its disk answers has come. */
  const write = async (bytes = 100): Promise<void> => {
    last += 1;
    await log.write({
      writeId: { boot: 1, sequence: last },
      entries: [{ kind: 'command', index: last, term: 0, payload: Buffer.alloc(bytes) }],
    });
    await turn();
  };
  return { disk, clock, instance, told, write, nearlyFull: () => told.map((space) => space.nearlyFull) };
}

const close = (instance: StorageInstance): Promise<void> => instance.close();

describe('the room on the disk of a storage', () => {
  it('is told when it was opened', async () => {
    const { told, instance } = await opened({ reserveBytes: 10 * MIB });
    expect(told).toEqual([
      {
        directory: '/d',
        freeBytes: 500 * MIB,
        reserveBytes: 10 * MIB,
        enoughBytes: 15 * MIB,
        nearlyFull: false,
      },
    ]);
    await close(instance);
  });

  it('is too little below the reserve, and enough again with half as much more', async () => {
    const { disk, clock, write, nearlyFull, instance } = await opened({ reserveBytes: 10 * MIB });
    for (const freeBytes of [10 * MIB, 10 * MIB - 1, 15 * MIB - 1, 15 * MIB, 10 * MIB]) {
      disk.freeBytes = freeBytes;
      clock.advance(1_000);
      await turn();
      await write();
    }
    const told = nearlyFull().slice(1);
    expect(told.filter((now, at) => now !== told[at - 1])).toEqual([false, true, false]);
    expect(told.at(-1)).toBe(false);
    await close(instance);
  });

  it('is asked for once a second while anything is written, and not while nothing is', async () => {
    const { disk, clock, write, instance } = await opened({ reserveBytes: 10 * MIB });
    expect(disk.asked).toBe(1);
    for (let count = 0; count < 50; count += 1) await write();
    clock.advance(999);
    await write();
    expect(disk.asked).toBe(1);
    clock.advance(1);
    await write();
    await write();
    expect(disk.asked).toBe(2);
    clock.advance(60_000);
    await turn();
    expect([disk.asked, clock.timersSet]).toEqual([2, 0]);
    await close(instance);
  });

  it('is asked for as soon as this storage alone may have used up what was above the reserve', async () => {
    const reserveBytes = 64 * 1024;
    const { disk, write, nearlyFull, instance } = await opened({
      reserveBytes,
      freeBytes: reserveBytes + 10_000,
    });
    disk.freeBytes = reserveBytes - 1;
    await write(8_000);
    expect(disk.asked).toBe(1);
    await write(2_000);
    expect(disk.asked).toBe(2);
    expect(nearlyFull()).toEqual([false, true]);
    await close(instance);
  });

  it('is asked for no more often than for a small part of the reserve, however near it is', async () => {
    const reserveBytes = 64 * 1024;
    const { disk, write, instance } = await opened({ reserveBytes, freeBytes: reserveBytes });
    for (let count = 0; count < 10; count += 1) await write(200);
    expect(disk.asked).toBeLessThanOrEqual(4);
    await close(instance);
  });

  it('keeps no write waiting while it is asked for', async () => {
    const { disk, clock, write, told, instance } = await opened({ reserveBytes: 10 * MIB });
    let answer = (): void => {};
    disk.answering = new Promise((resolve) => {
      answer = resolve;
    });
    clock.advance(1_000);
    for (let count = 0; count < 5; count += 1) {
      await write();
      clock.advance(1_000);
    }
    expect([disk.asked, told.length]).toEqual([2, 1]);
    answer();
    await turn();
    expect(told).toHaveLength(2);
    await close(instance);
  });

  it('is looked at each second while there is too little, whoever makes some, and no more once it is closed', async () => {
    const { disk, clock, nearlyFull, instance } = await opened({ reserveBytes: 10 * MIB, freeBytes: MIB });
    clock.advance(1_000);
    await turn();
    disk.freeBytes = 20 * MIB;
    clock.advance(1_000);
    await turn();
    expect(nearlyFull()).toEqual([true, true, false]);
    expect(clock.timersSet).toBe(0);
    await close(instance);
    const other = await opened({ reserveBytes: 10 * MIB, freeBytes: MIB });
    expect(other.clock.timersSet).toBe(1);
    await other.instance.close();
    expect(other.clock.timersSet).toBe(0);
  });

  it('stays as it was where the disk cannot tell', async () => {
    const { disk, clock, nearlyFull, instance } = await opened({ reserveBytes: 10 * MIB, freeBytes: MIB });
    disk.fails = true;
    disk.freeBytes = 20 * MIB;
    clock.advance(3_000);
    await turn();
    expect(nearlyFull()).toEqual([true]);
    disk.fails = false;
    clock.advance(1_000);
    await turn();
    expect(nearlyFull()).toEqual([true, false]);
    await close(instance);
  });

  it('is not asked for with no reserve', async () => {
    const { disk, clock, write, instance } = await opened({ reserveBytes: 0, freeBytes: 0 });
    clock.advance(1_000);
    await write();
    expect(disk.asked).toBe(0);
    await close(instance);
  });

  it('has a reserve of 128 MiB by default, and of a small disk a twentieth', async () => {
    const { disk, clock, write, told, instance } = await opened();
    disk.totalBytes = 1_000 * MIB;
    clock.advance(1_000);
    await write();
    expect(told.map(({ reserveBytes }) => reserveBytes)).toEqual([128 * MIB, 50 * MIB]);
    await close(instance);
  });
});
