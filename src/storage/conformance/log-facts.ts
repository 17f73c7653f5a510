import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import type { Entry } from '../../raft/entry.ts';
import { entryBytes } from '../../raft/entry.ts';
import type { InPlace } from '../conformance.ts';
import { EntriesGone, StorageFailed } from '../errors.ts';
import { command, commands, configuration, contentOf, sameEntries, termOf, Writer } from './requests.ts';

/** What is written is found, as it was, in the same instance and in the next. */
export function logFacts(inPlace: InPlace): void {
  inPlace('gives back every kind of entry', async (place) => {
    const entries: Entry[] = [
      { kind: 'configuration', index: 1, term: 1, clusterId: '00000000000000aa', configuration },
      { kind: 'noop', index: 2, term: 1 },
      command(3, 1, new Uint8Array(0)),
      command(
        4,
        2,
        Uint8Array.from({ length: 256 }, (_, i) => i),
      ),
      command(5, 2, new Uint8Array(1024 * 1024).fill(7)),
      { kind: 'configuration', index: 6, term: 4, clusterId: '00000000000000aa', configuration },
      { kind: 'session', index: 7, term: 4, payload: Uint8Array.from([0, 255, 7]) },
    ];
    const log = await (await place.open()).openLog('a');
    await new Writer(log).write({ ...termOf(4), entries });
    sameEntries(await contentOf(log, 7), entries);

    const again = await (await place.reopen()).openLog('a');
    sameEntries(await contentOf(again, 7), entries);
    strictEqual(again.recovered.lastIndex, 7);
    deepStrictEqual(again.recovered.runs, [
      { term: 1, firstIndex: 1 },
      { term: 2, firstIndex: 4 },
      { term: 4, firstIndex: 6 },
    ]);
    deepStrictEqual(again.recovered.configurations, [entries[0], entries[5]]);
  });

  inPlace('keeps term and vote, alone and with entries', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    const votedFor = { id: 'n2', incarnation: '0123456789abcdef' };
    await writer.write({ hardState: { term: 3, votedFor } });
    const second = new Writer(await (await place.reopen()).openLog('a'));
    deepStrictEqual(second.log.recovered.hardState, { term: 3, votedFor });
    strictEqual(second.log.recovered.lastIndex, 0);
    await second.write({ hardState: { term: 7, votedFor: null }, entries: commands(1, 2, 7) });
    const third = await (await place.reopen()).openLog('a');
    deepStrictEqual(third.recovered.hardState, { term: 7, votedFor: null });
    sameEntries(await contentOf(third, 2), commands(1, 2, 7));
  });

  inPlace('keeps what the hard state says is missing, until one says nothing of it', async (place) => {
    const states = [
      { term: 3, votedFor: null, missing: { term: 3, index: 17 } },
      { term: 4, votedFor: null, missing: { term: 4, index: null } },
      { term: 4, votedFor: null },
    ];
    for (const hardState of states) {
      const writer = new Writer(await (await place.reopen()).openLog('a'));
      await writer.write({ hardState });
      await writer.write({ entries: [command(writer.log.recovered.lastIndex + 1, hardState.term)] });
      for (let opening = 0; opening < 2; opening += 1) {
        const { recovered } = await (await place.reopen()).openLog('a');
        deepStrictEqual(recovered.hardState, hardState);
        strictEqual(recovered.damage, null);
      }
    }
  });

  inPlace('tells the terms of durable entries and of the floor, and of no others', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    strictEqual(writer.log.termAt(0), 0);
    await writer.write({ ...termOf(5), entries: [...commands(1, 4, 1), ...commands(5, 7, 3)] });
    await writer.write({ floor: { index: 2, term: 1, configuration } });
    await writer.write({ cutFrom: 7, entries: commands(7, 8, 5) });
    const terms = [null, 1, 1, 1, 3, 3, 5, 5, null];
    const told = (log: Writer['log']) => terms.map((_, i) => log.termAt(i + 1));
    deepStrictEqual(told(writer.log), terms);
    deepStrictEqual(told(await (await place.reopen()).openLog('a')), terms);
  });

  inPlace('has nothing to repair while no entry is missing', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    strictEqual(await writer.log.repair(commands(1, 2, 1)), null);
    await writer.write({ ...termOf(1), entries: commands(1, 3, 1) });
    for (const entries of [commands(2, 3, 1), commands(3, 3, 9), commands(4, 5, 1)]) {
      strictEqual(await writer.log.repair(entries), null);
    }
    await writer.write({ entries: commands(4, 4, 1) });
    const again = new Writer(await (await place.reopen()).openLog('a'));
    strictEqual(await again.log.repair(commands(2, 3, 1)), null);
    sameEntries(await contentOf(again.log, 4), commands(1, 4, 1));
  });

  inPlace('cuts, alone and with other entries in place of those cut', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    const sizes = async (to: number, expected: readonly Entry[]): Promise<void> => {
      sameEntries(await contentOf(writer.log, to), expected);
    };
    await writer.write({ ...termOf(1), entries: commands(1, 9, 1) });
    await writer.write({ cutFrom: 8 });
    await sizes(7, commands(1, 7, 1));
    await writer.write({ ...termOf(2), cutFrom: 4, entries: commands(4, 5, 2) });
    await sizes(5, [...commands(1, 3, 1), ...commands(4, 5, 2)]);
    await rejects(writer.log.read({ from: 6, to: 6, bytesMax: 100 }), EntriesGone);
    await writer.write({ ...termOf(3), cutFrom: 1, entries: commands(1, 1, 3) });

    const again = new Writer(await (await place.reopen()).openLog('a'));
    sameEntries(await contentOf(again.log, 1), commands(1, 1, 3));
    await again.write({ cutFrom: 1 });
    const empty = (await (await place.reopen()).openLog('a')).recovered;
    deepStrictEqual([empty.lastIndex, empty.runs], [0, []]);
  });

  inPlace('acknowledges in order, with many writes and cuts under way', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    const order: number[] = [];
    const writes: Promise<void>[] = [];
    const write = (change: Parameters<Writer['write']>[0]): void => {
      const number = writes.length;
      writes.push(writer.write(change).then(() => void order.push(number)));
    };
    write(termOf(1));
    for (let index = 1; index <= 30; index += 1) write({ entries: commands(index, index, 1) });
    write({ ...termOf(2), cutFrom: 11, entries: commands(11, 12, 2) });
    write({ entries: commands(13, 13, 2) });
    write({ cutFrom: 13 });
    write({ ...termOf(3) });
    write({ entries: commands(13, 14, 3) });
    await Promise.all(writes);
    deepStrictEqual(
      order,
      writes.map((_, i) => i),
    );
    const expected = [...commands(1, 10, 1), ...commands(11, 12, 2), ...commands(13, 14, 3)];
    sameEntries(await contentOf(writer.log, 14), expected);
    sameEntries(await contentOf(await (await place.reopen()).openLog('a'), 14), expected);
  });

  inPlace('reads from anywhere to anywhere, up to a bound in bytes, and never nothing', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    await writer.write(termOf(1));
    for (let index = 1; index <= 12; index += 3)
      await writer.write({ entries: commands(index, index + 2, 1) });
    for (let from = 1; from <= 12; from += 1) {
      for (let to = from; to <= 12; to += 1) {
        sameEntries(await writer.log.read({ from, to, bytesMax: 1e6 }), commands(from, to, 1));
      }
    }
    const each = entryBytes(command(1, 1));
    sameEntries(await writer.log.read({ from: 2, to: 9, bytesMax: 3 * each }), commands(2, 4, 1));
    sameEntries(await writer.log.read({ from: 2, to: 9, bytesMax: 0 }), commands(2, 2, 1));
    await rejects(writer.log.read({ from: 13, to: 13, bytesMax: 100 }), EntriesGone);
    // Asking in vain is no failure of the storage.
    await writer.write({ entries: commands(13, 13, 1) });
  });

  inPlace('reads what is durable while more is being written', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    await writer.write({ ...termOf(1), entries: commands(1, 5, 1) });
    const writes = [6, 7, 8].map((index) => writer.write({ entries: commands(index, index, 1) }));
    sameEntries(await writer.log.read({ from: 1, to: 5, bytesMax: 1e6 }), commands(1, 5, 1));
    await Promise.all(writes);
    sameEntries(await contentOf(writer.log, 8), commands(1, 8, 1));
  });

  inPlace('keeps the logs of groups apart', async (place) => {
    const groups = ['a', 'b', '.', '..', 'A', 'x'.repeat(64)];
    const instance = await place.open();
    const writers: Writer[] = [];
    for (const group of groups) writers.push(new Writer(await instance.openLog(group)));
    const written = writers.flatMap((writer, i) => [
      writer.write({ ...termOf(i + 1), entries: commands(1, i + 1, i + 1) }),
      writer.write({ entries: commands(i + 2, i + 3, i + 1) }),
    ]);
    await Promise.all(written);
    const again = await place.reopen();
    for (const [i, group] of groups.entries()) {
      const log = await again.openLog(group);
      strictEqual(log.recovered.hardState.term, i + 1);
      sameEntries(await contentOf(log, log.recovered.lastIndex), commands(1, i + 3, i + 1));
    }
  });

  inPlace('rejects a write that does not fit, and everything after it', async (place) => {
    const instance = await place.open();
    const writer = new Writer(await instance.openLog('a'));
    const other = new Writer(await instance.openLog('b'));
    await writer.write({ ...termOf(1), entries: commands(1, 3, 1) });
    await rejects(writer.write({ entries: commands(5, 5, 1) }), StorageFailed);
    await rejects(writer.write({ entries: commands(4, 4, 1) }), StorageFailed);
    await rejects(other.write(termOf(1)), StorageFailed);
    const log = await (await place.reopen()).openLog('a');
    sameEntries(await contentOf(log, log.recovered.lastIndex), commands(1, 3, 1));
  });

  for (const [what, change] of [
    ['a gap', { entries: commands(7, 7, 2) }],
    ['an entry that is there already', { entries: commands(5, 5, 2) }],
    ['a cut behind the end', { cutFrom: 7 }],
    ['a cut into the floor', { cutFrom: 2 }],
    ['an older term than the entry before', { entries: commands(6, 6, 1) }],
    ['a term ahead of the hard state', { entries: commands(6, 6, 3) }],
    ['a hard state that goes back', termOf(1)],
    ['a floor that goes back', { floor: { index: 1, term: 1, configuration } }],
    ['another term for its floor', { floor: { index: 2, term: 2, configuration } }],
    ['a floor of a term ahead of the hard state', { floor: { index: 9, term: 3, configuration } }],
  ] as const) {
    inPlace(`is not led into ${what}: it fails, and holds what it held`, async (place) => {
      const writer = new Writer(await (await place.open()).openLog('a'));
      await writer.write({ ...termOf(2), entries: [...commands(1, 3, 1), ...commands(4, 5, 2)] });
      await writer.write({ floor: { index: 2, term: 1, configuration } });
      await rejects(writer.write(change), StorageFailed);
      await rejects(writer.write({ entries: commands(6, 6, 2) }), StorageFailed);

      const again = new Writer(await (await place.reopen()).openLog('a'));
      deepStrictEqual(again.log.recovered.hardState, { term: 2, votedFor: null });
      deepStrictEqual(again.log.recovered.floor, { index: 2, term: 1, configuration });
      const expected = [...commands(3, 3, 1), ...commands(4, 5, 2)];
      sameEntries(await contentOf(again.log, again.log.recovered.lastIndex), expected);
      await again.write({ entries: commands(6, 6, 2) });
    });
  }

  inPlace('counts what it did', async (place) => {
    const instance = await place.open();
    const before = instance.stats();
    const writer = new Writer(await instance.openLog('a'));
    const writes = [writer.write(termOf(1)), writer.write({ entries: commands(1, 2, 1) })];
    strictEqual(instance.stats().pendingWrites, 2);
    await Promise.all(writes);
    const after = instance.stats();
    strictEqual(after.pendingWrites, 0);
    strictEqual(after.writes - before.writes, 2);
    strictEqual(after.syncs > before.syncs, true);
    strictEqual(after.syncLatency.count, after.syncs);
    strictEqual(after.syncLatency.sum >= 0, true);
    strictEqual(after.blocks > before.blocks && after.bytesWritten > before.bytesWritten, true);
    await instance.close();
    deepStrictEqual(instance.stats(), after);
  });
}
