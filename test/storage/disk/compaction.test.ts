import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/raft/entry.ts';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { fileStorage, type LogStorage, type Storage } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';

const SEGMENT_BYTES = 4096;
const PAYLOAD_BYTES = 200;
const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };

const storageOn = (disk: MemoryDisk): Storage =>
  fileStorage({
    directory: '/data',
    segmentBytes: SEGMENT_BYTES,
    doors: { ...nodeStorageDoors(), disk },
  });

const command = (index: number): Entry => ({
  kind: 'command',
  index,
  term: 1,
  payload: Buffer.alloc(PAYLOAD_BYTES, `${index}`),
});

async function append(log: LogStorage, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) {
    await log.write({ writeId: { boot: 1, sequence: index }, entries: [command(index)] });
  }
}

const floorAt = (log: LogStorage, index: number): Promise<void> =>
  log.write({
    writeId: { boot: 1, sequence: index },
    entries: [],
    floor: { index, term: 1, configuration },
  });

const bytesOn = (disk: MemoryDisk): number =>
  [...disk.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);

async function opened(disk: MemoryDisk) {
  const instance = await storageOn(disk).open({ id: 'n1' });
  const log = await instance.openLog('a');
  await log.write({ writeId: { boot: 1, sequence: 0 }, hardState: { term: 1, votedFor: null }, entries: [] });
  return { instance, log };
}

describe('compaction', () => {
  it('holds up no write, whatever time the disk takes to remove files', async () => {
    const disk = new MemoryDisk();
    const removed: string[] = [];
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { remove } = disk;
    disk.remove = async (path) => {
      await gate;
      removed.push(path);
      await remove.call(disk, path);
    };
    const { instance, log } = await opened(disk);
    await append(log, 1, 100);
    await floorAt(log, 90);
    await append(log, 101, 110);
    expect(removed).toEqual([]);
    expect(await log.read({ from: 110, to: 110, bytesMax: 1 })).toEqual([command(110)]);
    const closing = instance.close();
    go();
    await closing;
    // All that are dead, with their indexes, before the storage is let go.
    expect(removed.filter((path) => path.endsWith('.blocks')).length).toBeGreaterThan(4);
    expect(removed.filter((path) => path.endsWith('.index')).length).toBeGreaterThan(4);
  });

  it('holds up closing, and lets nothing begin meanwhile that outlives it', async () => {
    const disk = new MemoryDisk();
    const gate = (): { readonly opened: Promise<void>; open(): void } => {
      let open = (): void => {};
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      return { opened, open: () => open() };
    };
    const [removing, appending] = [gate(), gate()];
    const { remove, open } = disk;
    let isSlow = false;
    disk.remove = async (path) => {
      await removing.opened;
      await remove.call(disk, path);
    };
    disk.open = async (path, options) => {
      const file = await open.call(disk, path, options);
      const append = async (bytes: Uint8Array): Promise<void> => {
        if (isSlow) await appending.opened;
        await file.append(bytes);
      };
      return { ...file, append };
    };
    const { instance, log } = await opened(disk);
    await append(log, 1, 100);
    await floorAt(log, 90);
    let isClosed = false;
    const closing = instance.close().then(() => {
      isClosed = true;
    });
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    isSlow = true;
    const late = append(log, 101, 101).catch(() => {});
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    removing.open();
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(isClosed).toBe(false);
    appending.open();
    await Promise.all([late, closing]);
  });

  it('gives space back, over ten times', async () => {
    const disk = new MemoryDisk();
    const sizes: number[] = [];
    for (let round = 1; round <= 10; round += 1) {
      const { instance, log } = await opened(disk);
      const last = log.recovered.lastIndex;
      await append(log, last + 1, last + 100);
      await floorAt(log, last + 100);
      await instance.close();
      sizes.push(bytesOn(disk));
    }
    // The last segment stays, and the small files beside it; each round wrote nine times as much.
    for (const size of sizes) expect(size).toBeLessThan(2 * SEGMENT_BYTES);
  });

  it('that cannot remove a file fails the storage, and says so', async () => {
    const disk = new MemoryDisk();
    const { instance, log } = await opened(disk);
    await append(log, 1, 100);
    const { remove } = disk;
    disk.remove = async (path) => {
      if (path.endsWith('.blocks')) throw Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' });
      await remove.call(disk, path);
    };
    await floorAt(log, 90);
    await expect(append(log, 101, 200)).rejects.toThrow(
      /what a snapshot made useless could not be removed: EIO/,
    );
    await instance.close();
  });
});
