import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import type { InPlace } from '../conformance.ts';
import type { SnapshotMeta, SnapshotStorage } from '../contract.ts';

const configuration = {
  voters: [{ id: 'n1', incarnation: '0123456789abcdef', address: 'host:1' }],
  outgoing: [],
  learners: [],
};

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
    for (const found of [snapshots, (await place.reopen()).snapshots('a')]) {
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
}

async function bytesOf(snapshots: SnapshotStorage, meta: SnapshotMeta): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < meta.size; offset += 1000) {
    parts.push(await snapshots.read(meta, { offset, length: 1000 }));
  }
  return Buffer.concat(parts);
}

async function* interrupted(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('the state machine went away');
}
