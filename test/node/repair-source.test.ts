import { beforeEach, describe, expect, it } from 'vitest';
import { RepairSource } from '../../src/node/repair-source.ts';
import { type Entry, entryBytes } from '../../src/raft/entry.ts';
import type { RepairAnswer, RepairRequest } from '../../src/raft/message.ts';
import type { LogStorage } from '../../src/storage/contract.ts';
import { EntriesGone, StorageFailed } from '../../src/storage/errors.ts';
import { memoryStorage, type StorageInstance } from '../../src/storage/index.ts';
import { DamagedStorage } from './damaged-storage.ts';

const command = (index: number, term: number, bytes = 8): Entry => ({
  kind: 'command',
  index,
  term,
  payload: new Uint8Array(bytes).fill(index % 256),
});
/** 1..100: term 1 up to 60, then term 2; payloads of 8 bytes. */
const entries = Array.from({ length: 100 }, (_, i) => command(i + 1, i < 60 ? 1 : 2));
const oneBytes = entryBytes(command(1, 1));
const peer = { id: 'n2', incarnation: '00000000000000bb', boot: 1 };

const request = (from: number, to: number, rest: Partial<RepairRequest> = {}): RepairRequest => ({
  kind: 'RepairRequest',
  requestId: { boot: 1, sequence: 5 },
  from,
  to,
  anchor: { index: to + 1, term: to + 1 <= 60 ? 1 : 2 },
  bytesMax: 1_000_000,
  ...rest,
});

async function logWith(held: readonly Entry[], storage = new DamagedStorage()) {
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('default');
  await log.write({
    writeId: { boot: 1, sequence: 1 },
    hardState: { term: 9, votedFor: null },
    entries: held,
  });
  return { instance, log };
}

function sourceOver(log: Pick<LogStorage, 'read' | 'termAt'>, bytesMax = 1_000_000) {
  const state = { log: { floorIndex: 0 } };
  const answers: RepairAnswer[] = [];
  const failures: unknown[] = [];
  let told: () => void = () => {};
  const source = new RepairSource(log, state, bytesMax, {
    send: (to, answer) => {
      expect(to).toBe(peer);
      answers.push(answer);
      told();
    },
    storageFailed: (error) => {
      failures.push(error);
      told();
    },
  });
  const ask = async (asked: RepairRequest): Promise<RepairAnswer | undefined> => {
    const done = new Promise<void>((resolve) => {
      told = resolve;
    });
    source.receive(peer, asked);
    await done;
    return answers.pop();
  };
  return { source, state, answers, failures, ask };
}

const held = (answer: RepairAnswer | undefined): number[] | string => {
  if (answer === undefined) return 'nothing';
  return answer.held ? answer.entries.map(({ index }) => index) : answer.reason;
};
const span = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

let instance: StorageInstance;
let log: LogStorage;
beforeEach(async () => {
  ({ instance, log } = await logWith(entries));
});

describe('entries that another lost', () => {
  it('are given whole, as they are, under the id of the request', async () => {
    const asked = request(40, 70);
    expect(await sourceOver(log).ask(asked)).toEqual({
      kind: 'RepairAnswer',
      requestId: asked.requestId,
      held: true,
      entries: entries.slice(39, 70),
    });
  });

  it.each([
    ['nothing fits: the last one alone', 1, span(70, 70)],
    ['three fit', 3 * oneBytes, span(68, 70)],
    ['all but one fit', 30 * oneBytes, span(41, 70)],
    ['just all fit', 31 * oneBytes, span(40, 70)],
  ])('are given from their end on, consecutive and at least one; %s', async (_what, bytesMax, indexes) => {
    const given = held(await sourceOver(log).ask(request(40, 70, { bytesMax })));
    expect(Array.isArray(given) && given.at(-1)).toBe(70);
    expect(given).toEqual(span(70 - given.length + 1, 70));
    expect(given.length).toBeGreaterThanOrEqual(Math.max(1, indexes.length >> 1));
    expect(given.length).toBeLessThanOrEqual(indexes.length);
  });

  it('fit whatever they weigh: large ones before small ones, and small before large', async () => {
    for (const weigh of [(i: number) => (i < 90 ? 5_000 : 1), (i: number) => (i < 90 ? 1 : 5_000)]) {
      const { log: uneven } = await logWith(
        entries.map(({ index, term }) => command(index, term, weigh(index))),
      );
      const bytesMax = 12_000;
      const answer = await sourceOver(uneven).ask(request(1, 99, { bytesMax }));
      if (!answer?.held) throw new Error('refused');
      expect(answer.entries.at(-1)?.index).toBe(99);
      expect(answer.entries.reduce((sum, entry) => sum + entryBytes(entry), 0)).toBeLessThanOrEqual(bytesMax);
    }
  });

  it('never weigh more than the own bound says, whatever is asked for', async () => {
    const { ask } = sourceOver(log, 4 * oneBytes);
    const given = held(await ask(request(1, 99, { bytesMax: Number.MAX_SAFE_INTEGER })));
    expect(given.length).toBeLessThanOrEqual(4);
  });

  it('are looked for by few reads, however long the range is', async () => {
    const reads: number[] = [];
    const counted: Pick<LogStorage, 'read' | 'termAt'> = {
      termAt: (index) => (index <= 1_000_000 ? 1 : null),
      read: async ({ from }) => {
        reads.push(from);
        return [command(from, 1)];
      },
    };
    const answer = await sourceOver(counted).ask(
      request(1, 999_999, { anchor: { index: 1_000_000, term: 1 } }),
    );
    expect(held(answer)).toEqual([999_999]);
    expect(reads.length).toBeLessThan(15);
    expect(Math.min(...reads)).toBeGreaterThan(990_000);
  });

  it('may be their own anchor', async () => {
    expect(held(await sourceOver(log).ask(request(100, 100, { anchor: { index: 100, term: 2 } })))).toEqual([
      100,
    ]);
  });
});

describe('it is said that they are', () => {
  it('not held where the anchor has another term, or is no entry', async () => {
    const { ask } = sourceOver(log);
    expect(held(await ask(request(40, 70, { anchor: { index: 71, term: 3 } })))).toBe('not-held');
    expect(held(await ask(request(40, 100, { anchor: { index: 101, term: 2 } })))).toBe('not-held');
  });

  it('compacted where the log begins after them, and are given as far as it holds them', async () => {
    const { ask, state } = sourceOver(log);
    state.log.floorIndex = 50;
    expect(held(await ask(request(40, 50)))).toBe('compacted');
    expect(held(await ask(request(40, 49)))).toBe('compacted');
    expect(held(await ask(request(40, 53)))).toEqual([51, 52, 53]);
  });

  it('not held where this log has lost them too; what is left of them is given, and never a hole read', async () => {
    await instance.close();
    const storage = new DamagedStorage();
    await (await logWith(entries, storage)).instance.close();
    storage.lose({ from: 45, to: 48 }, { from: 60, to: 60 });
    const damaged = await (await storage.open({ id: 'n1' })).openLog('default');
    const { ask, failures } = sourceOver(damaged);
    expect(held(await ask(request(40, 47)))).toBe('not-held');
    expect(held(await ask(request(40, 60, { anchor: { index: 61, term: 2 } })))).toBe('not-held');
    expect(held(await ask(request(40, 59, { anchor: { index: 60, term: 1 } })))).toBe('not-held');
    expect(held(await ask(request(40, 55)))).toEqual(span(49, 55));
    expect(held(await ask(request(70, 80)))).toEqual(span(70, 80));
    expect(failures).toEqual([]);
  });

  it('not held when the log was written anew while they were read', async () => {
    // The read began before the write, and still saw what the write has cut.
    const raced: Pick<LogStorage, 'read' | 'termAt'> = {
      termAt: (index) => log.termAt(index),
      read: async (range) => {
        const found = await log.read(range);
        await log.write({
          writeId: { boot: 1, sequence: 2 },
          cutFrom: 50,
          entries: [...span(50, 70).map((index) => command(index, 2)), command(71, 3)],
        });
        return found;
      },
    };
    expect(held(await sourceOver(raced).ask(request(40, 60)))).toBe('not-held');
  });

  it('not held even when the very anchor stands there again, behind entries that were read of another log', async () => {
    // What was read lies in a branch that came and went; the anchor, and what belongs before it, is back.
    const branch = span(50, 60).map((index) => command(index, 2));
    const raced: Pick<LogStorage, 'read' | 'termAt'> = {
      termAt: (index) => log.termAt(index),
      read: async ({ from, to }) =>
        [...entries, ...branch].filter(
          ({ index, term }) => index >= from && index <= to && (index < 50 || term === 2),
        ),
    };
    expect(held(await sourceOver(raced).ask(request(40, 60, { anchor: { index: 61, term: 2 } })))).toBe(
      'not-held',
    );
  });

  it('compacted when they were compacted while they were read', async () => {
    const { ask, state } = sourceOver({
      termAt: (index) => (index <= state.log.floorIndex ? null : log.termAt(index)),
      read: () => {
        state.log.floorIndex = 80;
        return Promise.reject(new EntriesGone('compacted'));
      },
    });
    expect(held(await ask(request(40, 70)))).toBe('compacted');
  });
});

describe('who asks', () => {
  it('has one request under way, and others have theirs; the rest is dropped', async () => {
    const waiting: (() => void)[] = [];
    const slow: Pick<LogStorage, 'read' | 'termAt'> = {
      termAt: (index) => log.termAt(index),
      read: async (range) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return log.read(range);
      },
    };
    const sent: string[] = [];
    const source = new RepairSource(slow, { log: { floorIndex: 0 } }, 1_000, {
      send: ({ id }, answer) => sent.push(`${id} ${answer.requestId.sequence}`),
      storageFailed: () => sent.push('failed'),
    });
    const asks = (id: string, at: number): void =>
      source.receive({ ...peer, id }, request(40, 70, { requestId: { boot: 1, sequence: at } }));
    for (let i = 1; i <= 10; i += 1) asks(`p${i}`, i);
    asks('p1', 11);
    asks('p1', 12);
    expect(waiting).toHaveLength(8);
    for (let settled = 0; settled < 8; settled += 1) waiting[settled]?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toEqual(span(1, 8).map((i) => `p${i} ${i}`));
    asks('p1', 13);
    expect(waiting).toHaveLength(9);
    source.stop();
    waiting[8]?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(8);
  });

  it.each([
    ['for nothing', request(5, 4)],
    ['for entry 0', request(0, 4)],
    ['for half an entry', request(1.5, 4)],
    ['for what lies after the anchor', request(5, 8, { anchor: { index: 7, term: 1 } })],
    ['for no bytes', request(5, 8, { bytesMax: 0 })],
    ['for what is no number', request(Number.NaN, 8)],
  ])('%s gets no answer', async (_what, asked) => {
    const { source, answers, failures } = sourceOver(log);
    source.receive(peer, asked);
    await new Promise((resolve) => setImmediate(resolve));
    expect([answers, failures]).toEqual([[], []]);
  });
});

it('a disk that fails to read them is a failed storage', async () => {
  const failure = new StorageFailed('the disk is gone');
  const { ask, failures } = sourceOver({
    termAt: (index) => log.termAt(index),
    read: () => Promise.reject(failure),
  });
  expect(await ask(request(40, 70))).toBeUndefined();
  expect(failures).toEqual([failure]);
});

it('a memory storage serves as any other', async () => {
  const plain = await (await memoryStorage().open({ id: 'n1' })).openLog('default');
  await plain.write({
    writeId: { boot: 1, sequence: 1 },
    hardState: { term: 2, votedFor: null },
    entries: entries.slice(0, 9),
  });
  expect(held(await sourceOver(plain).ask(request(2, 4)))).toEqual([2, 3, 4]);
});
