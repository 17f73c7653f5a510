import type { AbstractBatchOptions } from 'abstract-level';
import { describe, expect, it } from 'vitest';
import { bytes, codeOf, Machine, text } from './fixture-machine.ts';

const SYNC: AbstractBatchOptions<Uint8Array, Uint8Array> & { readonly sync: boolean } = Object.freeze({
  sync: true,
});
const NO_SPACE = { code: 'LEVEL_IO_ERROR', message: expect.stringMatching(/No space left on device/) };

describe('a full disk', () => {
  it('tells what room there is, at once, and whatever fails or hangs elsewhere', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      expect(await disk.space('/')).toEqual({ freeBytes: Infinity, totalBytes: Infinity });
      const file = await disk.open('/f', { create: true });
      await file.append(bytes('abc'));
      const heal = machine.device.fill(10);
      machine.device.failNext('read', 1);
      expect(await disk.space('/')).toEqual({ freeBytes: 10, totalBytes: 13 });
      expect(await codeOf(file.size())).toBe('EIO');
      await file.append(bytes('defg'));
      const before = machine.simulation.nowUs;
      expect(await disk.space('/')).toEqual({ freeBytes: 6, totalBytes: 13 });
      expect(machine.simulation.nowUs).toBe(before);
      heal();
      expect((await disk.space('/')).freeBytes).toBe(Infinity);
    });
  });

  it('takes what fits of an append and refuses the rest, until there is room again', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      await file.append(bytes('abc'));
      const free = machine.device.fill(4);
      expect(await codeOf(file.append(bytes('def')))).toBe('resolved');
      await expect(file.append(bytes('ghi'))).rejects.toThrow(/^ENOSPC: no space left on device, .*'\/f'/);
      expect(text(machine.files.inspect('/f'))).toBe('abcdefg');
      expect(await codeOf(file.append(bytes('h')))).toBe('ENOSPC');
      free();
      expect(await codeOf(file.append(bytes('h')))).toBe('resolved');
      expect(text(machine.files.inspect('/f'))).toBe('abcdefgh');
    });
  });

  it('overwrites what it holds, syncs, reads and makes names', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      await file.append(bytes('abc'));
      machine.device.fill(0);
      expect(await codeOf(file.write(0, bytes('xyz')))).toBe('resolved');
      expect(await codeOf(file.sync())).toBe('resolved');
      expect(text(await file.read(0, 9))).toBe('xyz');
      expect(await codeOf(file.write(2, bytes('12')))).toBe('ENOSPC');
      expect(text(await file.read(0, 9))).toBe('xy1');
      expect(await codeOf(file.truncate(4))).toBe('ENOSPC');
      expect(await codeOf(disk.open('/g', { create: true }))).not.toBe('ENOSPC');
    });
  });

  it('has the room of what is removed or cut', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      const other = await disk.open('/g', { create: true });
      await other.append(bytes('12345'));
      machine.device.fill(0);
      expect(await codeOf(file.append(bytes('abc')))).toBe('ENOSPC');
      await other.truncate(3);
      expect(machine.device.room).toBe(2);
      await disk.remove('/g');
      expect(machine.device.room).toBe(5);
      expect(await codeOf(file.append(bytes('abcde')))).toBe('resolved');
      expect(await codeOf(file.append(bytes('f')))).toBe('ENOSPC');
    });
  });

  it('is as full as the fuller of two faults says, and has endless room without any', () => {
    const { device } = new Machine();
    expect(device.room).toBe(Number.POSITIVE_INFINITY);
    const [few, fewer] = [device.fill(9), device.fill(3)];
    expect(device.room).toBe(3);
    fewer();
    expect(device.room).toBe(9);
    few();
    few();
    expect(device.room).toBe(Number.POSITIVE_INFINITY);
  });

  it('never has more on it than fits, also of a write that was cut short', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        const file = await disk.open('/f', { create: true });
        machine.device.fill(2);
        machine.device.failNext('write', 1);
        await codeOf(file.append(bytes('abcdef')));
      });
      expect(machine.files.inspect('/f').length).toBeLessThanOrEqual(2);
    }
  });
});

describe('a database on a full disk', () => {
  it('fails every later write of its handle, also with room again, until it is reopened', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.batch([{ type: 'put', key: bytes('a'), value: bytes('1') }], SYNC);
      const free = machine.device.fill(3);
      await db.put(bytes('b'), bytes('2'));
      await expect(db.put(bytes('c'), bytes('3'))).rejects.toMatchObject(NO_SPACE);
      free();
      await expect(db.put(bytes('c'), bytes('3'))).rejects.toMatchObject(NO_SPACE);
      expect((await db.keys().all()).map(text)).toEqual(['a', 'b']);
      await db.close();
      await db.open();
      expect((await db.keys().all()).map(text)).toEqual(['a', 'b']);
      expect(await codeOf(db.put(bytes('c'), bytes('3')))).toBe('resolved');
    });
  });

  it('does not open: LevelDB begins a new log each time', async () => {
    const machine = new Machine();
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      await db.put(bytes('a'), bytes('1'));
      await db.close();
      const free = machine.device.fill(0);
      await expect(db.open()).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN', cause: NO_SPACE });
      free();
      await db.open();
      expect((await db.keys().all()).map(text)).toEqual(['a']);
    });
  });

  it('shares the room of its machine with the files there', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      const db = machine.openDatabase('/db');
      await db.open();
      const file = await disk.open('/f', { create: true });
      machine.device.fill(4);
      await db.put(bytes('a'), bytes('12'));
      expect(await codeOf(file.append(bytes('xy')))).toBe('ENOSPC');
      expect(text(machine.files.inspect('/f'))).toBe('x');
    });
  });
});
