import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/doors/checksum.ts';
import type { DiskFile } from '../../../src/doors/disk.ts';
import { nodeWork } from '../../../src/doors/node-work.ts';
import type { Compressor } from '../../../src/doors/work.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogStorage, StorageInstance, WriteRequest } from '../../../src/storage/contract.ts';
import { scanSegment } from '../../../src/storage/disk/backends/segment-scan.ts';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { StorageFailed } from '../../../src/storage/errors.ts';
import { fileStorage } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';

const SEGMENT = '/data/shard-0/000000000001.blocks';
/** One write of this fills a batch: nothing can join it any more. */
const FULL = 300 * 1024;

/** Its syncs of blocks wait, once it is told so, until each is let go or fails. */
class HeldDisk extends MemoryDisk {
  holds = false;
  readonly #held: { go: () => void; fail: (error: Error) => void }[] = [];

  override async open(path: string, options: Parameters<MemoryDisk['open']>[1] = {}): Promise<DiskFile> {
    const file = await super.open(path, options);
    if (path !== SEGMENT) return file;
    return {
      ...file,
      sync: async () => {
        if (this.holds) await new Promise<void>((go, fail) => this.#held.push({ go, fail }));
        await file.sync();
      },
    };
  }

  get heldSyncs(): number {
    return this.#held.length;
  }

  go(): void {
    this.#held.shift()?.go();
  }

  fail(): void {
    this.#held.shift()?.fail(Object.assign(new Error('EIO: sync'), { code: 'EIO' }));
  }

  sizeOf(path: string): number {
    return this.files.get(path)?.length ?? 0;
  }
}

/** Real gzip, which tells what it was given. */
class HeardGzip implements Compressor {
  readonly #gzip = nodeWork().gzip;
  readonly lengths: number[] = [];
  failsAt = Number.POSITIVE_INFINITY;

  async compress(data: Uint8Array): Promise<Uint8Array> {
    this.lengths.push(data.length);
    if (this.lengths.length === this.failsAt) throw new Error('no memory');
    return this.#gzip.compress(data);
  }

  decompress(data: Uint8Array, length: number): Promise<Uint8Array> {
    return this.#gzip.decompress(data, length);
  }
}

class Story {
  readonly disk = new HeldDisk();
  readonly gzip = new HeardGzip();
  readonly outcomes: string[] = [];
  #instance: StorageInstance | null = null;
  #log: LogStorage | null = null;
  #sequence = 0;

  static async begin(): Promise<Story> {
    const story = new Story();
    await story.open();
    await story.log.write({
      writeId: { boot: 1, sequence: 1 },
      hardState: { term: 1, votedFor: null },
      entries: [],
    });
    // The first append makes the segment.
    await story.write('first', { entries: commands(1, 1) });
    story.outcomes.length = 0;
    story.gzip.lengths.length = 0;
    story.disk.holds = true;
    return story;
  }

  async open(): Promise<LogStorage> {
    const doors = { ...nodeStorageDoors(), disk: this.disk, work: { gzip: this.gzip, zstd: null } };
    this.#instance = await fileStorage({ directory: '/data', codec: 'gzip', doors }).open({ id: 'n1' });
    this.#log = await this.#instance.openLog('a');
    return this.#log;
  }

  get instance(): StorageInstance {
    if (this.#instance === null) throw new Error('not open');
    return this.#instance;
  }

  get log(): LogStorage {
    if (this.#log === null) throw new Error('not open');
    return this.#log;
  }

  write(name: string, request: Omit<WriteRequest, 'writeId'>): Promise<unknown> {
    this.#sequence += 1;
    return this.log.write({ writeId: { boot: 1, sequence: this.#sequence }, ...request }).then(
      () => this.outcomes.push(`${name} durable`),
      (error: unknown) => this.outcomes.push(`${name} ${error instanceof StorageFailed ? 'failed' : error}`),
    );
  }

  /** Until the sync of a commit waits. */
  async held(): Promise<void> {
    while (this.disk.heldSyncs === 0) await new Promise(setImmediate);
  }

  /** By number; what was written last comes last. */
  headers(): { number: number; durableNumber: number; codec: string; entryCount: number }[] {
    const seed = crc32(Buffer.from(this.instance.identity.incarnation, 'latin1'));
    const { blocks } = scanSegment(this.disk.files.get(SEGMENT) ?? Buffer.alloc(0), seed);
    return blocks.flatMap((block) => {
      if (!block.intact) return [];
      const { number, durableNumber, codec, entryCount } = block.header;
      return [{ number, durableNumber, codec, entryCount }];
    });
  }

  async end(): Promise<void> {
    this.disk.holds = false;
    await this.instance.close();
  }
}

function commands(from: number, count: number, bytes = 100, term = 1): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const payload = Buffer.alloc(bytes, `command ${from + i} of many like it. `);
    return { kind: 'command', index: from + i, term, payload };
  });
}

describe('a batch that nothing can join any more', () => {
  it('is compressed while the commit before it syncs, and written after it', async () => {
    const story = await Story.begin();
    const writes = [story.write('small', { entries: commands(2, 1) })];
    await story.held();
    const size = story.disk.sizeOf(SEGMENT);
    writes.push(story.write('full', { entries: commands(3, 1, FULL) }));
    expect(story.gzip.lengths).toEqual([FULL + 5]);
    // Time enough for it to be ready, and to be written if that were not wrong.
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(story.disk.sizeOf(SEGMENT)).toBe(size);
    expect(story.outcomes).toEqual([]);
    story.disk.go();
    await story.held();
    story.disk.go();
    await Promise.all(writes);
    expect(story.outcomes).toEqual(['small durable', 'full durable']);
    // It was packed before the one before it was durable, and sealed after.
    expect(story.headers().slice(-2)).toEqual([
      { number: 2, durableNumber: 1, codec: 'none', entryCount: 1 },
      { number: 3, durableNumber: 2, codec: 'gzip', entryCount: 1 },
    ]);
    await story.end();
  });

  it('is packed at most two turns ahead', async () => {
    const story = await Story.begin();
    const writes = [story.write('small', { entries: commands(2, 1) })];
    await story.held();
    for (let i = 0; i < 4; i += 1) {
      writes.push(story.write(`full ${i}`, { entries: commands(3 + i, 1, FULL) }));
    }
    expect(story.gzip.lengths).toHaveLength(2);
    expect(story.instance.stats().pendingWrites).toBe(5);
    story.disk.go();
    await story.held();
    expect(story.gzip.lengths).toHaveLength(3);
    story.disk.holds = false;
    story.disk.go();
    await Promise.all(writes);
    expect(story.gzip.lengths).toHaveLength(4);
    expect(story.outcomes).toEqual(
      ['small', 'full 0', 'full 1', 'full 2', 'full 3'].map((n) => `${n} durable`),
    );
    await story.end();
  });

  it('fails with the commit before it, and is never written', async () => {
    const story = await Story.begin();
    const writes = [story.write('small', { entries: commands(2, 1) })];
    await story.held();
    const size = story.disk.sizeOf(SEGMENT);
    writes.push(
      story.write('full', { entries: commands(3, 1, FULL) }),
      story.write('cut', { cutFrom: 3, entries: commands(3, 2) }),
      story.write('last', { entries: commands(5, 1) }),
    );
    story.disk.fail();
    await Promise.all(writes);
    expect([...story.outcomes].sort()).toEqual(['cut failed', 'full failed', 'last failed', 'small failed']);
    expect(story.instance.stats().pendingWrites).toBe(0);
    await story.end();
    expect(story.disk.sizeOf(SEGMENT)).toBe(size);
    const log = await story.open();
    expect(log.recovered.lastIndex).toBe(2);
    await story.end();
  });

  it('fails the storage when it cannot be compressed, and leaves the commit before it durable', async () => {
    const story = await Story.begin();
    story.gzip.failsAt = 1;
    const writes = [story.write('small', { entries: commands(2, 1) })];
    await story.held();
    writes.push(
      story.write('full', { entries: commands(3, 1, FULL) }),
      story.write('last', { entries: commands(4, 1) }),
    );
    story.disk.go();
    await Promise.all(writes);
    expect([...story.outcomes].sort()).toEqual(['full failed', 'last failed', 'small durable']);
    await expect(story.log.write({ writeId: { boot: 1, sequence: 9 }, entries: [] })).rejects.toThrow(
      /no memory/,
    );
    await story.end();
  });
});

describe('a batch that can still be joined', () => {
  it('waits for the sync, and takes all that comes meanwhile', async () => {
    const story = await Story.begin();
    const writes = [story.write('first', { entries: commands(2, 1) })];
    await story.held();
    for (let i = 0; i < 20; i += 1) writes.push(story.write('more', { entries: commands(3 + i, 1) }));
    expect(story.gzip.lengths).toEqual([]);
    story.disk.holds = false;
    story.disk.go();
    await Promise.all(writes);
    expect(story.gzip.lengths).toEqual([20 * 105]);
    expect(story.headers().at(-1)).toMatchObject({ number: 3, entryCount: 20, codec: 'gzip' });
    await story.end();
  });
});

describe('a hard state, a cut and a floor among batches that are packed ahead', () => {
  it('come in their turn', async () => {
    const story = await Story.begin();
    const hardStateFile = (): string => story.disk.files.get('/data/hard-state-1')?.toString('latin1') ?? '';
    const before = hardStateFile();
    const hardState = { term: 2, votedFor: null };
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    const writes = [story.write('entries', { entries: commands(2, 5, 2000) })];
    await story.held();
    writes.push(
      story.write('hard state', { hardState, cutFrom: 4, entries: commands(4, 1, FULL, 2) }),
      story.write('cut', { cutFrom: 3, entries: commands(3, 2, 2000, 2) }),
      story.write('floor', { entries: [], floor: { index: 3, term: 2, configuration } }),
      story.write('entry', { entries: commands(5, 1, 2000, 2) }),
    );
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    // Neither vote nor floor may be found without the writes before them.
    expect(hardStateFile()).toBe(before);
    expect(story.disk.files.has('/data/floor-a')).toBe(false);
    story.disk.go();
    await story.held();
    expect(hardStateFile()).not.toBe(before);
    expect(story.disk.files.has('/data/floor-a')).toBe(false);
    story.disk.holds = false;
    story.disk.go();
    await Promise.all(writes);
    expect(story.outcomes).toEqual(
      ['entries', 'hard state', 'cut', 'floor', 'entry'].map((name) => `${name} durable`),
    );
    expect(story.headers().slice(-4)).toMatchObject([
      { number: 2, durableNumber: 1, entryCount: 5 },
      { number: 3, durableNumber: 2, entryCount: 1 },
      { number: 4, durableNumber: 3, entryCount: 2 },
      { number: 5, durableNumber: 4, entryCount: 1 },
    ]);
    await story.end();
    const log = await story.open();
    expect(log.recovered).toMatchObject({ hardState, lastIndex: 5, floor: { index: 3, term: 2 } });
    expect(await log.read({ from: 4, to: 5, bytesMax: 1e9 })).toEqual([
      ...commands(4, 1, 2000, 2),
      ...commands(5, 1, 2000, 2),
    ]);
    await story.end();
  });
});
