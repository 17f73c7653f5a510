import { describe, expect, it } from 'vitest';
import type { OpenDatabase } from '../../../src/doors/database.ts';
import type { Disk } from '../../../src/doors/disk.ts';
import type { StorageIdentity, StorageInstance } from '../../../src/storage/contract.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage, type Storage, type StorageDoors } from '../../../src/storage/index.ts';
import { type BackendName, Machine, stoppedEverywhere } from './machine.ts';

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const PUT_ASIDE = ['floor-a', 'identity', 'mark', 'shard-0', 'snapshots-a'];

/** A vote, entries in several segments, a floor, a snapshot and a cluster; then both copies of the vote are gone. */
async function fillAndLose(storage: Storage, disk: Disk): Promise<StorageIdentity> {
  const instance = await storage.open({ id: 'n1' });
  await instance.adoptCluster('00000000000000aa');
  const log = await instance.openLog('a');
  const writeId = { boot: 1, sequence: 1 };
  const votedFor = { id: 'n2', incarnation: '0123456789abcdef' };
  await log.write({ writeId, hardState: { term: 5, votedFor }, entries: [] });
  for (let index = 1; index <= 3; index += 1) {
    const payload = Buffer.alloc(1500, index);
    await log.write({ writeId, entries: [{ kind: 'command', index, term: 5, payload }] });
  }
  await instance.snapshots('a').write({ index: 2, term: 5, configuration }, [Buffer.from('state')]);
  await log.write({ writeId, entries: [], floor: { index: 1, term: 5, configuration } });
  await instance.close();
  for (const name of ['hard-state-1', 'hard-state-2']) await disk.remove(`/data/${name}`);
  await disk.syncDirectory('/data');
  return instance.identity;
}

async function isEmpty(instance: StorageInstance): Promise<boolean> {
  const { recovered } = await instance.openLog('a');
  const { hardState, floor, lastIndex } = recovered;
  const found = [hardState.term, hardState.votedFor, floor.index, lastIndex];
  return JSON.stringify(found) === '[0,null,0,0]' && (await instance.snapshots('a').latest()) === null;
}

describe.each(['files', 'level'] as const)(
  'a machine that stops while a storage of the %s backend is put aside',
  (backend: BackendName) => {
    it('has the old one, refused as before, or another that is empty, and all of the old one beside it', async () => {
      const seen = new Map<string, number>();
      await stoppedEverywhere(async (events) => {
        const machine = new Machine({ seed: 2000 + events, backend });
        const power = events % 3 > 0;
        let old: StorageIdentity | undefined;
        await machine.live(
          async (storage, disk) => {
            old = await fillAndLose(storage, disk);
          },
          { power: true },
        );
        let told: StorageIdentity | undefined;
        const remember = async (storage: Storage, putAside: boolean): Promise<void> => {
          const { identity } = await storage.open({ id: 'n1', ...(putAside ? { putAside } : {}) });
          if (told !== undefined && told.incarnation !== identity.incarnation)
            throw new Error('it is a third one');
          told = identity;
        };
        const ended = await machine.live((storage) => remember(storage, true), { events, power });
        // Nobody says any more that it is to be put aside: it is finished, or refused as it was before.
        let refused = false;
        await machine.live(
          async (storage) => {
            await remember(storage, false).catch((error: unknown) => {
              if (!(error instanceof StorageRefused) || error.lostPromises === null) throw error;
              refused = true;
            });
          },
          { power },
        );
        if (refused && told !== undefined) throw new Error('the old one is back');
        seen.set(refused ? 'old' : 'new', (seen.get(refused ? 'old' : 'new') ?? 0) + 1);
        await machine.live(
          async (storage, disk) => {
            const instance = await storage.open({ id: 'n1', putAside: true });
            const { incarnation, clusterId, putAside: aside } = instance.identity;
            if (incarnation === old?.incarnation) throw new Error('the old one opened');
            if (told !== undefined && told.incarnation !== incarnation) throw new Error('it is a third one');
            if (clusterId !== old?.clusterId) throw new Error(`it may join ${clusterId}`);
            if (!(await isEmpty(instance))) throw new Error('it holds something');
            const folder = aside?.directory ?? '';
            const kept = await disk.list(folder);
            if (JSON.stringify(kept) !== JSON.stringify(PUT_ASIDE)) throw new Error(`kept is ${kept.join()}`);
            const blocks =
              backend === 'level'
                ? machine.recordsIn(`${folder}/shard-0`)
                : (await disk.list(`${folder}/shard-0`)).length;
            if (blocks === 0) throw new Error('its blocks are gone');
          },
          { power },
        );
        return ended;
      });
      expect(seen.get('old')).toBeGreaterThan(2);
      expect(seen.get('new')).toBeGreaterThan(10);
    });
  },
);

/** A database that does not open, until it is moved away. */
function broken({ openDatabase, disk }: StorageDoors): OpenDatabase {
  return (directory) => {
    const database = openDatabase(directory);
    const open = async (): Promise<void> => {
      const isMoved = (await disk.list('/data/damaged-1').catch((): string[] => [])).includes('shard-0');
      if (!isMoved)
        throw Object.assign(new Error('Corruption: no such manifest'), { code: 'LEVEL_CORRUPTION' });
      await database.open();
    };
    return new Proxy(database, {
      get: (target, name) => {
        const value: unknown = name === 'open' ? open : Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

describe('a machine that stops while a database that does not open is put aside', () => {
  it('finds the tails of all its logs lost, also of those that nothing else tells it of', async () => {
    const groups = ['a', 'b'];
    const seen = new Map<string, number>();
    await stoppedEverywhere(async (events) => {
      const machine = new Machine({ seed: 3000 + events, backend: 'level' });
      const power = events % 3 > 0;
      await machine.live(
        async (storage, disk) => {
          await fillTwo(storage);
          await disk.remove('/data/mark');
          await disk.syncDirectory('/data');
        },
        { power: true },
      );
      const open = (doors: StorageDoors): Promise<StorageInstance> =>
        fileStorage({
          directory: '/data',
          backend: 'level',
          doors: { ...doors, openDatabase: broken(doors) },
        }).open({
          id: 'n1',
        });
      const ended = await machine.live(
        async (_storage, _disk, doors) => {
          const instance = await open(doors);
          const [log] = [await instance.openLog('a'), await instance.openLog('b')];
          const hardState = { term: 6, votedFor: null, missing: { term: 5, index: null } };
          await log.write({
            writeId: { boot: 2, sequence: 1 },
            hardState,
            entries: [{ kind: 'noop', index: 1, term: 6 }],
          });
        },
        { events, power },
      );
      await machine.live(
        async (_storage, _disk, doors) => {
          const instance = await open(doors);
          for (const group of groups) {
            const { recovered } = await instance.openLog(group);
            const { damage, hardState } = recovered;
            const says =
              damage?.end === null ? 'damage' : hardState.missing !== undefined ? 'remembered' : 'nothing';
            if (says === 'nothing') throw new Error(`${group} is said to be whole`);
            seen.set(`${group} ${says}`, (seen.get(`${group} ${says}`) ?? 0) + 1);
          }
        },
        { power },
      );
      return ended;
    });
    expect([...seen.keys()].sort()).toEqual(['a damage', 'a remembered', 'b damage']);
  });
});

/** One with entries, and one that voted and has none. */
async function fillTwo(storage: Storage): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const writeId = { boot: 1, sequence: 1 };
  for (const group of ['a', 'b']) {
    const log = await instance.openLog(group);
    await log.write({ writeId, hardState: { term: 5, votedFor: null }, entries: [] });
    if (group === 'b') continue;
    const payload = Buffer.alloc(100, 7);
    for (let index = 1; index <= 3; index += 1) {
      await log.write({ writeId, entries: [{ kind: 'command', index, term: 5, payload }] });
    }
  }
  await instance.close();
}
