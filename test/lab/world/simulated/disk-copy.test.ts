import { describe, expect, it } from 'vitest';
import { bytes, Machine, text } from './fixture-machine.ts';
import { play } from './play.ts';

const write = async (machine: Machine, path: string, content: string): Promise<void> => {
  const file = await machine.disk.open(path, { create: true });
  await file.append(bytes(content));
  await file.close();
};

/** Two files in two folders, and a database. */
async function filled(): Promise<Machine> {
  const machine = new Machine();
  await machine.play(async (disk) => {
    await disk.makeDirectory('/data/inner');
    await write(machine, '/data/a', 'first');
    await write(machine, '/data/inner/b', 'second');
  });
  await play(machine.simulation, async () => {
    const database = machine.openDatabase('/data/level');
    await database.open();
    await database.put(bytes('key'), bytes('value'));
    await database.close();
  });
  return machine;
}

const entriesOf = (machine: Machine, directory: string): string[] | undefined =>
  machine.databases.inspect(directory)?.map(({ key, value }) => `${text(key)}=${text(value)}`);

describe('a disk', () => {
  it('that is emptied holds nothing, and takes everything anew', async () => {
    const machine = await filled();
    machine.crash({ power: false });
    machine.program.kill();
    machine.files.wipe();
    machine.databases.wipe();
    machine.crash({ power: false });
    expect([machine.files.size, machine.databases.size]).toEqual([0, 0]);
    expect(machine.databases.inspect('/data/level')).toBe(null);
    await machine.play(async (disk) => {
      expect(await disk.list('/')).toEqual([]);
      await disk.makeDirectory('/data');
      await write(machine, '/data/a', 'again');
    });
    expect(text(machine.files.inspect('/data/a'))).toBe('again');
  });

  it('is not emptied nor replaced under a living process', async () => {
    const machine = await filled();
    const copy = machine.files.copy();
    expect(() => machine.files.wipe()).toThrow(/still lives/);
    expect(() => machine.files.replace(copy)).toThrow(/still lives/);
    expect(() => machine.databases.wipe()).toThrow(/still lives/);
    expect(() => machine.databases.replace([])).toThrow(/still lives/);
  });

  it('that is set back holds what it held when it was copied, even when the power goes', async () => {
    const machine = await filled();
    const [files, databases] = [machine.files.copy(), machine.databases.copy()];
    const size = machine.files.size + machine.databases.size;
    expect(size).toBe('first'.length + 'second'.length + 'key'.length + 'value'.length);
    await machine.play(async (disk) => {
      await write(machine, '/data/a', ' and more');
      await write(machine, '/data/c', 'later');
      await disk.remove('/data/inner/b');
    });
    machine.program.kill();
    machine.files.replace(files);
    machine.databases.replace(databases);
    machine.crash({ power: true });
    expect(await machine.play((disk) => disk.list('/data'))).toEqual(['a', 'inner']);
    expect(text(machine.files.inspect('/data/a'))).toBe('first');
    expect(text(machine.files.inspect('/data/inner/b'))).toBe('second');
    expect(entriesOf(machine, '/data/level')).toEqual(['key=value']);
    expect(machine.files.size + machine.databases.size).toBe(size);
  });

  it('that was copied goes its own way', async () => {
    const original = await filled();
    const copy = new Machine(2);
    copy.program.kill();
    copy.files.replace(original.files.copy());
    copy.databases.replace(original.databases.copy());
    copy.crash({ power: false });
    await copy.play(() => write(copy, '/data/a', ' copy'));
    expect(text(copy.files.inspect('/data/a'))).toBe('first copy');
    expect(text(original.files.inspect('/data/a'))).toBe('first');
    expect(entriesOf(copy, '/data/level')).toEqual(['key=value']);
  });
});
