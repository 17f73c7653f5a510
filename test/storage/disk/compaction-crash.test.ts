import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Disk } from '../../../src/doors/disk.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogFloor, LogStorage, SnapshotMeta, SnapshotStorage } from '../../../src/storage/contract.ts';
import type { Storage } from '../../../src/storage/index.ts';
import { type BackendName, Machine, stoppedEverywhere } from './machine.ts';

const configuration: Configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };

/** Long enough that a few blocks fill a segment. */
const entry = (index: number, term: number): Entry => ({
  kind: 'command',
  index,
  term,
  payload: Buffer.alloc(1500, `${index} of term ${term}. `),
});
const stateAt = (index: number): string => `the state after ${index}: ${'.'.repeat(300)}`;
const chunksOf = (index: number): Uint8Array[] => {
  const whole = Buffer.from(stateAt(index));
  return [whole.subarray(0, 100), whole.subarray(100)];
};
const place = (index: number, term: number): LogFloor & { configuration: Configuration } => ({
  index,
  term,
  configuration,
});

/** What happens while the machine may stop: a snapshot is stored, the log begins after the floor, and goes on. */
interface Compaction {
  readonly snapshot: { readonly index: number; readonly term: number };
  readonly floor: { readonly index: number; readonly term: number };
  /** The log's last entry before. All of term 1. */
  readonly lastIndex: number;
}

const compactions: [string, Compaction][] = [
  ['within the log', { snapshot: { index: 7, term: 1 }, floor: { index: 5, term: 1 }, lastIndex: 8 }],
  ['at its end', { snapshot: { index: 8, term: 1 }, floor: { index: 8, term: 1 }, lastIndex: 8 }],
  ['beyond its end', { snapshot: { index: 100, term: 3 }, floor: { index: 100, term: 3 }, lastIndex: 8 }],
  [
    'with another term at its index',
    { snapshot: { index: 5, term: 3 }, floor: { index: 5, term: 3 }, lastIndex: 8 },
  ],
];

/** What was told to be durable. */
interface Told {
  snapshotIndex: number;
  floorIndex: number;
  lastIndex: number;
  term: number;
}

class Writer {
  readonly #log: LogStorage;
  #sequence = 0;

  constructor(log: LogStorage) {
    this.#log = log;
  }

  write(request: Partial<Parameters<LogStorage['write']>[0]>): Promise<void> {
    this.#sequence += 1;
    return this.#log.write({ writeId: { boot: 1, sequence: this.#sequence }, entries: [], ...request });
  }
}

/** A log in blocks of one entry, with a snapshot at 3 and its floor at 2. */
async function prepare(storage: Storage, { lastIndex }: Compaction): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const writer = new Writer(await instance.openLog('a'));
  await writer.write({ hardState: { term: 1, votedFor: null } });
  for (let index = 1; index <= lastIndex; index += 1) await writer.write({ entries: [entry(index, 1)] });
  await instance.snapshots('a').write(place(3, 1), chunksOf(3));
  await writer.write({ floor: place(2, 1) });
  await instance.close();
}

/** Writes are queued before and after the floor, as a core does that waits for none. */
async function compact(
  storage: Storage,
  { snapshot, floor, lastIndex }: Compaction,
  told: Told,
): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const snapshots = instance.snapshots('a');
  await snapshots.latest();
  const writer = new Writer(await instance.openLog('a'));
  const term = 3;
  await writer.write({ hardState: { term, votedFor: null } });
  told.term = term;
  await snapshots.write(place(snapshot.index, snapshot.term), chunksOf(snapshot.index));
  told.snapshotIndex = snapshot.index;
  const isReset = floor.term !== 1 || floor.index > lastIndex;
  const writes: Promise<void>[] = [];
  const write = (request: Parameters<Writer['write']>[0], acknowledge: () => void): void => {
    writes.push(writer.write(request).then(acknowledge));
  };
  let last = lastIndex;
  if (!isReset) {
    last += 1;
    const entries = [entry(last, term)];
    write({ entries }, () => Object.assign(told, { lastIndex: lastIndex + 1 }));
  } else {
    last = floor.index;
  }
  const end = last;
  write({ floor: place(floor.index, floor.term) }, () =>
    Object.assign(told, { floorIndex: floor.index, lastIndex: end }),
  );
  for (let index = last + 1; index <= last + 2; index += 1) {
    write({ entries: [entry(index, term)] }, () => Object.assign(told, { lastIndex: index }));
  }
  await Promise.all(writes);
  await instance.close();
}

const termAt = (index: number, { floor, lastIndex }: Compaction): number =>
  index > lastIndex || (floor.term !== 1 && index > floor.index) ? 3 : 1;

async function check(
  { log, snapshots }: { readonly log: LogStorage; readonly snapshots: SnapshotStorage },
  compaction: Compaction,
  told: Told,
): Promise<{ readonly latest: SnapshotMeta; readonly lastIndex: number }> {
  const latest = await snapshots.latest();
  if (latest === null) throw new Error('no snapshot is left');
  const content = await snapshots.read(latest, { offset: 0, length: latest.size });
  if (Buffer.from(content).toString() !== stateAt(latest.index)) throw new Error('the snapshot is not whole');
  const { floor, lastIndex, hardState } = log.recovered;
  const isNew = floor.index === compaction.floor.index && floor.term === compaction.floor.term;
  if (!isNew && floor.index !== 2) throw new Error(`the floor is ${floor.index} of term ${floor.term}`);
  if (floor.index < told.floorIndex)
    throw new Error(`floor ${told.floorIndex} was told, ${floor.index} found`);
  if (latest.index < told.snapshotIndex) throw new Error(`snapshot ${told.snapshotIndex} was told`);
  if (latest.index < floor.index)
    throw new Error(`floor ${floor.index}, but the snapshot is at ${latest.index}`);
  if (hardState.term < told.term) throw new Error(`term ${hardState.term}, told ${told.term}`);
  // A floor that replaces the log takes away what was told, whether or not it was told itself.
  const isReset = isNew && (floor.term !== 1 || floor.index > compaction.lastIndex);
  const least = isReset && told.floorIndex < floor.index ? floor.index : told.lastIndex;
  if (lastIndex < least) throw new Error(`entry ${least} was told, the last is ${lastIndex}`);
  const found =
    lastIndex === floor.index ? [] : await log.read({ from: floor.index + 1, to: lastIndex, bytesMax: 1e9 });
  const expected = Array.from({ length: lastIndex - floor.index }, (_, i) => {
    const index = floor.index + 1 + i;
    return entry(index, isNew ? termAt(index, compaction) : index > compaction.lastIndex ? 3 : 1);
  });
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(
      `entries ${found.map(({ index, term }) => `${index}:${term}`)} from floor ${floor.index}`,
    );
  }
  return { latest, lastIndex };
}

async function open(storage: Storage, compaction: Compaction, told: Told): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('a');
  await check({ log, snapshots: instance.snapshots('a') }, compaction, told);
}

/** As a core does after opening: a log that does not agree with the snapshot begins anew there. */
async function goOn(storage: Storage, compaction: Compaction, told: Told): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('a');
  const snapshots = instance.snapshots('a');
  const { latest, lastIndex } = await check({ log, snapshots }, compaction, told);
  const { index, term } = latest;
  const { floor, hardState } = log.recovered;
  const writer = new Writer(log);
  let last = lastIndex;
  const known =
    index === floor.index
      ? floor.term
      : index > lastIndex
        ? null
        : (await log.read({ from: index, to: index, bytesMax: 1 }))[0]?.term;
  if (index > floor.index) {
    if (known !== term) last = index;
    await writer.write({
      floor: place(index, term),
      hardState: { term: Math.max(hardState.term, term), votedFor: null },
    });
  }
  await writer.write({ hardState: { term: 4, votedFor: null }, entries: [entry(last + 1, 4)] });
  expect((await log.read({ from: last + 1, to: last + 1, bytesMax: 1 }))[0]).toEqual(entry(last + 1, 4));
  expect(await snapshots.latest()).toEqual(latest);
  told.lastIndex = last + 1;
  // No clean close: what was acknowledged must do.
}

async function checkLast(storage: Storage, told: Told): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('a');
  expect(log.recovered.lastIndex).toBe(told.lastIndex);
  expect((await log.read({ from: told.lastIndex, to: told.lastIndex, bytesMax: 1 }))[0]).toEqual(
    entry(told.lastIndex, 4),
  );
}

/** What stands on the disk between a crash and the next opening. */
async function look(disk: Disk, seen: Set<string>): Promise<void> {
  const listed = async (folder: string): Promise<string[]> => disk.list(folder).catch(() => []);
  const snapshots = await listed('/data/snapshots-a');
  if (snapshots.some((name) => name.endsWith('.new'))) seen.add('a snapshot aside');
  const whole = snapshots.filter((name) => name.endsWith('.snapshot'));
  seen.add(`${whole.length} snapshots`);
  if ((await listed('/data')).includes('floor-a~')) seen.add('a floor aside');
}

describe.each(['files', 'level'] as const)(
  'a machine that stops while a log of the %s backend is compacted',
  (backend: BackendName) => {
    it.each(compactions)(
      'finds each thing as it was or as it was to be: a floor %s',
      async (_name, compaction) => {
        const seen = new Set<string>();
        const stops = await stoppedEverywhere(async (events) => {
          const machine = new Machine({ seed: 1000 + events, backend });
          const power = events % 3 > 0;
          const told: Told = { snapshotIndex: 3, floorIndex: 2, lastIndex: compaction.lastIndex, term: 1 };
          await machine.live((storage) => prepare(storage, compaction), { power });
          const ended = await machine.live((storage) => compact(storage, compaction, told), {
            events,
            power,
          });
          await machine.live((_storage, disk) => look(disk, seen), { power: false });
          // The next opening may stop too.
          const secondStop = machine.simulation.random.stream('second stop').integer(0, 80);
          await machine.live((storage) => open(storage, compaction, told), { events: secondStop, power });
          await machine.live((storage) => goOn(storage, compaction, told), { power: true });
          await machine.live((storage) => checkLast(storage, told), { power: true });
          return ended;
        });
        expect(stops).toBeGreaterThan(80);
        expect([...seen].sort()).toEqual(['1 snapshots', '2 snapshots', 'a floor aside', 'a snapshot aside']);
      },
    );
  },
);
