import { describe, expect, it } from 'vitest';
import { SimulatedDevice } from '../../../lab/world/simulated/device.ts';
import { SimulatedDisk } from '../../../lab/world/simulated/disk.ts';
import { SimulatedProcess } from '../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import type { Disk } from '../../../src/doors/disk.ts';
import type { SnapshotMeta } from '../../../src/storage/contract.ts';
import { SnapshotFiles } from '../../../src/storage/disk/snapshot-files.ts';
import { SnapshotDamaged, SnapshotMismatch, StorageFailed } from '../../../src/storage/errors.ts';
import { MemoryDisk } from './memory-disk.ts';

const seed = 7;
const configuration = {
  id: '1.1',
  voters: [{ id: 'n1', incarnation: '0123456789abcdef', address: 'host:1' }],
  outgoing: [],
  learners: [],
  retired: [],
};

const snapshotsOn = (disk: Disk, directory = '/data/snapshots-a'): SnapshotFiles =>
  new SnapshotFiles(disk, { directory, seed, failure: () => null });

const at = (index: number) => ({ index, term: 1, configuration });
const stateAt = (index: number): string => `the state as of ${index}: ${'.'.repeat(100)}`;
const chunksAt = (index: number): Uint8Array[] => {
  const whole = Buffer.from(stateAt(index));
  return [whole.subarray(0, 10), whole.subarray(10)];
};

/** The index of the latest, whose content must be what was written there; 0 without any. */
async function latestOn(snapshots: SnapshotFiles): Promise<number> {
  const meta = await snapshots.latest();
  if (meta === null) return 0;
  const content = await snapshots.read(meta, { offset: 0, length: meta.size });
  expect(Buffer.from(content).toString()).toBe(stateAt(meta.index));
  expect(meta.configuration).toEqual(configuration);
  return meta.index;
}

const folder = '/data/snapshots-a';
const namesOn = (disk: MemoryDisk): string[] =>
  [...disk.files.keys()].map((path) => path.slice(folder.length + 1));
const pathOf = (disk: MemoryDisk, index: number): string =>
  [...disk.files.keys()].find((path) => path.includes(`/${String(index).padStart(16, '0')}-`)) ?? '';

/** Snapshots at 1 and 2. */
async function written(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/data');
  for (const index of [1, 2]) await snapshotsOn(disk).write(at(index), chunksAt(index));
  return disk;
}

describe('a snapshot on disk', () => {
  it('of which one byte changed is passed over, or is exact where nothing stands', async () => {
    const disk = await written();
    const length = disk.files.get(pathOf(disk, 2))?.length ?? 0;
    const contentAt = length - stateAt(2).length;
    const places = Array.from({ length }, (_, place) => place).filter(
      (place) => place < 400 || place >= contentAt || place % 4096 === 0,
    );
    const found: Record<number, number> = { 1: 0, 2: 0 };
    for (const place of places) {
      const copy = new MemoryDisk(disk);
      const bytes = copy.files.get(pathOf(disk, 2)) ?? Buffer.alloc(0);
      bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << (place % 8)), place);
      const latest = await latestOn(snapshotsOn(copy));
      if (place < 12 || place >= contentAt) expect(latest, `byte ${place}`).toBe(1);
      found[latest] = (found[latest] ?? 0) + 1;
    }
    // Changed in the record and in the content; and in the room between, which says nothing.
    expect(found[1]).toBeGreaterThan(stateAt(2).length + 200);
    expect(found[2]).toBeGreaterThan(10);
    expect(Object.keys(found)).toEqual(['1', '2']);
  });

  it('that ends too early is passed over', async () => {
    const disk = await written();
    const length = disk.files.get(pathOf(disk, 2))?.length ?? 0;
    for (const left of [0, 1, 11, 12, 100, 65_535, 65_536, 65_537, length - 1]) {
      const copy = new MemoryDisk(disk);
      copy.files.set(pathOf(disk, 2), Buffer.from(disk.files.get(pathOf(disk, 2))?.subarray(0, left) ?? []));
      expect(await latestOn(snapshotsOn(copy)), `${left} bytes`).toBe(1);
    }
  });

  it('under a name that is not its own, or of another storage, is none', async () => {
    const disk = await written();
    await disk.rename(
      pathOf(disk, 2),
      `${folder}/${'9'.padStart(16, '0')}-${'1'.padStart(16, '0')}.snapshot`,
    );
    expect(await latestOn(snapshotsOn(disk))).toBe(1);
    const foreign = new SnapshotFiles(disk, { directory: folder, seed: seed + 1, failure: () => null });
    expect(await foreign.latest()).toBeNull();
  });

  it('is found beside the leftover of an interrupted write, which is removed', async () => {
    const disk = await written();
    const leftover = `${pathOf(disk, 2).replace(/\d{16}-/, '0000000000000003-')}.1.new`;
    disk.files.set(leftover, Buffer.from(disk.files.get(pathOf(disk, 2)) ?? []));
    const snapshots = snapshotsOn(disk);
    expect(await latestOn(snapshots)).toBe(2);
    expect(namesOn(disk).filter((name) => name.endsWith('.new'))).toEqual([]);
    await snapshots.write(at(3), chunksAt(3));
    expect(await latestOn(snapshotsOn(disk))).toBe(3);
  });

  it('that rots under a reader is refused in every range that is touched, given in others, and passed over then', async () => {
    const disk = await written();
    const content = Buffer.alloc(200_000, 'abc');
    const snapshots = snapshotsOn(disk);
    const meta = await snapshots.write(at(3), [content.subarray(0, 70_000), content.subarray(70_000)]);
    const file = disk.files.get(pathOf(disk, 3));
    if (file === undefined) throw new Error('no file');
    const contentAt = file.length - content.length;
    file[contentAt + 140_000] = (file[contentAt + 140_000] ?? 0) ^ 1;
    const read = (offset: number, length: number): Promise<Uint8Array> =>
      snapshots.read(meta, { offset, length });
    for (const [offset, length] of [
      [0, 1],
      [65_530, 12],
      [1, 131_071],
      [196_608, 3_392],
      [199_999, 1],
    ] as const) {
      expect(Buffer.compare(await read(offset, length), content.subarray(offset, offset + length))).toBe(0);
    }
    for (const [offset, length] of [
      [140_000, 1],
      [131_072, 1],
      [0, 200_000],
      [131_000, 100],
      [196_000, 1_000],
    ] as const) {
      await expect(read(offset, length)).rejects.toThrow(SnapshotDamaged);
    }
    // The oldest that no floor passed is kept beside the newest.
    expect(await latestOn(snapshots)).toBe(1);
    // Another of the same entry takes its place.
    const again = await snapshots.write(at(3), [content]);
    expect((await snapshots.read(again, { offset: 140_000, length: 5 })).length).toBe(5);
  });

  it('that shrank under a reader is told as a failure, and one that vanished as gone', async () => {
    const disk = await written();
    const snapshots = snapshotsOn(disk);
    const meta = (await snapshots.latest()) as SnapshotMeta;
    disk.files.set(pathOf(disk, 2), Buffer.alloc(65_600));
    const short = snapshots.read(meta, { offset: 0, length: meta.size });
    await expect(short).rejects.toThrow(/ends before byte/);
    await expect(short).rejects.toThrow(StorageFailed);
    disk.files.delete(pathOf(disk, 2));
    const gone = snapshots.read(meta, { offset: 0, length: 1 });
    await expect(gone).rejects.toThrow(SnapshotMismatch);
  });

  it('goes only when a newer one is good: below a floor, and between the oldest and the newest', async () => {
    const disk = await written();
    const snapshots = snapshotsOn(disk);
    const indexes = (): number[] => namesOn(disk).map((name) => Number(name.slice(0, 16)));
    await expect(snapshots.write(at(3), chunksAt(3), { size: 1, digest: '' })).rejects.toThrow();
    expect(indexes()).toEqual([1, 2]);
    await snapshots.write(at(5), chunksAt(5));
    expect(indexes()).toEqual([1, 5]);
    await snapshots.dropBelow(6);
    expect(indexes()).toEqual([1, 5]);
    await snapshots.write(at(6), chunksAt(6));
    expect(indexes()).toEqual([6]);
    for (const index of [7, 8, 9]) await snapshots.write(at(index), chunksAt(index));
    expect(indexes()).toEqual([6, 9]);
    await snapshots.dropBelow(9);
    expect(indexes()).toEqual([9]);
    expect(await latestOn(snapshotsOn(disk))).toBe(9);
  });

  it('is not held once its removal was begun, and is told as gone', async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('/data');
    const snapshots = snapshotsOn(disk);
    const meta = await snapshots.write(at(1), chunksAt(1));
    await snapshots.write(at(3), chunksAt(3));
    const remove = disk.remove.bind(disk);
    let goOn = (): void => {};
    const begun = new Promise<void>((resolve) => {
      disk.remove = async (path) => {
        resolve();
        await new Promise<void>((open) => {
          goOn = open;
        });
        await remove(path);
      };
    });
    const dropping = snapshots.dropBelow(3);
    await begun;
    disk.remove = remove;
    const holding = snapshots.hold(meta);
    const refused = expect(holding).rejects.toThrow(SnapshotMismatch);
    // As long as it would take to find the file, which is there still.
    for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
    goOn();
    await dropping;
    await refused;
  });

  it('stays while a newer one is not verified, and when that does not read back', async () => {
    const disk = await written();
    const snapshots = snapshotsOn(disk);
    let before: string[] = [];
    disk.rename = async (from, to) => {
      disk.files.set(to, Buffer.from('nothing good'));
      disk.files.delete(from);
      before = namesOn(disk);
    };
    await expect(snapshots.write(at(3), chunksAt(3))).rejects.toThrow(/does not read back/);
    expect(before).toHaveLength(3);
    expect(namesOn(disk)).toEqual(before);
    expect(await latestOn(snapshotsOn(disk))).toBe(2);
  });
});

describe('a disk that fails while a snapshot is written', () => {
  it('leaves the last one or the new one, whole, at any write, sync or rename', async () => {
    const healthy = await written();
    const before = healthy.changes;
    await snapshotsOn(healthy).write(at(3), chunksAt(3));
    const changes = healthy.changes - before;
    expect(changes).toBeGreaterThan(7);
    let refused = 0;
    for (let change = 1; change <= changes; change += 1) {
      const disk = await written();
      disk.failAt(disk.changes + change, 'EIO');
      const snapshots = snapshotsOn(disk);
      const failure = await snapshots.write(at(3), chunksAt(3)).then(
        () => null,
        (error: unknown) => error,
      );
      if (failure !== null) {
        refused += 1;
        expect(failure).toBeInstanceOf(StorageFailed);
        expect((failure as Error).message).toContain('EIO');
      }
      const left = new MemoryDisk(disk);
      expect([failure === null ? 3 : 2, 3], `change ${change}`).toContain(await latestOn(snapshotsOn(left)));
      expect([failure === null ? 3 : 2, 3], `change ${change}`).toContain(await latestOn(snapshots));
      await snapshots.write(at(4), chunksAt(4));
      expect(namesOn(disk).filter((name) => name.endsWith('.new'))).toEqual([]);
      expect(await latestOn(snapshotsOn(disk)), `change ${change}`).toBe(4);
    }
    expect(refused).toBe(changes);
  });

  it('makes a name durable before it shows it, when the write could not', async () => {
    const disk = await written();
    let renamed = false;
    const { rename, syncDirectory } = disk;
    disk.rename = (from, to) => {
      renamed = true;
      return rename.call(disk, from, to);
    };
    disk.syncDirectory = async (directory) => {
      if (renamed) throw Object.assign(new Error('EIO: the folder'), { code: 'EIO' });
      await syncDirectory.call(disk, directory);
    };
    const failing = snapshotsOn(disk);
    await expect(failing.write(at(3), chunksAt(3))).rejects.toThrow(/syncing the folder failed: EIO/);
    await expect(failing.latest()).rejects.toThrow(/syncing the folder failed: EIO/);
    renamed = false;
    expect(await latestOn(failing)).toBe(3);
  });
});

describe('a machine that stops while snapshots are written', () => {
  it('shows a whole one afterwards, none older than the last that was told, and none that a floor forgot', async () => {
    const counts = { told: 0, 'newer than told': 0, none: 0, stops: 0 };
    for (let run = 1; run <= 150; run += 1) {
      const simulation = new Simulation({ seed: run });
      const random = simulation.random.stream('snapshots');
      const device = new SimulatedDevice({ simulation, name: 'n1', random: random.stream('device') });
      const disk = new SimulatedDisk(device);
      let told = 0;
      let next = 1;
      for (let life = 0; life < 4; life += 1) {
        const process = new SimulatedProcess(simulation, `life ${life}`);
        const door = disk.door(process);
        let error: unknown;
        const live = async (): Promise<void> => {
          await door.makeDirectory('/data');
          await door.syncDirectory('/');
          const snapshots = snapshotsOn(door);
          const latest = await latestOn(snapshots);
          if (latest < told) throw new Error(`run ${run}: found ${latest}, told ${told}`);
          counts[latest === 0 ? 'none' : latest > told ? 'newer than told' : 'told'] += 1;
          // From here on a floor may stand on it.
          told = latest;
          for (;;) {
            const index = next;
            next += 1;
            await snapshots.write(at(index), chunksAt(index));
            told = index;
            if (random.chance(500)) await snapshots.dropBelow(index);
          }
        };
        live().catch((thrown: unknown) => {
          error = thrown;
        });
        const stopAtUs = simulation.nowUs + random.integer(0, 15_000);
        await simulation.run({ atUs: stopAtUs, when: () => error !== undefined });
        if (error !== undefined) throw error;
        counts.stops += 1;
        process.kill();
        disk.crash({ power: random.chance(700) });
      }
    }
    console.log(counts);
    expect(counts.told).toBeGreaterThan(100);
    expect(counts['newer than told']).toBeGreaterThan(10);
  });
});
