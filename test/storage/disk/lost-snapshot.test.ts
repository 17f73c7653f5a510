import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogStorage, StorageInstance } from '../../../src/storage/contract.ts';
import { type BackendName, Machine, stoppedEverywhere } from './machine.ts';

const member = (id: string) => ({ id, incarnation: `${id}-0123456789abc`, address: `${id}:1` });
const configuration = {
  id: '1.1',
  voters: [member('n1'), member('n2')],
  outgoing: [],
  learners: [],
  retired: [],
};
const textOf = (index: number): string => `entry ${index} of the log.`;
const stateOf = (index: number): string => `state after entry ${index}`;
const termOf = (index: number): number => (index < 5 ? 1 : 2);
const command = (index: number): Entry => ({
  kind: 'command',
  index,
  term: termOf(index),
  payload: Buffer.from(textOf(index)),
});
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** A block for each entry up to `last`, snapshots of some, and the floor that the last of them allows. */
class Place {
  readonly machine: Machine;
  #boot = 0;

  constructor(backend: BackendName) {
    this.machine = new Machine({ seed: 1, backend });
  }

  async written({
    last,
    snapshots,
    floor,
  }: {
    last: number;
    snapshots: number[];
    floor: number;
  }): Promise<this> {
    await this.open(async (log, instance) => {
      for (const index of range(1, last)) {
        const term = termOf(index);
        const isNew = term !== termOf(index - 1) || index === 1;
        await this.write(log, {
          ...(isNew ? { hardState: { term, votedFor: null } } : {}),
          entries: [command(index)],
        });
      }
      for (const index of snapshots) await this.take(instance, index);
      await this.write(log, { entries: [], floor: { index: floor, term: termOf(floor), configuration } });
    });
    return this;
  }

  async take(instance: StorageInstance, index: number): Promise<void> {
    await instance
      .snapshots('a')
      .write({ index, term: termOf(index), configuration }, [Buffer.from(stateOf(index))]);
  }

  #sequence = 0;
  write(log: LogStorage, request: Omit<Parameters<LogStorage['write']>[0], 'writeId'>): Promise<void> {
    this.#sequence += 1;
    return log.write({ writeId: { boot: this.#boot, sequence: this.#sequence }, ...request });
  }

  async open(
    body: (log: LogStorage, instance: StorageInstance) => Promise<void>,
    how: { events?: number; power: boolean } = { power: false },
  ): Promise<boolean> {
    return this.machine.live(async (storage) => {
      const instance = await storage.open({ id: 'n1' });
      this.#boot = instance.identity.boot;
      const snapshot = await instance.snapshots('a').latest();
      await body(await instance.openLog('a', { snapshot }), instance);
      await instance.close();
    }, how);
  }
}

const indexesOf = async (log: LogStorage, from: number, to: number): Promise<number[]> =>
  (await log.read({ from, to, bytesMax: Number.MAX_SAFE_INTEGER })).map(({ index }) => index);
const isSnapshot = (path: string): boolean => path.endsWith('.snapshot');
const missing = { term: 2, index: 10 };

describe.each(['files', 'level'] as const)('a log of the %s backend whose snapshot is lost', (backend) => {
  it.each([
    { what: 'missing', strike: (machine: Machine) => machine.lose(isSnapshot) },
    { what: 'damaged', strike: (machine: Machine) => machine.strikeLive(stateOf(8)) },
  ])('since it is $what lacks what that held, knows its end, and is left as it is', async ({ strike }) => {
    const place = await new Place(backend).written({ last: 10, snapshots: [8], floor: 8 });
    strike(place.machine);
    const before = place.machine.logs();
    for (let opening = 0; opening < 2; opening += 1) {
      await place.open(async (log, instance) => {
        const { damage, ...rest } = log.recovered;
        expect(rest).toMatchObject({
          floor: { index: 0, term: 0, configuration: null },
          lastIndex: 0,
          runs: [],
          configurations: [],
        });
        expect(damage).toMatchObject({
          holes: [{ from: 1, to: 8, anchor: { index: 8, term: 2 } }],
          end: { index: 10, term: 2 },
          configuration,
        });
        expect(damage?.report).toMatch(
          /^shard \d, group a: the log begins after entry 8, and there is no whole snapshot of that entry or a later one; missing .* entries 1 to 8\. It goes on to index 10$/,
        );
        expect(await instance.snapshots('a').latest()).toBeNull();
        expect(await indexesOf(log, 9, 10)).toEqual([9, 10]);
        expect([8, 9, 10].map((index) => log.termAt(index))).toEqual([null, 2, 2]);
      });
      expect(place.machine.logs()).toEqual(before);
    }
  });

  it('and which holds nothing after it still knows its end', async () => {
    const place = await new Place(backend).written({ last: 10, snapshots: [10], floor: 10 });
    place.machine.lose(isSnapshot);
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 0 });
      expect(log.recovered.damage).toMatchObject({
        holes: [{ from: 1, to: 10, anchor: { index: 10, term: 2 } }],
        end: { index: 10, term: 2 },
      });
    });
  });

  it('begins after an older one that is there', async () => {
    const place = await new Place(backend).written({ last: 10, snapshots: [3], floor: 3 });
    await place.open(async (log, instance) => {
      // Held, as by a backup, so that it stays when the next one and its floor come.
      const latest = await instance.snapshots('a').latest();
      if (latest === null) throw new Error('no snapshot');
      await instance.snapshots('a').hold(latest);
      await place.take(instance, 8);
      await place.write(log, { entries: [], floor: { index: 8, term: 2, configuration } });
    });
    place.machine.strikeLive(stateOf(8));
    await place.open(async (log, instance) => {
      expect(log.recovered).toMatchObject({ floor: { index: 3, term: 1, configuration }, lastIndex: 3 });
      expect(log.recovered.damage?.holes).toMatchObject([{ from: 4, to: 8, anchor: { index: 8, term: 2 } }]);
      expect((await instance.snapshots('a').latest())?.index).toBe(3);
    });
  });

  it('needs nothing where a later one is whole, or the log reaches back to an older one', async () => {
    const place = await new Place(backend).written({ last: 10, snapshots: [4, 8], floor: 4 });
    place.machine.strikeLive(stateOf(8));
    await place.open(async (log, instance) => {
      expect(log.recovered).toMatchObject({ floor: { index: 4 }, lastIndex: 10, damage: null });
      expect((await instance.snapshots('a').latest())?.index).toBe(4);
    });
  });

  it('is filled from its end, over openings, and then begins with the first entry', async () => {
    const place = await new Place(backend).written({ last: 10, snapshots: [8], floor: 8 });
    place.machine.lose(isSnapshot);
    await place.open(async (log) => {
      await place.write(log, { hardState: { term: 2, votedFor: null, missing }, entries: [] });
      const left = await log.repair([command(6), command(7), command(8)]);
      expect(left?.damage?.holes).toMatchObject([{ from: 1, to: 5, anchor: { index: 6, term: 2 } }]);
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 0, hardState: { missing } });
      expect(log.recovered.damage).toMatchObject({
        holes: [{ from: 1, to: 5 }],
        end: { index: 10, term: 2 },
      });
      expect(await indexesOf(log, 6, 10)).toEqual([6, 7, 8, 9, 10]);
      const whole = await log.repair(range(1, 5).map(command));
      expect(whole).toMatchObject({
        damage: null,
        floor: { index: 0 },
        lastIndex: 10,
        runs: [
          { term: 1, firstIndex: 1 },
          { term: 2, firstIndex: 5 },
        ],
      });
      await place.write(log, { hardState: { term: 2, votedFor: null }, entries: [command(11)] });
    });
    for (let opening = 0; opening < 2; opening += 1) {
      await place.open(async (log) => {
        expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 11, damage: null });
        expect(await indexesOf(log, 1, 11)).toEqual(range(1, 11));
      });
    }
    // A snapshot of its own lies before the floor on the disk, which then goes back to it.
    await place.open(async (log, instance) => {
      await place.take(instance, 6);
      await place.write(log, { entries: [], floor: { index: 6, term: 2, configuration } });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 6, term: 2 }, lastIndex: 11, damage: null });
      expect(await indexesOf(log, 7, 11)).toEqual(range(7, 11));
    });
  });

  it("takes a leader's log from its beginning where nobody else has what is missing", async () => {
    const place = await new Place(backend).written({ last: 10, snapshots: [8], floor: 8 });
    place.machine.lose(isSnapshot);
    const hardState = { term: 3, votedFor: null, missing };
    await place.open(async (log) => {
      await place.write(log, { hardState, cutFrom: 1, entries: [] });
      await place.write(log, { entries: range(1, 4).map(command) });
    });
    // What the floor says stays true: its entry is committed, whatever is held of what lies before.
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ lastIndex: 4, hardState: { missing } });
      expect(log.recovered.damage).toMatchObject({
        holes: [{ from: 5, to: 8, anchor: { index: 8, term: 2 } }],
        end: { index: 8, term: 2 },
      });
      await place.write(log, { cutFrom: 5, entries: range(5, 9).map(command) });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 9, damage: null });
      expect(await indexesOf(log, 1, 9)).toEqual(range(1, 9));
    });
  });

  it.each([
    { what: 'further on than its end', index: 12 },
    { what: 'that its floor was before', index: 6 },
  ])("begins after a leader's snapshot $what, and nothing is missing", async ({ index }) => {
    const place = await new Place(backend).written({ last: 10, snapshots: [8], floor: 8 });
    place.machine.lose(isSnapshot);
    const term = termOf(index);
    await place.open(async (log, instance) => {
      await place.write(log, { hardState: { term: 2, votedFor: null, missing }, entries: [] });
      await place.take(instance, index);
      await place.write(log, { entries: [], floor: { index, term, configuration } });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index, term }, lastIndex: index, damage: null });
      expect(log.recovered.hardState.missing).toEqual(missing);
      await place.write(log, { entries: [command(index + 1)] });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index, term }, lastIndex: index + 1, damage: null });
    });
  });

  it('and blocks behind it as well lacks both', async () => {
    const place = await new Place(backend).written({ last: 12, snapshots: [6], floor: 6 });
    place.machine.lose(isSnapshot);
    place.machine.strike(textOf(9), 'flipped');
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 0 });
      expect(log.recovered.damage?.holes).toMatchObject([
        { from: 1, to: 6, anchor: { index: 6, term: 2 } },
        { from: 9, to: 9, anchor: { index: 9, term: 2 } },
      ]);
      expect(await indexesOf(log, 7, 8)).toEqual([7, 8]);
    });
  });

  it('and its end as well does not know its end', async () => {
    const place = await new Place(backend).written({ last: 12, snapshots: [6], floor: 6 });
    place.machine.lose(isSnapshot);
    place.machine.strike(textOf(12), 'flipped');
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 0 });
      expect(log.recovered.damage).toMatchObject({ holes: [], end: null, configuration });
      const unknown = { term: 2, index: null };
      await place.write(log, {
        hardState: { term: 2, votedFor: null, missing: unknown },
        entries: range(1, 9).map(command),
      });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({ floor: { index: 0 }, lastIndex: 9, damage: null });
      expect(log.recovered.hardState.missing).toEqual({ term: 2, index: null });
    });
  });

  it('before its floor was written, and behind its end, does not know its end', async () => {
    const place = await new Place(backend).written({ last: 6, snapshots: [4], floor: 4 });
    // As a leader sent it: from then on it was acknowledged, and the machine stopped.
    await place.open((_log, instance) => place.take(instance, 9));
    place.machine.strikeLive(stateOf(9));
    const unknown = { term: 2, index: null };
    await place.open(async (log, instance) => {
      expect((await instance.snapshots('a').latest())?.index).toBe(4);
      expect(log.recovered).toMatchObject({ floor: { index: 4 }, lastIndex: 6 });
      expect(log.recovered.damage).toMatchObject({ holes: [], end: null });
      expect(log.recovered.damage?.report).toMatch(/after index 6\. Why: the snapshot of entry 9 is damaged/);
      await place.write(log, {
        hardState: { term: 2, votedFor: null, missing: unknown },
        entries: [command(7), command(8)],
      });
    });
    await place.open(async (log) => {
      expect(log.recovered).toMatchObject({
        lastIndex: 8,
        damage: { end: null },
        hardState: { missing: unknown },
      });
      await place.write(log, { entries: [command(9)] });
    });
    // As much is held as it may have stood for.
    await place.open(async (log) => expect(log.recovered).toMatchObject({ lastIndex: 9, damage: null }));
  });

  it.each([true, false])('is repaired over a crash at any moment, with power lost: %s', async (power) => {
    await stoppedEverywhere(async (events) => {
      const place = await new Place(backend).written({ last: 6, snapshots: [4], floor: 4 });
      place.machine.lose(isSnapshot);
      const repair = async (log: LogStorage): Promise<void> => {
        if (log.recovered.damage === null) return;
        await place.write(log, { hardState: { term: 2, votedFor: null, missing }, entries: [] });
        for (let left = log.recovered.damage.holes; left.length > 0; ) {
          const { to } = left[0] ?? { to: 0 };
          left = (await log.repair([command(to)]))?.damage?.holes ?? [];
        }
      };
      const ended = await place.open(repair, { events, power });
      await place.open(async (log) => {
        expect(log.recovered).toMatchObject({ floor: { index: 0 } });
        expect(log.recovered.damage?.end ?? { index: log.recovered.lastIndex, term: 2 }).toEqual({
          index: 6,
          term: 2,
        });
        await repair(log);
        expect(await indexesOf(log, 1, 6)).toEqual(range(1, 6));
      });
      return ended;
    });
  });
});
