import { describe, expect, it } from 'vitest';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { fileStorage, type LogStorage, type StorageInstance } from '../../../src/storage/index.ts';
import { ManualClock } from '../../node/manual-clock.ts';
import { MemoryDisk } from './memory-disk.ts';

const ENTRIES = 40;
const INTERVAL_MS = 60_000;
const BYTES_PER_SECOND = 1024;

/** Nothing here waits for anything but promises and the disk in memory. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** In small steps, each of which comes to its end. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1000) {
    clock.advance(Math.min(1000, left));
    await settled();
  }
}

interface Opened {
  readonly disk: MemoryDisk;
  readonly clock: ManualClock;
  readonly instance: StorageInstance;
  readonly log: LogStorage;
  /** Bytes of segments read since it was opened. */
  readonly read: () => number;
}

async function opened(options = {}): Promise<Opened> {
  const disk = new MemoryDisk();
  const clock = new ManualClock();
  let read = 0;
  const { open } = disk;
  disk.open = async (path, how) => {
    const file = await open.call(disk, path, how);
    return {
      ...file,
      read: async (offset, length) => {
        if (path.endsWith('.blocks')) read += length;
        return file.read(offset, length);
      },
    };
  };
  const storage = fileStorage({
    directory: '/data',
    segmentBytes: 4096,
    scrubIntervalMs: INTERVAL_MS,
    scrubBytesPerSecond: BYTES_PER_SECOND,
    doors: { ...nodeStorageDoors(), disk, clock },
    ...options,
  });
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('a');
  await log.write({ writeId: { boot: 1, sequence: 0 }, hardState: { term: 1, votedFor: null }, entries: [] });
  for (let index = 1; index <= ENTRIES; index += 1) {
    const entry = { kind: 'command', index, term: 1, payload: Buffer.alloc(200, 1) } as const;
    await log.write({ writeId: { boot: 1, sequence: index }, entries: [entry] });
  }
  return { disk, clock, instance, log, read: () => read };
}

function flip(disk: MemoryDisk, path: string, at: number): void {
  const bytes = disk.files.get(path);
  if (bytes === undefined) throw new Error(`no ${path}`);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
}

describe('a scrub', () => {
  it('reads the whole log after each interval, no faster than it may', async () => {
    const { clock, instance, read, disk } = await opened();
    await pass(clock, INTERVAL_MS - 1);
    expect(read()).toBe(0);
    await pass(clock, 5_000);
    const early = read();
    expect(early).toBeGreaterThan(2_000);
    expect(early).toBeLessThan(3 * 5 * BYTES_PER_SECOND);
    const segments = [...disk.files].filter(([path]) => path.endsWith('.blocks'));
    const all = segments.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    await pass(clock, 30_000);
    expect(read()).toBe(all);
    await pass(clock, INTERVAL_MS + 30_000);
    expect(read()).toBe(2 * all);
    await instance.close();
  });

  it.each([
    ['in a body', 250],
    ['in a header', 60],
  ])('finds damage %s that nobody has read, and fails with its place', async (_where, at) => {
    const { disk, clock, instance, log } = await opened();
    flip(disk, '/data/shard-0/000000000002.blocks', at);
    await pass(clock, INTERVAL_MS + 30_000);
    expect((await instance.failed)?.message).toMatch(
      /shard 0, group a: block \d+, entries \d+ to \d+, cannot be read/,
    );
    const entry = { kind: 'command', index: ENTRIES + 1, term: 1, payload: Buffer.alloc(1) } as const;
    await expect(log.write({ writeId: { boot: 1, sequence: 99 }, entries: [entry] })).rejects.toThrow(
      /cannot be read/,
    );
    await instance.close();
    const again = await fileStorage({
      directory: '/data',
      doors: { ...nodeStorageDoors(), disk },
    }).open({ id: 'n1' });
    expect((await again.openLog('a')).recovered.damage?.holes).toHaveLength(1);
    await again.close();
  });

  it('finds damage in a block of which a part lies below the floor', async () => {
    const { disk, clock, instance, log } = await opened();
    const entries = [1, 2, 3].map((at) => {
      return { kind: 'command', index: ENTRIES + at, term: 1, payload: Buffer.alloc(200, 1) } as const;
    });
    await log.write({ writeId: { boot: 1, sequence: 98 }, entries });
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    const floor = { index: ENTRIES + 1, term: 1, configuration };
    await log.write({ writeId: { boot: 1, sequence: 99 }, entries: [], floor });
    const last = [...disk.files.keys()].filter((path) => path.endsWith('.blocks')).at(-1) ?? '';
    flip(disk, last, (disk.files.get(last)?.length ?? 0) - 1);
    await pass(clock, INTERVAL_MS + 5_000);
    expect((await Promise.race([instance.failed, settled()]))?.message).toContain(
      `entries ${ENTRIES + 1} to ${ENTRIES + 3}, cannot be read`,
    );
    await instance.close();
  });

  it('is content with what compaction takes from under it', async () => {
    const { clock, instance, log, disk } = await opened();
    await pass(clock, INTERVAL_MS + 2_000);
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    const floor = { index: ENTRIES - 1, term: 1, configuration };
    await log.write({ writeId: { boot: 1, sequence: 98 }, entries: [], floor });
    await settled();
    expect([...disk.files.keys()]).not.toContain('/data/shard-0/000000000001.blocks');
    await pass(clock, INTERVAL_MS * 2);
    expect(await log.read({ from: ENTRIES, to: ENTRIES, bytesMax: 1 })).toHaveLength(1);
    await instance.close();
  });

  it('stops at once when the storage is closed', async () => {
    const { clock, instance, read } = await opened();
    await pass(clock, INTERVAL_MS + 2_000);
    const before = read();
    await instance.close();
    await pass(clock, INTERVAL_MS * 5);
    expect(read()).toBe(before);
  });

  it('never comes where it is turned off', async () => {
    const { clock, instance, read } = await opened({ scrubIntervalMs: 0 });
    await pass(clock, INTERVAL_MS * 3);
    expect(read()).toBe(0);
    await instance.close();
  });
});
