import { describe, expect, it } from 'vitest';
import type { Disk } from '../../../src/doors/disk.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { GroupLog } from '../../../src/storage/disk/group-log.ts';
import { TermRuns } from '../../../src/storage/disk/term-runs.ts';
import { type BackendName, Machine } from './machine.ts';

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
const ROUNDS = 120;
const ENTRIES = 5;
const KEPT = 7;

const command = (index: number, term: number): Entry => ({
  kind: 'command',
  index,
  term,
  payload: Buffer.alloc(300, index),
});

/** Files and bytes under a storage, but for what a database keeps. */
async function sizeOf(disk: Disk): Promise<{ readonly files: number; readonly bytes: number }> {
  let files = 0;
  let bytes = 0;
  for (const folder of ['/data', '/data/shard-0', '/data/snapshots-a']) {
    for (const name of await disk.list(folder)) {
      const path = `${folder}/${name}`;
      if (name === 'shard-0' || name === 'snapshots-a') continue;
      const file = await disk.open(path);
      bytes += await file.size();
      await file.close();
      files += 1;
    }
  }
  return { files, bytes };
}

describe.each(['files', 'level'] as const)(
  'a log of the %s backend that is compacted for ever',
  (backend: BackendName) => {
    it('takes no more room after a hundred snapshots than after a few, on disk and in memory', async () => {
      const machine = new Machine({ seed: 1, backend });
      const sizes: { files: number; bytes: number; records: number; blocks: number; runs: number }[] = [];
      let index = 0;
      let round = 0;
      while (round < ROUNDS) {
        await machine.live(
          async (storage, disk) => {
            const instance = await storage.open({ id: 'n1' });
            const snapshots = instance.snapshots('a');
            await snapshots.latest();
            const log = (await instance.openLog('a')) as GroupLog;
            expect(log.recovered.lastIndex).toBe(index);
            expect(log.recovered.runs.length).toBeLessThanOrEqual(KEPT);
            const writeId = { boot: 1, sequence: 1 };
            const until = round + 20;
            for (; round < until; round += 1) {
              const term = round + 1;
              await log.write({ writeId, hardState: { term, votedFor: null }, entries: [] });
              for (let i = 0; i < ENTRIES; i += 1) {
                index += 1;
                await log.write({ writeId, entries: [command(index, term)] });
              }
              await snapshots.write({ index, term, configuration }, [Buffer.alloc(500, round)]);
              if (index <= KEPT) continue;
              const floorIndex = index - KEPT;
              const floorTerm = Math.ceil(floorIndex / ENTRIES);
              await log.write({
                writeId,
                entries: [],
                floor: { index: floorIndex, term: floorTerm, configuration },
              });
              sizes.push({
                ...(await sizeOf(disk)),
                records: machine.recordsIn('/data/shard-0'),
                blocks: log.blocks.held().length,
                runs: log.recovered.runs.length,
              });
            }
          },
          { power: false },
        );
      }
      const most = (what: 'files' | 'bytes' | 'records' | 'blocks', of: typeof sizes): number =>
        Math.max(...of.map((size) => size[what]));
      for (const what of ['files', 'records', 'blocks'] as const) {
        expect(most(what, sizes.slice(-60)), what).toBeLessThanOrEqual(most(what, sizes.slice(0, 30)) + 1);
      }
      expect(most('blocks', sizes)).toBeLessThanOrEqual(KEPT + 1);
      expect(most('records', sizes)).toBeLessThanOrEqual(KEPT + ENTRIES + 2);
      // Segments of 4 KiB, snapshots with 64 KiB before their content.
      expect(most('bytes', sizes.slice(-60))).toBeLessThan(most('bytes', sizes.slice(0, 30)) + 8 * 1024);
      expect(most('bytes', sizes)).toBeLessThan(4 * 66_000 + 8 * 4096);
    });
  },
);

describe('the terms of a log', () => {
  it('are held as no more runs than the entries after the floor have', () => {
    let terms = new TermRuns({ index: 0, term: 0 });
    for (let index = 1; index <= 10_000; index += 1) {
      terms.appendRun(index, index, index);
      if (index % 10 === 0) terms = terms.withFloor({ index: index - 3, term: index - 3 });
      expect(terms.runs.length).toBeLessThanOrEqual(13);
    }
    expect(terms.runs).toEqual([9998, 9999, 10_000].map((index) => ({ term: index, firstIndex: index })));
  });
});
