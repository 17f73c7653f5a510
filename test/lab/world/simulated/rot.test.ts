import type { AbstractBatchOptions } from 'abstract-level';
import { describe, expect, it } from 'vitest';
import { SimulatedRandom } from '../../../../lab/world/simulated/random.ts';
import { bytes, Machine, text } from './fixture-machine.ts';

type BatchOptions = AbstractBatchOptions<Uint8Array, Uint8Array> & { readonly sync: boolean };
const SYNC: BatchOptions = Object.freeze({ sync: true });
const all = (): boolean => true;
const randomOf = (seed: number): SimulatedRandom => SimulatedRandom.fromSeed(seed).stream('rot');

/** Synced, with a name that stays: three sectors, each by a sync of its own. */
async function threeSectors(machine: Machine, path = '/f'): Promise<void> {
  await machine.play(async (disk) => {
    const file = await disk.open(path, { create: true });
    for (const letter of 'abc') {
      await file.append(bytes(letter.repeat(512)));
      await file.sync();
    }
    await disk.syncDirectory('/');
  });
}

describe('rot of files', () => {
  it('changes a durable byte, or a whole sector to zeros, for every reader and for good', async () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = new Machine(seed);
      await threeSectors(machine);
      const before = machine.files.inspect('/f');
      expect(machine.files.rot(all, 1, randomOf(seed))).toBe(1);
      const after = machine.files.inspect('/f');
      const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
      expect(after.length).toBe(before.length);
      if (changed.length > 1) {
        expect(changed.length).toBe(512);
        expect(changed.every((at) => after[at] === 0)).toBe(true);
        expect((changed[0] ?? 1) % 512).toBe(0);
      } else expect(changed).toHaveLength(1);
      kinds.add(changed.length > 1 ? `sector ${Math.floor((changed[0] ?? 0) / 512)}` : 'bit');
      machine.crash({ power: true });
      expect(text(machine.files.inspect('/f'))).toBe(text(after));
    }
    // The last sync's sector may have a bit flipped, and is never zeroed: that would look like a torn write.
    expect([...kinds].sort()).toEqual(['bit', 'sector 0', 'sector 1']);
  });

  it('leaves alone what was not synced, in bytes and in names', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        const file = await disk.open('/f', { create: true });
        await file.append(bytes('abc'));
        await disk.syncDirectory('/');
        const unnamed = await disk.open('/g', { create: true });
        await unnamed.append(bytes('def'));
        await unnamed.sync();
      });
      expect(machine.files.rot(all, 5, randomOf(seed))).toBe(0);
      expect(text(machine.files.inspect('/f'))).toBe('abc');
      expect(text(machine.files.inspect('/g'))).toBe('def');
    }
  });

  it('spares a durable byte that an unsynced write covers', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const machine = new Machine(seed);
      await machine.play(async (disk) => {
        const file = await disk.open('/f', { create: true });
        await file.append(bytes('abcdef'));
        await file.sync();
        await disk.syncDirectory('/');
        await file.write(1, bytes('XYZW'));
      });
      machine.files.rot(all, 3, randomOf(seed));
      expect(text(machine.files.inspect('/f')).slice(1, 5)).toBe('XYZW');
    }
  });

  it('hits only the files that are meant, in as many places as are asked for', async () => {
    const machine = new Machine();
    await threeSectors(machine);
    await threeSectors(machine, '/other');
    const [before, other] = [machine.files.inspect('/f'), machine.files.inspect('/other')];
    expect(machine.files.rot((path) => path === '/f', 20, randomOf(1))).toBe(20);
    expect(machine.files.inspect('/f')).not.toEqual(before);
    expect(machine.files.inspect('/other')).toEqual(other);
    expect(machine.files.rot(() => false, 20, randomOf(1))).toBe(0);
  });

  it('is the same for the same seed', async () => {
    const rotten = async (seed: number): Promise<string> => {
      const machine = new Machine(1);
      await threeSectors(machine);
      machine.files.rot(all, 9, randomOf(seed));
      return text(machine.files.inspect('/f'));
    };
    expect(await rotten(1)).toBe(await rotten(1));
    expect(await rotten(1)).not.toBe(await rotten(2));
  });
});

describe('rot of a database', () => {
  const key = (at: number): Uint8Array => bytes(String.fromCharCode(97 + at));
  /** Puts a to f, then overwrites b and deletes c; each batch is synced. */
  const fill = async (machine: Machine): Promise<void> => {
    await machine.play(async () => {
      const db = machine.openDatabase('/db');
      for (let at = 0; at < 6; at++) await db.batch([{ type: 'put', key: key(at), value: bytes('1') }], SYNC);
      await db.batch([{ type: 'put', key: bytes('b'), value: bytes('2') }], SYNC);
      await db.batch([{ type: 'del', key: bytes('c') }], SYNC);
      await db.batch([{ type: 'put', key: bytes('z'), value: bytes('9') }], SYNC);
    });
  };
  const shown = (machine: Machine): string =>
    (machine.databases.inspect('/db') ?? [])
      .map((entry) => `${text(entry.key)}${text(entry.value)}`)
      .join(' ');
  const reopened = async (machine: Machine): Promise<string> => {
    machine.crash({ power: false });
    await machine.play(async () => {
      await machine.openDatabase('/db').open();
    });
    return shown(machine);
  };

  it('does, once it is reopened, whatever LevelDB was seen to do', async () => {
    const whole = 'a1 b2 d1 e1 f1 z9';
    const seen = { vanished: 0, olderReturned: 0, deletedReturned: 0, differs: 0, empty: 0 };
    for (let seed = 0; seed < 150; seed++) {
      const machine = new Machine(seed);
      await fill(machine);
      expect(machine.databases.rot(1, randomOf(seed))).toBe(1);
      const running = shown(machine);
      const after = await reopened(machine);
      // A run of lost records never ends with the last one: only a database that opens empty loses that.
      if (after !== '') expect(after).toMatch(/z./);
      const isFlipped = running !== whole;
      if (isFlipped) {
        expect(after).toBe(running);
        seen.differs += 1;
      } else if (after === '') seen.empty += 1;
      else if (/c1/.test(after)) seen.deletedReturned += 1;
      else if (/b1/.test(after)) seen.olderReturned += 1;
      // Of puts alone, perhaps ones that were overwritten later.
      else seen.vanished += 1;
    }
    for (const [what, times] of Object.entries(seen)) expect([what, times > 3]).toEqual([what, true]);
  });

  it('has nothing to rot before anything is durable', async () => {
    const machine = new Machine();
    expect(machine.databases.rot(3, randomOf(1))).toBe(0);
    await machine.play(async () => {
      await machine.openDatabase('/db').put(bytes('a'), bytes('1'));
    });
    expect(machine.databases.rot(3, randomOf(1))).toBe(0);
    expect(await reopened(machine)).toBe('a1');
  });

  it('does not open any more once all of it rotted, while whoever has it open goes on; one in its place does', async () => {
    const machine = new Machine();
    await fill(machine);
    expect(machine.databases.rot('all', randomOf(1))).toBe(1);
    expect(shown(machine)).toBe('a1 b2 d1 e1 f1 z9');
    await expect(reopened(machine)).rejects.toMatchObject({ cause: { code: 'LEVEL_CORRUPTION' } });
    await machine.play(async () => {
      await machine.disk.makeDirectory('/db');
      await machine.disk.makeDirectory('/aside');
      await machine.disk.rename('/db', '/aside/db');
    });
    expect(await reopened(machine)).toBe('');
    expect(machine.databases.inspect('/aside/db')).toHaveLength(6);
  });

  it('is the same for the same seed', async () => {
    const rotten = async (seed: number): Promise<string> => {
      const machine = new Machine(1);
      await fill(machine);
      machine.databases.rot(2, randomOf(seed));
      return reopened(machine);
    };
    for (let seed = 0; seed < 10; seed++) expect(await rotten(seed)).toBe(await rotten(seed));
  });
});
