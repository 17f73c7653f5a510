import { readdirSync, rmSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/doors/database.ts';
import type { Disk, DiskFile } from '../../../src/doors/disk.ts';
import { nodeOpenDatabase } from '../../../src/doors/node-database.ts';
import { nodeDisk } from '../../../src/doors/node-disk.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { RecoveredLog } from '../../../src/storage/contract.ts';
import { readIdentity, writeIdentity } from '../../../src/storage/disk/identity-file.ts';
import { nodeStorageDoors, type StorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';
import { type FileStorageOptions, fileStorage } from '../../../src/storage/index.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-refusals-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function fill(options: Omit<FileStorageOptions, 'directory'> = {}): Promise<void> {
  const instance = await fileStorage({ directory, ...options }).open({ id: 'n1' });
  const log = await instance.openLog('orders');
  await log.write({
    writeId: { boot: 1, sequence: 1 },
    hardState: { term: 1, votedFor: null },
    entries: [],
  });
  for (let index = 1; index <= 5; index += 1) {
    const entry = { kind: 'command', index, term: 1, payload: Buffer.alloc(20, index) } as const;
    await log.write({ writeId: { boot: 1, sequence: 1 + index }, entries: [entry] });
  }
  await instance.close();
}

async function recoveredFrom(place: string): Promise<RecoveredLog> {
  const instance = await fileStorage({ directory: place, backend: 'level' }).open({ id: 'n1' });
  const { recovered } = await instance.openLog('orders');
  await instance.close();
  return recovered;
}

describe('the options of a storage', () => {
  it('are refused with every mistake at once', () => {
    const sizes = { segmentBytes: 511, reserveBytes: -1 };
    const wrong = { directory: '', backend: 'rocks', codec: 'lz4', shards: 0, ...sizes } as unknown;
    const make = () => fileStorage(wrong as FileStorageOptions);
    expect(make).toThrow(StorageRefused);
    expect(make).toThrow(
      /directory: .*backend: found "rocks", expected "files" or "level".*codec: found "lz4".*shards: found 0.*segmentBytes: found 511, expected a whole number from 512.*reserveBytes: found -1, expected a whole number from 0/s,
    );
  });

  it.each([
    [{ backend: 'level' }, /created with backend files and 1 shards/],
    [{ shards: 2 }, /created with backend files and 1 shards, not with files and 2/],
  ] as const)('that contradict how it was created are refused: %o', async (other, reason) => {
    await fill();
    const opening = fileStorage({ directory, ...other }).open({ id: 'n1' });
    await expect(opening).rejects.toThrow(reason);
    await expect(opening).rejects.toMatchObject({ reason: 'wrong-options' });
  });

  it('may change the codec: old blocks stay readable', async () => {
    await fill();
    const instance = await fileStorage({ directory, codec: 'gzip' }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    expect(await log.read({ from: 1, to: 5, bytesMax: 1e6 })).toHaveLength(5);
    await instance.close();
  });
});

describe('a directory of another format', () => {
  it.each([1, 3])('is refused, and not touched: %i', async (format) => {
    await fill();
    const disk = nodeDisk();
    const found = await readIdentity(disk, directory);
    if (found.kind !== 'found') throw new Error('no identity');
    expect(found.identity.format).toBe(2);
    const other = { ...found.identity, format };
    await writeIdentity(disk, directory, other);
    for (const forget of [undefined, other.incarnation]) {
      const opening = fileStorage({ directory }).open({
        id: 'n1',
        ...(forget === undefined ? {} : { forget }),
      });
      await expect(opening).rejects.toMatchObject({ reason: 'other-format' });
      await expect(opening).rejects.toThrow(`has format ${format}; this version reads format 2`);
    }
    expect(await readIdentity(disk, directory)).toEqual({ kind: 'found', identity: other });
  });
});

describe('a place that cannot be written', () => {
  it('is refused with the reason of the system', async () => {
    await writeFile(join(directory, 'file'), '');
    const opening = fileStorage({ directory: join(directory, 'file', 'data') }).open({ id: 'n1' });
    await expect(opening).rejects.toMatchObject({
      reason: 'not-writable',
      message: expect.stringMatching(/ENOTDIR.*Check permissions/),
    });
  });
});

describe('the level backend', () => {
  it('tells which entries are missing when LevelDB lost any one of its blocks', async () => {
    await fill({ backend: 'level' });
    for (let number = 1; number <= 5; number += 1) {
      const copy = `${directory}-${number}`;
      await cp(directory, copy, { recursive: true });
      const database = nodeOpenDatabase()(join(copy, 'shard-0'));
      const keys = await database.keys().all();
      const key = keys[number - 1];
      if (key === undefined) throw new Error('too few blocks');
      await database.del(key);
      await database.close();
      const { lastIndex, damage } = await recoveredFrom(copy);
      expect(lastIndex).toBe(number - 1);
      const anchor = { index: number, term: 1 };
      const known = { holes: [{ from: number, to: number, anchor }], end: { index: 5, term: 1 } };
      expect(damage).toMatchObject(number < 5 ? known : { holes: [], end: null });
      expect(damage?.report).toMatch(new RegExp(`^shard 0, group orders: .*block ${number}[ ,)]`));
      await rm(copy, { recursive: true });
    }
  });

  it('has lost its tail when a database comes up empty', async () => {
    await fill({ backend: 'level' });
    const shard = join(directory, 'shard-0');
    for (const name of await readdir(shard)) await rm(join(shard, name));
    expect(await recoveredFrom(directory)).toMatchObject({
      hardState: { term: 1 },
      lastIndex: 0,
      damage: { holes: [], end: null, report: expect.stringContaining('blocks 1 to 5') },
    });
  });

  it.each([
    { what: 'does not come up', damage: (shard: string) => writeFile(join(shard, 'CURRENT'), 'no database') },
    {
      what: 'names a file that is not there',
      damage: (shard: string) => writeFile(join(shard, 'CURRENT'), 'MANIFEST-999999\n'),
    },
    {
      what: 'comes up, and cannot be read to its end',
      damage: async (shard: string) => {
        const [table = ''] = (await readdir(shard)).filter((name) => name.endsWith('.ldb'));
        const bytes = await readFile(join(shard, table));
        await writeFile(join(shard, table), bytes.fill(0, 0, 100));
      },
    },
    { what: 'is missing', damage: (shard: string) => rm(shard, { recursive: true }) },
  ])('has lost its tail, each time anew, when a database $what', async ({ what, damage }) => {
    await fill({ backend: 'level' });
    // Opening once more makes a table of the database's log.
    await (await fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).close();
    await damage(join(directory, 'shard-0'));
    // The mark may be lost with it: what was acknowledged last may not be in it yet when power is lost.
    await rm(join(directory, 'mark'));
    const lost = { hardState: { term: 1 }, lastIndex: 0, damage: { holes: [], end: null } };
    for (let opening = 0; opening < 2; opening += 1) {
      expect(await recoveredFrom(directory)).toMatchObject(lost);
      expect(await readdir(directory)).not.toContain('damaged-1');
    }
    // Only a write puts it aside. Until then, and if that does not get to its end, the tail stays lost.
    const instance = await fileStorage({ directory, backend: 'level' }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    const hardState = { term: 2, votedFor: null, missing: { term: 1, index: null } };
    const entry = { kind: 'noop', index: 1, term: 2 } as const;
    await log.write({ writeId: { boot: 9, sequence: 1 }, hardState, entries: [entry] });
    await instance.close();
    expect(await recoveredFrom(directory)).toMatchObject({ hardState, lastIndex: 1, damage: null });
    const kept = (await readdir(directory)).filter((name) => name.startsWith('damaged'));
    expect(kept).toEqual(what === 'is missing' ? [] : ['damaged-1']);
    if (kept.length > 0) expect(await readdir(join(directory, 'damaged-1', 'shard-0'))).toContain('CURRENT');
  });

  it('has lost its tail when a table of a database goes once it is open', async () => {
    await fill({ backend: 'level' });
    await (await fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).close();
    const openDatabase = (folder: string): Database => {
      const database = nodeOpenDatabase()(folder);
      database.on('open', () => {
        for (const name of readdirSync(folder)) if (name.endsWith('.ldb')) rmSync(join(folder, name));
      });
      return database;
    };
    const doors = { ...nodeStorageDoors(), openDatabase };
    const instance = await fileStorage({ directory, backend: 'level', doors }).open({ id: 'n1' });
    const { damage } = (await instance.openLog('orders')).recovered;
    expect(damage).toMatchObject({
      end: null,
      report: expect.stringMatching(/no such file.*damaged-<number>/i),
    });
    await instance.close();
  });

  it('tells that another program holds a database', async () => {
    await fill({ backend: 'level' });
    const database = nodeOpenDatabase()(join(directory, 'shard-0'));
    await database.open();
    await expect(fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).rejects.toMatchObject({
      reason: 'not-writable',
    });
    await database.close();
    await (await fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).close();
  });
});

describe('a storage that began in the place of another', () => {
  it('says so for ever, also when it is forgotten itself', async () => {
    await fill();
    for (const name of ['hard-state-1', 'hard-state-2']) await rm(join(directory, name));
    const second = await fileStorage({ directory }).open({ id: 'n1', putAside: true });
    await second.close();
    const { incarnation: forget, putAside } = second.identity;
    expect(putAside?.directory).toBe(join(directory, 'damaged-1'));
    for (const request of [{ forget }, { forget }, {}]) {
      const third = await fileStorage({ directory }).open({ id: 'n1', ...request });
      await third.close();
      expect(third.identity.incarnation).not.toBe(forget);
      expect(third.identity.putAside).toEqual(putAside);
    }
    expect(await readdir(join(directory, 'damaged-1'))).toContain('shard-0');
  });
});

describe('a segment that cannot be read', () => {
  const entries = (from: number, to: number): Entry[] =>
    Array.from({ length: to - from + 1 }, (_, at) => {
      return { kind: 'command', index: from + at, term: 1, payload: Buffer.alloc(1500, from + at) } as const;
    });

  /** Reads of these files fail so often. */
  const failing = (name: string, times: number): StorageDoors => {
    const disk = nodeDisk();
    let left = times;
    const open: Disk['open'] = async (path, options) => {
      const file = await disk.open(path, options);
      if (!path.endsWith(name)) return file;
      const read: DiskFile['read'] = (offset, length) => {
        left -= 1;
        const error = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
        return left < 0 ? file.read(offset, length) : Promise.reject(error);
      };
      return { ...boundTo(file), read };
    };
    return { ...nodeStorageDoors(), disk: { ...disk, open } };
  };

  const blocksIn = async (folder: string): Promise<string[]> =>
    (await readdir(join(directory, folder))).filter((name) => name.endsWith('.blocks'));

  /** Without their indexes, which would spare reading them. */
  async function fillSegments(): Promise<string[]> {
    const instance = await fileStorage({ directory, segmentBytes: 4096 }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    const writeId = { boot: 1, sequence: 1 };
    await log.write({ writeId, hardState: { term: 1, votedFor: null }, entries: [] });
    for (const entry of entries(1, 9)) await log.write({ writeId, entries: [entry] });
    await instance.close();
    const segments = await blocksIn('shard-0');
    for (const name of segments.slice(0, -1)) {
      await rm(join(directory, 'shard-0', name.replace('.blocks', '.index')));
    }
    return segments;
  }

  it('is read again before it is given up', async () => {
    const [, second = ''] = await fillSegments();
    const doors = failing(second, 3);
    const instance = await fileStorage({ directory, doors }).open({ id: 'n1' });
    expect((await instance.openLog('orders')).recovered).toMatchObject({ lastIndex: 9, damage: null });
    await instance.close();
  });

  it('in the middle is a hole, which stays one until it is repaired; it is kept, and never comes back', async () => {
    const segments = await fillSegments();
    const second = segments[1] ?? '';
    const doors = failing(second, Number.POSITIVE_INFINITY);
    const instance = await fileStorage({ directory, doors }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    const { damage } = log.recovered;
    const [hole] = damage?.holes ?? [];
    expect(damage?.end).toEqual({ index: 9, term: 1 });
    expect(damage?.report).toContain(`${second} cannot be read, so its blocks are missing: EIO`);
    expect(await blocksIn('shard-0')).toEqual(segments);
    const { from, to } = hole ?? { from: 0, to: 0 };
    expect(from).toBeGreaterThan(1);
    expect(await log.repair(entries(from, to))).toMatchObject({ lastIndex: 9, damage: null });
    await instance.close();
    expect(await readdir(join(directory, 'damaged-1', 'shard-0'))).toEqual([second]);
    const again = await fileStorage({ directory }).open({ id: 'n1' });
    const whole = await again.openLog('orders');
    expect(whole.recovered).toMatchObject({ lastIndex: 9, damage: null });
    expect(await whole.read({ from: 1, to: 9, bytesMax: 1e6 })).toEqual(entries(1, 9));
    await again.close();
  });

  it('whose index spares reading it is found by the first read, and opened as that the next time', async () => {
    await fillSegments();
    await (await fileStorage({ directory }).open({ id: 'n1' })).close();
    const [, second = ''] = await blocksIn('shard-0');
    const doors = failing(second, Number.POSITIVE_INFINITY);
    const instance = await fileStorage({ directory, doors }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    expect(log.recovered).toMatchObject({ lastIndex: 9, damage: null });
    await expect(log.read({ from: 1, to: 9, bytesMax: 1e6 })).rejects.toThrow(/cannot be read: EIO/);
    await instance.close();
    const again = await fileStorage({ directory, doors }).open({ id: 'n1' });
    const { damage } = (await again.openLog('orders')).recovered;
    expect(damage?.end).toEqual({ index: 9, term: 1 });
    expect(damage?.holes).toHaveLength(1);
    await again.close();
  });

  it('at the end is a lost tail, without a mark too, and nothing is appended to it', async () => {
    const last = (await fillSegments()).at(-1) ?? '';
    await rm(join(directory, 'mark'));
    const before = await readFile(join(directory, 'shard-0', last));
    const doors = failing(last, Number.POSITIVE_INFINITY);
    const instance = await fileStorage({ directory, doors }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    const { lastIndex, damage } = log.recovered;
    expect(lastIndex).toBeLessThan(9);
    expect(damage).toMatchObject({ holes: [], end: null });
    const hardState = { term: 2, votedFor: null, missing: { term: 1, index: null } };
    const entry = { kind: 'noop', index: lastIndex + 1, term: 2 } as const;
    await log.write({ writeId: { boot: 2, sequence: 1 }, hardState, entries: [entry] });
    await instance.close();
    expect(await readFile(join(directory, 'damaged-1', 'shard-0', last))).toEqual(before);
    // Were it still there, and read again, its blocks would stand beside others of the same numbers.
    const again = await fileStorage({ directory }).open({ id: 'n1' });
    const { recovered } = await again.openLog('orders');
    expect(recovered).toMatchObject({ lastIndex: lastIndex + 1, hardState, damage: null });
    await again.close();
  });
});

function boundTo(file: DiskFile): DiskFile {
  return {
    size: () => file.size(),
    read: (offset, length) => file.read(offset, length),
    append: (data) => file.append(data),
    write: (offset, data) => file.write(offset, data),
    truncate: (length) => file.truncate(length),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
