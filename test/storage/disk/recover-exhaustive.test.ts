import { describe, expect, it } from 'vitest';
import {
  type FoundBlock,
  type OpenVerdict,
  recover,
  type Verdict,
} from '../../../src/storage/disk/recover.ts';
import { type BlockHistory, type Step, writeHistory } from './block-histories.ts';
import { DamagedDisk } from './damaged-disk.ts';

/** What a crash or damage did to one block. */
type Fate = 'kept' | 'lost' | 'torn' | 'flipped';

/** All sequences of exactly `length` steps with at most one of each of `rare`. */
function sequences(length: number, rare: readonly Step[]): Step[][] {
  if (length === 0) return [[]];
  return sequences(length - 1, rare).flatMap((head) => {
    const next: Step[] = ['append', 'cut', ...rare.filter((step) => !head.includes(step))];
    return next.map((step) => [...head, step]);
  });
}

/** Up to five are 1.6 million disks; six are 4.9 million more, and take minutes (`npm run campaign`). */
const WRITES_MAX = Number(process.env.KONTIKI_WRITES ?? 5);

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
  if (verdict.kind !== 'clean' && !damaged) return `a crash was judged ${verdict.kind}`;
  if (verdict.kind === 'hard-state-lost' || verdict.kind === 'floor-lost') return `judged ${verdict.kind}`;

  const kept = verdict.voidFrom - 1;
  // A block that an open record voided comes back when that record vanishes with all that tells of it.
  const { unvoided } = history;
  const log = unvoided?.number === kept && !isVoid(kept) ? unvoided.log : history.logs[kept];
  if (log === undefined) return `it kept up to block ${kept}, which nobody wrote`;
  const floorIndex = history.floor?.index ?? 0;
  const found = termsOf(verdict, floorIndex);
  if (found.join() !== log.slice(floorIndex, floorIndex + found.length).join()) {
    return `it found the log ${found}, not ${log}`;
  }
  if (
    verdict.nextNumber <= history.blocks.filter((_, i) => fate[i] !== 'lost').length &&
    fate.every((f) => f !== 'lost')
  ) {
    return `the next number ${verdict.nextNumber} was seen before`;
  }
  if (verdict.kind === 'holes') return objectionToHoles(history, fate, verdict, log);
  if (verdict.kind === 'tail-lost') return null;
  if (floorIndex + found.length < log.length) return `it found the log ${found}, not all of ${log}`;
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

/** @param log - that of the last block that is kept. */
function objectionToHoles(
  history: BlockHistory,
  fate: readonly Fate[],
  verdict: Extract<Verdict, { kind: 'holes' }>,
  log: readonly number[],
): string | null {
  const { holes, end, lastIndex } = verdict;
  if (end.index !== log.length || end.term !== log.at(-1)) {
    return `it ends at ${end.index} of term ${end.term}, the log ${log} elsewhere`;
  }
  if (holes[0]?.from !== lastIndex + 1) return `the first hole does not follow entry ${lastIndex}`;
  for (const [i, { from, to, anchor }] of holes.entries()) {
    if (from > to || to > end.index || from <= (holes[i - 1]?.to ?? 0)) return 'its holes overlap';
    if (anchor.index !== to && anchor.index !== to + 1) return `the anchor of ${from} to ${to} is elsewhere`;
    if (log[anchor.index - 1] !== anchor.term)
      return `its anchor is of term ${anchor.term} in the log ${log}`;
  }
  for (const { from, to } of holes) {
    for (let index = from; index <= to; index += 1) {
      if (isProven(history, fate, { kept: verdict.voidFrom - 1, index })) {
        return `entry ${index} is held, and called missing`;
      }
    }
  }
  return null;
}

/**
 * Whether an entry of the log is surely held: the block that brought it is there, and across
 * whatever is lost after that block the next one was written upon a log that ended in an entry of the same term.
 */
function isProven(
  { blocks, logs, floor }: BlockHistory,
  fate: readonly Fate[],
  { kept, index }: { readonly kept: number; readonly index: number },
): boolean {
  const log = logs[kept] ?? [];
  const isFloored = index <= (floor?.index ?? 0);
  const by = blocks.findLast(
    ({ number, firstIndex, entryCount }) =>
      number <= kept && firstIndex <= index && index < firstIndex + entryCount,
  );
  if (isFloored || by === undefined || fate[by.number - 1] !== 'kept') return false;
  return blocks.every(({ number, predecessor }, i) => {
    const isAfterLoss = number > by.number && number <= kept && fate[i - 1] !== 'kept' && i > 0;
    if (!isAfterLoss || fate[i] !== 'kept') return true;
    return predecessor.index >= index && predecessor.term === log[index - 1];
  });
}

/** What becomes of the damaged log when it is repaired, written over, or goes on; null when all of it is right. */
function objectionToSequel(
  history: BlockHistory,
  fate: readonly Fate[],
  marked: number,
  verdict: Exclude<OpenVerdict, { kind: 'clean' }>,
): string | null {
  const { floor, term, unvoided } = history;
  const floorIndex = floor?.index ?? 0;
  const records = { blocks: strike(history, fate), markedNumber: marked, floor, term };
  const kept = verdict.voidFrom - 1;
  const isVoid = history.blocks.some(
    (b, i) => fate[i] === 'kept' && b.voidFrom > 0 && b.voidFrom <= kept && kept < b.number,
  );
  const log = (unvoided?.number === kept && !isVoid ? unvoided.log : history.logs[kept]) ?? [];
  const held = log.slice(0, verdict.lastIndex);

  const opened = new DamagedDisk(records, verdict);
  const again = opened.judge();
  if (verdict.kind === 'holes') {
    if (JSON.stringify(opened.holes()) !== JSON.stringify(verdict.holes)) {
      return `opened once more it has the holes ${JSON.stringify(opened.holes())}`;
    }
    opened.repairAll(log);
    const whole = opened.judge();
    if (whole.kind !== 'clean') return `repaired it is ${JSON.stringify(whole)}`;
    const terms = termsOf(whole, floorIndex);
    if (terms.join() !== log.slice(floorIndex).join()) return `repaired it has ${terms}, not ${log}`;
  } else if (again.kind !== 'clean' || again.end.index !== Math.max(floorIndex, verdict.lastIndex)) {
    return `opened once more it is ${JSON.stringify(again)}`;
  }

  const over = new DamagedDisk(records, verdict);
  over.write(verdict.lastIndex + 1, [term + 1, term + 1]);
  const written = over.judge();
  if (written.kind !== 'clean') return `written over it is ${JSON.stringify(written)}`;
  const expected = [...held.slice(floorIndex), term + 1, term + 1];
  const terms = termsOf(written, floorIndex);
  return terms.join() === expected.join() ? null : `written over it has ${terms}, not ${expected}`;
}

function isDamaged(verdict: Verdict): verdict is Exclude<OpenVerdict, { kind: 'clean' }> {
  return verdict.kind === 'holes' || verdict.kind === 'tail-lost';
}

function termsOf(verdict: OpenVerdict, floorIndex: number): number[] {
  const terms: number[] = [];
  for (let index = floorIndex + 1; index <= verdict.lastIndex; index += 1) {
    const run = verdict.runs.filter(({ firstIndex }) => firstIndex <= index).at(-1);
    terms.push(run?.term ?? -1);
  }
  return terms;
}

describe(`recovery, of every disk that up to ${WRITES_MAX} writes with cuts, a reopening and a compaction can leave`, () => {
  it.each(Array.from({ length: WRITES_MAX + 1 }, (_, count) => count))(
    'is right after %i writes, whatever subset is lost, torn or flipped',
    (writes) => {
      let judged = 0;
      const verdicts = new Map<string, number>();
      // The rarest for few writes only: millions of disks are enough.
      for (const steps of sequences(writes, writes > 4 ? ['reopen'] : ['reopen', 'deep'])) {
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
                  const isTried = isDamaged(verdict) && judged % (writes > 3 ? 41 : 1) === 0;
                  const wrong =
                    objection(history, fate, marked, verdict) ??
                    (isTried ? objectionToSequel(history, fate, marked, verdict) : null);
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
