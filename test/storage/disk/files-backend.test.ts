import { describe, expect, it } from 'vitest';
import { FilesBackend } from '../../../src/storage/disk/backends/files.ts';
import { MemoryDisk } from './memory-disk.ts';
import { block, bytesOf, found, open, seed, segmentsOf, text } from './one-shard.ts';

describe('the files backend', () => {
  it('begins another segment when one has grown, and finds the blocks of all', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk, 1000);
    for (let number = 1; number <= 9; number += 1) await backend.append([block('a', number, text(400))]);
    expect(await segmentsOf(disk)).toHaveLength(5);
    const { scan } = await open(disk, 1000);
    expect(found(scan)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `a${number}`));
    expect(scan.stray.all).toBe('none');
  });

  it('removes a segment once every group in it has moved on, and goes on reading the others', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk, 600);
    const places = [];
    for (let number = 1; number <= 6; number += 1) {
      const first = block('a', number, text(400));
      places.push(await backend.append([first, block('b', number, text(20), first.bytes.length)]));
    }
    expect(await segmentsOf(disk)).toHaveLength(6);
    await backend.dropBelow('a', 4);
    expect(await segmentsOf(disk)).toHaveLength(6);
    await backend.dropBelow('b', 3);
    expect(await segmentsOf(disk)).toEqual([3, 4, 5, 6].map((n) => `00000000000${n}.blocks`));
    const kept = places[2]?.[0];
    if (kept === undefined) throw new Error('no place');
    expect((await backend.read(kept)).equals(block('a', 3, text(400)).bytes)).toBe(true);
    await backend.dropBelow('a', 100);
    await backend.dropBelow('b', 100);
    expect(await segmentsOf(disk)).toEqual(['000000000006.blocks']);
  });

  it('cuts a torn tail anywhere, and never writes behind it', async () => {
    const whole = block('a', 1, text(100));
    const last = block('a', 2, text(100));
    for (let length = 0; length < last.bytes.length; length += 1) {
      const disk = new MemoryDisk();
      const first = await open(disk);
      await first.backend.append([whole]);
      const path = '/s/000000000001.blocks';
      disk.files.set(path, Buffer.concat([whole.bytes, last.bytes.subarray(0, length)]));
      const second = await open(disk);
      expect(
        found(second.scan).filter((name) => !name.endsWith('torn')),
        `${length} bytes`,
      ).toEqual(['a1']);
      expect(second.scan.stray.all, `${length} bytes`).not.toBe('damaged');
      await second.backend.append([block('a', 3, text(300))]);
      expect(await segmentsOf(disk), `${length} bytes`).toHaveLength(length === 0 ? 1 : 2);
      const third = await open(disk);
      expect(
        found(third.scan).filter((name) => !name.endsWith('torn')),
        `${length} bytes`,
      ).toEqual(['a1', 'a3']);
    }
  });

  it('takes a hole of zeros in the last commit for a tear, and in an earlier one for damage', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk);
    const first = block('a', 1, text(2000));
    await backend.append([first, block('b', 1, text(20), first.bytes.length)]);
    const path = '/s/000000000001.blocks';
    disk.files.get(path)?.fill(0, 512, 1024);
    expect(found((await open(new MemoryDisk(disk))).scan)).toEqual(['b1', 'a1 torn']);
    disk.files.set(
      path,
      Buffer.concat([bytesOf(disk, '000000000001.blocks'), block('c', 1, text(20)).bytes]),
    );
    expect(found((await open(disk)).scan)).toEqual(['b1', 'c1', 'a1 changed']);
  });

  it('finds what follows a block whose header is damaged, and tells of bytes that nobody owns', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk);
    for (let number = 1; number <= 3; number += 1) await backend.append([block('a', number, text(50))]);
    const bytes = bytesOf(disk, '000000000001.blocks');
    const second = block('a', 1, text(50)).bytes.length;
    bytes.writeUInt8(bytes.readUInt8(second + 45) ^ 1, second + 45);
    const { scan } = await open(disk);
    expect([found(scan), scan.stray.all]).toEqual([['a1', 'a3'], 'damaged']);
  });

  it('believes no length of a block that is not whole', async () => {
    const disk = new MemoryDisk();
    const { backend } = await open(disk);
    const torn = block('a', 1, text(5000)).bytes.subarray(0, 700);
    await backend.append([block('z', 1, text(10))]);
    const path = '/s/000000000001.blocks';
    const behind = Array.from({ length: 40 }, (_, i) => block('b', i + 1, text(100)).bytes);
    disk.files.set(path, Buffer.concat([bytesOf(disk, '000000000001.blocks'), torn, ...behind]));
    const names = found((await open(disk)).scan);
    expect(names.filter((name) => name.startsWith('b'))).toHaveLength(40);
  });
});

describe('a segment that is removed while it is read', () => {
  it('is closed once it is read, and holds up no one', async () => {
    const disk = new MemoryDisk();
    const { open } = disk;
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const closed: string[] = [];
    disk.open = async (path, options) => {
      const file = await open.call(disk, path, options);
      return {
        ...file,
        read: async (offset, length) => {
          const bytes = await file.read(offset, length);
          await gate;
          if (closed.includes(path)) throw new Error('closed under a read');
          return bytes;
        },
        close: async () => {
          if (path.endsWith('.blocks')) closed.push(path);
          await file.close();
        },
      };
    };
    await disk.makeDirectory('/s');
    const backend = new FilesBackend(disk, '/s', seed, 100);
    await backend.scan({ isThorough: false });
    const [first] = await backend.append([block('a', 1, text(400))]);
    await backend.append([block('a', 2, text(400))]);
    if (first === undefined) throw new Error('no place');
    const reading = backend.read(first);
    await backend.dropBelow('a', 2);
    expect(await segmentsOf(disk)).toEqual(['000000000002.blocks']);
    expect(closed).toEqual([]);
    await expect(backend.read(first)).rejects.toThrow(/segment 000000000001.blocks is removed/);
    go();
    expect((await reading).equals(block('a', 1, text(400)).bytes)).toBe(true);
    await backend.close();
    expect(closed.sort()).toEqual(['/s/000000000001.blocks', '/s/000000000002.blocks']);
  });
});
