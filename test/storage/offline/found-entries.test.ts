import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/raft/entry.ts';
import { fileStorage, type LogStorage } from '../../../src/storage/index.ts';
import { entriesIn } from '../../../src/storage/offline/found-entries.ts';
import { withStoppedDirectory } from '../../../src/storage/offline/stopped-directory.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { doorsOn } from './replicas.ts';

const directory = '/data/n1';
const textOf = (index: number): string => `entry ${index} of the log.`;
const commands = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, at) => ({
    kind: 'command',
    index: from + at,
    term: 1,
    payload: Buffer.from(textOf(from + at)),
  }));

/** Entries 1 to 30 in three blocks, of which the middle one was lost, and is repaired in as many blocks as pieces. */
async function repaired(pieces: readonly (readonly [from: number, to: number])[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await withLog(disk, async (log) => {
    const hardState = { term: 1, votedFor: null };
    await log.write({ writeId: { boot: 1, sequence: 1 }, hardState, entries: commands(1, 10) });
    await log.write({ writeId: { boot: 1, sequence: 2 }, entries: commands(11, 20) });
    await log.write({ writeId: { boot: 1, sequence: 3 }, entries: commands(21, 30) });
  });
  damage(disk, textOf(15));
  await withLog(disk, async (log) => {
    expect(log.recovered.damage?.holes).toMatchObject([{ from: 11, to: 20 }]);
    const missing = { term: 1, index: 30 };
    const hardState = { term: 1, votedFor: null, missing };
    await log.write({ writeId: { boot: 2, sequence: 1 }, hardState, entries: [] });
    for (const [from, to] of pieces) await log.repair(commands(from, to));
    await log.write({
      writeId: { boot: 2, sequence: 2 },
      hardState: { term: 1, votedFor: null },
      entries: [],
    });
  });
  return disk;
}

async function withLog(disk: MemoryDisk, body: (log: LogStorage) => Promise<void>): Promise<void> {
  const instance = await fileStorage({ directory, doors: doorsOn(disk) }).open({ id: 'n1' });
  await body(await instance.openLog('orders'));
  await instance.close();
}

/** Flips a bit of the first block that has this text in it. */
function damage(disk: MemoryDisk, text: string): void {
  for (const [path, bytes] of disk.files) {
    const at = path.includes('shard-') ? bytes.indexOf(text) : -1;
    if (at === -1) continue;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return;
  }
  throw new Error(`no block has the text ${text}`);
}

/** What is found, in short: `1-10 in 1`, or `11-20: why not`; and what opening the log would find. */
async function found(
  disk: MemoryDisk,
  from: number,
  to: number,
): Promise<{ verdict: string; told: string[] }> {
  const options = { doors: doorsOn(disk), scratch: '/scratch' };
  return withStoppedDirectory(directory, options, async (stopped) => {
    if (stopped.identity === null) throw new Error(stopped.damage);
    const told: { from: number; to: number; what: string }[] = [];
    for await (const one of entriesIn(stopped, 'orders', { from, to })) {
      const range = one.kind === 'missing' ? one.range : { from: one.entry.index, to: one.entry.index };
      const what = one.kind === 'missing' ? `: ${one.why}` : ` in ${one.block}`;
      if (one.kind === 'entry') expect(one.entry).toEqual(commands(range.from, range.to)[0]);
      const last = told.at(-1);
      if (last?.what === what && last.to === range.from - 1) last.to = range.to;
      else told.push({ ...range, what });
    }
    const { verdict } = await stopped.judge('orders');
    return { verdict: verdict.kind, told: told.map((one) => `${one.from}-${one.to}${one.what}`) };
  });
}

describe('the entries of a repaired log', () => {
  it('are all there: a repair cuts nothing off', async () => {
    const disk = await repaired([[11, 20]]);
    expect(await found(disk, 1, 35)).toEqual({
      verdict: 'clean',
      told: ['1-10 in 1', '11-20 in 5', '21-30 in 3', '31-35: the log ends at 30'],
    });
    expect((await found(disk, 5, 12)).told).toEqual(['5-10 in 1', '11-12 in 5']);
    expect((await found(disk, 15, 25)).told).toEqual(['15-20 in 5', '21-25 in 3']);
    expect((await found(disk, 22, 23)).told).toEqual(['22-23 in 3']);
  });

  it('are all there after a repair in pieces, the last first', async () => {
    const disk = await repaired([
      [18, 20],
      [11, 17],
    ]);
    const told = ['1-10 in 1', '11-17 in 6', '18-20 in 5', '21-30 in 3'];
    expect(await found(disk, 1, 30)).toEqual({ verdict: 'clean', told });
  });

  it('are shown as far as their blocks are whole once it is damaged again', async () => {
    const disk = await repaired([[11, 20]]);
    damage(disk, textOf(5));
    expect(await found(disk, 1, 30)).toEqual({
      verdict: 'holes',
      told: ['1-10: no whole block has them', '11-20 in 5', '21-30 in 3'],
    });
  });
});
