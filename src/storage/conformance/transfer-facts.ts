import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import { sha256 } from '../../doors/digest.ts';
import type { InPlace } from '../conformance.ts';
import type { SnapshotMeta } from '../contract.ts';
import { SnapshotMismatch } from '../errors.ts';
import { bytesOf, commands, configuration, termOf, Writer } from './requests.ts';

const at = (index: number, term = 1) => ({ index, term, configuration });

function contentOfText(text: string): { readonly size: number; readonly digest: string } {
  const digest = sha256();
  digest.update(Buffer.from(text));
  return { size: Buffer.byteLength(text), digest: digest.finish() };
}

/** Snapshots that come from a leader, and that go to a follower, while new ones are made. */
export function transferFacts(inPlace: InPlace): void {
  inPlace('takes a snapshot that is what it was said to be', async (place) => {
    const snapshots = (await place.open()).snapshots('a');
    const expected = contentOfText('the state');
    const meta = await snapshots.write(at(3), [Buffer.from('the '), Buffer.from('state')], expected);
    deepStrictEqual(meta, { ...at(3), ...expected });
    deepStrictEqual(await (await place.reopen()).snapshots('a').latest(), meta);
  });

  for (const [what, text, expected] of [
    ['too short', 'the stat', contentOfText('the state')],
    ['too long', 'the state!', contentOfText('the state')],
    ['of other bytes', 'the stale', contentOfText('the state')],
    ['not empty as it should be', 'x', contentOfText('')],
    ['empty as it should not be', '', contentOfText('x')],
  ] as const) {
    inPlace(`never shows a snapshot that is ${what}, and stays well`, async (place) => {
      const instance = await place.open();
      const snapshots = instance.snapshots('a');
      const writer = new Writer(await instance.openLog('a'));
      const before = await snapshots.write(at(2), [Buffer.from('before')]);
      const chunks = [Buffer.from(text.slice(0, 4)), Buffer.from(text.slice(4))];
      await rejects(snapshots.write(at(3), chunks, expected), SnapshotMismatch);
      // Nor in the place of one that is good.
      await rejects(snapshots.write(at(2), chunks, expected), SnapshotMismatch);
      deepStrictEqual(await snapshots.latest(), before);
      await writer.write({ ...termOf(1), entries: commands(1, 2, 1) });
      const again = (await place.reopen()).snapshots('a');
      deepStrictEqual(await again.latest(), before);
      strictEqual((await bytesOf(again, before)).toString(), 'before');
    });
  }

  inPlace('asks for no more than the content that was promised', async (place) => {
    const snapshots = (await place.open()).snapshots('a');
    let asked = 0;
    let ended = false;
    function* endless(): Generator<Uint8Array> {
      try {
        for (;;) {
          asked += 1;
          yield Buffer.alloc(10);
        }
      } finally {
        ended = true;
      }
    }
    await rejects(snapshots.write(at(3), endless(), { ...contentOfText('x'), size: 95 }), SnapshotMismatch);
    deepStrictEqual([asked, ended], [10, true]);
  });

  inPlace(
    'goes on after a source of chunks broke off, with the log and with the next snapshot',
    async (place) => {
      const instance = await place.open();
      const snapshots = instance.snapshots('a');
      const writer = new Writer(await instance.openLog('a'));
      const abandoned = new Error('the leader is gone');
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('half');
        throw abandoned;
      }
      for (let times = 0; times < 3; times += 1) {
        await rejects(
          snapshots.write(at(3), broken(), contentOfText('half a state')),
          (e) => e === abandoned,
        );
        strictEqual(await snapshots.latest(), null);
      }
      await writer.write({ ...termOf(1), entries: commands(1, 2, 1) });
      const meta = await snapshots.write(at(3), [Buffer.from('state')]);
      deepStrictEqual(await snapshots.latest(), meta);
    },
  );

  inPlace('keeps the oldest snapshot that a durable floor does not pass, for who reads it', async (place) => {
    const instance = await place.open();
    const snapshots = instance.snapshots('a');
    const writer = new Writer(await instance.openLog('a'));
    await writer.write({ ...termOf(1), entries: commands(1, 20, 1) });
    const older = await snapshots.write(at(10), [Buffer.from('older')]);
    const newer = await snapshots.write(at(20), [Buffer.from('newer')]);
    strictEqual((await bytesOf(snapshots, older)).toString(), 'older');
    await writer.write({ floor: at(10) });
    strictEqual((await bytesOf(snapshots, older)).toString(), 'older');
    const again = await place.reopen();
    deepStrictEqual(await again.snapshots('a').latest(), newer);
    strictEqual((await bytesOf(again.snapshots('a'), older)).toString(), 'older');

    await new Writer(await again.openLog('a')).write({ floor: at(11) });
    await soon(() => rejects(bytesOf(again.snapshots('a'), older), SnapshotMismatch));
    strictEqual((await bytesOf(again.snapshots('a'), newer)).toString(), 'newer');
    // Asking in vain is no failure of the storage.
    await again.snapshots('a').write(at(21), [Buffer.from('newest')]);
  });

  inPlace('keeps of many snapshots the oldest, the newest and the one that is being read', async (place) => {
    const instance = await place.open();
    const snapshots = instance.snapshots('a');
    const writer = new Writer(await instance.openLog('a'));
    await writer.write({ ...termOf(1), entries: commands(1, 20, 1) });
    const written: SnapshotMeta[] = [];
    const kept = async (): Promise<number[]> => {
      const indexes: number[] = [];
      for (const meta of written) {
        const found = await bytesOf(snapshots, meta).catch((error: unknown) => error);
        if (found instanceof Uint8Array) indexes.push(meta.index);
        else strictEqual(found instanceof SnapshotMismatch, true);
      }
      return indexes;
    };
    const write = async (index: number): Promise<SnapshotMeta> => {
      const meta = await snapshots.write(at(index), [Buffer.from(`state at ${index}`)]);
      written.push(meta);
      return meta;
    };
    for (const index of [2, 4, 6, 8]) await write(index);
    deepStrictEqual(await kept(), [2, 8]);
    const transferred = await write(10);
    await snapshots.read(transferred, { offset: 0, length: 5 });
    for (const index of [12, 14, 16]) {
      await write(index);
      strictEqual((await bytesOf(snapshots, transferred)).toString(), 'state at 10');
    }
    await writer.write({ floor: at(3) });
    await soon(async () => deepStrictEqual(await kept(), [10, 16]));
    await writer.write({ floor: at(11) });
    await soon(async () => deepStrictEqual(await kept(), [16]));
    deepStrictEqual((await (await place.reopen()).snapshots('a').latest())?.index, 16);
  });

  inPlace('never takes the bytes of one snapshot for those of another at its place', async (place) => {
    const snapshots = (await place.open()).snapshots('a');
    const own = await snapshots.write(at(10), [Buffer.from('own')]);
    const received = await snapshots.write(at(10), [Buffer.from('received')], contentOfText('received'));
    await rejects(snapshots.read(own, { offset: 0, length: 3 }), SnapshotMismatch);
    strictEqual((await bytesOf(snapshots, received)).toString(), 'received');
    const again = (await place.reopen()).snapshots('a');
    await rejects(again.read(own, { offset: 0, length: 3 }), SnapshotMismatch);
    deepStrictEqual(await again.latest(), received);
  });

  for (const [what, index, term] of [
    ['lies ahead of the log', 9, 2],
    ['has another term than the log at its index', 2, 2],
    ['lies at the end of the log', 3, 1],
  ] as const) {
    inPlace(`shows after opening a snapshot that ${what}, and takes its floor then`, async (place) => {
      const instance = await place.open();
      const writer = new Writer(await instance.openLog('a'));
      await writer.write({ ...termOf(1), entries: commands(1, 3, 1) });
      const meta = await instance.snapshots('a').write(at(index, term), [Buffer.from('state')]);

      const again = await place.reopen();
      deepStrictEqual(await again.snapshots('a').latest(), meta);
      const next = new Writer(await again.openLog('a'));
      strictEqual(next.log.recovered.lastIndex, 3);
      // The hard state comes with it: the term of the snapshot may be ahead of the one that was durable.
      await next.write({ ...termOf(2), floor: at(index, term) });
      await next.write({ entries: commands(index + 1, index + 1, 2) });
      const third = await place.reopen();
      deepStrictEqual(await third.snapshots('a').latest(), meta);
      const { recovered } = await third.openLog('a');
      deepStrictEqual([recovered.floor.index, recovered.lastIndex], [index, index + 1]);
    });
  }
}

const TRIES = 10_000;

/** What a floor made useless may go after it is durable. Each try reads the storage. */
async function soon(check: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await check();
      return;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}
