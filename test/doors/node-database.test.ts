import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AbstractBatchOptions } from 'abstract-level';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/doors/database.ts';
import { nodeOpenDatabase } from '../../src/doors/node-database.ts';

const openDatabase = nodeOpenDatabase();
let directory: string;
const opened: Database[] = [];

async function open(folder = 'shard'): Promise<Database> {
  const database = openDatabase(join(directory, folder));
  await database.open();
  opened.push(database);
  return database;
}

/** As the level backend writes. */
const synced: AbstractBatchOptions<Uint8Array, Uint8Array> & { sync: boolean } = { sync: true };
const key = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-database-'));
});
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  await rm(directory, { recursive: true, force: true });
});

describe("the machine's LevelDB", () => {
  it('keeps bytes as they are, ordered by their unsigned bytes, for the next opener', async () => {
    const database = await open();
    const keys = [key(0xff), key(0x61, 0, 2), key(0x61, 0, 1), key(0x80), key(0x61)];
    const puts = keys.map((k) => ({ type: 'put', key: k, value: Uint8Array.from([...k, 0, 255]) }) as const);
    await database.batch(puts, synced);
    await database.close();

    const found: string[] = [];
    for await (const [k, value] of (await open()).iterator()) {
      expect(value).toBeInstanceOf(Uint8Array);
      found.push(`${Buffer.from(k).toString('hex')} ${Buffer.from(value).toString('hex')}`);
    }
    expect(found).toEqual(['61 6100ff', '610001 61000100ff', '610002 61000200ff', '80 8000ff', 'ff ff00ff']);
  });

  it('clears from one key to before another, and tells of nothing where nothing is', async () => {
    const database = await open();
    const puts = [1, 2, 3, 4].map((n) => ({ type: 'put', key: key(n), value: key(n) }) as const);
    await database.batch(puts, synced);
    await database.clear({ gte: key(2), lt: key(4) });
    expect((await database.get(key(1)))?.[0]).toBe(1);
    expect(await database.get(key(2))).toBeUndefined();
    expect((await database.keys().all()).map((k) => k[0])).toEqual([1, 4]);
  });

  it('does not open twice, nor where a file is, and says which it was', async () => {
    const database = await open();
    await expect(openDatabase(join(directory, 'shard')).open()).rejects.toMatchObject({
      code: 'LEVEL_DATABASE_NOT_OPEN',
      cause: { code: 'LEVEL_LOCKED' },
    });
    await database.close();
    await (await open()).close();
    const missing = openDatabase(join(directory, 'shard', 'CURRENT', 'deeper'));
    await expect(missing.open()).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' });
  });
});
