import { describe, expect, it } from 'vitest';
import type { Database } from '../../../src/doors/database.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogHole, LogStorage, RecoveredLog } from '../../../src/storage/contract.ts';
import { fileStorage, type Storage } from '../../../src/storage/index.ts';
import { type BackendName, Machine, type Strike, stoppedEverywhere } from './machine.ts';
import { type Change, contentOf, Truth } from './truth.ts';

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const textOf = (index: number, term: number): string => `entry ${index} of term ${term}.`;
const command = (index: number, term: number): Entry => ({
  kind: 'command',
  index,
  term,
  payload: Buffer.from(textOf(index, term)),
});
const termOf = (term: number): Change => ({ hardState: { term, votedFor: null } });

/** One machine, and what was written to the log on it: a block for each write. */
class Place {
  readonly machine: Machine;
  readonly truth = new Truth('orders');

  private constructor(backend: BackendName) {
    this.machine = new Machine({ seed: 1, backend });
  }

  /** Entries 1 2 | 3 | 4 5 | 6 | 7 8 9 | 9: three terms, and a cut into the fifth block. */
  static async written(backend: BackendName): Promise<Place> {
    const place = new Place(backend);
    await place.withLog(async (log) => {
      const write = (change: Change): Promise<void> => place.truth.write(log, change);
      await write({ ...termOf(1), entries: [command(1, 1), command(2, 1)] });
      await write({ entries: [command(3, 1)] });
      const changed: Entry = {
        kind: 'configuration',
        index: 4,
        term: 2,
        clusterId: '00000000000000ff',
        configuration,
      };
      await write({ ...termOf(2), entries: [changed, command(5, 2)] });
      await write({ entries: [command(6, 2)] });
      await write({ entries: [command(7, 2), command(8, 2), command(9, 2)] });
      await write({ ...termOf(3), cutFrom: 9, entries: [command(9, 3)] });
    });
    return place;
  }

  /** One life that opens the log, and closes it at its end if `closes` says so. */
  async withLog(
    body: (log: LogStorage) => Promise<void>,
    options: { readonly power: boolean; readonly events?: number; readonly closes?: boolean } = {
      power: false,
      closes: true,
    },
  ): Promise<boolean> {
    return this.machine.live(async (storage: Storage) => {
      const instance = await storage.open({ id: 'n1' });
      await body(await instance.openLog('orders'));
      if (options.closes === true) await instance.close();
    }, options);
  }

  /** What a life that only opens the log finds. */
  async opened(): Promise<{ recovered: RecoveredLog; outcome: string; entries: readonly Entry[] }> {
    const found: { recovered: RecoveredLog; outcome: string; entries: readonly Entry[] }[] = [];
    await this.withLog(async (log) => {
      const { recovered } = log;
      const entries = await contentOf(log, recovered.floor.index + 1, recovered.lastIndex);
      const outcome = await this.truth.outcomeOf(log, 'opened').catch(() => 'other');
      found.push({ recovered, outcome, entries });
    });
    const [one] = found;
    if (one === undefined) throw new Error('it did not open');
    return one;
  }
}

const powerCut = { power: true } as const;
const strikes: readonly Strike[] = ['flipped', 'zeroed', 'removed'];
/** What the core says before it writes anything else to a log with a known end. */
const missing: Change = { hardState: { term: 3, votedFor: null, missing: { term: 3, index: 9 } } };
const missingTail: Change = { hardState: { term: 3, votedFor: null, missing: { term: 3, index: null } } };

describe.each(['files', 'level'] as const)('a log of the %s backend', (backend: BackendName) => {
  it.each(strikes)('with a block %s opens with a hole, and is left as it is', async (how) => {
    const place = await Place.written(backend);
    place.machine.strike(textOf(6, 2), how);
    const before = place.machine.logs();
    for (let opening = 0; opening < 2; opening += 1) {
      const { recovered, outcome } = await place.opened();
      expect(outcome).toBe('holes');
      expect(recovered).toMatchObject({
        lastIndex: 5,
        runs: [
          { term: 1, firstIndex: 1 },
          { term: 2, firstIndex: 4 },
        ],
        configurations: [{ index: 4 }],
        damage: { holes: [{ from: 6, to: 6, anchor: { index: 6, term: 2 } }], end: { index: 9, term: 3 } },
      });
      expect(place.machine.logs()).toEqual(before);
    }
  });

  it.each(strikes)(
    'with two blocks %s is repaired piece by piece, with a power cut after each',
    async (how) => {
      const place = await Place.written(backend);
      const { truth, machine } = place;
      machine.strike(textOf(8, 2), how);
      machine.strike(textOf(3, 1), how);
      const lefts: (readonly LogHole[])[] = [];
      for (let outcome = 'holes'; outcome !== 'exact'; ) {
        await place.withLog(async (log) => {
          outcome = await truth.outcomeOf(log, 'between repairs');
          const { damage } = log.recovered;
          lefts.push(damage?.holes ?? []);
          if (damage !== null) await log.repair(truth.pieceOf(damage.holes, 1));
        }, powerCut);
      }
      // Whatever block is lost last is known to have ended with entry 9 of another term, which it lost again.
      const anchor = { index: 9, term: 3 };
      const second = { from: 3, to: 3, anchor: { index: 4, term: 2 } };
      expect(lefts).toEqual([
        [second, { from: 7, to: 8, anchor }],
        [second, { from: 7, to: 7, anchor: { index: 8, term: 2 } }],
        [second],
        [],
      ]);
    },
  );

  it('is whole in the same life once its last hole is filled, and goes on as any other', async () => {
    const place = await Place.written(backend);
    const { truth, machine } = place;
    machine.strike(textOf(5, 2), 'flipped');
    await place.withLog(async (log) => {
      // The lost block began a term: whether it cut what stood before it, only an entry of that term can tell.
      const holes = [{ from: 1, to: 5, anchor: { index: 5, term: 2 } }];
      expect(log.recovered).toMatchObject({ lastIndex: 0, runs: [], damage: { holes } });
      expect([log.termAt(3), log.termAt(6)]).toEqual([null, 2]);
      expect(await log.repair(truth.entries.slice(3, 5))).toMatchObject({
        lastIndex: 0,
        damage: { holes: [{ from: 1, to: 3, anchor: { index: 4, term: 2 } }], end: { index: 9, term: 3 } },
      });
      const whole = await log.repair(truth.entries.slice(2, 3));
      expect(whole).toEqual({
        hardState: truth.hardState,
        floor: truth.floor,
        lastIndex: 9,
        runs: [
          { term: 1, firstIndex: 1 },
          { term: 2, firstIndex: 4 },
          { term: 3, firstIndex: 9 },
        ],
        configurations: [truth.entries[3]],
        damage: null,
      });
      expect(await contentOf(log, 1, 9)).toEqual(truth.entries);
      await truth.write(log, { entries: [command(10, 3)] });
      await truth.write(log, { entries: [], floor: { index: 3, term: 1, configuration } });
      await truth.write(log, { ...termOf(4), cutFrom: 10, entries: [command(10, 4)] });
      expect(await contentOf(log, 4, 10)).toEqual(truth.entries.slice(3));
    }, powerCut);
    expect((await place.opened()).outcome).toBe('exact');
    // The repair has a high number and low indexes: it must outlive the blocks that stand after it.
    for (const index of [4, 5, 8, 10]) {
      await place.withLog((log) =>
        truth.write(log, {
          entries: [],
          floor: { index, term: truth.entries[index - 1]?.term ?? 0, configuration },
        }),
      );
      expect((await place.opened()).outcome).toBe('exact');
    }
  });

  it('keeps what it was told by a repair, wherever the machine stops meanwhile', async () => {
    const stops = await stoppedEverywhere(async (events) => {
      const place = await Place.written(backend);
      const { truth, machine } = place;
      machine.strike(textOf(7, 2), 'zeroed');
      machine.strike(textOf(3, 1), 'removed');
      let left = 3;
      const ended = await place.withLog(
        async (log) => {
          let recovered: RecoveredLog | null = log.recovered;
          while (recovered !== null && recovered.damage !== null) {
            recovered = await log.repair(truth.pieceOf(recovered.damage.holes, 1));
            left -= 1;
          }
        },
        { power: true, events },
      );
      await place.withLog(async (log) => {
        const outcome = await truth.outcomeOf(log, `after ${events} events`);
        const holes = log.recovered.damage?.holes ?? [];
        const lacks = holes.reduce((sum, { from, to }) => sum + to - from + 1, 0);
        expect(lacks, `after ${events} events`).toBeLessThanOrEqual(left);
        if (outcome !== 'exact') await truth.repair(log, 5);
      });
      expect((await place.opened()).outcome, `after ${events} events`).toBe('exact');
      return ended;
    });
    expect(stops).toBeGreaterThan(20);
  });

  it('may be written over instead: nothing is gone before it is told to be missing', async () => {
    const outcomes = new Map<string, number>();
    await stoppedEverywhere(async (events) => {
      const place = await Place.written(backend);
      const { truth, machine } = place;
      machine.strike(textOf(6, 2), 'flipped');
      const over = [command(6, 4), command(7, 4)];
      const ended = await place.withLog(
        async (log) => {
          const write = (change: Change): Promise<void> =>
            log.write({ writeId: { boot: 2, sequence: 1 }, entries: [], ...change });
          const told = write(missing);
          const hardState = { ...missing.hardState, term: 4, votedFor: null };
          await Promise.all([told, write({ hardState, entries: over })]);
        },
        { power: true, events },
      );
      const { recovered, entries } = await place.opened();
      const { damage, hardState } = recovered;
      if (damage === null) {
        expect(entries).toEqual([...truth.entries.slice(0, 5), ...over]);
        expect(hardState.missing).toEqual({ term: 3, index: 9 });
      } else {
        expect(entries).toEqual(truth.entries.slice(0, 5));
        expect(damage.holes).toEqual([{ from: 6, to: 6, anchor: { index: 6, term: 2 } }]);
      }
      const outcome = `${damage === null ? 'over' : 'hole'}, ${hardState.missing === undefined ? 'not ' : ''}told`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      return ended;
    });
    expect([...outcomes.keys()].sort()).toEqual(['hole, not told', 'hole, told', 'over, told']);
  });

  it.each(strikes)(
    'whose last block is %s has no known end, and gives it up once that is durable',
    async (how) => {
      const outcomes = new Set<string>();
      await stoppedEverywhere(async (events) => {
        const place = await Place.written(backend);
        const { machine } = place;
        machine.strike(textOf(9, 3), how);
        const before = machine.logs();
        const first = await place.opened();
        expect(first.outcome).toBe('tail-lost');
        // The block before it is there, and what the lost one cut comes back.
        expect(first.recovered).toMatchObject({ lastIndex: 9, damage: { holes: [], end: null } });
        expect(machine.logs()).toEqual(before);
        const ended = await place.withLog(
          async (log) => {
            expect(await log.repair([command(9, 3)])).toBeNull();
            expect(machine.logs()).toEqual(before);
            await log.write({ writeId: { boot: 2, sequence: 1 }, entries: [], ...missingTail });
          },
          { power: true, events },
        );
        const { recovered } = await place.opened();
        expect(recovered.lastIndex).toBe(9);
        if (recovered.damage === null) expect(recovered.hardState).toEqual(missingTail.hardState);
        else expect(recovered.damage.end).toBeNull();
        outcomes.add(`${recovered.damage === null}, ${recovered.hardState.missing !== undefined}`);
        if (ended) expect(recovered.damage).toBeNull();
        return ended;
      });
      expect([...outcomes].sort()).toEqual(['false, false', 'false, true', 'true, true']);
    },
  );

  it('ends before its first hole when its tail is lost too, and never goes on behind it', async () => {
    const place = await Place.written(backend);
    const { truth, machine } = place;
    machine.strike(textOf(6, 2), 'flipped');
    machine.strike(textOf(9, 3), 'flipped');
    const { recovered } = await place.opened();
    expect(recovered).toMatchObject({ lastIndex: 5, damage: { holes: [], end: null } });
    await place.withLog(async (log) => {
      await log.write({ writeId: { boot: 2, sequence: 1 }, entries: [], ...missingTail });
      expect(log.termAt(7)).toBeNull();
    }, powerCut);
    const after = await place.opened();
    expect(after.recovered).toMatchObject({ lastIndex: 5, damage: null, hardState: missingTail.hardState });
    expect(after.entries).toEqual(truth.entries.slice(0, 5));
  });

  it.each([
    ['ends within the hole', [command(7, 2)], /a repair ends at entry 7; the hole is from 7 to 8/],
    ['begins before the hole', [6, 7, 8].map((i) => command(i, 2)), /a repair begins at entry 6/],
    ['has a gap', [command(7, 2), command(6, 2), command(8, 2)], /entry 6 was handed over where 8 follows/],
    ['goes back in its terms', [command(7, 3), command(8, 2)], /entry 8 of term 2 follows one of term 3/],
    ['goes back behind the entry before', [command(7, 1), command(8, 1)], /entry 7 of term 1 follows/],
    ['goes ahead of the anchor', [command(8, 4)], /entry 8 is of term 4, but entry 9 is of term 3/],
  ])('is not led into a repair that %s', async (_what, entries, why) => {
    const place = await Place.written(backend);
    place.machine.strike(textOf(8, 2), 'zeroed');
    const before = place.machine.logs();
    await place.withLog(async (log) => {
      await expect(log.repair(entries)).rejects.toThrow(why);
      await expect(log.write({ writeId: { boot: 2, sequence: 1 }, entries: [], ...missing })).rejects.toThrow(
        why,
      );
    });
    expect(place.machine.logs()).toEqual(before);
    expect((await place.opened()).outcome).toBe('holes');
  });

  it('is not written to by one who does not say what is missing', async () => {
    for (const [text, change] of [
      [textOf(8, 2), { entries: [command(7, 3)] }],
      [textOf(8, 2), termOf(4)],
      [textOf(9, 3), termOf(4)],
    ] as const) {
      const place = await Place.written(backend);
      place.machine.strike(text, 'flipped');
      const before = place.machine.logs();
      await place.withLog(async (log) => {
        const write = log.write({ writeId: { boot: 2, sequence: 1 }, entries: [], ...change });
        await expect(write).rejects.toThrow(/does not say that entries are missing/);
      });
      expect(place.machine.logs()).toEqual(before);
    }
  });

  it('has no hole any more once a write began before it, in the order of the calls', async () => {
    const place = await Place.written(backend);
    place.machine.strike(textOf(8, 2), 'flipped');
    const writeId = { boot: 2, sequence: 1 };
    await place.withLog(async (log) => {
      const first = log.repair([command(8, 2)]);
      const told = log.write({ writeId, entries: [], ...missing });
      const over = log.write({ writeId, cutFrom: 7, entries: [command(7, 3)] });
      const second = log.repair([command(7, 2)]);
      expect(await first).toMatchObject({ lastIndex: 6, damage: { holes: [{ from: 7, to: 7 }] } });
      await told;
      await over;
      expect(await second).toBeNull();
      expect([7, 8, 9].map((index) => log.termAt(index))).toEqual([3, null, null]);
      await log.write({ writeId, entries: [command(8, 3)] });
    }, powerCut);
    const { recovered } = await place.opened();
    expect(recovered).toMatchObject({ lastIndex: 8, damage: null, hardState: missing.hardState });
  });

  it('keeps its hole when a floor lies before it, and begins anew at one within it or behind', async () => {
    for (const [index, term, left] of [
      [5, 2, 'hole'],
      [2, 1, 'hole'],
      [7, 2, 'nothing'],
      [9, 3, 'nothing'],
      [20, 3, 'nothing'],
    ] as const) {
      const place = await Place.written(backend);
      place.machine.strike(textOf(6, 2), 'flipped');
      const floor = { index, term, configuration };
      await place.withLog(async (log) => {
        await log.write({ writeId: { boot: 2, sequence: 1 }, entries: [], ...missing });
        await log.write({ writeId: { boot: 2, sequence: 2 }, entries: [], floor });
        expect(log.termAt(9)).toBe(left === 'hole' || index === 9 ? 3 : null);
      }, powerCut);
      const { recovered } = await place.opened();
      expect(recovered.floor).toEqual(floor);
      const holes = [{ from: 6, to: 6, anchor: { index: 6, term: 2 } }];
      if (left === 'hole') expect(recovered).toMatchObject({ lastIndex: 5, damage: { holes } });
      else expect(recovered).toMatchObject({ lastIndex: index, runs: [], damage: null });
      if (left !== 'hole') continue;
      await place.withLog(async (log) => {
        expect(await log.repair([command(6, 2)])).toMatchObject({ lastIndex: 9, damage: null });
      }, powerCut);
      expect((await place.opened()).recovered).toMatchObject({ lastIndex: 9, floor, damage: null });
    }
  });
});

describe('a block that is damaged while its log is open', () => {
  it('poisons the files storage when it is read, and is a hole for the next', async () => {
    const place = await Place.written('files');
    await place.withLog(async (log) => {
      place.machine.strikeLive(textOf(6, 2));
      await expect(log.read({ from: 6, to: 6, bytesMax: 1 })).rejects.toMatchObject({
        code: 'KONTIKI_STORAGE_FAILED',
      });
    });
    expect((await place.opened()).outcome).toBe('holes');
  });

  it('poisons the files storage when its configurations are read for a log that is opened', async () => {
    const place = await Place.written('files');
    await place.machine.live(
      async (storage) => {
        const instance = await storage.open({ id: 'n1' });
        place.machine.strikeLive('00000000000000ff');
        await expect(instance.openLog('orders')).rejects.toMatchObject({
          code: 'KONTIKI_STORAGE_FAILED',
          message: expect.stringContaining('its checksum is wrong'),
        });
        await expect(instance.openLog('others')).rejects.toMatchObject({ code: 'KONTIKI_STORAGE_FAILED' });
      },
      { power: false },
    );
    const { recovered, outcome } = await place.opened();
    expect({ outcome, configurations: recovered.configurations }).toEqual({
      outcome: 'holes',
      configurations: [],
    });
  });

  it('poisons the level storage when it is gone, and is a hole for the next', async () => {
    const place = await Place.written('level');
    await place.machine.live(
      async (_storage, _disk, doors) => {
        const databases: Database[] = [];
        const openDatabase = (directory: string): Database => {
          const database = doors.openDatabase(directory);
          databases.push(database);
          return database;
        };
        const storage = fileStorage({
          directory: '/data',
          backend: 'level',
          doors: { ...doors, openDatabase },
        });
        const log = await (await storage.open({ id: 'n1' })).openLog('orders');
        for await (const [key, value] of databases[0]?.iterator() ?? []) {
          if (Buffer.from(value).includes(textOf(6, 2))) await databases[0]?.del(key);
        }
        await expect(log.read({ from: 6, to: 6, bytesMax: 1 })).rejects.toMatchObject({
          code: 'KONTIKI_STORAGE_FAILED',
        });
      },
      { power: false },
    );
    expect((await place.opened()).outcome).toBe('holes');
  });
});
