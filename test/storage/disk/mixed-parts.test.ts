import { describe, expect, it } from 'vitest';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type LogStorage, type Storage } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';
import { type Change, Truth } from './truth.ts';

const doors = nodeStorageDoors();
const storageOn = (disk: MemoryDisk): Storage =>
  fileStorage({ directory: '/data', doors: { ...doors, disk } });

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const shards = (disk: MemoryDisk): string[] =>
  [...disk.files.keys()].filter((path) => path.includes('shard'));

/** One term of a life: a vote, entries, a cut, and a floor if it is to have one. */
async function live(log: LogStorage, truth: Truth, term: number, hasFloor: boolean): Promise<void> {
  const end = log.recovered.lastIndex;
  const write = (change: Change): Promise<void> => truth.write(log, change);
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
async function lives(count: number, segments = false): Promise<{ stages: MemoryDisk[]; truth: Truth }> {
  const disk = new MemoryDisk();
  const truth = new Truth('orders');
  const stages: MemoryDisk[] = [];
  for (let term = 1; term <= count; term += 1) {
    const instance = await storageOn(disk).open({ id: 'n1' });
    await live(await instance.openLog('orders'), truth, term, term > 1 && !segments);
    await instance.close();
    if (segments) begin(disk);
    stages.push(new MemoryDisk(disk));
  }
  return { stages, truth };
}

/** What a process leaves that was killed while it appended: the first bytes of a block. */
function begin(disk: MemoryDisk): void {
  const last = shards(disk).sort().at(-1) ?? '';
  const bytes = disk.files.get(last) ?? Buffer.alloc(0);
  disk.files.set(last, Buffer.concat([bytes, bytes.subarray(0, 30)]));
}

/** What the log says of itself, or the reason the storage was refused with; a word that is not true fails the test. */
async function outcomeOf(disk: MemoryDisk, truth: Truth, what: string): Promise<string> {
  try {
    const instance = await storageOn(disk).open({ id: 'n1' });
    try {
      return await truth.outcomeOf(await instance.openLog('orders'), what);
    } finally {
      await instance.close();
    }
  } catch (error) {
    if (!(error instanceof StorageRefused)) throw error;
    return error.reason;
  }
}

function last({ stages }: { readonly stages: readonly MemoryDisk[] }): MemoryDisk {
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
  it('is exact, tells what is missing, or is refused: never other data', async () => {
    const { stages, truth } = await lives(3);
    const now = last({ stages });
    const outcomes: Record<string, string[]> = {};
    for (const [name, part] of Object.entries(parts)) {
      outcomes[name] = [];
      for (const earlier of stages.slice(0, -1)) {
        outcomes[name].push(await outcomeOf(mixed(now, earlier, part), truth, name));
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
      blocks: ['tail-lost', 'tail-lost'],
    });
  });

  it('has lost its tail though the blocks came back together with their mark', async () => {
    const { stages, truth } = await lives(3);
    const [earlier, , now] = stages;
    if (earlier === undefined || now === undefined) throw new Error('no life');
    const both = mixed(mixed(now, earlier, parts.blocks), earlier, parts.mark);
    expect(await outcomeOf(both, truth, 'both')).toBe('tail-lost');
  });
});

describe('a directory of which one part is of another storage', () => {
  it('is exact, has no blocks, or is refused, where the other has the same id and wrote the same', async () => {
    const { stages, truth } = await lives(2);
    const mine = last({ stages });
    const theirs = last(await lives(2));
    const outcomes: Record<string, string> = {};
    for (const [name, part] of Object.entries(parts)) {
      outcomes[name] = await outcomeOf(mixed(mine, theirs, part), truth, name);
    }
    expect(outcomes).toEqual({
      identity: 'damaged',
      'hard states': 'damaged',
      'first hard state': 'exact',
      'second hard state': 'exact',
      mark: 'exact',
      floor: 'damaged',
      blocks: 'tail-lost',
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
  it('is exact or tells what is missing when any byte of an older or the newest one changed', async () => {
    const { stages, truth } = await lives(3, true);
    const disk = last({ stages });
    const segments = shards(disk).sort();
    expect(segments.length).toBeGreaterThanOrEqual(2);
    const tally: Record<string, number> = {};
    for (const [age, path] of [
      ['older', segments[0] ?? ''],
      ['newest', segments.at(-1) ?? ''],
    ] as const) {
      for (let place = 0; place < (disk.files.get(path)?.length ?? 0); place += 1) {
        const copy = new MemoryDisk(disk);
        const bytes = copy.files.get(path) ?? Buffer.alloc(0);
        bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << (place % 8)), place);
        const outcome = await outcomeOf(copy, truth, `${age} byte ${place}`);
        tally[`${age} ${outcome}`] = (tally[`${age} ${outcome}`] ?? 0) + 1;
      }
    }
    console.log(tally);
    // What later blocks wrote over is not missed.
    expect(Object.keys(tally).sort()).toEqual([
      'newest exact',
      'newest holes',
      'newest tail-lost',
      'older exact',
      'older holes',
    ]);
    expect(tally['older holes']).toBeGreaterThan(300);
  });

  it('tells what is missing without any one of its segments that still hold its entries', async () => {
    const { stages, truth } = await lives(3, true);
    const disk = last({ stages });
    const outcomes: string[] = [];
    const paths = shards(disk).sort();
    for (const path of paths) {
      const copy = new MemoryDisk(disk);
      copy.files.delete(path);
      outcomes.push(await outcomeOf(copy, truth, path));
    }
    expect(outcomes).toEqual(paths.map((_, i) => (i === paths.length - 1 ? 'tail-lost' : 'holes')));
  });
});
