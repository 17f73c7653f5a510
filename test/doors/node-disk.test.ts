import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeDisk } from '../../src/doors/node-disk.ts';

const disk = nodeDisk();
let directory: string;
const children: ChildProcess[] = [];
const at = (...names: string[]): string => join(directory, ...names);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-disk-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

describe("the machine's disk", () => {
  it('appends at the end, writes in place, reads up to the end, and cuts', async () => {
    const file = await disk.open(at('f'), { create: true });
    await file.append(Buffer.from('hello'));
    await file.append(Buffer.from(' world'));
    await file.write(0, Buffer.from('J'));
    await file.sync();
    expect(await file.size()).toBe(11);
    expect(Buffer.from(await file.read(0, 100)).toString()).toBe('Jello world');
    expect(Buffer.from(await file.read(6, 3)).toString()).toBe('wor');
    expect(await file.read(11, 5)).toHaveLength(0);
    await file.truncate(4);
    await file.append(Buffer.from('!'));
    await file.close();
    expect(await readFile(at('f'), 'utf8')).toBe('Jell!');
  });

  it('tells how much room its file system has', async () => {
    const { freeBytes, totalBytes } = await disk.space(directory);
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
    await expect(disk.space(at('missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('appends behind what another handle left, and after a gap that it wrote', async () => {
    await writeFile(at('f'), 'abc');
    const file = await disk.open(at('f'));
    await file.append(Buffer.from('d'));
    await file.write(6, Buffer.from('g'));
    await file.append(Buffer.from('h'));
    await file.close();
    expect(await readFile(at('f'), 'utf8')).toBe('abcd\0\0gh');
  });

  it('makes no file unasked, and none twice when it is to be new', async () => {
    await expect(disk.open(at('f'))).rejects.toMatchObject({ code: 'ENOENT' });
    await (await disk.open(at('f'), { create: true, exclusive: true })).close();
    const again = disk.open(at('f'), { create: true, exclusive: true });
    await expect(again).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('lists names sorted by code unit, renames over what is there, and removes', async () => {
    await disk.makeDirectory(at('sub', 'b', 'c'));
    await disk.makeDirectory(at('sub', 'b', 'c'));
    for (const name of ['z', 'B', 'a', '10', '9'])
      await (await disk.open(at(name), { create: true })).close();
    expect(await disk.list(directory)).toEqual(['10', '9', 'B', 'a', 'sub', 'z']);
    await writeFile(at('B'), 'new');
    await disk.rename(at('B'), at('z'));
    await disk.syncDirectory(directory);
    expect(await readFile(at('z'), 'utf8')).toBe('new');
    await disk.remove(at('z'));
    await expect(disk.remove(at('z'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.list(at('none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('renames a folder with all that is in it, onto nothing or an empty one, and removes empty ones', async () => {
    await disk.makeDirectory(at('a', 'b'));
    await writeFile(at('a', 'b', 'f'), 'content');
    await disk.makeDirectory(at('empty'));
    await disk.rename(at('a'), at('empty'));
    expect(await readFile(at('empty', 'b', 'f'), 'utf8')).toBe('content');
    await disk.makeDirectory(at('a'));
    await expect(disk.rename(at('a'), at('empty'))).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await expect(disk.removeDirectory(at('empty'))).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await disk.removeDirectory(at('a'));
    await expect(disk.removeDirectory(at('a'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.list(at('empty', 'b', 'f'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('opens for reading what may only be read, and changes nothing through it', async () => {
    await writeFile(at('f'), 'kept', { mode: 0o400 });
    const file = await disk.open(at('f'), { readOnly: true });
    expect(Buffer.from(await file.read(0, 9)).toString()).toBe('kept');
    await expect(file.write(0, Buffer.from('gone'))).rejects.toMatchObject({ code: 'EBADF' });
    await file.close();
    expect(await readFile(at('f'), 'utf8')).toBe('kept');
  });

  it('refuses a folder where a file is', async () => {
    await writeFile(at('f'), '');
    await expect(disk.makeDirectory(at('f', 'g'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(disk.lock(at('f'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});

describe("a folder's lock", () => {
  it('has one holder at a time, in this process too', async () => {
    const lock = await disk.lock(directory);
    await expect(disk.lock(directory)).rejects.toMatchObject({ code: 'ELOCKED' });
    await expect(nodeDisk().lock(directory)).rejects.toMatchObject({ code: 'ELOCKED' });
    await lock.release();
    await (await disk.lock(directory)).release();
  });

  it('can be taken although all that LevelDB keeps beside it is damaged', async () => {
    await (await disk.lock(directory)).release();
    for (const name of await disk.list(at('lock'))) {
      if (name !== 'LOCK') await writeFile(at('lock', name), 'no database at all');
    }
    const lock = await disk.lock(directory);
    await expect(disk.lock(directory)).rejects.toMatchObject({ code: 'ELOCKED' });
    await lock.release();
  });

  it('can be taken although the file that names the others names one that is not there', async () => {
    await (await disk.lock(directory)).release();
    await writeFile(at('lock', 'CURRENT'), 'MANIFEST-999999\n');
    await (await disk.lock(directory)).release();
  });

  it('can be taken without a change to any file, and keeps everybody else out', async () => {
    await (await disk.lock(directory)).release();
    const before = await contents(at('lock'));
    const lock = await disk.lock(directory, { unchanged: true });
    await expect(disk.lock(directory)).rejects.toMatchObject({ code: 'ELOCKED' });
    await expect(disk.lock(directory, { unchanged: true })).rejects.toMatchObject({ code: 'ELOCKED' });
    const other = await otherHolder();
    expect(other.said).toBe('LEVEL_LOCKED');
    await lock.release();
    await lock.release();
    // The other process has gone through LevelDB's opening, which renames its own trace before it asks for the lock.
    expect(withoutTrace(await contents(at('lock')))).toEqual(withoutTrace(before));
    await (await disk.lock(directory)).release();
  });

  it('held by another process or by this one is refused without a change to any file', async () => {
    const other = await otherHolder();
    expect(other.said).toBe('holds');
    const before = await contents(at('lock'));
    await expect(disk.lock(directory, { unchanged: true })).rejects.toMatchObject({ code: 'ELOCKED' });
    expect(await contents(at('lock'))).toEqual(before);
    other.process.kill('SIGKILL');
    await once(other.process, 'exit');

    const lock = await disk.lock(directory);
    const held = await contents(at('lock'));
    await expect(disk.lock(directory, { unchanged: true })).rejects.toMatchObject({ code: 'ELOCKED' });
    expect(await contents(at('lock'))).toEqual(held);
    await lock.release();
  });

  it('of a folder that nobody ever locked makes no file, and tells when somebody came meanwhile', async () => {
    const lock = await disk.lock(directory, { unchanged: true });
    expect(await disk.list(directory)).toEqual([]);
    await lock.release();
    const taken = await disk.lock(directory, { unchanged: true });
    const other = await otherHolder();
    expect(other.said).toBe('holds');
    await expect(taken.release()).rejects.toMatchObject({ code: 'ELOCKED' });
    other.process.kill('SIGKILL');
    await once(other.process, 'exit');
  });

  /** Another process that opens the lock, and stays. */
  async function otherHolder(): Promise<{ process: ChildProcess; said: string }> {
    const program = `
      const { Level } = require('level');
      const say = (text) => process.stdout.write(text);
      new Level(${JSON.stringify(at('lock'))}).open().then(() => say('holds'), (error) => say(error.cause.code));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const [said] = await once(child.stdout, 'data');
    return { process: child, said: String(said) };
  }

  async function contents(folder: string): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    // The lock itself is not read: to close any handle of it would let go of it.
    for (const name of await disk.list(folder)) {
      if (name !== 'LOCK') found[name] = await readFile(join(folder, name), 'hex');
    }
    return found;
  }

  const withoutTrace = ({ LOG, 'LOG.old': _, ...rest }: Record<string, string>): Record<string, string> =>
    rest;
});
