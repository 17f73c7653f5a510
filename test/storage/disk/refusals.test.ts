import { readdirSync, rmSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/doors/database.ts';
import { nodeOpenDatabase } from '../../../src/doors/node-database.ts';
import { nodeDisk } from '../../../src/doors/node-disk.ts';
import type { RecoveredLog } from '../../../src/storage/contract.ts';
import { readIdentity, writeIdentity } from '../../../src/storage/disk/identity-file.ts';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
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

  it('is refused when a database does not come up, and has lost its tail when it comes up empty', async () => {
    await fill({ backend: 'level' });
    const shard = join(directory, 'shard-0');
    const files = await readdir(shard);
    await writeFile(join(shard, 'CURRENT'), 'no database');
    await expect(fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).rejects.toMatchObject({
      reason: 'damaged',
      message: expect.stringContaining('the database does not open'),
    });
    for (const name of files) await rm(join(shard, name));
    expect(await recoveredFrom(directory)).toMatchObject({
      hardState: { term: 1 },
      lastIndex: 0,
      damage: { holes: [], end: null, report: expect.stringContaining('blocks 1 to 5') },
    });
  });

  it.each([
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
  ])('is refused, each time anew, when a database $what', async ({ damage }) => {
    await fill({ backend: 'level' });
    // Opening once more makes a table of the database's log.
    await (await fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).close();
    await damage(join(directory, 'shard-0'));
    for (let opening = 0; opening < 2; opening += 1) {
      await expect(fileStorage({ directory, backend: 'level' }).open({ id: 'n1' })).rejects.toMatchObject({
        reason: 'damaged',
        message: expect.stringContaining('Keep a copy'),
      });
    }
  });

  it('is refused as damaged when a table of a database goes once it is open', async () => {
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
    const opening = fileStorage({ directory, backend: 'level', doors }).open({ id: 'n1' });
    await expect(opening).rejects.toMatchObject({
      reason: 'damaged',
      cause: { code: 'LEVEL_IO_ERROR', message: expect.stringMatching(/no such file/i) },
    });
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
