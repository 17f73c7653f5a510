import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FoundBlock, recover } from '../../../src/storage/disk/recover.ts';
import { DamagedDisk } from './damaged-disk.ts';

type IntactBlock = Extract<FoundBlock, { intact: true }>;

/** What a block does to the log: `[where it cuts, ...terms of its entries]`. */
type Write = readonly [firstIndex: number, ...terms: number[]];

/** Blocks 1, 2, 3, ... and the terms of the log after each. */
function blocksOf(writes: readonly Write[]): { blocks: IntactBlock[]; logs: number[][] } {
  const logs: number[][] = [[]];
  const blocks = writes.map(([firstIndex, ...terms], i): IntactBlock => {
    const before = logs[i] ?? [];
    logs.push([...before.slice(0, firstIndex - 1), ...terms]);
    const runs = terms.map((term, at) => ({ term, firstIndex: firstIndex + at }));
    return {
      intact: true,
      number: i + 1,
      firstIndex,
      entryCount: terms.length,
      runs: runs.filter(({ term }, at) => runs[at - 1]?.term !== term),
      predecessor: { number: i, index: before.length, term: before.at(-1) ?? 0 },
      hardStateTerm: 9,
      durableNumber: i,
      voidFrom: 0,
      repairs: false,
    };
  });
  return { blocks, logs };
}

const records = {
  stray: 'none',
  hardState: { kind: 'found', hardState: { term: 9, votedFor: null } },
  floor: null,
} as const;

describe('what is missing of a log', () => {
  it.each<[string, readonly Write[], readonly number[], unknown]>([
    [
      'is what the lost block held, within a term',
      [
        [1, 1, 1],
        [3, 1, 1],
        [5, 1],
      ],
      [2],
      { kind: 'holes', lastIndex: 2, holes: [{ from: 3, to: 4, anchor: { index: 4, term: 1 } }] },
    ],
    [
      'begins with the first entry, if the first block is lost',
      [
        [1, 1, 1],
        [3, 1],
      ],
      [1],
      { kind: 'holes', lastIndex: 0, holes: [{ from: 1, to: 2, anchor: { index: 2, term: 1 } }] },
    ],
    [
      'may be all that was there before, if the lost block began a term',
      [
        [1, 1, 1],
        [3, 2],
        [4, 2],
      ],
      [2],
      { kind: 'holes', lastIndex: 0, holes: [{ from: 1, to: 3, anchor: { index: 3, term: 2 } }] },
    ],
    [
      'is anchored at the entry after it, if that was cut in',
      [
        [1, 1, 1],
        [3, 1, 1, 1],
        [5, 2],
      ],
      [2],
      { kind: 'holes', lastIndex: 2, holes: [{ from: 3, to: 4, anchor: { index: 5, term: 2 } }] },
    ],
    [
      'is nothing, if a later block wrote over it',
      [
        [1, 1, 1],
        [3, 1, 1],
        [3, 2],
      ],
      [2],
      {
        kind: 'clean',
        lastIndex: 3,
        runs: [
          { term: 1, firstIndex: 1 },
          { term: 2, firstIndex: 3 },
        ],
      },
    ],
    [
      'is nothing, if all of it was cut off',
      [[1, 1, 1], [3, 1, 1], [3]],
      [2],
      { kind: 'clean', lastIndex: 2 },
    ],
    [
      'is what the lost block put in the place of others that are there',
      [
        [1, 1, 1, 1],
        [2, 2, 2],
        [4, 2],
      ],
      [2],
      { kind: 'holes', lastIndex: 0, holes: [{ from: 1, to: 3, anchor: { index: 3, term: 2 } }] },
    ],
    [
      'has no known end, if the last block only cut into it',
      [[1, 1, 1], [3, 1, 1, 1], [5]],
      [2],
      { kind: 'tail-lost', lastIndex: 2, cutFrom: 3 },
    ],
    [
      'has one, once another block was written upon that',
      [[1, 1, 1], [3, 1, 1, 1], [5], [5, 2]],
      [2],
      { kind: 'holes', lastIndex: 2, holes: [{ from: 3, to: 4, anchor: { index: 4, term: 1 } }] },
    ],
    [
      'are two holes, of which the second has no known end: nothing from the first on is sure',
      [[1, 1, 1], [3, 1], [4, 1], [5, 1, 1], [6]],
      [2, 4],
      { kind: 'tail-lost', lastIndex: 2, cutFrom: 3 },
    ],
    [
      'is the end, if the last block is lost',
      [
        [1, 1, 1],
        [3, 1],
        [4, 1],
      ],
      [3],
      { kind: 'tail-lost', lastIndex: 3, voidFrom: 3, nextNumber: 4 },
    ],
  ])('%s', (_what, writes, lost, expected) => {
    const { blocks } = blocksOf(writes);
    const found = blocks.filter(({ number }) => !lost.includes(number));
    expect(recover({ ...records, blocks: found, markedNumber: blocks.length })).toMatchObject(
      expected as object,
    );
  });

  it('is not what lies below the floor', () => {
    const { blocks } = blocksOf([
      [1, 1, 1],
      [3, 1, 1],
      [5, 1, 1],
    ]);
    const found = blocks.filter(({ number }) => number !== 2);
    for (const [index, lowestNumber, expected] of [
      [2, 2, { kind: 'holes', lastIndex: 2, holes: [{ from: 3, to: 4 }] }],
      [3, 3, { kind: 'holes', lastIndex: 3, holes: [{ from: 4, to: 4, anchor: { index: 4, term: 1 } }] }],
      [4, 3, { kind: 'clean', lastIndex: 6 }],
    ] as const) {
      const floor = { index, term: 1, lowestNumber, durableNumber: 3 };
      const verdict = recover({ ...records, blocks: found, markedNumber: 3, floor });
      expect(verdict, `floor ${index}`).toMatchObject(expected);
    }
  });
});

/**
 * The logs of all leaders of a cluster, as Raft makes them: each begins with a part of an earlier one's log and appends
 * entries of its own term. So two logs with an entry of the same index and term agree up to it, and nothing else
 * is promised: a replica that follows now this leader, now that one, may get a lower term at its end.
 */
const history: fc.Arbitrary<{ writes: Write[]; fates: boolean[] }> = fc
  .record({
    leaders: fc.array(fc.record({ of: fc.nat(20), keeps: fc.nat(8), appends: fc.nat(5) }), {
      minLength: 1,
      maxLength: 5,
    }),
    moves: fc.array(fc.record({ leader: fc.nat(20), upTo: fc.integer({ min: 1, max: 3 }) }), {
      minLength: 5,
      maxLength: 12,
    }),
    fates: fc.array(
      fc.integer({ min: 0, max: 3 }).map((draw) => draw > 0),
      { minLength: 12, maxLength: 12 },
    ),
  })
  .map(({ leaders, moves, fates }) => {
    const logs: number[][] = [[]];
    for (const [i, { of, keeps, appends }] of leaders.entries()) {
      const parent = logs[of % logs.length] ?? [];
      logs.push([...parent.slice(0, keeps), ...Array.from({ length: appends + 1 }, () => i + 1)]);
    }
    let own: number[] = [];
    const writes: Write[] = [];
    for (const { leader, upTo } of moves) {
      const theirs = logs[leader % logs.length] ?? [];
      const agreed = agreement(own, theirs);
      const news = theirs.slice(agreed, agreed + upTo);
      if (news.length === 0) continue;
      writes.push([agreed + 1, ...news]);
      own = [...own.slice(0, agreed), ...news];
    }
    return { writes, fates };
  });

/** By Log Matching: the terms say it all, up to the last place where they are the same. */
function agreement(a: readonly number[], b: readonly number[]): number {
  let index = Math.min(a.length, b.length);
  while (index > 0 && a[index - 1] !== b[index - 1]) index -= 1;
  return index;
}

describe('a log that followed many leaders, without some of its blocks', () => {
  it('is never told to hold what it does not, and is whole once it is repaired', () => {
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(history, ({ writes, fates }) => {
        const { blocks, logs } = blocksOf(writes);
        const found = blocks.filter((_, i) => fates[i]);
        const verdict = recover({ ...records, blocks: found, markedNumber: blocks.length });
        kinds.set(verdict.kind, (kinds.get(verdict.kind) ?? 0) + 1);
        if (verdict.kind === 'hard-state-lost' || verdict.kind === 'floor-lost') throw new Error(verdict.why);
        const log = logs[verdict.voidFrom - 1] ?? [];
        const terms = (of: typeof verdict): (number | undefined)[] =>
          log
            .slice(0, of.lastIndex)
            .map((_, i) => of.runs.findLast(({ firstIndex }) => firstIndex <= i + 1)?.term);
        expect(terms(verdict)).toEqual(log.slice(0, verdict.lastIndex));
        if (verdict.kind !== 'holes') return;
        expect(verdict.end).toMatchObject({ index: log.length, term: log.at(-1) });
        for (const { anchor } of verdict.holes) expect(log[anchor.index - 1]).toBe(anchor.term);
        const disk = new DamagedDisk(
          { blocks: found, markedNumber: blocks.length, floor: null, term: 9 },
          verdict,
        );
        expect(disk.holes()).toEqual(verdict.holes);
        disk.repairAll(log);
        const whole = disk.judge();
        if (whole.kind !== 'clean') throw new Error(`repaired it is ${JSON.stringify(whole)}`);
        expect(whole.lastIndex).toBe(log.length);
        expect(terms(whole)).toEqual(log);
      }),
      { numRuns: 20_000 },
    );
    console.log(Object.fromEntries(kinds));
    expect(kinds.get('holes')).toBeGreaterThan(1500);
    expect(kinds.get('clean')).toBeGreaterThan(500);
  });
});
