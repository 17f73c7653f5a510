import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Level } from 'level';
import { describe, expect, it } from 'vitest';
import type { Database } from '../../../../src/doors/database.ts';
import { bytes, codeOf, Machine, text } from './fixture-machine.ts';
import { play } from './play.ts';

/**
 * Few keys, so that they meet; some are prefixes of others, and bytes go up to 255. Not the empty one:
 * the real `clear` leaves it behind.
 */
const key = fc.constantFrom('a', 'b', 'a\0', 'ab', '\xff', '\xff\xff', '\x80').map(bytes);
const value = fc.uint8Array({ maxLength: 8 });
const bound = fc.option(key, { nil: undefined });
const range = fc
  .record({
    gt: bound,
    gte: bound,
    lt: bound,
    lte: bound,
    reverse: fc.boolean(),
    limit: fc.integer({ min: -1, max: 4 }),
  })
  // Which of two bounds on one side counts is nobody's promise.
  .map(({ gt, gte, lt, lte, reverse, limit }) => ({
    ...(gte !== undefined ? { gte } : gt !== undefined ? { gt } : {}),
    ...(lte !== undefined ? { lte } : lt !== undefined ? { lt } : {}),
    reverse,
    limit,
  }));

const put = fc.record({ type: fc.constant('put' as const), key, value });
const del = fc.record({ type: fc.constant('del' as const), key });
const operation = fc.oneof(
  put.map((one) => (db: Database) => db.put(one.key, one.value)),
  del.map((one) => (db: Database) => db.del(one.key)),
  fc.array(fc.oneof(put, del), { maxLength: 5 }).map((batch) => (db: Database) => db.batch(batch)),
  key.map((one) => (db: Database) => db.get(one)),
  key.map((one) => async (db: Database) => db.getSync(one)),
  key.map((one) => (db: Database) => db.has(one)),
  fc.array(key, { maxLength: 4 }).map((keys) => (db: Database) => db.getMany(keys)),
  fc.array(key, { maxLength: 4 }).map((keys) => (db: Database) => db.hasMany(keys)),
  range.map((one) => (db: Database) => db.iterator(one).all()),
  range.map((one) => (db: Database) => db.keys(one).all()),
  range.map((one) => (db: Database) => db.values(one).all()),
  range.map((one) => (db: Database) => db.clear(one)),
  // Without seek: at a place with nothing beyond it that aborts the real process.
  fc.tuple(range, fc.nat(3)).map(([one, size]) => async (db: Database) => {
    const iterator = db.iterator(one);
    const seen: unknown[] = [await iterator.next(), ...(await iterator.nextv(size))];
    for await (const entry of iterator) seen.push(entry);
    return seen;
  }),
  fc.tuple(range, put).map(([one, change]) => async (db: Database) => {
    const iterator = db.iterator(one);
    await db.put(change.key, change.value);
    return iterator.all();
  }),
);

/** Every result as plain data, so that Buffers and Uint8Arrays compare alike. */
async function perform(
  db: Database,
  plan: readonly ((db: Database) => Promise<unknown>)[],
): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const one of plan) results.push(plain(await one(db)));
  return results;
}

function plain(result: unknown): unknown {
  if (result instanceof Uint8Array) return text(result);
  return Array.isArray(result) ? result.map(plain) : result;
}

describe('the simulated database, while nothing goes wrong', () => {
  it('answers random operations as level does', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kontiki-level-'));
    const real: Database = new Level<Uint8Array, Uint8Array>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (plan) => {
          await real.clear();
          const expected = await perform(real, plan);
          const machine = new Machine();
          const db = machine.openDatabase('/db');
          await play(machine.simulation, () => db.open());
          expect(await play(machine.simulation, () => perform(db, plan))).toEqual(expected);
        }),
        { numRuns: 150 },
      );
    } finally {
      await real.close();
      await rm(directory, { recursive: true });
    }
  });

  it('copies what it is given and gives away what it returns', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      const [one, two] = [bytes('one'), Buffer.from('two')];
      const writing = db.batch([{ type: 'put', key: bytes('k'), value: one }]);
      await writing;
      one.fill(0);
      await db.put(bytes('l'), two);
      two.fill(0);
      (await db.get(bytes('k')))?.fill(0);
      for (const [, read] of await db.iterator().all()) read.fill(0);
      expect(plain(await db.values().all())).toEqual(['one', 'two']);
    });
  });

  it('scans more than one read brings', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      const keys = Array.from({ length: 2500 }, (_, i) => bytes(String(i).padStart(5, '0')));
      await db.batch(keys.map((one) => ({ type: 'put' as const, key: one, value: one })));
      expect(await db.keys().all()).toHaveLength(2500);
      let count = 0;
      for await (const [one] of db.iterator({ reverse: true })) {
        count += 1;
        expect(text(one)).toBe(String(2500 - count).padStart(5, '0'));
      }
      expect(count).toBe(2500);
    });
  });

  it('seeks to the key or past it in the direction of travel, and to nothing outside its range', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.batch(
        ['b', 'd', 'f'].map((one) => ({ type: 'put' as const, key: bytes(one), value: bytes('') })),
      );
      const found = async (target: string, options: object): Promise<string> => {
        const keys = db.keys(options);
        keys.seek(bytes(target));
        return (await keys.all()).map(text).join('');
      };
      expect(await found('c', {})).toBe('df');
      expect(await found('d', {})).toBe('df');
      expect(await found('g', {})).toBe('');
      expect(await found('c', { reverse: true })).toBe('b');
      expect(await found('d', { reverse: true })).toBe('db');
      expect(await found('a', { reverse: true })).toBe('');
      expect(await found('a', { gte: bytes('d') })).toBe('');
      expect(await found('g', { lte: bytes('d'), reverse: true })).toBe('');
    });
  });

  it('opens by itself at the first use, and takes Buffers', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.put(Buffer.from('k'), Buffer.from('v'));
      expect(db.status).toBe('open');
      expect(text((await db.get(Buffer.from('k'))) ?? bytes(''))).toBe('v');
    });
    expect(machine.databases.inspect('db')).toEqual([{ key: bytes('k'), value: bytes('v') }]);
    expect(machine.databases.inspect('/none')).toBeNull();
  });
});

describe('opening a simulated database', () => {
  const causeOf = (
    promise: Promise<unknown>,
  ): Promise<{ code: unknown; cause: { code?: unknown; message: string } }> =>
    promise.then(
      () => expect.unreachable(),
      (error: { code: unknown; cause: { code?: unknown; message: string } }) => error,
    );

  it('refuses a second opener, of another process or of the same, until the first closes', async () => {
    const machine = new Machine();
    const other = machine.neighbour();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.open();
      for (const second of [machine.openDatabase('db/'), other.openDatabase('/db')]) {
        const error = await causeOf(second.open());
        expect(error).toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN', cause: { code: 'LEVEL_LOCKED' } });
      }
      await machine.openDatabase('/another').open();
      await db.close();
      expect(await codeOf(db.get(bytes('k')))).toBe('LEVEL_DATABASE_NOT_OPEN');
      await other.openDatabase('/db').open();
    });
  });

  it('finds it free once the process that held it died', async () => {
    const machine = new Machine();
    await machine.play(() => machine.openDatabase('/db').open());
    machine.crash({ power: false });
    await machine.play(() => machine.openDatabase('/db').open());
  });

  it('makes a missing one and takes a present one, unless told not to', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const missing = await causeOf(machine.openDatabase('/db').open({ createIfMissing: false }));
      expect(missing.cause.message).toMatch(/does not exist/);
      const db = machine.openDatabase('/db');
      await db.open();
      await db.close();
      await db.open();
      await db.close();
      const present = await causeOf(machine.openDatabase('/db').open({ errorIfExists: true }));
      expect(present.cause.message).toMatch(/exists \(error_if_exists/);
    });
  });

  it('fails as LevelDB fails when the device does', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      machine.device.failNext('read', 1);
      const db = machine.openDatabase('/db');
      const error = await causeOf(db.open());
      expect(error).toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN', cause: { code: 'LEVEL_IO_ERROR' } });
      await db.open();
      machine.device.failNext('read', 1);
      expect(await codeOf(db.get(bytes('k')))).toBe('LEVEL_IO_ERROR');
    });
  });
});
