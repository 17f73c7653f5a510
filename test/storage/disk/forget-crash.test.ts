import { describe, expect, it } from 'vitest';
import type { StorageIdentity, StorageInstance } from '../../../src/storage/contract.ts';
import type { Storage } from '../../../src/storage/index.ts';
import { type BackendName, Machine, stoppedEverywhere } from './machine.ts';

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const groups = ['a', 'b'];

/** Votes, entries in several segments, a floor, a snapshot and a cluster. */
async function fill(storage: Storage): Promise<StorageIdentity> {
  const instance = await storage.open({ id: 'n1' });
  await instance.adoptCluster('00000000000000aa');
  for (const group of groups) {
    const log = await instance.openLog(group);
    const votedFor = { id: 'n2', incarnation: '0123456789abcdef' };
    const writeId = { boot: 1, sequence: 1 };
    await log.write({ writeId, hardState: { term: 5, votedFor }, entries: [] });
    for (let index = 1; index <= 3; index += 1) {
      const payload = Buffer.alloc(1500, index);
      await log.write({ writeId, entries: [{ kind: 'command', index, term: 5, payload }] });
    }
    await instance.snapshots(group).write({ index: 2, term: 5, configuration }, [Buffer.from('state')]);
    await log.write({ writeId, entries: [], floor: { index: 1, term: 5, configuration } });
  }
  await instance.close();
  return instance.identity;
}

async function isWhole(instance: StorageInstance): Promise<boolean> {
  for (const group of groups) {
    const { recovered } = await instance.openLog(group);
    const { hardState, floor, lastIndex } = recovered;
    const found = [hardState.term, hardState.votedFor?.id, floor.index, lastIndex];
    if (JSON.stringify(found) !== '[5,"n2",1,3]') return false;
    if ((await instance.snapshots(group).latest())?.index !== 2) return false;
  }
  return instance.identity.clusterId === '00000000000000aa';
}

async function isEmpty(instance: StorageInstance): Promise<boolean> {
  for (const group of groups) {
    const { recovered } = await instance.openLog(group);
    const { hardState, floor, lastIndex } = recovered;
    const found = [hardState.term, hardState.votedFor, floor.index, lastIndex];
    if (JSON.stringify(found) !== '[0,null,0,0]') return false;
    if ((await instance.snapshots(group).latest()) !== null) return false;
  }
  return instance.identity.clusterId === null;
}

describe.each(['files', 'level'] as const)(
  'a machine that stops while a storage of the %s backend is forgotten',
  (backend: BackendName) => {
    it('has the old one, whole, or another that is empty', async () => {
      const seen = new Map<string, number>();
      await stoppedEverywhere(async (events) => {
        const machine = new Machine({ seed: 1000 + events, backend });
        const power = events % 3 > 0;
        let old: StorageIdentity | undefined;
        await machine.live(
          async (storage) => {
            old = await fill(storage);
          },
          { power },
        );
        const forget = old?.incarnation ?? '';
        let told: StorageIdentity | undefined;
        const ended = await machine.live(
          async (storage) => {
            const { identity } = await storage.open({ id: 'n1', forget });
            told = identity;
          },
          { events, power },
        );
        // The next opening may stop too. It knows nothing of what the one before it was about.
        const secondStop = machine.simulation.random.stream('second stop').integer(0, 120);
        const remember = async (storage: Storage): Promise<void> => {
          const { identity } = await storage.open({ id: 'n1' });
          if (identity.incarnation !== forget) told ??= identity;
        };
        await machine.live(remember, { events: secondStop, power });
        await machine.live(
          async (storage) => {
            const instance = await storage.open({ id: 'n1' });
            const { incarnation, boot } = instance.identity;
            const isOld = incarnation === forget;
            if (isOld && told !== undefined) throw new Error('the old one is back');
            if (told !== undefined && told.incarnation !== incarnation) throw new Error('it is a third one');
            if (told !== undefined && told.boot >= boot) throw new Error(`boot ${boot} came again`);
            const isRight = isOld ? await isWhole(instance) : await isEmpty(instance);
            if (!isRight) throw new Error(`${isOld ? 'the old' : 'the new'} one is a mixture`);
            seen.set(isOld ? 'old' : 'new', (seen.get(isOld ? 'old' : 'new') ?? 0) + 1);
          },
          { power: true },
        );
        // Asked again, it is forgotten once, however often it was tried.
        await machine.live(
          async (storage) => {
            const instance = await storage.open({ id: 'n1', forget });
            if (instance.identity.incarnation === forget || !(await isEmpty(instance)))
              throw new Error('not forgotten');
          },
          { power: true },
        );
        return ended;
      });
      expect(seen.get('old')).toBeGreaterThan(2);
      expect(seen.get('new')).toBeGreaterThan(20);
    });
  },
);
