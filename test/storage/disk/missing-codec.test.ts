import { describe, expect, it } from 'vitest';
import { nodeWork } from '../../../src/doors/node-work.ts';
import type { Work } from '../../../src/doors/work.ts';
import { refuseMissingCodec } from '../../../src/storage/disk/missing-codec.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type Storage, type StorageDoors } from '../../../src/storage/index.ts';
import { type BackendName, Machine } from './machine.ts';

const ENTRIES = 6;
const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };

function storageWith(doors: StorageDoors, backend: BackendName, codec: 'none' | 'zstd'): Storage {
  return fileStorage({ directory: '/data', backend, codec, segmentBytes: 4096, doors });
}

const withoutZstd = (doors: StorageDoors): StorageDoors => {
  const work: Work = { gzip: doors.work.gzip, zstd: null };
  return { ...doors, work };
};

async function fill(storage: Storage, from: number): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('a');
  const writeId = { boot: 1, sequence: 1 };
  if (from === 1) await log.write({ writeId, hardState: { term: 1, votedFor: null }, entries: [] });
  for (let index = from; index < from + ENTRIES; index += 1) {
    const payload = Buffer.alloc(5000, index);
    await log.write({ writeId, entries: [{ kind: 'command', index, term: 1, payload }] });
  }
  await instance.close();
}

describe.each(['files', 'level'] as const)('a log of the %s backend compressed with zstd', (backend) => {
  it('is refused by a machine without zstd, which says what is needed and changes nothing', async () => {
    const machine = new Machine({ seed: 1, backend });
    await machine.live((_, __, doors) => fill(storageWith(doors, backend, 'zstd'), 1), { power: false });
    for (let time = 0; time < 2; time += 1) {
      await machine.live(
        async (_, __, doors) => {
          const opening = storageWith(withoutZstd(doors), backend, 'none').open({ id: 'n1' });
          const error = await opening.catch((refusal: unknown) => refusal);
          expect(error).toBeInstanceOf(StorageRefused);
          expect(error).toMatchObject({
            reason: 'missing-codec',
            message:
              `/data: ${ENTRIES} blocks of group a, from block 1 on, are compressed with zstd, which this Node ` +
              'does not have. Open it with Node 22.15, 23.8, or 24 and later.',
          });
        },
        { power: true },
      );
    }
    await machine.live(
      async (_, __, doors) => {
        const instance = await storageWith(doors, backend, 'none').open({ id: 'n1' });
        expect(instance.identity.boot).toBe(2);
        const log = await instance.openLog('a');
        expect(await log.read({ from: 1, to: ENTRIES, bytesMax: 1e9 })).toHaveLength(ENTRIES);
        await instance.close();
      },
      { power: false },
    );
  });

  it('is opened by it once a snapshot has made the compressed blocks useless', async () => {
    const machine = new Machine({ seed: 1, backend });
    await machine.live(
      async (_, __, doors) => {
        await fill(storageWith(doors, backend, 'zstd'), 1);
        await fill(storageWith(doors, backend, 'none'), ENTRIES + 1);
        const instance = await storageWith(doors, backend, 'none').open({ id: 'n1' });
        const log = await instance.openLog('a');
        await instance.snapshots('a').write({ index: ENTRIES, term: 1, configuration }, []);
        const floor = { index: ENTRIES, term: 1, configuration };
        await log.write({ writeId: { boot: 3, sequence: 1 }, entries: [], floor });
        await instance.close();
        const later = await storageWith(withoutZstd(doors), backend, 'none').open({ id: 'n1' });
        const kept = await later.openLog('a');
        const range = { from: ENTRIES + 1, to: 2 * ENTRIES, bytesMax: 1e9 };
        expect(await kept.read(range)).toHaveLength(ENTRIES);
        await later.close();
      },
      { power: false },
    );
  });
});

describe('a log of very many blocks compressed with zstd', () => {
  it('is refused as one of a few is', () => {
    const header = {
      group: 'a',
      firstIndex: 1,
      entryCount: 1,
      runs: [],
      predecessor: { number: 0, index: 0, term: 0 },
      hardStateTerm: 1,
      durableNumber: 0,
      voidFrom: 0,
      repairs: false,
      hasConfiguration: false,
      commitOffset: 0,
      codec: 'zstd',
      bodyLength: 0,
      rawLength: 0,
      bodyChecksum: 0,
    } as const;
    const location = { backendLocation: null };
    const blocks = Array.from({ length: 200_000 }, (_, at) => {
      return { intact: true, header: { ...header, number: 200_000 - at }, location } as const;
    });
    const where = { directory: '/data', group: 'a', lowestNumber: 3 };
    expect(() => refuseMissingCodec(blocks, where, { gzip: nodeWork().gzip, zstd: null })).toThrow(
      '/data: 199998 blocks of group a, from block 3 on, are compressed with zstd',
    );
  });
});

describe('the option zstd', () => {
  it('is refused by a machine without it, which says what is needed', async () => {
    const machine = new Machine({ seed: 1, backend: 'files' });
    await machine.live(
      async (_, __, doors) => {
        const make = () => storageWith(withoutZstd(doors), 'files', 'zstd');
        expect(make).toThrow(StorageRefused);
        expect(make).toThrow(
          'codec: "zstd" needs Node 22.15, 23.8, or 24 and later; this Node does not have it',
        );
        expect(() => storageWith(doors, 'files', 'zstd')).not.toThrow();
      },
      { power: false },
    );
  });
});
