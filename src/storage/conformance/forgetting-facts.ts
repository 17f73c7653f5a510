import { deepStrictEqual, match, notStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import type { InPlace, Place } from '../conformance.ts';
import type { StorageIdentity } from '../contract.ts';
import { StorageRefused } from '../errors.ts';
import { bytesOf, commands, configuration, contentOf, sameEntries, termOf, Writer } from './requests.ts';

const groups = ['a', 'b', '.'];

/** Log, floor and snapshot of several groups, and a cluster. */
async function fill(place: Place): Promise<StorageIdentity> {
  const instance = await place.open();
  await instance.adoptCluster('00000000000000aa');
  for (const group of groups) {
    const writer = new Writer(await instance.openLog(group));
    await writer.write({ ...termOf(2), entries: commands(1, 6, 2) });
    await instance.snapshots(group).write({ index: 4, term: 2, configuration }, [Buffer.from('state')]);
    await writer.write({ floor: { index: 3, term: 2, configuration } });
  }
  return instance.identity;
}

/** A storage whose incarnation the cluster does not take any more begins anew, and no other does. */
export function forgettingFacts(inPlace: InPlace): void {
  inPlace('that is to be forgotten is emptied, and is another from then on', async (place) => {
    const old = await fill(place);
    const instance = await place.reopen({ forget: old.incarnation });
    const { identity } = instance;
    match(identity.incarnation, /^[0-9a-f]{16}$/);
    notStrictEqual(identity.incarnation, old.incarnation);
    deepStrictEqual([identity.id, identity.boot, identity.clusterId], ['n1', 1, null]);
    for (const group of groups) {
      const writer = new Writer(await instance.openLog(group));
      deepStrictEqual(writer.log.recovered, {
        hardState: { term: 0, votedFor: null },
        floor: { index: 0, term: 0, configuration: null },
        lastIndex: 0,
        runs: [],
        configurations: [],
        damage: null,
      });
      strictEqual(await instance.snapshots(group).latest(), null);
      await writer.write({ ...termOf(1), entries: commands(1, 2, 1) });
      await instance.snapshots(group).write({ index: 1, term: 1, configuration }, [Buffer.from('new')]);
    }
    await instance.adoptCluster('00000000000000bb');

    // What was meant for the old one does not touch the new one.
    const again = await place.reopen({ forget: old.incarnation });
    deepStrictEqual(again.identity, { ...identity, boot: 2, clusterId: '00000000000000bb' });
    for (const group of groups) {
      const log = await again.openLog(group);
      sameEntries(await contentOf(log, log.recovered.lastIndex), commands(1, 2, 1));
      const meta = await again.snapshots(group).latest();
      strictEqual(meta === null ? '' : (await bytesOf(again.snapshots(group), meta)).toString(), 'new');
    }
  });

  inPlace('of another incarnation than that to be forgotten stays as it is', async (place) => {
    const old = await fill(place);
    const instance = await place.reopen({ forget: '0000000000000000' });
    deepStrictEqual(instance.identity, { ...old, boot: 2 });
    const log = await instance.openLog('a');
    sameEntries(await contentOf(log, log.recovered.lastIndex), commands(4, 6, 2));
  });

  inPlace('may be forgotten before it was ever used, and before it exists', async (place) => {
    const first = (await place.open({ forget: '0000000000000000' })).identity;
    deepStrictEqual([first.boot, first.clusterId], [1, null]);
    const second = (await place.reopen({ forget: first.incarnation })).identity;
    notStrictEqual(second.incarnation, first.incarnation);
    deepStrictEqual([second.boot, second.clusterId], [1, null]);
    deepStrictEqual((await place.reopen()).identity, { ...second, boot: 2 });
  });

  inPlace('of another replica or cluster is refused, not forgotten', async (place) => {
    const old = await fill(place);
    await (await place.reopen()).close();
    const forget = old.incarnation;
    const isRefused = (error: unknown): boolean => error instanceof StorageRefused;
    await rejects(place.storage().open({ id: 'n2', forget }), isRefused);
    await rejects(place.storage().open({ id: 'n1', forget, clusterId: '00000000000000bb' }), isRefused);
    deepStrictEqual((await place.open()).identity, { ...old, boot: 3 });
  });
}
