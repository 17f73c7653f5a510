import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkReader } from '../../../src/node/sessions/chunk-reader.ts';
import type { SessionLimits, SessionRecord } from '../../../src/node/sessions/session-record.ts';
import { SessionTable } from '../../../src/node/sessions/session-table.ts';
import { readSnapshotHead, withSnapshotHead } from '../../../src/node/sessions/snapshot-head.ts';
import { NaiveTable } from './naive-table.ts';
import { bytesOf, newCounts } from './snapshot-bytes.ts';

const limits: SessionLimits = {
  timeoutMs: 100,
  window: 3,
  sessionsMax: 3,
  resultBytesMax: 20,
  timeStepMaxMs: 25,
};
const salt = 'ab'.repeat(8);
const open = (stampMs = 0, changed: Partial<SessionLimits> = {}): SessionRecord => ({
  kind: 'open',
  stampMs,
  salt,
  ...limits,
  ...changed,
});
const time = (stampMs: number): SessionRecord => ({ kind: 'time', stampMs });
const send = (
  index: number,
  sequence: number,
  { stampMs = 0, lowest = 1, text = 'x', salt: other = salt } = {},
): SessionRecord => ({
  kind: 'command',
  stampMs,
  id: { index, salt: other },
  sequence,
  lowestUnanswered: lowest,
  command: Buffer.from(text),
});

/** A table and the state machine behind it, which counts what is executed; told entry by entry. */
class Told {
  readonly counts = newCounts();
  table = new SessionTable(this.counts);
  executed: string[] = [];
  #index = 0;

  /** The next entry, and what became of it in one line. */
  apply(record: SessionRecord): string {
    this.#index += 1;
    const verdict = this.table.apply(this.#index, record);
    if (verdict.kind === 'execute') {
      const text = Buffer.from(verdict.command).toString();
      this.executed.push(text);
      return lineOf(verdict.executed(Buffer.from(`${text}@${this.#index}`)));
    }
    return lineOf(verdict);
  }

  /** Through the bytes of a snapshot, in chunks of this length. */
  async restart(chunkBytes: number): Promise<void> {
    const bytes = await bytesOf(withSnapshotHead(this.table.content(), [Buffer.from('user')]));
    const chunks = (async function* () {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    })();
    const reader = new ChunkReader(chunks);
    this.table = SessionTable.restored(await readSnapshotHead(reader, bytes.length), this.counts);
    expect((await bytesOf(reader.rest())).toString()).toBe('user');
    // Equal tables, equal bytes.
    const again = await bytesOf(withSnapshotHead(this.table.content(), [Buffer.from('user')]));
    expect(again.equals(bytes)).toBe(true);
  }
}

function lineOf(verdict: ReturnType<SessionTable['apply']>): string {
  switch (verdict.kind) {
    case 'opened':
      return `opened ${verdict.id.index}`;
    case 'executed':
    case 'repeated':
      return `${verdict.kind} ${Buffer.from(verdict.result).toString()}`;
    case 'refused':
      return `refused ${verdict.reason}`;
    default:
      return verdict.kind;
  }
}

describe('a retry', () => {
  it('is answered with the first result, and nothing is executed', () => {
    const told = new Told();
    told.apply(open());
    expect(told.apply(send(1, 1))).toBe('executed x@2');
    expect(told.apply(send(1, 1))).toBe('repeated x@2');
    expect(told.apply(send(1, 2))).toBe('executed x@4');
    expect(told.apply(send(1, 1))).toBe('repeated x@2');
    expect(told.executed).toEqual(['x', 'x']);
    expect(told.counts.repeated).toBe(2);
  });

  it('of what was acknowledged is refused, and so is anything below', () => {
    const told = new Told();
    told.apply(open());
    told.apply(send(1, 1));
    expect(told.apply(send(1, 3, { lowest: 3 }))).toBe('executed x@3');
    expect(told.apply(send(1, 1))).toBe('refused acknowledged');
    // Never executed at all: the client gave it up.
    expect(told.apply(send(1, 2))).toBe('refused acknowledged');
    expect(told.apply(send(1, 3))).toBe('repeated x@3');
  });

  it.each([
    ['closed', (told: Told) => told.apply({ kind: 'close', stampMs: 0, id: { index: 1, salt } })],
    ['expired', (told: Told) => [25, 50, 75, 100, 125].map((at) => told.apply(time(at)))],
    ['evicted', (told: Told) => [1, 2, 3].map(() => told.apply(open()))],
  ])('in a session that was %s is refused, and never executed as new', (_how, end) => {
    const told = new Told();
    told.apply(open());
    told.apply(send(1, 1));
    end(told);
    expect(told.apply(send(1, 1))).toBe('refused session-gone');
    expect(told.apply(send(1, 2))).toBe('refused session-gone');
    expect(told.executed).toEqual(['x']);
  });

  it('whose result had to make place is refused, and not executed as new', () => {
    const told = new Told();
    told.apply(open());
    told.apply(send(1, 1, { text: '0123456789' }));
    told.apply(send(1, 2, { text: '0123456789' }));
    expect(told.table.resultBytes).toBe(12);
    expect(told.apply(send(1, 1))).toBe('refused result-dropped');
    expect(told.apply(send(1, 2))).toBe('repeated 0123456789@3');
    expect(told.executed).toHaveLength(2);
  });

  it('of a result larger than all may be together finds it dropped, and the others kept', () => {
    const told = new Told();
    told.apply(open());
    told.apply(send(1, 1));
    told.apply(send(1, 2, { text: 'a result of more than twenty bytes' }));
    expect(told.apply(send(1, 2))).toBe('refused result-dropped');
    expect(told.apply(send(1, 1))).toBe('repeated x@2');
  });

  it('with the index of a session and another salt belongs to another cluster, and is refused', () => {
    const told = new Told();
    told.apply(open());
    expect(told.apply(send(1, 1, { salt: 'cd'.repeat(8) }))).toBe('refused session-gone');
  });
});

describe('the window', () => {
  it('ends exactly so far above the lowest unanswered', () => {
    const told = new Told();
    told.apply(open());
    expect(told.apply(send(1, 3))).toBe('executed x@2');
    expect(told.apply(send(1, 4))).toBe('refused beyond-window');
    expect(told.apply(send(1, 4, { lowest: 2 }))).toBe('executed x@4');
    expect(told.apply(send(1, 2, { lowest: 2 }))).toBe('executed x@5');
  });
});

describe('replicated time', () => {
  it('never goes back, and by one step forward at most', () => {
    const told = new Told();
    told.apply(open());
    for (const [stamp, expected] of [
      [10, 10],
      [5, 10],
      [1_000_000, 35],
      [36, 36],
      [0, 36],
    ] as const) {
      told.apply(time(stamp));
      expect(told.table.timeMs).toBe(expected);
    }
  });

  it('expires a session one millisecond after its timeout, not before', () => {
    const told = new Told();
    told.apply(open());
    for (const stamp of [25, 50, 75, 100]) told.apply(time(stamp));
    expect(told.table.size).toBe(1);
    told.apply(time(101));
    expect([told.table.size, told.counts.expired]).toEqual([0, 1]);
  });

  it('does not expire a session that is used, however long it lives', () => {
    const told = new Told();
    told.apply(open());
    for (let stamp = 20; stamp < 1_000; stamp += 20) {
      told.apply(stamp % 80 === 0 ? send(1, stamp, { stampMs: stamp, lowest: stamp }) : time(stamp));
    }
    expect([told.table.timeMs, told.table.size, told.counts.expired]).toEqual([980, 1, 0]);
  });

  it('does not expire at once, by a stamp however wrong, a session that was active one step before', () => {
    const told = new Told();
    told.apply(open());
    told.apply(time(Number.MAX_SAFE_INTEGER));
    told.apply(time(Number.MAX_SAFE_INTEGER));
    told.apply(send(1, 1, { stampMs: Number.MAX_SAFE_INTEGER }));
    told.apply(time(Number.MAX_SAFE_INTEGER));
    expect([told.table.timeMs, told.table.size]).toEqual([100, 1]);
  });

  it('goes in the smallest step that a session was opened with, until there is none', () => {
    const told = new Told();
    told.apply(open());
    told.apply(open(0, { timeStepMaxMs: 5 }));
    told.apply(open(0, { timeStepMaxMs: 50 }));
    expect(told.table.timeStepMaxMs).toBe(5);
    for (const index of [1, 2, 3]) told.apply({ kind: 'close', stampMs: 0, id: { index, salt } });
    told.apply(open(0, { timeStepMaxMs: 50 }));
    expect(told.table.timeStepMaxMs).toBe(50);
  });
});

describe('eviction', () => {
  it('takes the session least recently active, whatever its age', () => {
    const told = new Told();
    for (let i = 0; i < 3; i += 1) told.apply(open());
    told.apply(send(1, 1));
    expect(told.apply(open())).toBe('opened 5');
    expect(told.apply(send(2, 1))).toBe('refused session-gone');
    expect(told.apply(send(1, 1))).toBe('repeated x@4');
    expect(told.counts.evicted).toBe(1);
  });

  it('goes by the bound in the entry, whatever an earlier one had', () => {
    const told = new Told();
    for (let i = 0; i < 3; i += 1) told.apply(open());
    told.apply(open(0, { sessionsMax: 1 }));
    expect([told.table.size, told.counts.evicted]).toEqual([1, 3]);
  });
});

it('content read before later entries does not show them', () => {
  const told = new Told();
  told.apply(open());
  told.apply(send(1, 1));
  const before = told.table.content();
  const copy = JSON.stringify(before);
  told.apply(send(1, 2, { lowest: 2, stampMs: 20 }));
  told.apply(open());
  expect(JSON.stringify(before)).toBe(copy);
});

describe('against a naive twin', () => {
  const records: fc.Arbitrary<{ record: SessionRecord; restartBytes: number | null }[]> = fc
    .array(
      fc.record({
        restartBytes: fc.option(fc.integer({ min: 1, max: 50 }), { freq: 9 }),
        record: fc.oneof(
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 2000 }).map(time) },
          {
            weight: 1,
            arbitrary: fc
              .record({
                stampMs: fc.nat(400),
                timeoutMs: fc.integer({ min: 40, max: 400 }),
                window: fc.integer({ min: 2, max: 4 }),
                sessionsMax: fc.integer({ min: 2, max: 4 }),
                resultBytesMax: fc.integer({ min: 1, max: 40 }),
                timeStepMaxMs: fc.integer({ min: 1, max: 20 }),
              })
              .map(({ stampMs, ...changed }) => open(stampMs, changed)),
          },
          {
            weight: 1,
            arbitrary: fc
              .record({ stampMs: fc.nat(1000), index: fc.integer({ min: 1, max: 20 }) })
              .map(({ stampMs, index }): SessionRecord => ({ kind: 'close', stampMs, id: { index, salt } })),
          },
          {
            weight: 12,
            arbitrary: fc
              .record({
                index: fc.oneof(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 12 })),
                stampMs: fc.nat(400),
                sequence: fc.integer({ min: 1, max: 8 }),
                lowest: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5 })),
                text: fc.string({ maxLength: 12, unit: 'grapheme-ascii' }),
              })
              .map(({ index, sequence, lowest, ...rest }) =>
                send(index, sequence, { ...rest, lowest: Math.min(lowest, sequence) }),
              ),
          },
        ),
      }),
      { minLength: 1, maxLength: 80 },
    )
    .map((entries) => [...[open(), open()].map((record) => ({ record, restartBytes: null })), ...entries]);

  it('says the same of every entry, also after restarts from snapshots, and executes the same', async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(records, async (entries) => {
        const told = new Told();
        const twin = new NaiveTable();
        const executed: string[] = [];
        for (const [position, { record, restartBytes }] of entries.entries()) {
          const expected = twin.apply(position + 1, record, (command) => {
            executed.push(Buffer.from(command).toString());
            return `${executed.at(-1)}@${position + 1}`;
          });
          expect(told.apply(record)).toBe(expected);
          const kind = expected.startsWith('refused') ? expected : (expected.split(' ')[0] ?? '');
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
          expect(told.table.timeMs).toBe(twin.timeMs);
          expect(told.table.size).toBe(twin.sessions.length);
          expect(told.table.resultBytes).toBe(
            twin.kept().reduce((sum, { result }) => sum + (result?.length ?? 0), 0),
          );
          if (restartBytes !== null) await told.restart(restartBytes);
        }
        expect(told.executed).toEqual(executed);
      }),
      { seed: 7, numRuns: 400 },
    );
    // Every kind of answer came about, or the comparison would say little.
    expect([...seen.keys()].sort()).toEqual([
      'closed',
      'executed',
      'opened',
      'refused acknowledged',
      'refused beyond-window',
      'refused result-dropped',
      'refused session-gone',
      'repeated',
      'timed',
    ]);
  });

  it('is bounded by its limits after every entry', () => {
    fc.assert(
      fc.property(records, (entries) => {
        const told = new Told();
        let bytesMax = 0;
        let sessionsMax = 0;
        for (const { record } of entries) {
          if (record.kind === 'open') {
            bytesMax = record.resultBytesMax > bytesMax ? record.resultBytesMax : bytesMax;
            sessionsMax = record.sessionsMax > sessionsMax ? record.sessionsMax : sessionsMax;
          }
          told.apply(record);
          const { sessions } = told.table.content();
          expect(sessions.length).toBeLessThanOrEqual(sessionsMax);
          expect(told.table.resultBytes).toBeLessThanOrEqual(bytesMax);
          for (const { results, window } of sessions) expect(results.length).toBeLessThanOrEqual(window);
        }
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});
