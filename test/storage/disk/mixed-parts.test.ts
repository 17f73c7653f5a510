import { describe, expect, it } from 'vitest';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type LogStorage, type Storage } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';

const doors = nodeStorageDoors();
const storageOn = (disk: MemoryDisk): Storage =>
  fileStorage({ directory: '/data', doors: { ...doors, disk } });

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const shards = (disk: MemoryDisk): string[] =>
  [...disk.files.keys()].filter((path) => path.includes('shard'));

/** One term of a life: a vote, entries, a cut, and a floor if it is to have one. */
async function live(log: LogStorage, term: number, hasFloor: boolean): Promise<void> {
  const end = log.recovered.lastIndex;
  const write = async (request: Omit<Parameters<LogStorage['write']>[0], 'writeId'>): Promise<void> =>
    log.write({ writeId: { boot: 1, sequence: 1 }, ...request });
  const commands = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const payload = Buffer.from(`entry ${from + i} of term ${term}`);
      return { kind: 'command', index: from + i, term, payload } as const;
    });
  await write({ hardState: { term, votedFor: null }, entries: commands(end + 1, 3) });
  await write({ hardState: { term, votedFor: { id: 'n2', incarnation: 'f'.repeat(16) } }, entries: [] });
  await write({ cutFrom: end + 3, entries: commands(end + 3, 2) });
  if (hasFloor) await write({ entries: [], floor: { index: end + 1, term, configuration } });
  await write({ entries: commands(end + 5, 1) });
}

/**
 * The disk after each of some lives. With `segments` each has a segment of its own, since the one before was
 * torn, and no floor removes any.
 */
async function lives(count: number, segments = false): Promise<MemoryDisk[]> {
  const disk = new MemoryDisk();
  const stages: MemoryDisk[] = [];
  for (let term = 1; term <= count; term += 1) {
    const instance = await storageOn(disk).open({ id: 'n1' });
    await live(await instance.openLog('orders'), term, term > 1 && !segments);
    await instance.close();
    if (segments) begin(disk);
    stages.push(new MemoryDisk(disk));
  }
  return stages;
}

/** What a process leaves that was killed while it appended: the first bytes of a block. */
function begin(disk: MemoryDisk): void {
  const last = shards(disk).sort().at(-1) ?? '';
  const bytes = disk.files.get(last) ?? Buffer.alloc(0);
  disk.files.set(last, Buffer.concat([bytes, bytes.subarray(0, 30)]));
}

async function contentOf(storage: Storage): Promise<string> {
  const instance = await storage.open({ id: 'n1' });
  try {
    const log = await instance.openLog('orders');
    const { floor, lastIndex } = log.recovered;
    const entries = await log.read({ from: floor.index + 1, to: lastIndex, bytesMax: 1e9 });
    return JSON.stringify([log.recovered, entries]);
  } finally {
    await instance.close();
  }
}

/** `exact`, or the reason it was refused with; other data fails the test. */
async function outcomeOf(disk: MemoryDisk, expected: string, what: string): Promise<string> {
  try {
    expect(await contentOf(storageOn(disk)), what).toBe(expected);
    return 'exact';
  } catch (error) {
    if (!(error instanceof StorageRefused)) throw error;
    return error.reason;
  }
}

function last(stages: readonly MemoryDisk[]): MemoryDisk {
  const stage = stages.at(-1);
  if (stage === undefined) throw new Error('no life');
  return stage;
}

/** The parts that a careless restore or copy may take from elsewhere. */
const parts = {
  identity: /\/identity$/,
  'hard states': /\/hard-state-/,
  'first hard state': /\/hard-state-1$/,
  'second hard state': /\/hard-state-2$/,
  mark: /\/mark$/,
  floor: /\/floor-/,
  blocks: /\/shard-/,
} as const;

/** `disk`, with one part as `other` has it. */
function mixed(disk: MemoryDisk, other: MemoryDisk, part: RegExp): MemoryDisk {
  const copy = new MemoryDisk(disk);
  for (const path of [...copy.files.keys()]) if (part.test(path)) copy.files.delete(path);
  for (const [path, bytes] of other.files) if (part.test(path)) copy.files.set(path, Buffer.from(bytes));
  return copy;
}

describe('a directory of which one part is of an earlier day', () => {
  it('is exact, or refused as damaged: never other data', async () => {
    const stages = await lives(3);
    const now = last(stages);
    const expected = await contentOf(storageOn(new MemoryDisk(now)));
    const outcomes: Record<string, string[]> = {};
    for (const [name, part] of Object.entries(parts)) {
      outcomes[name] = [];
      for (const earlier of stages.slice(0, -1)) {
        outcomes[name].push(await outcomeOf(mixed(now, earlier, part), expected, name));
      }
    }
    expect(outcomes).toEqual({
      // Its boot goes back, which the other members notice.
      identity: ['exact', 'exact'],
      'hard states': ['damaged', 'damaged'],
      'first hard state': ['exact', 'exact'],
      'second hard state': ['exact', 'exact'],
      // The blocks themselves tell up to where they were durable.
      mark: ['exact', 'exact'],
      floor: ['damaged', 'damaged'],
      blocks: ['damaged', 'damaged'],
    });
  });

  it('is refused though the blocks came back together with their mark', async () => {
    const [earlier, , now] = await lives(3);
    if (earlier === undefined || now === undefined) throw new Error('no life');
    const both = mixed(mixed(now, earlier, parts.blocks), earlier, parts.mark);
    await expect(contentOf(storageOn(both))).rejects.toMatchObject({ reason: 'damaged' });
  });
});

describe('a directory of which one part is of another storage', () => {
  it('is exact, or refused as damaged, where the other has the same id and wrote the same', async () => {
    const mine = last(await lives(2));
    const theirs = last(await lives(2));
    const expected = await contentOf(storageOn(new MemoryDisk(mine)));
    const outcomes: Record<string, string> = {};
    for (const [name, part] of Object.entries(parts)) {
      outcomes[name] = await outcomeOf(mixed(mine, theirs, part), expected, name);
    }
    expect(outcomes).toEqual({
      identity: 'damaged',
      'hard states': 'damaged',
      'first hard state': 'exact',
      'second hard state': 'exact',
      mark: 'exact',
      floor: 'damaged',
      blocks: 'damaged',
    });
  });

  it('is another storage when it is copied whole, with its boots', async () => {
    const mine = last(await lives(2));
    const copy = new MemoryDisk(mine);
    const [a, b] = [await storageOn(mine).open({ id: 'n1' }), await storageOn(copy).open({ id: 'n1' })];
    // No storage can tell: the pair and boot that come twice are for the members to notice.
    expect(b.identity).toEqual(a.identity);
    await a.close();
    await b.close();
  });
});

describe('a log of several segments', () => {
  it('is exact or refused, with shard and group, when any byte of an older or the newest one changed', async () => {
    const disk = last(await lives(3, true));
    const segments = shards(disk).sort();
    expect(segments.length).toBeGreaterThanOrEqual(2);
    const expected = await contentOf(storageOn(new MemoryDisk(disk)));
    const tally: Record<string, number> = {};
    for (const [age, path] of [
      ['older', segments[0] ?? ''],
      ['newest', segments.at(-1) ?? ''],
    ] as const) {
      for (let place = 0; place < (disk.files.get(path)?.length ?? 0); place += 1) {
        const copy = new MemoryDisk(disk);
        const bytes = copy.files.get(path) ?? Buffer.alloc(0);
        bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << (place % 8)), place);
        const outcome = await outcomeOf(copy, expected, `${age} byte ${place}`);
        expect(['exact', 'damaged'], `${age} byte ${place}`).toContain(outcome);
        if (outcome === 'damaged') {
          await expect(contentOf(storageOn(copy))).rejects.toThrow(/shard 0, group orders: /);
        }
        tally[`${age} ${outcome}`] = (tally[`${age} ${outcome}`] ?? 0) + 1;
      }
    }
    console.log(tally);
    expect(tally['older damaged']).toBeGreaterThan(300);
    expect(tally['newest damaged']).toBeGreaterThan(300);
  });

  it('is refused without any one of its segments that still hold its entries', async () => {
    const disk = last(await lives(3, true));
    const expected = await contentOf(storageOn(new MemoryDisk(disk)));
    const outcomes: string[] = [];
    for (const path of shards(disk).sort()) {
      const copy = new MemoryDisk(disk);
      copy.files.delete(path);
      outcomes.push(await outcomeOf(copy, expected, path));
    }
    expect(outcomes.every((outcome) => outcome === 'damaged')).toBe(true);
  });
});
