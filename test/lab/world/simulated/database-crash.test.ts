import type { AbstractBatchOptions } from 'abstract-level';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes, codeOf, Machine, text } from './fixture-machine.ts';
import { play, stateAfter } from './play.ts';

type BatchOptions = AbstractBatchOptions<Uint8Array, Uint8Array> & { readonly sync: boolean };
const SYNC: BatchOptions = Object.freeze({ sync: true });
const NO_SYNC: BatchOptions = Object.freeze({ sync: false });
const putOf = (content: string) => ({ type: 'put' as const, key: bytes(content), value: bytes(content) });
const keysLeft = (machine: Machine): string =>
  (machine.databases.inspect('/db') ?? []).map((entry) => text(entry.key)).join('');

describe('a failed write', () => {
  it('fails every further write on that handle, and only there, until it is reopened', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.put(bytes('a'), bytes('1'));
      machine.device.failNext('write', 1, 'ENOSPC');
      const failed = db.batch([putOf('b')], SYNC);
      await expect(failed).rejects.toMatchObject({
        code: 'LEVEL_IO_ERROR',
        message: expect.stringMatching(/ENOSPC/),
      });
      expect(await codeOf(db.put(bytes('c'), bytes('1')))).toBe('LEVEL_IO_ERROR');
      expect(await codeOf(db.del(bytes('a')))).toBe('LEVEL_IO_ERROR');
      expect(await codeOf(db.clear())).toBe('LEVEL_IO_ERROR');
      expect((await db.keys().all()).map(text)).toEqual(['a']);
      const another = machine.openDatabase('/another');
      expect(await codeOf(another.put(bytes('d'), bytes('1')))).toBe('resolved');
      await db.close();
      await db.open();
      expect(await codeOf(db.put(bytes('e'), bytes('1')))).toBe('resolved');
    });
  });

  it('takes those under way on that handle with it', async () => {
    const machine = new Machine();
    machine.device.setLatency({
      read: { fromUs: 1, toUs: 1 },
      write: { fromUs: 10, toUs: 10 },
      sync: { fromUs: 10, toUs: 10 },
    });
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.open();
      machine.device.failNext('sync', 1);
      const codes = await Promise.all([
        codeOf(db.put(bytes('a'), bytes('1'))),
        codeOf(db.batch([putOf('b')], SYNC)),
        codeOf(db.batch([putOf('c')], SYNC)),
      ]);
      expect(codes).toEqual(['resolved', 'LEVEL_IO_ERROR', 'LEVEL_IO_ERROR']);
    });
  });

  it('may show after reopening, or not', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const machine = new Machine(seed);
      await machine.play(async () => {
        const db = machine.openDatabase('/db');
        await db.batch([putOf('a')], SYNC);
        machine.device.failNext('sync', 1);
        await codeOf(db.batch([putOf('b')], SYNC));
        expect(keysLeft(machine)).toBe('a');
        await db.close();
        await db.open();
        seen.add(keysLeft(machine));
      });
    }
    expect([...seen].sort()).toEqual(['a', 'ab']);
  });
});

describe('what a crash leaves of a database', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd').map(bytes);
  const put = fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 8 }) });
  const del = fc.record({ type: fc.constant('del' as const), key });
  const plans = fc.array(
    fc.record({ batch: fc.array(fc.oneof(put, del), { minLength: 1, maxLength: 4 }), sync: fc.boolean() }),
    { maxLength: 10 },
  );
  type Plan = {
    batch: ({ type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array })[];
    sync: boolean;
  }[];

  async function written(seed: number, plan: Plan): Promise<Machine> {
    const machine = new Machine(seed);
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.open();
      for (const { batch, sync } of plan) await db.batch(batch, sync ? SYNC : NO_SYNC);
    });
    return machine;
  }

  function contentAfter(plan: Plan): string {
    const content = new Map<string, string>();
    for (const { batch } of plan) {
      for (const one of batch) {
        if (one.type === 'put') content.set(text(one.key), text(one.value));
        else content.delete(text(one.key));
      }
    }
    return JSON.stringify([...content].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  const contentOf = (machine: Machine): string =>
    JSON.stringify((machine.databases.inspect('/db') ?? []).map((one) => [text(one.key), text(one.value)]));

  it('is everything that completed, when only the process died', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), plans, async (seed, plan) => {
        const machine = await written(seed, plan);
        machine.crash({ power: false });
        expect(contentOf(machine)).toBe(contentAfter(plan));
      }),
      { numRuns: 50 },
    );
  });

  it('is a prefix of the batches, whole ones, through the last synced one at least, when the power went', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), plans, async (seed, plan) => {
        const machine = await written(seed, plan);
        machine.crash({ power: true });
        const synced = plan.findLastIndex((one) => one.sync) + 1;
        const possible = plan.map((_, i) => plan.slice(0, i + 1)).slice(Math.max(0, synced - 1));
        if (synced === 0) possible.push([]);
        const left = contentOf(machine);
        expect(possible.map(contentAfter)).toContain(left);
        machine.crash({ power: true });
        expect(contentOf(machine)).toBe(left);
      }),
      { numRuns: 100 },
    );
  });

  it('may be any such prefix', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = await written(seed, [
        { batch: [putOf('a')], sync: true },
        { batch: [putOf('b')], sync: false },
        { batch: [putOf('c')], sync: false },
      ]);
      machine.crash({ power: true });
      seen.add(keysLeft(machine));
    }
    expect([...seen].sort()).toEqual(['a', 'ab', 'abc']);
  });

  it('is a batch under way as a whole or not at all, and its promise never settles', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const machine = await written(seed, []);
      const db = machine.openDatabase('/other');
      await play(machine.simulation, () => db.open());
      const writing = db.batch([putOf('a'), putOf('b')], SYNC);
      writing.catch(() => {});
      await machine.simulation.run({ atUs: machine.simulation.nowUs + 1 });
      machine.crash({ power: false });
      expect(await stateAfter(machine.simulation, writing, 1_000_000)).toBe('pending');
      const reopened = machine.openDatabase('/other');
      seen.add(text(Buffer.concat(await play(machine.simulation, () => reopened.keys().all()))));
    }
    expect([...seen].sort()).toEqual(['', 'ab']);
  });

  it('has no order among batches under way together', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const machine = new Machine(seed);
      await machine.play(async () => {
        const db = machine.openDatabase('/db');
        await db.open();
        const last = (content: string) => ({ type: 'put' as const, key: bytes('k'), value: bytes(content) });
        await Promise.all([db.batch([last('1')]), db.batch([last('2')])]);
        seen.add(text((await db.get(bytes('k'))) ?? bytes('')));
      });
    }
    expect([...seen].sort()).toEqual(['1', '2']);
  });

  it('is durable once it was reopened, since LevelDB syncs what it replays', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const machine = await written(seed, [{ batch: [putOf('a')], sync: false }]);
      machine.crash({ power: false });
      await machine.play(() => machine.openDatabase('/db').open());
      machine.crash({ power: true });
      expect(keysLeft(machine)).toBe('a');
    }
  });
});

it('closing waits for what is under way', async () => {
  const machine = new Machine();
  await machine.play(async () => {
    const db = machine.openDatabase('/db');
    await db.open();
    const order: string[] = [];
    const writing = db.batch([putOf('a')], SYNC).then(() => order.push('written'));
    await Promise.all([db.close().then(() => order.push('closed')), writing]);
    expect(order).toEqual(['written', 'closed']);
  });
});
