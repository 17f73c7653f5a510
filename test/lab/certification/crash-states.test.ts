import { describe, expect, it } from 'vitest';
import { crashStates } from '../../../lab/certification/crash-states.ts';
import { emptyImage, type Image } from '../../../lab/certification/image.ts';
import { imageKey } from '../../../lab/certification/image-key.ts';
import { Medium } from '../../../lab/certification/medium.ts';
import { mediumDatabases } from '../../../lab/certification/medium-databases.ts';
import { mediumDisk } from '../../../lab/certification/medium-disk.ts';
import { Process } from '../../../lab/certification/process.ts';
import { SimulatedRandom } from '../../../lab/world/simulated/random.ts';
import type { Disk } from '../../../src/doors/disk.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** `name=content` of every file, and `name/` of every folder. */
function told({ folders, files }: Image): string {
  const contents = [...files].map(([path, content]) => `${path.slice(1)}=${Buffer.from(content).toString()}`);
  return [...folders.map((path) => `${path.slice(1)}/`), ...contents].join(' ');
}

/** What a power cut may leave after the work, each once, sorted. */
async function leftAfter(work: (disk: Disk) => Promise<void>, statesMax = 1000): Promise<string[]> {
  const medium = new Medium(emptyImage);
  await work(mediumDisk(medium, new Process()));
  const { states, complete } = crashStates(medium, SimulatedRandom.fromSeed(1), statesMax);
  expect(complete).toBe(statesMax >= 1000);
  return [...new Set(states.map(({ image }) => told(image)))].sort();
}

async function durableFile(disk: Disk, path: string, content: string): Promise<void> {
  const file = await disk.open(path, { create: true });
  await file.write(0, bytes(content));
  await file.sync();
  await file.close();
  await disk.syncDirectory('/');
}

describe('what a power cut may leave', () => {
  it('is all that was synced, and nothing else once everything was', async () => {
    expect(await leftAfter((disk) => durableFile(disk, '/a', 'one'))).toEqual(['a=one']);
  });

  it('of a synced file in a folder that was not is the file, or none', async () => {
    const left = await leftAfter(async (disk) => {
      const file = await disk.open('/a', { create: true });
      await file.write(0, bytes('one'));
      await file.sync();
    });
    expect(left).toEqual(['', 'a=one']);
  });

  it('of two unsynced writes is either, both or none: they reach the disk in any order', async () => {
    const left = await leftAfter(async (disk) => {
      await durableFile(disk, '/a', 'oooo');
      const file = await disk.open('/a');
      await file.write(0, bytes('X'));
      await file.write(3, bytes('Y'));
    });
    expect(left).toEqual(['a=XooY', 'a=Xooo', 'a=oooY', 'a=oooo']);
  });

  it('covers in a sync what was written before it was called', async () => {
    const left = await leftAfter(async (disk) => {
      await durableFile(disk, '/a', 'oooo');
      const file = await disk.open('/a');
      await file.write(0, bytes('X'));
      const sync = file.sync();
      await file.write(3, bytes('Y'));
      await sync;
    });
    expect(left).toEqual(['a=XooY', 'a=Xooo']);
  });

  it('of a rename without a sync of its folder is the old file or the new one, whole', async () => {
    const left = await leftAfter(async (disk) => {
      await durableFile(disk, '/a', 'old');
      await durableFile(disk, '/a~', 'new');
      await disk.rename('/a~', '/a');
    });
    expect(left).toEqual(['a=new', 'a=old a~=new']);
  });

  it('of a rename before a sync of the file is the new name with whatever arrived', async () => {
    const left = await leftAfter(async (disk) => {
      await durableFile(disk, '/a', 'old');
      const file = await disk.open('/a~', { create: true });
      await file.write(0, bytes('new'));
      await disk.rename('/a~', '/a');
      await disk.syncDirectory('/');
    });
    expect(left).toEqual(['a=', 'a=\0\0\0', 'a=n', 'a=ne', 'a=new']);
  });

  it('of changes of names in one folder is any of them, also a later without an earlier', async () => {
    const left = await leftAfter(async (disk) => {
      await durableFile(disk, '/a', '1');
      await durableFile(disk, '/b', '2');
      await disk.remove('/a');
      await disk.remove('/b');
    });
    expect(left).toEqual(['', 'a=1', 'a=1 b=2', 'b=2']);
  });

  it('loses with a folder all that is in it', async () => {
    const left = await leftAfter(async (disk) => {
      await disk.makeDirectory('/folder');
      const file = await disk.open('/folder/a', { create: true });
      await file.write(0, bytes('1'));
      await file.sync();
      await disk.syncDirectory('/folder');
    });
    expect(left).toEqual(['', 'folder/ folder/a=1']);
  });

  it('of too much to try is a sample, with nothing kept and with all', async () => {
    const left = await leftAfter(async (disk) => {
      for (let number = 0; number < 12; number += 1) {
        await disk.makeDirectory(`/${number}`);
        await disk.syncDirectory('/');
        await (await disk.open(`/${number}/a`, { create: true })).close();
      }
    }, 64);
    expect(left.length).toBe(64);
    expect(left.filter((one) => !one.includes('='))).toHaveLength(1);
    expect(left.filter((one) => one.split('=').length === 13)).toHaveLength(1);
  });

  it('of a database is a prefix of its unsynced batches after the last that was synced', async () => {
    const medium = new Medium(emptyImage);
    const process = new Process();
    await mediumDisk(medium, process).makeDirectory('/db');
    await mediumDisk(medium, process).syncDirectory('/');
    const database = mediumDatabases(medium, process)('/db');
    await database.put(bytes('a'), bytes('1'));
    await database.batch([{ type: 'put', key: bytes('b'), value: bytes('2') }], { sync: true } as never);
    await database.put(bytes('c'), bytes('3'));
    await database.clear();
    const { states } = crashStates(medium, SimulatedRandom.fromSeed(1), 100);
    const counts = states.map(({ image }) => image.databases.get('/db')?.batches.length);
    expect(counts).toEqual([2, 3, 4]);
    expect(new Set(states.map(({ image }) => imageKey(image))).size).toBe(3);
  });

  it('is told for people', async () => {
    const medium = new Medium(emptyImage);
    const disk = mediumDisk(medium, new Process());
    await durableFile(disk, '/a', 'oooo');
    await (await disk.open('/a')).write(0, bytes('X'));
    await disk.rename('/a', '/b');
    const { states } = crashStates(medium, SimulatedRandom.fromSeed(1), 100);
    expect(states.map((state) => state.describe())).toEqual([
      "/a without its unsynced writes; 'rename /a to /b' did not happen",
      "/a without its unsynced writes; 'rename /a to /b' happened",
      "/a as written; 'rename /a to /b' did not happen",
      "/a as written; 'rename /a to /b' happened",
    ]);
  });
});
