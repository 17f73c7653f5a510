import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/doors/clock.ts';
import { nodeClock } from '../../../src/doors/node-clock.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { StorageFailed, StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type LogStorage, type StorageInstance } from '../../../src/storage/index.ts';
import { MemoryDisk } from './memory-disk.ts';

const open = (disk: MemoryDisk, clock: Clock = nodeClock()): Promise<StorageInstance> =>
  fileStorage({
    directory: '/data',
    segmentBytes: 1000,
    doors: { ...nodeStorageDoors(), disk, clock },
  }).open({ id: 'n1' });

const command = (index: number): Entry => ({
  kind: 'command',
  index,
  term: 1,
  payload: Buffer.alloc(300, index),
});

const append = (log: LogStorage, index: number): Promise<void> =>
  log.write({
    writeId: { boot: 1, sequence: index },
    ...(index === 1 ? { hardState: { term: 1, votedFor: null } } : {}),
    entries: [command(index)],
  });

/** Opening any file fails from now on, once so many more are open. */
function outOfFiles(disk: MemoryDisk, left: number): void {
  const { open: openFile } = disk;
  let opened = 0;
  disk.open = async (path, options) => {
    opened += 1;
    if (opened > left)
      throw Object.assign(new Error(`EMFILE: too many open files, ${path}`), { code: 'EMFILE' });
    return openFile.call(disk, path, options);
  };
}

async function written(entries: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const instance = await open(disk);
  const log = await instance.openLog('a');
  for (let index = 1; index <= entries; index += 1) await append(log, index);
  await instance.close();
  return disk;
}

describe('a process that may open no more files', () => {
  it('is told so when it opens a storage, at whichever file, and loses nothing', async () => {
    const disk = await written(10);
    const before = new MemoryDisk(disk);
    let refused = 0;
    for (let left = 0; ; left += 1) {
      const short = new MemoryDisk(before);
      outOfFiles(short, left);
      const opening = open(short).then(async (instance) => {
        await (await instance.openLog('a')).read({ from: 10, to: 10, bytesMax: 1 });
        await instance.close();
      });
      const error = await opening.catch((found: unknown) => found);
      const after = await open(new MemoryDisk(short));
      expect((await after.openLog('a')).recovered, `${left} files`).toMatchObject({
        lastIndex: 10,
        damage: null,
      });
      if (error === undefined) break;
      refused += 1;
      if (error instanceof StorageRefused) expect(error).toMatchObject({ reason: 'not-writable' });
      else expect(error).toBeInstanceOf(StorageFailed);
      expect((error as Error).message).toMatch(/EMFILE/);
    }
    expect(refused).toBeGreaterThan(5);
  });

  it('keeps what it acknowledged when it cannot begin another segment', async () => {
    const disk = await written(1);
    const instance = await open(disk);
    const log = await instance.openLog('a');
    outOfFiles(disk, 0);
    let acknowledged = 1;
    const failure = await (async () => {
      for (;;) {
        await append(log, acknowledged + 1);
        acknowledged += 1;
      }
    })().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageFailed);
    expect((failure as Error).message).toMatch(/EMFILE/);
    await instance.close();
    const again = await (await open(new MemoryDisk(disk))).openLog('a');
    expect(again.recovered).toMatchObject({ lastIndex: acknowledged, damage: null });
  });
});

describe('a machine whose clocks ran backwards between two runs', () => {
  it('opens its storage as ever, and marks what it acknowledges', async () => {
    const disk = await written(3);
    const early: Clock = { ...nodeClock(), now: () => 0.5, wall: () => 0 };
    const instance = await open(disk, early);
    const log = await instance.openLog('a');
    expect(log.recovered).toMatchObject({ lastIndex: 3, damage: null });
    expect(instance.identity.boot).toBe(2);
    await append(log, 4);
    await instance.close();
    const marked = new MemoryDisk(disk);
    for (const path of [...marked.files.keys()].filter((one) => one.endsWith('.blocks')).slice(-1)) {
      marked.files.delete(path);
    }
    // The mark of that run tells that a block is gone.
    const { damage } = (await (await open(marked)).openLog('a')).recovered;
    expect(damage?.end).toBeNull();
  });
});
