import { describe, expect, it } from 'vitest';
import { type FoundBlock, recover, type Verdict } from '../../../src/storage/disk/recover.ts';
import { type BlockHistory, type Step, writeHistory } from './block-histories.ts';

/** What a crash or damage did to one block. */
type Fate = 'kept' | 'lost' | 'torn' | 'flipped';

/** All sequences of exactly `length` steps with at most one reopening. */
function sequences(length: number): Step[][] {
  if (length === 0) return [[]];
  return sequences(length - 1).flatMap((head) => {
    const next: Step[] = head.includes('reopen') ? ['append', 'cut'] : ['append', 'cut', 'reopen'];
    return next.map((step) => [...head, step]);
  });
}

/** Every subset of the blocks struck by one kind of fate, and, for few blocks, every mixture. */
function fates(count: number): Fate[][] {
  if (count <= 4) return mixtures(count);
  const all: Fate[][] = [];
  for (const fate of ['lost', 'torn', 'flipped'] as const) {
    for (let subset = 0; subset < 2 ** count; subset += 1) {
      all.push(Array.from({ length: count }, (_, i) => ((subset >> i) & 1 ? fate : 'kept')));
    }
  }
  return all;
}

function mixtures(count: number): Fate[][] {
  if (count === 0) return [[]];
  return mixtures(count - 1).flatMap((head) =>
    (['kept', 'lost', 'torn', 'flipped'] as const).map((fate) => [...head, fate]),
  );
}

function strike(history: BlockHistory, fate: readonly Fate[]): FoundBlock[] {
  return history.blocks.flatMap((block, i): FoundBlock[] => {
    if (fate[i] === 'kept') return [block];
    if (fate[i] === 'lost') return [];
    return [{ intact: false, number: block.number, torn: fate[i] === 'torn' }];
  });
}

function judge(history: BlockHistory, fate: readonly Fate[], markedNumber: number): Verdict {
  return recover({
    blocks: strike(history, fate),
    stray: 'none',
    hardState: { kind: 'found', hardState: { term: history.term, votedFor: null } },
    markedNumber,
    floor: history.floor,
  });
}

/** What is wrong with the verdict; null when it is right. The naive half of the test: no cleverness here. */
function objection(
  history: BlockHistory,
  fate: readonly Fate[],
  marked: number,
  verdict: Verdict,
): string | null {
  const first = history.floor?.lowestNumber ?? 1;
  const isVoid = (number: number): boolean =>
    history.blocks.some(
      (b, i) => fate[i] === 'kept' && b.voidFrom > 0 && b.voidFrom <= number && number < b.number,
    );
  const matters = (number: number): boolean => number >= first && !isVoid(number);
  const damaged = history.blocks.some(
    ({ number }, i) =>
      matters(number) && (number <= history.acknowledged ? fate[i] !== 'kept' : fate[i] === 'flipped'),
  );
  if (verdict.kind !== 'clean') return damaged ? null : `a crash was judged ${verdict.kind}`;

  const kept = verdict.voidFrom - 1;
  // A block that an open record voided comes back when that record vanishes with all that tells of it.
  const { unvoided } = history;
  const log = unvoided?.number === kept && !isVoid(kept) ? unvoided.log : history.logs[kept];
  if (log === undefined) return `it kept up to block ${kept}, which nobody wrote`;
  const floorIndex = history.floor?.index ?? 0;
  const found = termsOf(verdict, floorIndex);
  if (found.join() !== log.slice(floorIndex).join()) return `it found the log ${found}, not ${log}`;
  if (
    verdict.nextNumber <= history.blocks.filter((_, i) => fate[i] !== 'lost').length &&
    fate.every((f) => f !== 'lost')
  ) {
    return `the next number ${verdict.nextNumber} was seen before`;
  }
  if (kept >= history.acknowledged || history.acknowledged < first) return null;

  // Acknowledged blocks are missing and it says clean: right only where nothing on the disk tells of them.
  const told = history.blocks
    .filter((b, i) => fate[i] === 'kept' && b.number >= first)
    .map((b) => (b.voidFrom > 0 ? b.number - 1 : b.durableNumber));
  const evidence = Math.max(marked, first - 1, history.floor?.durableNumber ?? 0, ...told);
  if (kept < evidence) return `it kept up to block ${kept}, though block ${evidence} is told to be durable`;
  const flipped = history.blocks.some(
    (b, i) => b.number > kept && b.number >= first && fate[i] === 'flipped',
  );
  return flipped ? `it cut block ${kept + 1} or a later one, which was changed and not torn` : null;
}

function termsOf(verdict: Extract<Verdict, { kind: 'clean' }>, floorIndex: number): number[] {
  const terms: number[] = [];
  for (let index = floorIndex + 1; index <= verdict.end.index; index += 1) {
    const run = verdict.runs.filter(({ firstIndex }) => firstIndex <= index).at(-1);
    terms.push(run?.term ?? -1);
  }
  return terms;
}

describe('recovery, of every disk that up to six writes with cuts, a reopening and a compaction can leave', () => {
  it.each([0, 1, 2, 3, 4, 5, 6])(
    'is right after %i writes, whatever subset is lost, torn or flipped',
    (writes) => {
      let judged = 0;
      const verdicts = new Map<string, number>();
      for (const steps of sequences(writes)) {
        for (const compactAfter of [null, 1, 3].filter((at) => at === null || at < writes)) {
          for (const lastCommit of [1, 2, 3].filter(
            (size) => size <= Math.max(1, writes) && !steps.slice(-size).includes('reopen'),
          )) {
            for (const acknowledged of [true, false]) {
              const history = writeHistory(steps, { lastCommit, acknowledged, compactAfter });
              const marks = new Set([0, history.acknowledged, Math.max(0, history.acknowledged - 1)]);
              for (const fate of fates(history.blocks.length)) {
                for (const marked of marks) {
                  const verdict = judge(history, fate, marked);
                  const wrong = objection(history, fate, marked, verdict);
                  if (wrong !== null) {
                    expect.fail(
                      `${wrong}; steps ${steps}, last commit of ${lastCommit} ${acknowledged ? '' : 'not '}acknowledged, ` +
                        `floor ${JSON.stringify(history.floor)}, fates ${fate}, mark ${marked}: ${JSON.stringify(verdict)}`,
                    );
                  }
                  judged += 1;
                  verdicts.set(verdict.kind, (verdicts.get(verdict.kind) ?? 0) + 1);
                }
              }
            }
          }
        }
      }
      console.log(
        `${writes} writes: ${judged} disks judged: ${JSON.stringify(Object.fromEntries(verdicts))}`,
      );
      expect(judged).toBeGreaterThan(0);
      if (writes >= 3) expect([...verdicts.keys()].sort()).toEqual(['clean', 'holes', 'tail-lost']);
    },
    // Millions of disks: a machine with other work takes its time.
    300_000,
  );
});

describe('the hard state', () => {
  const history = writeHistory(['append', 'cut', 'append'], {
    lastCommit: 1,
    acknowledged: true,
    compactAfter: null,
  });
  const records = { blocks: history.blocks, stray: 'none', markedNumber: 3, floor: null } as const;

  it.each([
    ['is missing although there are blocks', { kind: 'none' }],
    ['is damaged in both copies', { kind: 'damaged' }],
    ['is of an older term than a block', { kind: 'found', hardState: { term: 1, votedFor: null } }],
  ] as const)('is lost when it %s', (_name, hardState) => {
    expect(recover({ ...records, hardState }).kind).toBe('hard-state-lost');
  });

  it('may be ahead of every block', () => {
    const hardState = { kind: 'found', hardState: { term: 9, votedFor: null } } as const;
    expect(recover({ ...records, hardState })).toMatchObject({ kind: 'clean', hardState: { term: 9 } });
  });

  it('that is damaged is lost even without a block: a vote needs none', () => {
    const empty = { blocks: [], stray: 'none', markedNumber: 0, floor: null } as const;
    expect(recover({ ...empty, hardState: { kind: 'damaged' } }).kind).toBe('hard-state-lost');
    expect(recover({ ...empty, hardState: { kind: 'none' } })).toMatchObject({
      kind: 'clean',
      nextNumber: 1,
    });
  });
});

describe('bytes after the last block', () => {
  const history = writeHistory(['append', 'append'], {
    lastCommit: 1,
    acknowledged: true,
    compactAfter: null,
  });
  const hardState = { kind: 'found', hardState: { term: 1, votedFor: null } } as const;
  const records = { blocks: history.blocks, hardState, markedNumber: 2, floor: null } as const;

  it('that look like a write that did not come to its end are cut', () => {
    expect(recover({ ...records, stray: 'torn' })).toMatchObject({ kind: 'clean', end: { index: 2 } });
  });

  it('that look changed may have been acknowledged', () => {
    expect(recover({ ...records, stray: 'damaged' }).kind).toBe('tail-lost');
  });
});
