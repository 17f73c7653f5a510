import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import type { Index, Term } from '../../raft/entry.ts';
import type { InPlace } from '../conformance.ts';
import type { LogFloor } from '../contract.ts';
import { EntriesGone } from '../errors.ts';
import { commands, configuration, contentOf, sameEntries, termOf, Writer } from './requests.ts';

const floorAt = (index: Index, term: Term): LogFloor => ({
  index,
  term,
  configuration,
});

/** A snapshot takes the place of the log's beginning. */
export function compactionFacts(inPlace: InPlace): void {
  inPlace('forgets what lies below a floor, and goes on behind it', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    await writer.write({ ...termOf(2), entries: [...commands(1, 4, 1), ...commands(5, 8, 2)] });
    await writer.write({ floor: floorAt(6, 2) });
    await rejects(writer.log.read({ from: 6, to: 7, bytesMax: 100 }), EntriesGone);
    await writer.write({ entries: commands(9, 10, 2) });

    const again = new Writer(await (await place.reopen()).openLog('a'));
    deepStrictEqual(again.log.recovered.floor, floorAt(6, 2));
    deepStrictEqual(again.log.recovered.runs, [{ term: 2, firstIndex: 7 }]);
    sameEntries(await contentOf(again.log, 10), commands(7, 10, 2));
    await again.write({ floor: floorAt(10, 2) });
    await again.write({ ...termOf(3), entries: commands(11, 11, 3) });
    const third = await (await place.reopen()).openLog('a');
    deepStrictEqual(third.recovered.runs, [{ term: 3, firstIndex: 11 }]);
    sameEntries(await contentOf(third, 11), commands(11, 11, 3));
  });

  inPlace('tells entries that are compacted while they are read as gone, and stays well', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    await writer.write(termOf(1));
    let from = 1;
    for (let last = 20; last <= 80; last += 20) {
      for (let index = last - 19; index <= last; index += 1) {
        await writer.write({ entries: commands(index, index, 1) });
      }
      const floored = writer.write({ floor: floorAt(last - 5, 1) });
      const reads = Array.from({ length: 20 }, async (_, step) => {
        for (let turn = 0; turn < step; turn += 1) await Promise.resolve();
        const range = { from: from + step, to: last, bytesMax: 1e6 };
        try {
          const found = await writer.log.read(range);
          sameEntries(found, commands(range.from, found.at(-1)?.index ?? 0, 1));
        } catch (error) {
          if (!(error instanceof EntriesGone)) throw error;
        }
      });
      await Promise.all([floored, ...reads]);
      await rejects(writer.log.read({ from: last - 5, to: last, bytesMax: 100 }), EntriesGone);
      sameEntries(
        await writer.log.read({ from: last - 4, to: last, bytesMax: 1e6 }),
        commands(last - 4, last, 1),
      );
      from = last - 4;
    }
  });

  for (const [what, floor] of [
    ['lies ahead of the log', floorAt(20, 3)],
    ['has another term than the log there', floorAt(5, 3)],
  ] as const) {
    inPlace(`begins anew at a floor that ${what}`, async (place) => {
      const writer = new Writer(await (await place.open()).openLog('a'));
      await writer.write({ ...termOf(3), entries: commands(1, 9, 1) });
      await writer.write({ floor });
      await writer.write({ entries: commands(floor.index + 1, floor.index + 2, 3) });
      const log = await (await place.reopen()).openLog('a');
      deepStrictEqual(log.recovered.floor, floor);
      strictEqual(log.recovered.lastIndex, floor.index + 2);
      sameEntries(await contentOf(log, floor.index + 2), commands(floor.index + 1, floor.index + 2, 3));
    });
  }

  inPlace('may be left empty by a floor, and keeps its end', async (place) => {
    const writer = new Writer(await (await place.open()).openLog('a'));
    await writer.write({ ...termOf(1), entries: commands(1, 3, 1) });
    await writer.write({ floor: floorAt(3, 1) });
    const first = (await (await place.reopen()).openLog('a')).recovered;
    deepStrictEqual([first.lastIndex, first.runs], [3, []]);
    const again = new Writer(await (await place.reopen()).openLog('a'));
    await again.write({ entries: commands(4, 4, 1) });
    sameEntries(await contentOf(await (await place.reopen()).openLog('a'), 4), commands(4, 4, 1));
  });
}
