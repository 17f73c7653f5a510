import { describe, expect, it } from 'vitest';
import type { Disk } from '../../../../src/doors/disk.ts';
import { bytes, codeOf, Machine, text } from './fixture-machine.ts';
import { stateAfter } from './play.ts';

const readAll = async (disk: Disk, path: string): Promise<string> => {
  const file = await disk.open(path);
  const content = await file.read(0, await file.size());
  await file.close();
  return text(content);
};

describe('the simulated disk, while nothing goes wrong', () => {
  it('reads back what was appended, written and truncated, zeros in the gaps', async () => {
    await new Machine().play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      await file.append(bytes('hello'));
      await file.append(bytes(' world'));
      await file.write(0, bytes('J'));
      expect(await file.size()).toBe(11);
      expect(text(await file.read(0, 100))).toBe('Jello world');
      expect(text(await file.read(6, 3))).toBe('wor');
      expect(text(await file.read(11, 3))).toBe('');
      await file.truncate(5);
      await file.write(8, bytes('!'));
      expect(text(await file.read(0, 100))).toBe('Jello\0\0\0!');
      await file.truncate(10);
      expect(text(await file.read(4, 100))).toBe('o\0\0\0!\0');
    });
  });

  it('copies what it is given and gives away what it returns', async () => {
    await new Machine().play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      for (const data of [bytes('abc'), Buffer.from('def')]) {
        await file.append(data);
        data.fill(0);
      }
      const read = await file.read(0, 6);
      read.fill(0);
      expect(text(await file.read(0, 6))).toBe('abcdef');
    });
  });

  it('makes folders with their parents and lists names sorted', async () => {
    await new Machine().play(async (disk) => {
      await disk.makeDirectory('/a/b/c');
      await disk.makeDirectory('/a/b/c');
      for (const name of ['z', 'B', 'a', '10', '9']) await disk.open(`/a/b/${name}`, { create: true });
      expect(await disk.list('/a/b')).toEqual(['10', '9', 'B', 'a', 'c', 'z']);
      expect(await disk.list('/a/b/c')).toEqual([]);
    });
  });

  it('takes every spelling of a path as one', async () => {
    await new Machine().play(async (disk) => {
      await disk.makeDirectory('data//x/');
      await (await disk.open('/data/x/./f', { create: true })).append(bytes('1'));
      expect(await readAll(disk, 'data/y/../x/f')).toBe('1');
      expect(await disk.list('.')).toEqual(['data']);
      expect(await disk.list('/../..')).toEqual(['data']);
    });
  });

  it('renames over what is there, and keeps an open file working without its name', async () => {
    await new Machine().play(async (disk) => {
      const [a, b] = [await disk.open('/a', { create: true }), await disk.open('/b', { create: true })];
      await a.append(bytes('a'));
      await b.append(bytes('b'));
      await disk.rename('/a', '/b');
      expect(await disk.list('/')).toEqual(['b']);
      expect(await readAll(disk, '/b')).toBe('a');
      await b.append(bytes('b'));
      expect(text(await b.read(0, 9))).toBe('bb');
      await disk.remove('/b');
      await a.append(bytes('a'));
      expect(text(await a.read(0, 9))).toBe('aa');
      expect(await disk.list('/')).toEqual([]);
      await disk.open('/c', { create: true });
      await disk.rename('/c', '/c');
      expect(await disk.list('/')).toEqual(['c']);
    });
  });

  it('renames a folder with all that is in it, and removes empty ones', async () => {
    await new Machine().play(async (disk) => {
      await disk.makeDirectory('/a/b');
      await (await disk.open('/a/b/f', { create: true })).append(bytes('content'));
      await disk.makeDirectory('/empty');
      await disk.rename('/a', '/empty');
      expect(await disk.list('/')).toEqual(['empty']);
      expect(await readAll(disk, '/empty/b/f')).toBe('content');
      await disk.rename('/empty', '/c');
      await disk.makeDirectory('/d');
      await disk.removeDirectory('/d');
      expect(await disk.list('/')).toEqual(['c']);
    });
  });

  it('reads a file opened for reading, and refuses to change it', async () => {
    await new Machine().play(async (disk) => {
      await (await disk.open('/f', { create: true })).append(bytes('kept'));
      const file = await disk.open('/f', { readOnly: true });
      for (const change of [
        () => file.append(bytes('x')),
        () => file.write(0, bytes('x')),
        () => file.truncate(0),
      ])
        expect(await codeOf(change())).toBe('EBADF');
      expect(text(await file.read(0, 9))).toBe('kept');
    });
  });

  it('refuses as a file system does, with its codes', async () => {
    await new Machine().play(async (disk) => {
      await disk.makeDirectory('/d');
      const file = await disk.open('/f', { create: true, exclusive: true });
      await disk.makeDirectory('/full/inner');
      const refusals: [() => Promise<unknown>, string][] = [
        [() => disk.open('/missing'), 'ENOENT'],
        [() => disk.open('/missing/f', { create: true }), 'ENOENT'],
        [() => disk.open('/f', { create: true, exclusive: true }), 'EEXIST'],
        [() => disk.open('/d', { create: true }), 'EISDIR'],
        [() => disk.open('/d'), 'EISDIR'],
        [() => disk.open('/f/g', { create: true }), 'ENOTDIR'],
        [() => disk.list('/missing'), 'ENOENT'],
        [() => disk.list('/f'), 'ENOTDIR'],
        [() => disk.makeDirectory('/f/g'), 'ENOTDIR'],
        [() => disk.rename('/missing', '/x'), 'ENOENT'],
        [() => disk.rename('/f', '/missing/x'), 'ENOENT'],
        [() => disk.rename('/f', '/d'), 'EISDIR'],
        [() => disk.rename('/d', '/f'), 'ENOTDIR'],
        [() => disk.rename('/d', '/full'), 'ENOTEMPTY'],
        [() => disk.rename('/full', '/full/inner/x'), 'EINVAL'],
        [() => disk.removeDirectory('/missing'), 'ENOENT'],
        [() => disk.removeDirectory('/f'), 'ENOTDIR'],
        [() => disk.removeDirectory('/full'), 'ENOTEMPTY'],
        [() => disk.remove('/missing'), 'ENOENT'],
        [() => disk.remove('/d'), 'EISDIR'],
        [() => disk.syncDirectory('/missing'), 'ENOENT'],
        [() => disk.lock('/missing'), 'ENOENT'],
      ];
      for (const [attempt, code] of refusals)
        expect([attempt, await codeOf(attempt())]).toEqual([attempt, code]);
      expect(await disk.list('/')).toEqual(['d', 'f', 'full']);
      for (const position of [-1, 0.5, Number.NaN]) {
        await expect(file.read(position, 1)).rejects.toThrow(/a file's offset/);
        await expect(file.read(0, position)).rejects.toThrow(/a file's length/);
        await expect(file.write(position, bytes('x'))).rejects.toThrow(RangeError);
        await expect(file.truncate(position)).rejects.toThrow(RangeError);
      }
      await file.close();
      for (const use of [file.size(), file.read(0, 1), file.append(bytes('x')), file.sync(), file.close()]) {
        expect(await codeOf(use)).toBe('EBADF');
      }
    });
  });

  it('takes the time of its device for each operation', async () => {
    const machine = new Machine();
    machine.device.setLatency({
      read: { fromUs: 10, toUs: 10 },
      write: { fromUs: 100, toUs: 100 },
      sync: { fromUs: 1000, toUs: 1000 },
    });
    await machine.play(async (disk) => {
      const took: number[] = [];
      const time = async <T>(promise: Promise<T>): Promise<T> => {
        const begin = machine.simulation.nowUs;
        const value = await promise;
        took.push(machine.simulation.nowUs - begin);
        return value;
      };
      const file = await time(disk.open('/f', { create: true }));
      await time(file.append(bytes('x')));
      await time(file.sync());
      await time(file.read(0, 1));
      await time(disk.syncDirectory('/'));
      expect(took).toEqual([100, 100, 1000, 10, 1000]);
    });
  });
});

describe('locks', () => {
  it('are held by one holder at a time, in one process or two', async () => {
    const machine = new Machine();
    const other = machine.neighbour();
    await machine.play(async (disk) => {
      await disk.makeDirectory('/d');
      const lock = await disk.lock('/d');
      expect(await codeOf(disk.lock('d/'))).toBe('ELOCKED');
      expect(await codeOf(other.disk.lock('/d'))).toBe('ELOCKED');
      await lock.release();
      const second = await other.disk.lock('/d');
      await lock.release();
      expect(await codeOf(disk.lock('/d'))).toBe('ELOCKED');
      await second.release();
      await disk.lock('/d');
    });
  });

  it('are free once their process died', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      await disk.makeDirectory('/d');
      await disk.lock('/d');
    });
    machine.crash({ power: false });
    await machine.play((disk) => disk.lock('/d'));
  });
});

describe('processes and the disk', () => {
  it('leaves the promises of a dead process pending', async () => {
    const machine = new Machine();
    const file = await machine.play((disk) => disk.open('/f', { create: true }));
    const { disk } = machine;
    const before = file.append(bytes('x'));
    machine.crash({ power: false });
    expect(await stateAfter(machine.simulation, before, 1_000_000)).toBe('pending');
    expect(await stateAfter(machine.simulation, file.append(bytes('y')), 1_000_000)).toBe('pending');
    expect(await stateAfter(machine.simulation, disk.list('/'), 1_000_000)).toBe('pending');
    expect(text(machine.files.inspect('/f'))).not.toContain('y');
  });

  it('completes operations of a paused process, which hears of it when it is resumed', async () => {
    const machine = new Machine();
    const file = await machine.play((disk) => disk.open('/f', { create: true }));
    const append = file.append(bytes('x'));
    machine.program.pause();
    expect(await stateAfter(machine.simulation, append, 1_000_000)).toBe('pending');
    expect(text(machine.files.inspect('/f'))).toBe('x');
    machine.program.resume();
    expect(await stateAfter(machine.simulation, append, 0)).toBe('resolved');
  });

  it('will not crash under a living process', () => {
    const machine = new Machine();
    expect(() => machine.files.crash({ power: true })).toThrow(/n1#1 still lives: kill it first/);
    expect(() => machine.databases.crash({ power: false })).toThrow(/n1#1 still lives/);
  });
});

describe('faults', () => {
  it('fail the next operations of their kind, then no more', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      machine.device.failNext('write', 2);
      machine.device.failNext('write', 1, 'ENOSPC');
      machine.device.failNext('sync', 1);
      await file.read(0, 1);
      expect(await codeOf(file.append(bytes('a')))).toBe('EIO');
      expect(await codeOf(file.truncate(0))).toBe('EIO');
      expect(await codeOf(file.write(0, bytes('a')))).toBe('ENOSPC');
      expect(await codeOf(file.append(bytes('a')))).toBe('resolved');
      expect(await codeOf(disk.syncDirectory('/'))).toBe('EIO');
      expect(await codeOf(file.sync())).toBe('resolved');
      machine.device.failNext('read', 1);
      await expect(file.read(0, 1)).rejects.toThrow(/EIO: i\/o error, .*read '\/f'/);
      machine.device.failNext('name', 1);
      expect(await codeOf(disk.remove('/f'))).toBe('EIO');
      expect(machine.device.failedOperations).toBe(6);
    });
  });

  it('can be taken back, and must strike at least once', async () => {
    const machine = new Machine();
    const file = await machine.play((disk) => disk.open('/f', { create: true }));
    const takeBack = machine.device.failNext('write', 5);
    expect(await machine.play(() => codeOf(file.append(bytes('a'))))).toBe('EIO');
    takeBack();
    takeBack();
    expect(await machine.play(() => codeOf(file.append(bytes('a'))))).toBe('resolved');
    for (const times of [0, -1, 0.5])
      expect(() => machine.device.failNext('write', times)).toThrow(/1 or more/);
  });

  it('leave a failed write whole, in part or not at all', async () => {
    const left = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        const file = await disk.open('/f', { create: true });
        machine.device.failNext('write', 1);
        await codeOf(file.append(bytes('abc')));
      });
      left.add(text(machine.files.inspect('/f')));
    }
    expect([...left].sort()).toEqual(['', 'a', 'ab', 'abc']);
  });

  it('let a sync that succeeds after a failed one hide that bytes never reached the medium', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        const file = await disk.open('/f', { create: true });
        await disk.syncDirectory('/');
        await file.append(bytes('abc'));
        machine.device.failNext('sync', 1);
        expect(await codeOf(file.sync())).toBe('EIO');
        expect(text(await file.read(0, 9))).toBe('abc');
        await file.sync();
      });
      const evicted = await machine.play((disk) => readAll(disk, '/f'));
      machine.crash({ power: true });
      seen.add(`${evicted || 'gone'} then ${text(machine.files.inspect('/f')) || 'gone'}`);
    }
    expect([...seen].sort()).toEqual(['abc then abc', 'abc then gone', 'gone then gone']);
  });

  it('hang every operation of a stalled device until it is released, and then complete all', async () => {
    const machine = new Machine();
    const file = await machine.play((disk) => disk.open('/f', { create: true }));
    const before = file.append(bytes('a'));
    const release = machine.device.stall();
    const releaseToo = machine.device.stall();
    const during = file.append(bytes('b'));
    expect(await stateAfter(machine.simulation, before, 1_000_000)).toBe('pending');
    release();
    release();
    expect(await stateAfter(machine.simulation, during, 1_000_000)).toBe('pending');
    releaseToo();
    expect(await stateAfter(machine.simulation, Promise.all([before, during]), 1_000)).toBe('resolved');
    expect(text(machine.files.inspect('/f'))).toHaveLength(2);
  });

  it('take as long as the latest slowness says, until it ends', async () => {
    const machine = new Machine();
    const always = (us: number) => ({ fromUs: us, toUs: us });
    const every = (us: number) => ({ read: always(us), write: always(us), sync: always(us) });
    const file = await machine.play((disk) => disk.open('/f', { create: true }));
    const took = async (): Promise<number> => {
      const fromUs = machine.simulation.nowUs;
      let endedUs = 0;
      void file.append(bytes('a')).then(() => {
        endedUs = machine.simulation.nowUs;
      });
      await machine.simulation.run({ when: () => endedUs > 0 });
      return endedUs - fromUs;
    };
    machine.device.setLatency(every(10));
    const end = machine.device.slow(every(5_000));
    const endToo = machine.device.slow(every(7_000));
    expect(await took()).toBe(7_000);
    endToo();
    endToo();
    expect(await took()).toBe(5_000);
    machine.device.setLatency(every(20));
    expect(await took()).toBe(5_000);
    end();
    expect(await took()).toBe(20);
  });

  it('leave what hung at a stalled device to chance when the process is killed', async () => {
    const left = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const machine = new Machine(seed);
      const file = await machine.play((disk) => disk.open('/f', { create: true }));
      const release = machine.device.stall();
      void file.append(bytes('ab'));
      await machine.simulation.run();
      machine.crash({ power: false });
      release();
      await machine.simulation.run();
      left.add(text(machine.files.inspect('/f')));
    }
    expect([...left].sort()).toEqual(['', 'a', 'ab']);
  });

  it('flip bits where they are told to, for good', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      const file = await disk.open('/f', { create: true });
      await file.append(bytes('abc'));
      await file.sync();
      await disk.syncDirectory('/');
    });
    machine.files.damage('/f', 1, 0x01);
    expect(text(machine.files.inspect('/f'))).toBe('acc');
    machine.crash({ power: true });
    expect(text(machine.files.inspect('/f'))).toBe('acc');
    expect(() => machine.files.damage('/f', 3, 1)).toThrow(RangeError);
    expect(() => machine.files.damage('/g', 0, 1)).toThrow(/ENOENT/);
  });
});
