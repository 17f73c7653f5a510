import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DiskFile } from '../../../../src/doors/disk.ts';
import { bytes, Machine, text } from './fixture-machine.ts';

type FileStep =
  | { readonly kind: 'append'; readonly data: Uint8Array }
  | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number }
  | { readonly kind: 'sync' };

const data = fc.uint8Array({ minLength: 1, maxLength: 900 }).map((one) => one.map((byte) => byte | 1));
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('append' as const), data }),
    fc.record({ kind: fc.constant('write' as const), offset: fc.nat(1500), data }),
    fc.record({ kind: fc.constant('truncate' as const), length: fc.nat(1500) }),
    fc.record({ kind: fc.constant('sync' as const) }),
  ),
  { maxLength: 12 },
);

/** A plain array of bytes, told apart from the implementation by being too simple to be wrong. */
function applyStep(content: number[], step: FileStep): number[] {
  if (step.kind === 'sync') return content;
  if (step.kind === 'truncate') return Array.from({ length: step.length }, (_, i) => content[i] ?? 0);
  const offset = step.kind === 'append' ? content.length : step.offset;
  const length = Math.max(content.length, offset + step.data.length);
  return Array.from({ length }, (_, i) => step.data[i - offset] ?? content[i] ?? 0);
}

async function takeStep(file: DiskFile, step: FileStep): Promise<void> {
  if (step.kind === 'append') await file.append(step.data);
  else if (step.kind === 'write') await file.write(step.offset, step.data);
  else if (step.kind === 'truncate') await file.truncate(step.length);
  else await file.sync();
}

/** Builds a file by these steps on a folder whose name is durable. */
async function built(seed: number, plan: readonly FileStep[]): Promise<Machine> {
  const machine = new Machine(seed);
  await machine.play(async (disk) => {
    const file = await disk.open('/f', { create: true });
    await disk.syncDirectory('/');
    for (const step of plan) await takeStep(file, step);
  });
  return machine;
}

describe('what a crash leaves of a file', () => {
  it('is everything that completed, when only the process died', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps, async (seed, plan) => {
        const machine = await built(seed, plan);
        machine.crash({ power: false });
        const expected = plan.reduce(applyStep, []);
        expect([...machine.files.inspect('/f')]).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is at least what was synced, wherever nothing later touched it, when the power went', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps, async (seed, plan) => {
        const machine = await built(seed, plan);
        machine.crash({ power: true });
        const left = machine.files.inspect('/f');
        const syncedSteps = plan.slice(0, plan.findLastIndex((step) => step.kind === 'sync') + 1);
        const later = plan.slice(syncedSteps.length);
        const synced = syncedSteps.reduce(applyStep, []);
        let content = synced;
        const touched = new Set<number>();
        let shortest = synced.length;
        for (const step of later) {
          const next = applyStep(content, step);
          if (step.kind === 'truncate') shortest = Math.min(shortest, step.length);
          for (let i = 0; i < synced.length; i++) if (next[i] !== content[i]) touched.add(i);
          content = next;
        }
        expect(left.length).toBeGreaterThanOrEqual(shortest);
        for (let i = 0; i < shortest; i++) if (!touched.has(i)) expect(left[i]).toBe(synced[i]);
        if (later.length === 0) expect([...left]).toEqual(synced);

        // What the power cut left is on the medium: the next one takes nothing.
        machine.crash({ power: true });
        expect(machine.files.inspect('/f')).toEqual(left);
      }),
      { numRuns: 120 },
    );
  });

  it('may be an unsynced write whole, not at all, cut off, with a hole, or as zeros', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const machine = await built(seed, [{ kind: 'append', data: new Uint8Array(2000).fill(7) }]);
      machine.crash({ power: true });
      const left = machine.files.inspect('/f');
      const sevens = left.filter((byte) => byte === 7).length;
      if (left.length === 0) seen.add('nothing');
      else if (sevens === 2000) seen.add('whole');
      else if (sevens === 0) seen.add('zeros');
      else if (sevens === left.length) seen.add('cut off');
      else seen.add('with a hole');
    }
    expect([...seen].sort()).toEqual(['cut off', 'nothing', 'whole', 'with a hole', 'zeros']);
  });

  it('tears within whole sectors of the file, not of the write', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const machine = await built(seed, [
        { kind: 'append', data: new Uint8Array(2048).fill(1) },
        { kind: 'sync' },
        { kind: 'write', offset: 100, data: new Uint8Array(1500).fill(7) },
      ]);
      machine.crash({ power: true });
      const left = machine.files.inspect('/f');
      // Where new gives way to old within the write there is a sector's edge, or the one end of a prefix.
      const edges = [...left.keys()].filter((i) => i > 100 && i < 1600 && left[i] !== left[i - 1]);
      const unaligned = edges.filter((i) => i % 512 !== 0);
      expect(unaligned.length).toBeLessThanOrEqual(1);
      if (unaligned.length === 1) expect(edges).toHaveLength(1);
    }
  });

  it('may lose one unsynced write and keep a later one', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const machine = await built(seed, [
        { kind: 'append', data: bytes('ab') },
        { kind: 'sync' },
        { kind: 'write', offset: 0, data: bytes('A') },
        { kind: 'write', offset: 1, data: bytes('B') },
      ]);
      machine.crash({ power: true });
      seen.add(text(machine.files.inspect('/f')));
    }
    expect([...seen].sort()).toEqual(['AB', 'Ab', 'aB', 'ab']);
  });

  it('does not count on a sync for what was written after it was called', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = await built(seed, []);
      await machine.play(async (disk) => {
        const file = await disk.open('/f');
        await file.append(bytes('a'));
        const syncing = file.sync();
        await Promise.all([file.append(bytes('b')), syncing]);
      });
      machine.crash({ power: true });
      seen.add(text(machine.files.inspect('/f')));
    }
    expect(seen).toContain('a');
    expect(seen).toContain('ab');
    expect(seen).not.toContain('');
  });

  it('has appends under way together in any order', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const machine = await built(seed, []);
      await machine.play(async (disk) => {
        const file = await disk.open('/f');
        await Promise.all([file.append(bytes('a')), file.append(bytes('b'))]);
      });
      seen.add(text(machine.files.inspect('/f')));
    }
    expect([...seen].sort()).toEqual(['ab', 'ba']);
  });

  it('has a write under way when the process is killed whole, in part or not at all', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = await built(seed, []);
      const file = await machine.play((disk) => disk.open('/f'));
      void file.append(bytes('abc'));
      machine.crash({ power: false });
      await machine.simulation.run();
      seen.add(text(machine.files.inspect('/f')));
    }
    expect([...seen].sort()).toEqual(['', 'a', 'ab', 'abc']);
  });
});

describe('what a power cut leaves of names', () => {
  /** The names left in `/d` after the script, over many seeds; `/d` itself is durable. */
  async function namesLeft(script: (machine: Machine) => Promise<void>): Promise<string[]> {
    const seen = new Set<string>();
    for (let seed = 0; seed < 80; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        await disk.makeDirectory('/d');
        await disk.syncDirectory('/');
        await script(machine);
      });
      machine.crash({ power: true });
      const names = await machine.play((disk) => disk.list('/d'));
      const contents = names.map((name) => `${name}=${text(machine.files.inspect(`/d/${name}`))}`);
      seen.add(contents.join());
    }
    return [...seen].sort();
  }

  const create = async (machine: Machine, path: string, content: string): Promise<void> => {
    const file = await machine.disk.open(path, { create: true });
    await file.append(bytes(content));
    await file.sync();
  };

  it('may be a new file or none, even when its bytes were synced', async () => {
    expect(await namesLeft((machine) => create(machine, '/d/f', '1'))).toEqual(['', 'f=1']);
  });

  it('is the new file once its folder was synced', async () => {
    const script = async (machine: Machine): Promise<void> => {
      await create(machine, '/d/f', '1');
      await machine.disk.syncDirectory('/d');
    };
    expect(await namesLeft(script)).toEqual(['f=1']);
  });

  it('may miss a file made after the sync of its folder was called, though it was made before that ended', async () => {
    const script = async (machine: Machine): Promise<void> => {
      machine.device.setLatency({
        read: { fromUs: 1, toUs: 1 },
        write: { fromUs: 10, toUs: 10 },
        sync: { fromUs: 1000, toUs: 1000 },
      });
      await Promise.all([machine.disk.syncDirectory('/d'), machine.disk.open('/d/f', { create: true })]);
    };
    expect(await namesLeft(script)).toEqual(['', 'f=']);
  });

  it('does not come from syncing another folder', async () => {
    const script = async (machine: Machine): Promise<void> => {
      await create(machine, '/d/f', '1');
      await machine.disk.syncDirectory('/');
    };
    expect(await namesLeft(script)).toEqual(['', 'f=1']);
  });

  it('is the old file or the new one after a rename, and the new one once the folder was synced', async () => {
    const replace = async (machine: Machine): Promise<void> => {
      await create(machine, '/d/f', 'old');
      await create(machine, '/d/aside', 'new');
      await machine.disk.syncDirectory('/d');
      await machine.disk.rename('/d/aside', '/d/f');
    };
    expect(await namesLeft(replace)).toEqual(['aside=new,f=old', 'f=new']);
    const replaceForGood = async (machine: Machine): Promise<void> => {
      await replace(machine);
      await machine.disk.syncDirectory('/d');
    };
    expect(await namesLeft(replaceForGood)).toEqual(['f=new']);
  });

  it('is the whole folder under the old name or the new one after a rename of it, and the new one once synced', async () => {
    const left = async (isSynced: boolean): Promise<string[]> => {
      const seen = new Set<string>();
      for (let seed = 1; seed <= 20; seed += 1) {
        const machine = new Machine(seed);
        await machine.play(async (disk) => {
          await disk.makeDirectory('/d/aside/inner');
          for (const folder of ['/', '/d', '/d/aside']) await disk.syncDirectory(folder);
          await create(machine, '/d/aside/inner/f', 'all');
          await disk.syncDirectory('/d/aside/inner');
          await disk.rename('/d/aside', '/d/new');
          if (isSynced) await disk.syncDirectory('/d');
        });
        machine.crash({ power: true });
        await machine.play(async (disk) => {
          const [name, ...others] = await disk.list('/d');
          expect(others).toEqual([]);
          seen.add(`${name}: ${await disk.list(`/d/${name}/inner`)}`);
        });
      }
      return [...seen].sort();
    };
    expect(await left(false)).toEqual(['aside: f', 'new: f']);
    expect(await left(true)).toEqual(['new: f']);
  });

  it('may be a durable name of a file whose bytes were never synced', async () => {
    const script = async (machine: Machine): Promise<void> => {
      const file = await machine.disk.open('/d/f', { create: true });
      await file.append(bytes('1'));
      await machine.disk.syncDirectory('/d');
    };
    expect(await namesLeft(script)).toEqual(['f=', 'f=\0', 'f=1']);
  });

  it('may be a removed file again, and none once the folder was synced', async () => {
    const remove = async (machine: Machine): Promise<void> => {
      await create(machine, '/d/f', '1');
      await machine.disk.syncDirectory('/d');
      await machine.disk.remove('/d/f');
    };
    expect(await namesLeft(remove)).toEqual(['', 'f=1']);
    const removeForGood = async (machine: Machine): Promise<void> => {
      await remove(machine);
      await machine.disk.syncDirectory('/d');
    };
    expect(await namesLeft(removeForGood)).toEqual(['']);
  });

  it('may keep a later change and lose an earlier one', async () => {
    const script = async (machine: Machine): Promise<void> => {
      await create(machine, '/d/a', '1');
      await create(machine, '/d/b', '2');
    };
    expect(await namesLeft(script)).toEqual(['', 'a=1', 'a=1,b=2', 'b=2']);
  });

  it('takes a whole folder that was made and whose parent was not synced', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        await disk.makeDirectory('/data');
        await create(machine, '/data/f', '1');
        await disk.syncDirectory('/data');
      });
      machine.crash({ power: true });
      seen.add((await machine.play((disk) => disk.list('/'))).join());
    }
    expect([...seen].sort()).toEqual(['', 'data']);
  });

  it('is everything, when only the process died', async () => {
    const machine = new Machine();
    await machine.play(async (disk) => {
      await disk.makeDirectory('/d');
      await create(machine, '/d/a', '1');
      await disk.rename('/d/a', '/d/b');
    });
    machine.crash({ power: false });
    expect(await machine.play((disk) => disk.list('/d'))).toEqual(['b']);
  });
});
