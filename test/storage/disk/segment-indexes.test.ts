import { describe, expect, it } from 'vitest';
import type { BlockLocation, ScannedBlock } from '../../../src/storage/disk/backends/backend.ts';
import { FilesBackend } from '../../../src/storage/disk/backends/files.ts';
import { encodeIndex } from '../../../src/storage/disk/backends/segment-index.ts';
import { sealPlain } from '../../../src/storage/disk/block.ts';
import { MemoryDisk } from './memory-disk.ts';
import { block, bytesOf, found, open, seed, segmentsOf, text } from './one-shard.ts';

const SEGMENT_BYTES = 1000;
const INDEX_HEAD_BYTES = 20;
const all = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6'];

/** Six blocks in three segments, the last of which may grow. */
async function three(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { backend } = await open(disk, SEGMENT_BYTES);
  for (let number = 1; number <= 6; number += 1) await backend.append([block('a', number, text(400))]);
  await backend.close();
  return disk;
}

async function reopened(disk: MemoryDisk, isThorough = false) {
  const { backend, scan } = await open(disk, SEGMENT_BYTES, isThorough);
  return { backend, scan, names: found(scan) };
}

const placeOf = (blocks: readonly ScannedBlock[], number: number): BlockLocation => {
  const scanned = blocks.find((one) => one.intact && one.header.number === number);
  if (scanned?.intact !== true) throw new Error(`block ${number} was not found`);
  return scanned.location;
};

/** Bytes that a scan reads of the segments. */
async function bytesRead(disk: MemoryDisk): Promise<number> {
  const watched = new MemoryDisk(disk);
  let read = 0;
  const { open: openFile } = watched;
  watched.open = async (path, options) => {
    const file = await openFile.call(watched, path, options);
    const readOf = async (offset: number, length: number): Promise<Uint8Array> => {
      const bytes = await file.read(offset, length);
      if (path.endsWith('.blocks')) read += bytes.length;
      return bytes;
    };
    return { ...file, read: readOf };
  };
  await open(watched, SEGMENT_BYTES);
  return read;
}

function flip(disk: MemoryDisk, name: string, at: number): void {
  const bytes = bytesOf(disk, name);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
}

describe('the index of a segment', () => {
  it('is kept of all but the last, and saves reading them', async () => {
    const disk = await three();
    expect(await disk.list('/s')).toEqual([
      '000000000001.blocks',
      '000000000001.index',
      '000000000002.blocks',
      '000000000002.index',
      '000000000003.blocks',
    ]);
    expect((await reopened(disk)).names).toEqual(all);
    // The last commit is read once more, to be written again.
    const last = bytesOf(disk, '000000000003.blocks').length;
    expect(await bytesRead(disk)).toBe(last + last / 2);
  });

  it('is made anew where it is missing, and is the same then', async () => {
    const disk = await three();
    const before = Buffer.from(bytesOf(disk, '000000000001.index'));
    disk.files.delete('/s/000000000001.index');
    const { backend, names } = await reopened(disk);
    await backend.close();
    expect(names).toEqual(all);
    expect(bytesOf(disk, '000000000001.index').equals(before)).toBe(true);
  });

  it('goes on where a segment that was opened again grows', async () => {
    const disk = new MemoryDisk();
    for (let number = 1; number <= 6; number += 1) {
      const { backend } = await open(disk, SEGMENT_BYTES);
      await backend.append([block('a', number, text(400))]);
      await backend.close();
    }
    expect(disk.files).toEqual((await three()).files);
  });

  it('torn anywhere, or with any bit changed, is as good as none', async () => {
    const whole = await three();
    const index = bytesOf(whole, '000000000001.index');
    const damaged = [
      ...Array.from({ length: index.length }, (_, length) => index.subarray(0, length)),
      ...Array.from({ length: index.length }, (_, at) => {
        const bytes = Buffer.from(index);
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
        return bytes;
      }),
    ];
    for (const bytes of damaged) {
      const disk = new MemoryDisk(whole);
      disk.files.set('/s/000000000001.index', Buffer.from(bytes));
      const { backend, names } = await reopened(disk);
      await backend.close();
      expect(names).toEqual(all);
      expect(bytesOf(disk, '000000000001.index').equals(index)).toBe(true);
    }
  });

  it('of another storage, or of a segment that has another length now, is none', async () => {
    const disk = await three();
    const longer = Buffer.concat([bytesOf(disk, '000000000001.blocks'), block('a', 7, text(9)).bytes]);
    disk.files.set('/s/000000000001.blocks', longer);
    expect((await reopened(disk)).names).toEqual(['a1', 'a2', 'a7', 'a3', 'a4', 'a5', 'a6']);
    const other = await three();
    const [index, size] = [
      bytesOf(other, '000000000001.index'),
      bytesOf(other, '000000000001.blocks').length,
    ];
    const foreign = encodeIndex(index.subarray(INDEX_HEAD_BYTES), size, seed + 1);
    other.files.set('/s/000000000001.index', foreign);
    flip(other, '000000000001.blocks', 300);
    expect((await reopened(other)).names).toEqual(['a2', 'a1 changed', 'a3', 'a4', 'a5', 'a6']);
  });

  it('goes with its segment, and alone where that is lost', async () => {
    const disk = await three();
    const { backend } = await reopened(disk);
    await backend.dropBelow('a', 3);
    await backend.close();
    expect(await disk.list('/s')).toEqual([
      '000000000002.blocks',
      '000000000002.index',
      '000000000003.blocks',
    ]);
    disk.files.delete('/s/000000000002.blocks');
    await (await reopened(disk)).backend.close();
    expect(await disk.list('/s')).toEqual(['000000000003.blocks']);
  });

  it('keeps a lost number from being used again, and its own segment from growing', async () => {
    const disk = await three();
    disk.files.delete('/s/000000000003.blocks');
    disk.files.delete('/s/000000000002.blocks');
    const { backend } = await reopened(disk);
    await backend.append([block('a', 7, text(10))]);
    await backend.close();
    expect(await segmentsOf(disk)).toEqual(['000000000001.blocks', '000000000003.blocks']);
    expect((await reopened(disk)).names).toEqual(['a1', 'a2', 'a7']);
  });
});

describe('damage in an indexed segment', () => {
  it('is not seen when it is opened, but by whoever reads everything, and by name', async () => {
    for (const at of [2, 60, 300]) {
      const disk = await three();
      flip(disk, '000000000001.blocks', at);
      expect((await reopened(disk)).names, `byte ${at}`).toEqual(all);
      const { scan, names } = await reopened(disk, true);
      expect(names, `byte ${at}`).toEqual(['a1 changed', 'a2', 'a3', 'a4', 'a5', 'a6']);
      expect(scan.stray.all, `byte ${at}`).toBe('none');
    }
  });

  it('is seen where the segment is shorter than it was, wherever it ends, and by name', async () => {
    const whole = await three();
    const bytes = bytesOf(whole, '000000000001.blocks');
    for (const length of [0, 1, bytes.length >> 1, bytes.length - 1]) {
      const disk = new MemoryDisk(whole);
      disk.files.set('/s/000000000001.blocks', Buffer.from(bytes.subarray(0, length)));
      const first = length < bytes.length >> 1 ? 'a1 changed' : 'a1';
      for (let opening = 1; opening <= 2; opening += 1) {
        const { backend, scan, names } = await reopened(disk);
        await backend.close();
        expect([...names].sort(), `${length} bytes`).toEqual([first, 'a2 changed', 'a3', 'a4', 'a5', 'a6']);
        expect(scan.stray.all).toBe('none');
      }
    }
  });

  it('that keeps all of it from being read is told by name as well', async () => {
    const disk = await three();
    await disk.rename('/s/000000000001.index', '/s/000000000001.doubted');
    const { open: openFile } = disk;
    disk.open = async (path, options) => {
      const file = await openFile.call(disk, path, options);
      const read = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
      return path.endsWith('000000000001.blocks') ? { ...file, read } : file;
    };
    const { scan, names } = await reopened(disk);
    expect(names).toEqual(['a1 changed', 'a2 changed', 'a3', 'a4', 'a5', 'a6']);
    expect([scan.stray.all, scan.unreadable]).toEqual([
      'none',
      '000000000001.blocks cannot be read, so its blocks are missing: EIO',
    ]);
  });

  it('is seen from then on once a read has found it', async () => {
    const disk = await three();
    flip(disk, '000000000001.blocks', 300);
    const { backend, scan } = await reopened(disk);
    await backend.doubt(placeOf(scan.blocks, 1));
    await backend.close();
    for (let opening = 1; opening <= 2; opening += 1) {
      const next = await reopened(disk);
      await next.backend.close();
      expect(next.names, `opening ${opening}`).toEqual(['a1 changed', 'a2', 'a3', 'a4', 'a5', 'a6']);
    }
  });

  it('found while the segment still grew is seen too, though another segment begins before anybody is told', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk, SEGMENT_BYTES);
    const [place] = await backend.append([block('a', 1, text(400))]);
    await backend.append([block('a', 2, text(400))]);
    flip(disk, '000000000001.blocks', 300);
    if (place === undefined) throw new Error('no place');
    await backend.doubt(place);
    await backend.append([block('a', 3, text(400))]);
    await backend.close();
    expect((await reopened(disk)).names).toEqual(['a2', 'a1 changed', 'a3']);
  });

  it('whose last commit is the last of all keeps nobody from opening the others, if it cannot be read', async () => {
    const disk = await three();
    disk.files.set('/s/000000000003.blocks', Buffer.alloc(0));
    const { open: openFile } = disk;
    disk.open = async (path, options) => {
      const file = await openFile.call(disk, path, options);
      const read = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
      return path.endsWith('000000000002.blocks') ? { ...file, read } : file;
    };
    const { backend, scan, names } = await reopened(disk);
    expect(names).toEqual(['a1', 'a2', 'a3', 'a4']);
    await backend.doubt(placeOf(scan.blocks, 4));
    await backend.close();
    const again = await reopened(disk);
    expect(again.names).toEqual(['a1', 'a2', 'a3 changed', 'a4 changed']);
    expect(again.scan.unreadable).toMatch(/^000000000002.blocks cannot be read/);
  });

  it('that is not there after all is forgotten', async () => {
    const disk = await three();
    const { backend, scan } = await reopened(disk);
    await backend.doubt(placeOf(scan.blocks, 1));
    await backend.close();
    const doubted = await disk.list('/s');
    expect(doubted).toContain('000000000001.doubted');
    // To look at it changes nothing.
    const looking = new FilesBackend(disk, '/s', seed, SEGMENT_BYTES);
    await looking.scan({ isThorough: false });
    await looking.close();
    expect(await disk.list('/s')).toEqual(doubted);
    const next = await reopened(disk);
    await next.backend.close();
    expect(next.names).toEqual(all);
    expect(await disk.list('/s')).toEqual(await (await three()).list('/s'));
  });

  it('is seen at once where it hits a configuration, which opening needs', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk, SEGMENT_BYTES);
    const { header } = block('a', 1, text(10));
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    const first = sealPlain(
      {
        ...header,
        entries: [{ kind: 'configuration', index: 1, term: 1, clusterId: '00000000000000ff', configuration }],
      },
      seed,
    );
    await backend.append([first]);
    for (let number = 2; number <= 6; number += 1) await backend.append([block('a', number, text(400))]);
    await backend.close();
    expect((await reopened(disk)).names).toEqual(all);
    flip(disk, '000000000001.blocks', first.bytes.length - 1);
    expect((await reopened(disk)).names).toEqual(['a1 changed', 'a2', 'a3', 'a4', 'a5', 'a6']);
  });
});
