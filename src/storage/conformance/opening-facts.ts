import { deepStrictEqual, match, rejects, strictEqual, throws } from 'node:assert/strict';
import type { InPlace } from '../conformance.ts';
import { StorageFailed, StorageRefused } from '../errors.ts';
import { commands, contentOf, sameEntries, termOf, Writer } from './requests.ts';

const isRefused = (reason: string) => (error: unknown) =>
  error instanceof StorageRefused && error.reason === reason;

/** Identity, boots, and who may open what. */
export function openingFacts(inPlace: InPlace): void {
  inPlace('makes an incarnation once, and counts its boots', async (place) => {
    const first = (await place.open()).identity;
    match(first.incarnation, /^[0-9a-f]{16}$/);
    deepStrictEqual([first.id, first.boot, first.clusterId], ['n1', 1, null]);
    deepStrictEqual((await place.reopen()).identity, { ...first, boot: 2 });
    deepStrictEqual((await place.reopen()).identity, { ...first, boot: 3 });
  });

  inPlace('keeps the cluster that it adopted, and adopts no other', async (place) => {
    const instance = await place.open();
    await instance.adoptCluster('00000000000000aa');
    strictEqual(instance.identity.clusterId, '00000000000000aa');
    await instance.adoptCluster('00000000000000aa');
    await rejects(instance.adoptCluster('00000000000000bb'));
    strictEqual((await place.reopen()).identity.clusterId, '00000000000000aa');
  });

  inPlace('refuses another replica, another cluster and a second opener', async (place) => {
    const instance = await place.open();
    await rejects(place.storage().open({ id: 'n1' }), isRefused('in-use'));
    await instance.adoptCluster('00000000000000aa');
    await instance.close();
    await rejects(place.storage().open({ id: 'n2' }), isRefused('other-replica'));
    const elsewhere = place.storage().open({ id: 'n1', clusterId: '00000000000000bb' });
    await rejects(elsewhere, isRefused('other-cluster'));
    const same = await place.storage().open({ id: 'n1', clusterId: '00000000000000aa' });
    await same.close();
  });

  inPlace('is not taken from a later opener by closing an earlier instance again', async (place) => {
    const first = await place.open();
    await first.close();
    const second = await place.open();
    await first.close();
    await rejects(place.storage().open({ id: 'n1' }), isRefused('in-use'));
    const writer = new Writer(await second.openLog('a'));
    await writer.write(termOf(1));
  });

  inPlace('refuses names that are none', async (place) => {
    for (const name of ['', 'a/b', '../a', 'ä', 'x'.repeat(65)]) {
      await rejects(place.storage().open({ id: name }), isRefused('wrong-options'));
    }
    const instance = await place.open();
    for (const name of ['', 'a/b', '../a', 'ä', 'x'.repeat(65)]) {
      await rejects(instance.openLog(name), isRefused('wrong-options'));
      throws(() => instance.snapshots(name), isRefused('wrong-options'));
    }
  });

  inPlace('opens a log that was never written as empty, and each log once', async (place) => {
    const instance = await place.open();
    const { recovered } = await instance.openLog('a');
    deepStrictEqual(recovered, {
      hardState: { term: 0, votedFor: null },
      floor: { index: 0, term: 0, configuration: null },
      lastIndex: 0,
      runs: [],
      configurations: [],
      damage: null,
    });
    await rejects(instance.openLog('a'));
  });

  inPlace('finishes what it was given before it closes, and takes nothing after', async (place) => {
    const instance = await place.open();
    const writer = new Writer(await instance.openLog('a'));
    const written: number[] = [];
    const writes = [writer.write(termOf(1))];
    for (let index = 1; index <= 20; index += 1) {
      const write = writer.write({ entries: commands(index, index, 1) });
      writes.push(write.then(() => void written.push(index)));
    }
    const closed = Promise.all([instance.close(), instance.close()]);
    await Promise.allSettled(writes);
    await closed;
    await rejects(writer.write({ entries: [] }), StorageFailed);
    const log = await (await place.reopen()).openLog('a');
    const { lastIndex } = log.recovered;
    const told = written.at(-1) ?? 0;
    strictEqual(lastIndex >= told, true, `${lastIndex} entries, ${told} acknowledged`);
    sameEntries(await contentOf(log, lastIndex), commands(1, lastIndex, 1));
  });
}
