import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/raft/entry.ts';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { StorageFailed, StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type Storage, type StorageInstance } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';
import { type Change, Truth } from './truth.ts';

const storageOn = (disk: MemoryDisk, directory = '/data'): Storage =>
  fileStorage({
    directory,
    doors: { ...nodeStorageDoors(), disk },
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
async function work(instance: StorageInstance, acknowledged: () => void): Promise<Truth[]> {
  const truths = groups.map((group) => new Truth(group));
  for (const truth of truths) {
    const log = await instance.openLog(truth.group);
    const write = async (change: Change): Promise<void> => {
      await truth.write(log, change);
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
  return truths;
}

async function written(): Promise<{ disk: MemoryDisk; truths: Truth[] }> {
  const disk = new MemoryDisk();
  const instance = await storageOn(disk).open({ id: 'n1' });
  const truths = await work(instance, () => {});
  await instance.close();
  return { disk, truths };
}

/** What each log says of itself, or why the storage was refused. A word that is not true fails the test. */
async function outcomesOf(disk: MemoryDisk, truths: readonly Truth[], what: string): Promise<string[]> {
  try {
    const instance = await storageOn(disk).open({ id: 'n1' });
    try {
      const outcomes: string[] = [];
      for (const truth of truths)
        outcomes.push(await truth.outcomeOf(await instance.openLog(truth.group), what));
      return outcomes;
    } finally {
      await instance.close();
    }
  } catch (error) {
    if (!(error instanceof StorageRefused)) throw error;
    return truths.map(() => error.reason);
  }
}

const bytesOf = (disk: MemoryDisk): string[] =>
  [...disk.files].map(([path, bytes]) => `${path} ${bytes.toString('hex')}`);

describe('a stopped storage with one change', () => {
  it('of any byte is exact, tells what is missing, or is refused: never other data', async () => {
    const { disk, truths } = await written();
    const tally = new Map<string, number>();
    for (const [path, bytes] of disk.files) {
      for (let at = 0; at < bytes.length; at += 1) {
        const copy = new MemoryDisk(disk);
        copy.files.get(path)?.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
        const kind = path.includes('shard') ? 'blocks' : (path.split('/')[2] ?? path);
        for (const outcome of await outcomesOf(copy, truths, `${path} byte ${at}`)) {
          tally.set(`${kind} ${outcome}`, (tally.get(`${kind} ${outcome}`) ?? 0) + 1);
        }
      }
    }
    console.log(Object.fromEntries(tally));
    expect([...tally.keys()].sort()).toEqual([
      'blocks exact',
      'blocks holes',
      'blocks tail-lost',
      'floor-orders damaged',
      'floor-users damaged',
      'hard-state-1 exact',
      'hard-state-2 exact',
      'identity damaged',
      'mark exact',
    ]);
    expect(tally.get('blocks holes')).toBeGreaterThan(200);
    expect(tally.get('blocks tail-lost')).toBeGreaterThan(200);
  });

  it('of any byte of a block is made good by repairs of its holes', async () => {
    const { disk, truths } = await written();
    let repaired = 0;
    for (const [path, bytes] of disk.files) {
      if (!path.includes('shard')) continue;
      for (let at = 0; at < bytes.length; at += 7) {
        const copy = new MemoryDisk(disk);
        copy.files.get(path)?.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
        const outcomes = await outcomesOf(copy, truths, `byte ${at}`);
        if (!outcomes.includes('holes') || outcomes.includes('tail-lost')) continue;
        const instance = await storageOn(copy).open({ id: 'n1' });
        for (const truth of truths) await truth.repair(await instance.openLog(truth.group), 1);
        await instance.close();
        expect(await outcomesOf(copy, truths, `byte ${at}, repaired`)).toEqual(truths.map(() => 'exact'));
        repaired += 1;
      }
    }
    expect(repaired).toBeGreaterThan(40);
  });

  it('of one file, emptied, zeroed or gone, is exact, without its tail, or refused', async () => {
    const { disk, truths } = await written();
    for (const [path, bytes] of disk.files) {
      for (const [what, now] of [
        ['emptied', Buffer.alloc(0)],
        ['zeroed', Buffer.alloc(bytes.length)],
        ['gone', null],
      ] as const) {
        const copy = new MemoryDisk(disk);
        if (now === null) copy.files.delete(path);
        else copy.files.set(path, now);
        const outcomes = await outcomesOf(copy, truths, `${path} ${what}`);
        const isSpare = path.includes('hard-state') || path.includes('/mark');
        const expected = isSpare ? 'exact' : path.includes('shard') ? 'tail-lost' : 'damaged';
        expect(outcomes, `${path} ${what}`).toEqual([expected, expected]);
      }
    }
  });

  it('in a block is told with the shard, the block and the entries', async () => {
    const { disk } = await written();
    const path = [...disk.files.keys()].find((name) => name.includes('shard')) ?? '';
    const bytes = disk.files.get(path) ?? Buffer.alloc(0);
    bytes.writeUInt8(0, bytes.indexOf('00000000000000ff'));
    const instance = await storageOn(disk).open({ id: 'n1' });
    const { damage } = (await instance.openLog('orders')).recovered;
    await instance.close();
    expect(damage).toEqual({
      holes: [{ from: 3, to: 3, anchor: { index: 3, term: 2 } }],
      end: { index: 5, term: 2 },
      report:
        'shard 0, group orders: missing or changed in the middle of the log: entries 3 to 3 (block 3). ' +
        'It goes on to index 5',
    });
  });

  it('of both hard states is refused: how it voted is never guessed', async () => {
    for (const change of ['deleted', 'flipped'] as const) {
      const { disk } = await written();
      for (const name of ['hard-state-1', 'hard-state-2']) {
        if (change === 'deleted') disk.files.delete(`/data/${name}`);
        else disk.files.get(`/data/${name}`)?.writeUInt8(0, 20);
      }
      await expect(storageOn(disk).open({ id: 'n1' })).rejects.toThrow(
        /(hard.state|vote).*replace this replica/s,
      );
    }
  });

  it('that is refused stays as it was, and lets go of the directory', async () => {
    const { disk } = await written();
    disk.files.delete('/data/hard-state-1');
    disk.files.delete('/data/hard-state-2');
    const before = bytesOf(disk);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(storageOn(disk).open({ id: 'n1' })).rejects.toMatchObject({ reason: 'damaged' });
    }
    expect(bytesOf(disk)).toEqual(before);
  });
});

describe('a directory that is not what it should be', () => {
  it('is refused when it belongs to another replica or cluster', async () => {
    const { disk } = await written();
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

  it('has none of the blocks that come from another storage', async () => {
    const [mine, theirs] = [await written(), await written()];
    for (const [path, bytes] of theirs.disk.files)
      if (path.includes('shard')) mine.disk.files.set(path, bytes);
    expect(await outcomesOf(mine.disk, mine.truths, 'mixed')).toEqual(['tail-lost', 'tail-lost']);
  });

  it('is refused while another instance holds it', async () => {
    const { disk } = await written();
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
        const instance = await storageOn(disk).open({ id: 'n1' });
        const { lastIndex, damage } = (await instance.openLog('orders')).recovered;
        await instance.close();
        const ends = [0, 2, 3, 3, 5, 5];
        expect(damage, `change ${at}`).toBeNull();
        expect(lastIndex, `change ${at}`).toBeGreaterThanOrEqual(ends[Math.min(acknowledged, 5)] ?? 0);
      }
      expect(failed).toBeGreaterThan(20);
    },
  );
});
