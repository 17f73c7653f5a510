import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogStorage, StorageInstance } from '../../../src/storage/contract.ts';
import { type BackendName, Machine } from './machine.ts';

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const textOf = (index: number): string => `entry ${index} of the log.`;
const command = (index: number): Entry => ({
  kind: 'command',
  index,
  term: 1,
  payload: Buffer.from(textOf(index)),
});

/** A block for each of ten entries, and a snapshot of the first `snapshotIndex`, whose floor was not written. */
class Place {
  readonly machine: Machine;

  constructor(backend: BackendName) {
    this.machine = new Machine({ seed: 1, backend });
  }

  async written(snapshotIndex: number): Promise<this> {
    await this.open(async (log, instance) => {
      await log.write({
        writeId: { boot: 1, sequence: 1 },
        hardState: { term: 1, votedFor: null },
        entries: [command(1)],
      });
      for (let index = 2; index <= 10; index += 1) {
        await log.write({ writeId: { boot: 1, sequence: index }, entries: [command(index)] });
      }
      await instance
        .snapshots('a')
        .write({ index: snapshotIndex, term: 1, configuration }, [Buffer.from('state')]);
    });
    return this;
  }

  async open(body: (log: LogStorage, instance: StorageInstance) => Promise<void>): Promise<void> {
    await this.machine.live(
      async (storage) => {
        const instance = await storage.open({ id: 'n1' });
        await body(await instance.openLog('a'), instance);
        await instance.close();
      },
      { power: false },
    );
  }
}

const indexesOf = async (log: LogStorage, from: number, to: number): Promise<number[]> =>
  (await log.read({ from, to, bytesMax: Number.MAX_SAFE_INTEGER })).map(({ index }) => index);

describe.each(['files', 'level'] as const)('a log of the %s backend with a hole', (backend) => {
  it('that a snapshot covers begins after the snapshot, and is whole, at every opening', async () => {
    const place = await new Place(backend).written(6);
    place.machine.strike(textOf(3), 'flipped');
    for (let opening = 0; opening < 2; opening += 1) {
      await place.open(async (log, instance) => {
        expect(log.recovered).toMatchObject({
          damage: null,
          floor: { index: 6, term: 1 },
          lastIndex: 10,
          runs: [{ term: 1, firstIndex: 7 }],
        });
        // Not in silence.
        expect(log.recovered.covered?.holes).toEqual([{ from: 3, to: 3 }]);
        expect(log.recovered.covered?.report).toMatch(
          /^shard \d, group a: missing or changed in the middle of the log: entries 3 to 3\. .*The snapshot of entry 6 makes up for it$/,
        );
        expect(await indexesOf(log, 7, 10)).toEqual([7, 8, 9, 10]);
        expect((await instance.snapshots('a').latest())?.index).toBe(6);
      });
    }
    await place.open(async (log, instance) => {
      await log.write({ writeId: { boot: 4, sequence: 1 }, entries: [command(11)] });
      await instance.snapshots('a').write({ index: 8, term: 1, configuration }, [Buffer.from('later')]);
      await log.write({
        writeId: { boot: 4, sequence: 2 },
        entries: [],
        floor: { index: 8, term: 1, configuration },
      });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ damage: null, floor: { index: 8 }, lastIndex: 11 });
      expect(log.recovered.covered).toBeUndefined();
      expect(await indexesOf(log, 9, 11)).toEqual([9, 10, 11]);
    });
  });

  it.each([
    { what: 'that ends behind the snapshot', snapshotIndex: 3, from: 3, to: 3 },
    { what: 'behind the snapshot', snapshotIndex: 2, from: 3, to: 3 },
  ])('$what is one', async ({ snapshotIndex, from, to }) => {
    const place = await new Place(backend).written(snapshotIndex);
    place.machine.strike(textOf(3), 'flipped');
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 2 });
      expect(log.recovered.damage?.holes).toMatchObject([{ from, to }]);
    });
  });

  it('that a snapshot covers, and with another behind it, has that one', async () => {
    const place = await new Place(backend).written(6);
    place.machine.strike(textOf(3), 'flipped');
    place.machine.strike(textOf(8), 'flipped');
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 6 }, lastIndex: 7 });
      expect(log.recovered.damage?.holes).toMatchObject([{ from: 8, to: 8 }]);
      expect(log.recovered.covered?.holes).toEqual([{ from: 3, to: 3 }]);
      expect(log.recovered.damage?.end).toEqual({ index: 10, term: 1 });
    });
  });

  it('that is replaced by a snapshot of another leader before it begins after that one, and nothing is missing', async () => {
    const place = await new Place(backend).written(1);
    place.machine.strike(textOf(5), 'flipped');
    await place.open(async (log, instance) => {
      const floor = { index: 3, term: 2, configuration };
      await instance.snapshots('a').write(floor, [Buffer.from('of another leader')]);
      const missing = { term: 1, index: 10 };
      // As a core hands them over: the hard state, the floor, and that nothing is missing any more.
      await Promise.all([
        log.write({
          writeId: { boot: 2, sequence: 1 },
          hardState: { term: 2, votedFor: null, missing },
          entries: [],
        }),
        log.write({ writeId: { boot: 2, sequence: 2 }, entries: [], floor }),
        log.write({ writeId: { boot: 2, sequence: 3 }, hardState: { term: 2, votedFor: null }, entries: [] }),
      ]);
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({
        hardState: { term: 2 },
        floor: { index: 3, term: 2 },
        lastIndex: 3,
        damage: null,
      });
      expect(log.recovered.hardState.missing).toBeUndefined();
    });
  });

  it('at its end is known still when the log begins right before it', async () => {
    const place = await new Place(backend).written(1);
    // The open record stands behind the last entry, and names it.
    await place.open(async () => {});
    place.machine.strike(textOf(9), 'flipped');
    place.machine.strike(textOf(10), 'flipped');
    const missing = { term: 1, index: 10 };
    const floor = { index: 8, term: 1, configuration };
    await place.open(async (log, instance) => {
      await instance.snapshots('a').write(floor, [Buffer.from('state')]);
      await log.write({
        writeId: { boot: 3, sequence: 1 },
        hardState: { term: 1, votedFor: null, missing },
        entries: [],
      });
      await log.write({ writeId: { boot: 3, sequence: 2 }, entries: [], floor });
    });
    for (let opening = 0; opening < 2; opening += 1) {
      await place.open(async (log) => {
        expect(log.recovered).toMatchObject({ floor: { index: 8 }, lastIndex: 8, hardState: { missing } });
        expect(log.recovered.damage?.holes).toMatchObject([{ from: 9, to: 10 }]);
        expect(log.recovered.damage?.end).toEqual({ index: 10, term: 1 });
      });
    }
    await place.open(async (log) => {
      expect((await log.repair([command(9), command(10)]))?.damage).toBeNull();
      expect(await indexesOf(log, 9, 10)).toEqual([9, 10]);
    });
  });
});
