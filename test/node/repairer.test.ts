import { beforeEach, describe, expect, it } from 'vitest';
import { Repairer } from '../../src/node/repairer.ts';
import { type Entry, entryBytes } from '../../src/raft/entry.ts';
import type { RepairAnswer, RepairRefusal, RepairRequest } from '../../src/raft/message.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { noStall } from '../../src/raft/stall.ts';
import type { LogStorage, RecoveredLog } from '../../src/storage/contract.ts';
import { StorageFailed } from '../../src/storage/errors.ts';
import { DamagedStorage } from './damaged-storage.ts';
import { ManualClock } from './manual-clock.ts';

const { electionTimeoutMinMs: timeoutMs, electionTimeoutMaxMs } = defaultRaftOptions;
/** The first of the others, always. */
const random = { integer: (from: number) => from, bytes: () => new Uint8Array(8) };
const self = { id: 'n1', incarnation: '00000000000000aa', boot: 2 };
const entries: Entry[] = Array.from({ length: 30 }, (_, i) => ({
  kind: 'command',
  index: i + 1,
  term: i < 20 ? 1 : 2,
  payload: Uint8Array.of(i),
}));

/** Entries 1 to 30, of which the disk has lost the ranges. */
async function damagedLog(...lost: { from: number; to: number }[]): Promise<LogStorage> {
  const storage = new DamagedStorage();
  const instance = await storage.open({ id: 'n1' });
  await (await instance.openLog('default')).write({
    writeId: { boot: 1, sequence: 1 },
    hardState: { term: 2, votedFor: null },
    entries,
  });
  await instance.close();
  storage.lose(...lost);
  return (await storage.open({ id: 'n1' })).openLog('default');
}

function gives({ requestId }: RepairRequest, given: readonly Entry[]): RepairAnswer {
  return { kind: 'RepairAnswer', requestId, held: true, entries: given };
}

class Repairing {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  readonly state = {
    repairing: true,
    leader: null as { id: string; incarnation: string } | null,
    clusterId: 'c',
    options: defaultRaftOptions,
    stall: { ...noStall },
  };
  peers = ['n2', 'n3'];
  whole: RecoveredLog | null = null;
  readonly repairer: Repairer;
  #asked: { readonly to: string; readonly request: RepairRequest }[] = [];

  constructor(log: Pick<LogStorage, 'recovered' | 'repair' | 'termAt'>) {
    const { clock, state, told } = this;
    this.repairer = new Repairer(
      { self, log, state, clock, random, peers: () => this.peers },
      {
        send: (to, request) => {
          this.#asked.push({ to, request });
          told.push(
            `ask ${to} ${request.from}..${request.to} at ${request.anchor.index}/${request.anchor.term}`,
          );
        },
        gained: (from, count) => told.push(`${count} of ${from}`),
        repaired: (whole) => {
          this.whole = whole;
          told.push('repaired');
        },
        abandoned: () => told.push('abandoned'),
        storageFailed: (error) => told.push(`failed: ${(error as Error).message}`),
      },
    );
    this.repairer.start();
  }

  /** What was told since the last look. */
  news(): string[] {
    return this.told.splice(0);
  }

  /** The request that is under way, or an earlier one. */
  asked(back = 0): { readonly to: string; readonly request: RepairRequest } {
    const found = this.#asked.at(-1 - back);
    if (found === undefined) throw new Error('nothing was asked');
    return found;
  }

  /** The one that was asked last answers with these. */
  async give(given: readonly Entry[], back = 0): Promise<void> {
    const { to, request } = this.asked(back);
    this.repairer.onAnswer(to, gives(request, given));
    await settled();
  }

  refuse(reason: RepairRefusal = 'not-held', back = 0): void {
    const { to, request } = this.asked(back);
    this.repairer.onAnswer(to, { kind: 'RepairAnswer', requestId: request.requestId, held: false, reason });
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const span = (from: number, to: number): Entry[] => entries.slice(from - 1, to);

let log: LogStorage;
let r: Repairing;
beforeEach(async () => {
  log = await damagedLog({ from: 10, to: 15 });
  r = new Repairing(log);
});

describe('a hole is filled', () => {
  it('by one peer, from its end to its beginning, each piece anchored anew', async () => {
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
    expect(r.asked().request).toMatchObject({
      requestId: { boot: 2, sequence: 1 },
      bytesMax: defaultRaftOptions.messageBytesMax,
    });
    await r.give(span(13, 15));
    expect(r.news()).toEqual(['3 of n2', 'ask n2 10..12 at 13/1']);
    expect(r.repairer.holes).toEqual([{ from: 10, to: 12, anchor: { index: 13, term: 1 } }]);
    await r.give(span(10, 12));
    expect(r.news()).toEqual(['3 of n2', 'repaired']);
    expect([r.repairer.holes, r.clock.timersSet]).toEqual([[], 0]);
    expect(r.whole).toMatchObject({
      lastIndex: 30,
      damage: null,
      runs: [
        { term: 1, firstIndex: 1 },
        { term: 2, firstIndex: 21 },
      ],
    });
    expect(await log.read({ from: 1, to: 30, bytesMax: 1e6 })).toEqual(entries);
  });

  it('after those behind it, at the beginning and at the end of the log too', async () => {
    r = new Repairing(await damagedLog({ from: 1, to: 2 }, { from: 10, to: 15 }, { from: 30, to: 30 }));
    await r.give(span(30, 30));
    await r.give(span(10, 15));
    await r.give(span(1, 2));
    expect(r.news()).toEqual([
      'ask n2 30..30 at 30/2',
      '1 of n2',
      'ask n2 10..15 at 16/1',
      '6 of n2',
      'ask n2 1..2 at 3/1',
      '2 of n2',
      'repaired',
    ]);
  });

  it('by a second peer when the first has a part', async () => {
    await r.give(span(13, 15));
    r.refuse('compacted');
    expect(r.repairer.failures).toEqual(new Map([['n2', 'compacted']]));
    await r.give(span(10, 12));
    expect(r.news()).toEqual([
      'ask n2 10..15 at 16/1',
      '3 of n2',
      'ask n2 10..12 at 13/1',
      'ask n3 10..12 at 13/1',
      '3 of n3',
      'repaired',
    ]);
  });

  it('by nobody where there is none', async () => {
    r = new Repairing(await damagedLog());
    expect([r.news(), r.clock.timersSet]).toEqual([[], 0]);
  });
});

describe('on a disk that is nearly full', () => {
  const three = span(13, 15).reduce((sum, entry) => sum + entryBytes(entry), 0);

  it('no more is asked for than can be spared, until it has space', async () => {
    r.state.stall = { ...noStall, diskNearlyFull: true, spareBytes: three };
    r.clock.advance(timeoutMs);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    expect(r.asked().request.bytesMax).toBe(three);
    await r.give(span(13, 15));
    r.clock.advance(10 * electionTimeoutMaxMs);
    expect(r.news()).toEqual(['3 of n3']);
    r.state.stall = { ...noStall };
    r.clock.advance(timeoutMs);
    expect(r.news()).toEqual(['ask n3 10..12 at 13/1']);
    await r.give(span(10, 12));
    expect(r.news()).toEqual(['3 of n3', 'repaired']);
  });

  it('what was asked for before is not written', async () => {
    r.state.stall = { ...noStall, diskNearlyFull: true, spareBytes: 0 };
    await r.give(span(10, 15));
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
    expect(r.repairer.holes).toHaveLength(1);
    r.state.stall = { ...noStall };
    r.clock.advance(timeoutMs);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
  });
});

describe('a peer that is of no use is passed over:', () => {
  it('one that does not answer, for its time', () => {
    r.clock.advance(timeoutMs - 1);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
    r.clock.advance(1);
    expect(r.news()).toEqual(['ask n3 10..15 at 16/1']);
    expect(r.repairer.failures).toEqual(new Map([['n2', 'no-answer']]));
  });

  it.each<[string, Entry[]]>([
    ['nothing', []],
    ['entries with a gap', [...span(10, 12), ...span(14, 15)]],
    ['another range', span(9, 14)],
    ['more than was asked for', span(9, 15)],
    ['terms beyond the anchor', [{ kind: 'noop', index: 15, term: 2 }]],
    [
      'terms that fall',
      [
        { kind: 'noop', index: 14, term: 1 },
        { kind: 'noop', index: 15, term: 0 },
      ],
    ],
  ])('one that gives %s; the next one is asked, and nothing was written', async (_what, lie) => {
    await r.give(lie);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    expect(r.repairer.failures).toEqual(new Map([['n2', 'wrong-answer']]));
    await r.give(span(10, 15));
    expect(r.news()).toEqual(['6 of n3', 'repaired']);
    expect(r.repairer.failures).toEqual(new Map([['n2', 'wrong-answer']]));
  });

  it('one that gives the last entry of the log with another term than it had', async () => {
    r = new Repairing(await damagedLog({ from: 28, to: 30 }));
    await r.give([{ kind: 'noop', index: 30, term: 1 }]);
    expect(r.news()).toEqual(['ask n2 28..30 at 30/2', 'ask n3 28..30 at 30/2']);
    await r.give(span(28, 30));
    expect(r.news()).toEqual(['3 of n3', 'repaired']);
  });

  it('all of them, as often as it takes, with a pause after each round', async () => {
    for (let round = 0; round < 3; round += 1) {
      expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
      r.refuse();
      expect(r.news()).toEqual(['ask n3 10..15 at 16/1']);
      r.clock.advance(timeoutMs);
      expect(r.news()).toEqual([]);
      r.clock.advance(timeoutMs - 1);
      expect(r.news()).toEqual([]);
      r.clock.advance(1);
    }
    await r.give(span(10, 15));
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', '6 of n2', 'repaired']);
  });

  it('and whoever is known by then is asked in the next round', () => {
    r.peers = [];
    r.refuse();
    r.refuse();
    r.news();
    r.clock.advance(electionTimeoutMaxMs);
    expect(r.news()).toEqual([]);
    r.peers = ['n4'];
    r.clock.advance(electionTimeoutMaxMs);
    expect(r.news()).toEqual(['ask n4 10..15 at 16/1']);
  });
});

describe('an answer', () => {
  it('that comes late is as good as another', async () => {
    r.clock.advance(timeoutMs);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    await r.give(span(10, 15), 1);
    expect(r.news()).toEqual(['6 of n2', 'repaired']);
  });

  it('of an earlier round is as good as another', async () => {
    for (let wait = 0; wait < 3; wait += 1) r.clock.advance(timeoutMs);
    expect(r.news().map((line) => line.slice(0, 6))).toEqual(['ask n2', 'ask n3', 'ask n2']);
    await r.give(span(10, 15), 2);
    expect(r.news()).toEqual(['6 of n2', 'repaired']);
  });

  it('of another end of the hole, of another run or of another peer is none', async () => {
    const { to, request } = r.asked();
    const answer = gives(request, span(10, 15));
    r.repairer.onAnswer('n3', answer);
    r.repairer.onAnswer(to, { ...answer, requestId: { boot: 1, sequence: 1 } });
    r.repairer.onAnswer(to, { ...answer, requestId: { boot: 2, sequence: 2 } });
    await settled();
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
    await r.give(span(14, 15));
    r.repairer.onAnswer(to, answer);
    await settled();
    expect(r.news()).toEqual(['2 of n2', 'ask n2 10..13 at 14/1']);
  });

  it('that comes twice is written once', async () => {
    const { to, request } = r.asked();
    const answer = gives(request, span(10, 15));
    r.repairer.onAnswer(to, answer);
    r.repairer.onAnswer(to, answer);
    await settled();
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', '6 of n2', 'repaired']);
  });
});

describe('what nobody has is left to the leader', () => {
  it('once it says that it has not got it either, and every other was asked', () => {
    r.state.leader = { id: 'n2', incarnation: 'i' };
    r.refuse('compacted');
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    r.refuse('compacted');
    expect([r.news(), r.clock.timersSet]).toEqual([['abandoned'], 0]);
    r.clock.advance(60_000);
    expect(r.news()).toEqual([]);
  });

  it('without waiting for ever for those who are away', () => {
    r.state.leader = { id: 'n2', incarnation: 'i' };
    r.refuse();
    r.clock.advance(timeoutMs);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1', 'abandoned']);
  });

  it('not while the leader itself has not answered, and at once when it does', () => {
    r.state.leader = { id: 'n2', incarnation: 'i' };
    r.clock.advance(timeoutMs);
    r.refuse();
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    r.refuse('compacted', 1);
    expect(r.news()).toEqual(['abandoned']);
  });

  it('not while none is known: one that appears is asked in the next round', () => {
    r.refuse();
    r.refuse();
    r.state.leader = { id: 'n3', incarnation: 'i' };
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    r.clock.advance(timeoutMs);
    r.refuse();
    r.refuse();
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1', 'abandoned']);
  });

  it('not when it lies: then it is asked again', async () => {
    r.state.leader = { id: 'n2', incarnation: 'i' };
    await r.give([]);
    r.refuse();
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'ask n3 10..15 at 16/1']);
    r.clock.advance(timeoutMs);
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1']);
  });

  it('also of a hole of which a part was found', async () => {
    r.state.leader = { id: 'n3', incarnation: 'i' };
    await r.give(span(14, 15));
    r.refuse('compacted');
    r.refuse('compacted');
    expect(r.news().at(-1)).toBe('abandoned');
  });
});

describe('a repair ends', () => {
  it('with its session, whatever is under way', async () => {
    r.repairer.stop();
    await r.give(span(10, 15));
    expect([r.news(), r.clock.timersSet]).toEqual([['ask n2 10..15 at 16/1'], 0]);
    expect(log.termAt(12)).toBeNull();
  });

  it('with its session, also while a piece is being written', async () => {
    const given = r.give(span(10, 15));
    r.repairer.stop();
    await given;
    expect([r.news(), r.whole]).toEqual([['ask n2 10..15 at 16/1'], null]);
  });

  it('when the core does not wait for it any more', async () => {
    r.state.repairing = false;
    await r.give(span(10, 15));
    expect([r.news(), r.clock.timersSet]).toEqual([['ask n2 10..15 at 16/1'], 0]);
    expect(log.termAt(12)).toBeNull();
  });

  it('when the hole was written over meanwhile', async () => {
    await log.write({
      writeId: { boot: 2, sequence: 1 },
      cutFrom: 8,
      entries: [{ kind: 'noop', index: 8, term: 2 }],
    });
    await r.give(span(10, 15));
    expect([r.news(), r.clock.timersSet, r.whole]).toEqual([['ask n2 10..15 at 16/1'], 0, null]);
  });

  it('with the storage when that fails', async () => {
    const broken = {
      recovered: log.recovered,
      termAt: () => 1,
      repair: () => Promise.reject(new StorageFailed('the disk is gone')),
    };
    r = new Repairing(broken);
    await r.give(span(10, 15));
    expect(r.news()).toEqual(['ask n2 10..15 at 16/1', 'failed: the disk is gone']);
    r.clock.advance(60_000);
    expect(r.news()).toEqual([]);
  });
});
