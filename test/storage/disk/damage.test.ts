import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/doors/node-clock.ts';
import { nodeOpenDatabase } from '../../../src/doors/node-database.ts';
import { nodeRandom } from '../../../src/doors/node-random.ts';
import { nodeWork } from '../../../src/doors/node-work.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import { StorageFailed, StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type Storage, type StorageInstance } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';

const storageOn = (disk: MemoryDisk, directory = '/data'): Storage =>
  fileStorage({
    directory,
    doors: {
      disk,
      clock: nodeClock(),
      random: nodeRandom(),
      work: nodeWork(),
      openDatabase: nodeOpenDatabase(),
    },
  });

const groups = ['orders', 'users'];
const configuration = {
  id: '1.1',
  voters: [{ id: 'n1', incarnation: '0123456789abcdef', address: 'a:1' }],
  outgoing: [],
  learners: [],
  retired: [],
};

const command = (index: number, term: number): Entry => ({
  kind: 'command',
  index,
  term,
  payload: Buffer.from(`entry ${index} of term ${term}`),
});

/** Writes that use every part of the format. Each is told to `acknowledged` once it is durable. */
async function work(instance: StorageInstance, acknowledged: () => void): Promise<void> {
  for (const group of groups) {
    const log = await instance.openLog(group);
    let sequence = 0;
    const write = async (request: Omit<Parameters<typeof log.write>[0], 'writeId'>): Promise<void> => {
      sequence += 1;
      await log.write({ writeId: { boot: 1, sequence }, ...request });
      acknowledged();
    };
    await write({ hardState: { term: 1, votedFor: null }, entries: [command(1, 1), command(2, 1)] });
    await write({ entries: [{ kind: 'noop', index: 3, term: 1 }] });
    await write({
      hardState: { term: 2, votedFor: { id: 'n2', incarnation: '0123456789abcdef' } },
      cutFrom: 3,
      entries: [{ kind: 'configuration', index: 3, term: 2, clusterId: '00000000000000ff', configuration }],
    });
    await write({ entries: [command(4, 2), command(5, 2)] });
    await write({ entries: [], floor: { index: 2, term: 1, configuration } });
  }
}

/** Everything that a storage says it holds. */
async function contentOf(storage: Storage): Promise<string> {
  const instance = await storage.open({ id: 'n1' });
  try {
    const all: unknown[] = [];
    for (const group of groups) {
      const log = await instance.openLog(group);
      const { floor, lastIndex } = log.recovered;
      const range = { from: floor.index + 1, to: lastIndex, bytesMax: Number.MAX_SAFE_INTEGER };
      all.push(log.recovered, lastIndex > floor.index ? await log.read(range) : []);
    }
    return JSON.stringify(all);
  } finally {
    await instance.close();
  }
}

async function written(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const instance = await storageOn(disk).open({ id: 'n1' });
  await work(instance, () => {});
  await instance.close();
  return disk;
}

/** `exact`, or why it was refused. Wrong data fails the test. */
async function outcomeOf(disk: MemoryDisk, expected: string, what: string): Promise<string> {
  try {
    expect(await contentOf(storageOn(disk)), what).toBe(expected);
    return 'exact';
  } catch (error) {
    if (!(error instanceof StorageRefused)) throw error;
    return error.reason;
  }
}

describe('a stopped storage with one change', () => {
  it('of any byte is exact, or refused as damaged: never other data', async () => {
    const disk = await written();
    const expected = await contentOf(storageOn(new MemoryDisk(disk)));
    const outcomes = new Map<string, number>();
    for (const [path, bytes] of disk.files) {
      for (let at = 0; at < bytes.length; at += 1) {
        const copy = new MemoryDisk(disk);
        copy.files.get(path)?.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
        const outcome = await outcomeOf(copy, expected, `${path} byte ${at}`);
        expect(['exact', 'damaged', 'other-format'], `${path} byte ${at}`).toContain(outcome);
        const kind = path.includes('shard') ? 'blocks' : (path.split('/')[2] ?? path);
        outcomes.set(`${kind} ${outcome}`, (outcomes.get(`${kind} ${outcome}`) ?? 0) + 1);
      }
    }
    console.log(Object.fromEntries(outcomes));
    expect(outcomes.get('blocks damaged')).toBeGreaterThan(500);
    // The bits of a block that a floor has made dead may say what they like, if they say whose they are.
    expect(outcomes.get('hard-state-1 damaged')).toBeUndefined();
    expect(outcomes.get('hard-state-2 damaged')).toBeUndefined();
  });

  it('of one file, emptied, zeroed or gone, is exact or refused as damaged', async () => {
    const disk = await written();
    const expected = await contentOf(storageOn(new MemoryDisk(disk)));
    const outcomes: Record<string, string> = {};
    for (const [path, bytes] of disk.files) {
      for (const [what, now] of [
        ['emptied', Buffer.alloc(0)],
        ['zeroed', Buffer.alloc(bytes.length)],
        ['gone', null],
      ] as const) {
        const copy = new MemoryDisk(disk);
        if (now === null) copy.files.delete(path);
        else copy.files.set(path, now);
        outcomes[`${path} ${what}`] = await outcomeOf(copy, expected, `${path} ${what}`);
      }
    }
    for (const [what, outcome] of Object.entries(outcomes)) {
      const single = what.includes('hard-state') || what.includes('/mark');
      expect(`${what}: ${outcome}`).toBe(`${what}: ${single ? 'exact' : 'damaged'}`);
    }
  });

  it('in a block is told with the shard, the block and the entries', async () => {
    const disk = await written();
    const path = [...disk.files.keys()].find((name) => name.includes('shard')) ?? '';
    const bytes = disk.files.get(path) ?? Buffer.alloc(0);
    const at = bytes.indexOf('00000000000000ff');
    bytes.writeUInt8(0, at);
    await expect(contentOf(storageOn(disk))).rejects.toThrow(
      /shard 0, group orders: .*missing or changed in the middle of the log: block 3 \(entries 3 to 3\).*replace this replica/s,
    );
  });

  it('of both hard states is refused: how it voted is never guessed', async () => {
    for (const change of ['deleted', 'flipped'] as const) {
      const disk = await written();
      for (const name of ['hard-state-1', 'hard-state-2']) {
        if (change === 'deleted') disk.files.delete(`/data/${name}`);
        else disk.files.get(`/data/${name}`)?.writeUInt8(0, 20);
      }
      await expect(contentOf(storageOn(disk))).rejects.toThrow(/hard.state|vote/);
    }
  });

  it('that is refused stays as it was, and lets go of the directory', async () => {
    const disk = await written();
    disk.files.delete('/data/hard-state-1');
    disk.files.delete('/data/hard-state-2');
    const before = [...new MemoryDisk(disk).files].map(([path, bytes]) => `${path} ${bytes.toString('hex')}`);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(contentOf(storageOn(disk))).rejects.toMatchObject({ reason: 'damaged' });
    }
    expect([...disk.files].map(([path, bytes]) => `${path} ${bytes.toString('hex')}`)).toEqual(before);
  });
});

describe('a directory that is not what it should be', () => {
  it('is refused when it belongs to another replica or cluster', async () => {
    const disk = await written();
    await expect(storageOn(disk).open({ id: 'n2' })).rejects.toMatchObject({ reason: 'other-replica' });
    const instance = await storageOn(disk).open({ id: 'n1' });
    await instance.adoptCluster('00000000000000aa');
    await instance.close();
    const other = storageOn(disk).open({ id: 'n1', clusterId: '00000000000000bb' });
    await expect(other).rejects.toMatchObject({
      reason: 'other-cluster',
      message: expect.stringContaining('00000000000000aa'),
    });
    const same = await storageOn(disk).open({ id: 'n1', clusterId: '00000000000000aa' });
    await same.close();
  });

  it('is refused when its blocks come from another storage', async () => {
    const [mine, theirs] = [await written(), await written()];
    for (const [path, bytes] of theirs.files) if (path.includes('shard')) mine.files.set(path, bytes);
    await expect(contentOf(storageOn(mine))).rejects.toMatchObject({ reason: 'damaged' });
  });

  it('is refused while another instance holds it', async () => {
    const disk = await written();
    const holder = await storageOn(disk).open({ id: 'n1' });
    await expect(storageOn(disk).open({ id: 'n1' })).rejects.toMatchObject({ reason: 'in-use' });
    await holder.close();
    await (await storageOn(disk).open({ id: 'n1' })).close();
  });
});

describe('a disk that fails once', () => {
  it.each(['EIO', 'ENOSPC'])(
    'with %s, at any write or sync, loses nothing acknowledged and poisons the instance',
    async (code) => {
      const healthy = new MemoryDisk();
      const expected = await (async () => {
        const instance = await storageOn(healthy).open({ id: 'n1' });
        await work(instance, () => {});
        await instance.close();
        return healthy.changes;
      })();
      let failed = 0;
      for (let at = 1; at <= expected; at += 1) {
        const disk = new MemoryDisk();
        disk.failAt(at, code);
        let acknowledged = 0;
        try {
          const instance = await storageOn(disk).open({ id: 'n1' });
          try {
            await work(instance, () => {
              acknowledged += 1;
            });
          } catch (error) {
            expect(error).toBeInstanceOf(StorageFailed);
            failed += 1;
            const late = instance.openLog('late');
            await expect(late).rejects.toBeInstanceOf(StorageFailed);
          } finally {
            await instance.close();
          }
        } catch (error) {
          expect(error).toMatchObject({ reason: 'not-writable' });
        }
        const [first] = JSON.parse(await contentOf(storageOn(disk))) as [{ lastIndex: number }];
        const ends = [0, 2, 3, 3, 5, 5];
        expect(first.lastIndex, `change ${at}`).toBeGreaterThanOrEqual(ends[Math.min(acknowledged, 5)] ?? 0);
      }
      expect(failed).toBeGreaterThan(20);
    },
  );
});
