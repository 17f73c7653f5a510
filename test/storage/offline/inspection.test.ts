import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/doors/checksum.ts';
import type { Disk } from '../../../src/doors/disk.ts';
import { nodeDisk } from '../../../src/doors/node-disk.ts';
import { parseHeader, writeHeader } from '../../../src/storage/disk/block-header.ts';
import { readIdentity } from '../../../src/storage/disk/identity-file.ts';
import { nodeStorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import { inspectDirectory } from '../../../src/storage/offline/inspection.ts';
import { readOnlyDisk } from '../../../src/storage/offline/read-only-disk.ts';
import type { Progress, ReadingOptions } from '../../../src/storage/offline/stopped-directory.ts';
import { writeReplicaContent } from '../../fixtures/replica-content.ts';

let folder: string;
let directory: string;
let scratch: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kontiki-inspection-'));
  [directory, scratch] = [join(folder, 'n1'), join(folder, 'scratch')];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const inspect = (options: Partial<ReadingOptions> = {}) =>
  inspectDirectory(directory, { doors: nodeStorageDoors(), scratch, decode: true, ...options });

describe('an inspection', () => {
  it.each(['files', 'level'] as const)('tells how it gets on, and leaves no copy (%s)', async (backend) => {
    await writeReplicaContent(directory, { backend });
    const told: Progress[] = [];
    const { findings, groups } = await inspect({ onProgress: (progress) => told.push(progress) });
    expect(findings).toEqual([]);
    expect(groups.map(({ verdict }) => verdict)).toEqual(['clean', 'clean', 'clean']);
    expect(told).toContainEqual({ doing: 'reading shards', done: 1, all: 2 });
    expect(told).toContainEqual({
      doing: 'decoding blocks of group orders',
      done: 0,
      all: groups[0]?.blocks.count,
    });
    expect(told.every(({ done, all }) => done < all)).toBe(true);
    expect(existsSync(scratch)).toBe(false);
  });

  it.each(['files', 'level'] as const)(
    'ends when it is asked to, and leaves no copy (%s)',
    async (backend) => {
      await writeReplicaContent(directory, { backend });
      for (const doing of [
        'reading shards',
        'checking snapshots of group orders',
        'decoding blocks of group users',
      ]) {
        const end = new AbortController();
        const onProgress = (progress: Progress): void => {
          if (progress.doing === doing) end.abort(new Error('enough'));
        };
        await expect(inspect({ signal: end.signal, onProgress })).rejects.toThrow('enough');
        expect(existsSync(scratch)).toBe(false);
      }
      // Nothing holds on to it.
      expect((await inspect()).findings).toEqual([]);
    },
  );

  it('says that there is no room for the copy of a database', async () => {
    await writeReplicaContent(directory, { backend: 'level' });
    const disk = fullAt(nodeDisk(), scratch);
    await expect(inspect({ doors: { ...nodeStorageDoors(), disk } })).rejects.toMatchObject({
      name: 'InspectionRefused',
      reason: 'no-room',
      message: expect.stringMatching(
        /n1: LevelDB writes .* shard-0 .* no room in .*scratch. Set TMPDIR to a folder/,
      ),
    });
    expect(await readdir(folder)).toEqual(['n1']);
  });

  it('finds a block that is no block, though its checksums are right', async () => {
    await writeReplicaContent(directory, { backend: 'files' });
    const found = await readIdentity(nodeDisk(), directory);
    const seed = crc32(Buffer.from(found.kind === 'found' ? found.identity.incarnation : '', 'latin1'));
    const path = join(directory, 'shard-1', '000000000001.blocks');
    const bytes = await readFile(path);
    const parsed = parseHeader(bytes, seed);
    if (!parsed.valid) throw new Error(parsed.reason);
    const end = parsed.length + parsed.header.bodyLength;
    bytes.fill(7, parsed.length, end);
    const bodyChecksum = crc32(bytes.subarray(parsed.length, end));
    writeHeader(bytes, { ...parsed.header, bodyChecksum }, seed);
    await writeFile(path, bytes);
    const { findings, groups } = await inspect();
    expect(groups.map(({ verdict }) => verdict)).toEqual(['clean', 'clean', 'clean']);
    const { group, firstIndex, entryCount, number } = parsed.header;
    expect(findings).toMatchObject([
      {
        kind: 'damage',
        shard: 1,
        group,
        blocks: { from: number, to: number },
        entries: { from: firstIndex, to: firstIndex + entryCount - 1 },
        what: expect.stringContaining('cannot be decoded'),
      },
    ]);
    expect(
      (await inspectDirectory(directory, { doors: nodeStorageDoors(), scratch, decode: false })).findings,
    ).toEqual([]);
  });
});

describe('a disk that is only read', () => {
  it('gives what is there, an empty file for one that would be made, and changes nothing', async () => {
    await writeFile(join(folder, 'f'), 'kept');
    const disk = readOnlyDisk(nodeDisk());
    const file = await disk.open(join(folder, 'f'), { create: true });
    expect(Buffer.from(await file.read(0, 9)).toString()).toBe('kept');
    for (const change of [
      () => file.write(0, Buffer.from('x')),
      () => file.append(Buffer.from('x')),
      () => file.truncate(0),
      () => disk.remove(join(folder, 'f')),
      () => disk.rename(join(folder, 'f'), join(folder, 'g')),
      () => disk.makeDirectory(join(folder, 'd')),
      () => disk.removeDirectory(folder),
    ])
      await expect(change()).rejects.toThrow('is only read here');
    await file.sync();
    await file.close();
    const made = await disk.open(join(folder, 'g'), { create: true });
    expect([await made.size(), await made.read(0, 5)]).toEqual([0, new Uint8Array(0)]);
    await made.close();
    await expect(disk.open(join(folder, 'g'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(folder)).toEqual(['f']);
    expect(await readFile(join(folder, 'f'), 'utf8')).toBe('kept');
  });
});

/** No byte fits below that folder. */
function fullAt(disk: Disk, full: string): Disk {
  return {
    ...disk,
    async open(path, options) {
      const file = await disk.open(path, options);
      if (!path.startsWith(full)) return file;
      return {
        size: () => file.size(),
        read: (offset, length) => file.read(offset, length),
        append: async () => {
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        },
        write: (offset, data) => file.write(offset, data),
        truncate: (length) => file.truncate(length),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
}
