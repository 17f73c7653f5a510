import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import type { InPlace } from '../conformance.ts';
import type { SnapshotMeta } from '../contract.ts';
import { SnapshotMismatch, StorageFailed } from '../errors.ts';
import { bytesOf, commands, configuration, termOf, Writer } from './requests.ts';

/** Snapshots are whole or not there. */
export function snapshotFacts(inPlace: InPlace): void {
  inPlace('gives back a snapshot by ranges, also after reopening', async (place) => {
    const content = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    const snapshots = (await place.open()).snapshots('a');
    strictEqual(await snapshots.latest(), null);
    const at = { index: 7, term: 2, configuration };
    const meta = await snapshots.write(at, [content.subarray(0, 1), content.subarray(1)]);
    deepStrictEqual([meta.index, meta.term, meta.size], [7, 2, 5000]);
    deepStrictEqual(meta.configuration, configuration);
    for (const open of [async () => snapshots, async () => (await place.reopen()).snapshots('a')]) {
      const found = await open();
      deepStrictEqual(await found.latest(), meta);
      strictEqual((await bytesOf(found, meta)).equals(content), true);
      strictEqual(Buffer.from(await found.read(meta, { offset: 250, length: 3 })).toString('hex'), 'fa0001');
    }
  });

  inPlace('shows the newest snapshot of each group', async (place) => {
    const instance = await place.open();
    const [a, b] = [instance.snapshots('a'), instance.snapshots('b')];
    await a.write({ index: 9, term: 1, configuration }, [Buffer.from('old')]);
    const newest = await a.write({ index: 10, term: 3, configuration }, [Buffer.from('new')]);
    const other = await b.write({ index: 2, term: 1, configuration }, []);
    const again = await place.reopen();
    deepStrictEqual(await again.snapshots('a').latest(), newest);
    deepStrictEqual(await again.snapshots('b').latest(), other);
    strictEqual(other.size, 0);
  });

  inPlace('keeps the last snapshot when writing the next one fails', async (place) => {
    const snapshots = (await place.open()).snapshots('a');
    const meta = await snapshots.write({ index: 1, term: 1, configuration }, [Buffer.from('whole')]);
    const broken = snapshots.write({ index: 2, term: 1, configuration }, interrupted());
    await rejects(broken, /the state machine went away/);
    deepStrictEqual(await snapshots.latest(), meta);
    const again = (await place.reopen()).snapshots('a');
    deepStrictEqual(await again.latest(), meta);
    const next = await again.write({ index: 2, term: 1, configuration }, [Buffer.from('next')]);
    strictEqual((await bytesOf(again, next)).toString(), 'next');
  });

  inPlace('keeps the newest of snapshots that are written at once, or in another order', async (place) => {
    const snapshots = (await place.open()).snapshots('a');
    const written = [3, 5, 4].map((index) =>
      snapshots.write({ index, term: 1, configuration }, [Buffer.from(`state at ${index}`)]),
    );
    const newest = (await Promise.all(written))[1];
    await snapshots.write({ index: 2, term: 1, configuration }, [Buffer.from('late')]);
    for (const open of [async () => snapshots, async () => (await place.reopen()).snapshots('a')]) {
      const found = await open();
      const latest = await found.latest();
      deepStrictEqual(latest, newest);
      if (latest !== null) strictEqual((await bytesOf(found, latest)).toString(), 'state at 5');
    }
  });

  inPlace('reads nothing behind the end of a snapshot, and refuses what is no range', async (place) => {
    const snapshots = (await place.open()).snapshots('a');
    const meta = await snapshots.write({ index: 1, term: 1, configuration }, [Buffer.from('state')]);
    const text = async (offset: number, length: number): Promise<string> =>
      Buffer.from(await snapshots.read(meta, { offset, length })).toString();
    deepStrictEqual([await text(3, 100), await text(5, 1), await text(9, 9)], ['te', '', '']);
    for (const [offset, length] of [
      [-1, 2],
      [0, -1],
      [0.5, 1],
      [0, Number.NaN],
    ] as const) {
      await rejects(text(offset, length), RangeError);
    }
    const unknown = { ...meta, index: 2, digest: '0'.repeat(64) };
    await rejects(snapshots.read(unknown, { offset: 0, length: 1 }), SnapshotMismatch);
    strictEqual((await bytesOf(snapshots, meta)).toString(), 'state');
  });

  inPlace('keeps its snapshot when a floor follows it, and takes none once closed', async (place) => {
    const instance = await place.open();
    const snapshots = instance.snapshots('a');
    const writer = new Writer(await instance.openLog('a'));
    await writer.write({ ...termOf(1), entries: commands(1, 6, 1) });
    const whole = Buffer.from('state');
    await snapshots.write({ index: 2, term: 1, configuration }, [whole]);
    const meta = await snapshots.write({ index: 4, term: 1, configuration }, [whole]);
    await writer.write({ floor: { index: 4, term: 1, configuration } });
    deepStrictEqual(await snapshots.latest(), meta);
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const under = snapshots.write({ index: 6, term: 1, configuration }, halves(gate));
    const failed = rejects(under, StorageFailed);
    await instance.close();
    go();
    await failed;
    await rejects(snapshots.write({ index: 5, term: 1, configuration }, [whole]), StorageFailed);
    await rejects(snapshots.latest(), StorageFailed);
    const again = (await place.reopen()).snapshots('a');
    deepStrictEqual(await again.latest(), meta);
    strictEqual((await bytesOf(again, meta)).toString(), 'state');
  });

  inPlace('keeps a snapshot that is held, whatever comes, until it is released', async (place) => {
    const instance = await place.open();
    const snapshots = instance.snapshots('a');
    const writer = new Writer(await instance.openLog('a'));
    await writer.write({ ...termOf(1), entries: commands(1, 9, 1) });
    const take = (index: number): Promise<SnapshotMeta> =>
      snapshots.write({ index, term: 1, configuration }, [Buffer.from(`state at ${index}`)]);
    const floorAt = (index: number): Promise<void> =>
      writer.write({ floor: { index, term: 1, configuration } });
    const held = await take(2);
    const [release, releaseToo] = [await snapshots.hold(held), await snapshots.hold(held)];
    const middle = await take(4);
    await bytesOf(snapshots, middle);
    for (const index of [5, 6]) await take(index);
    // The one read last is not the held one, however often that is read.
    await bytesOf(snapshots, held);
    strictEqual((await bytesOf(snapshots, middle)).toString(), 'state at 4');
    await floorAt(6);
    release();
    release();
    await take(7);
    await floorAt(7);
    strictEqual((await bytesOf(snapshots, held)).toString(), 'state at 2');
    releaseToo();
    await take(8);
    await floorAt(8);
    await rejects(snapshots.read(held, { offset: 0, length: 1 }), SnapshotMismatch);
    await rejects(snapshots.hold(held), SnapshotMismatch);
    const latest = await take(9);
    const releaseLast = await snapshots.hold(latest);
    await instance.close();
    releaseLast();
    const again = (await place.reopen()).snapshots('a');
    deepStrictEqual(await again.latest(), latest);
  });
}

async function* halves(gate: Promise<void>): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  await gate;
  yield Buffer.from('half');
}

async function* interrupted(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('the state machine went away');
}
