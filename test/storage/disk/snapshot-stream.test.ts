import { describe, expect, it } from 'vitest';
import type { Disk, DiskFile } from '../../../src/doors/disk.ts';
import { SnapshotFiles } from '../../../src/storage/disk/snapshot-files.ts';
import { MemoryDisk } from './memory-disk.ts';

const MIB = 1024 * 1024;
const HEAD_BYTES = 64 * 1024;
const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };

/** A disk that keeps the first bytes of each file and takes the others for zeros, and counts what is asked of it. */
class CountingDisk {
  readonly #names = new MemoryDisk();
  readonly #sizes = new Map<string, number>();
  longestRead = 0;
  writes = 0;
  syncs = 0;
  unsynced = 0;
  mostUnsynced = 0;

  door(): Disk {
    const names = this.#names;
    return {
      open: async (path, options) => this.#file(path, await names.open(path, options)),
      list: (directory) => names.list(directory),
      makeDirectory: (directory) => names.makeDirectory(directory),
      rename: async (from, to) => {
        await names.rename(from, to);
        this.#sizes.set(to, this.#sizes.get(from) ?? 0);
      },
      remove: (path) => names.remove(path),
      removeDirectory: (directory) => names.removeDirectory(directory),
      syncDirectory: (directory) => names.syncDirectory(directory),
      space: () => names.space(),
      lock: (directory) => names.lock(directory),
    };
  }

  #file(path: string, head: DiskFile): DiskFile {
    const size = (): number => this.#sizes.get(path) ?? 0;
    const write = async (offset: number, data: Uint8Array): Promise<void> => {
      this.writes += 1;
      this.unsynced += data.length;
      this.mostUnsynced = Math.max(this.mostUnsynced, this.unsynced);
      this.#sizes.set(path, Math.max(size(), offset + data.length));
      if (offset < HEAD_BYTES) await head.write(offset, data);
      else if (!Buffer.alloc(data.length).equals(data)) throw new Error('content that is not zero');
    };
    return {
      size: async () => size(),
      read: async (offset, length) => {
        this.longestRead = Math.max(this.longestRead, length);
        const bytes = Buffer.alloc(Math.max(0, Math.min(length, size() - offset)));
        if (offset < HEAD_BYTES) bytes.set((await head.read(offset, length)).subarray(0, bytes.length));
        return bytes;
      },
      append: (data) => write(size(), data),
      write,
      truncate: (length) => head.truncate(length),
      sync: async () => {
        this.syncs += 1;
        this.unsynced = 0;
        await head.sync();
      },
      close: () => head.close(),
    };
  }
}

describe('a snapshot of many chunks', () => {
  it('is written, verified and read by pieces, none of which waits for another', async () => {
    const disk = new CountingDisk();
    const door = disk.door();
    const directory = '/data/snapshots-a';
    const open = (): SnapshotFiles => new SnapshotFiles(door, { directory, seed: 7, failure: () => null });
    const chunk = Buffer.alloc(256 * 1024);
    const chunks = (96 * MIB) / chunk.length;
    let asked = 0;
    let mostHeld = 0;
    function* content(): Generator<Uint8Array> {
      for (; asked < chunks; asked += 1) {
        mostHeld = Math.max(mostHeld, asked - disk.writes + 1);
        yield chunk;
      }
    }
    const meta = await open().write({ index: 5, term: 1, configuration }, content());
    expect([asked, meta.size]).toEqual([chunks, 96 * MIB]);
    // The one just asked for; all others are written.
    expect(mostHeld).toBe(1);
    expect(disk.longestRead).toBeLessThanOrEqual(MIB);
    // A sync of gigabytes would hold up those of the log.
    expect(disk.mostUnsynced).toBeLessThanOrEqual(33 * MIB);
    expect(disk.syncs).toBe(4);

    const again = open();
    expect(await again.latest()).toEqual(meta);
    expect(disk.longestRead).toBeLessThanOrEqual(MIB);
    expect(await again.read(meta, { offset: meta.size - 10, length: MIB })).toHaveLength(10);
    expect(await again.read(meta, { offset: MIB, length: MIB })).toHaveLength(MIB);
    expect(disk.longestRead).toBeLessThanOrEqual(MIB);
  });
});

describe('a snapshot of a long configuration', () => {
  const withMetadata = (bytes: number) => ({
    ...configuration,
    voters: [
      { id: 'n1', incarnation: '0123456789abcdef', address: 'a:1', metadata: { long: 'x'.repeat(bytes) } },
    ],
  });

  it('has room for it before its content', async () => {
    for (const bytes of [60_000, 65_400, 65_536, 70_000, 200_000]) {
      const disk = new MemoryDisk();
      await disk.makeDirectory('/data');
      const open = (): SnapshotFiles =>
        new SnapshotFiles(disk, { directory: '/data/snapshots-a', seed: 7, failure: () => null });
      const at = { index: 5, term: 1, configuration: withMetadata(bytes) };
      const meta = await open().write(at, [Buffer.from('the state')]);
      expect(await open().latest(), `${bytes} bytes`).toEqual(meta);
      expect(Buffer.from(await open().read(meta, { offset: 4, length: 9 })).toString()).toBe('state');
    }
  });

  it('is refused when the configuration has more than a mebibyte, and leaves nothing', async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('/data');
    const snapshots = new SnapshotFiles(disk, {
      directory: '/data/snapshots-a',
      seed: 7,
      failure: () => null,
    });
    const at = { index: 5, term: 1, configuration: withMetadata(MIB) };
    await expect(snapshots.write(at, [Buffer.from('the state')])).rejects.toThrow(/the configuration takes/);
    expect([...disk.files.keys()]).toEqual([]);
  });
});
