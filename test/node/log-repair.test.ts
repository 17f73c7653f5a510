import { beforeEach, describe, expect, it } from 'vitest';
import { LogRepair } from '../../src/node/log-repair.ts';
import type { Session } from '../../src/node/session.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { Envelope, Message } from '../../src/raft/message.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { noStall } from '../../src/raft/stall.ts';
import { DamagedStorage } from './damaged-storage.ts';
import { ManualClock } from './manual-clock.ts';

const clusterId = '00000000000000cc';
const self = { id: 'n1', incarnation: '00000000000000aa', boot: 2 };
const other = { id: 'n2', incarnation: '00000000000000bb', boot: 5 };
const entries: Entry[] = Array.from({ length: 9 }, (_, i) => ({ kind: 'noop', index: i + 1, term: 1 }));
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A session whose log of 9 entries has lost 4 to 6, and a core that believes whatever it is told. */
async function damaged() {
  const storage = new DamagedStorage();
  const before = await storage.open({ id: 'n1' });
  await (await before.openLog('default')).write({
    writeId: { boot: 1, sequence: 1 },
    hardState: { term: 1, votedFor: null },
    entries,
  });
  await before.close();
  storage.lose({ from: 4, to: 6 });
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('default');
  const hardState = { term: 1, votedFor: null, missing: { term: 1, index: 9 } };
  const configuration = {
    ...emptyConfiguration,
    voters: [self, other].map((m) => ({ ...m, address: m.id })),
  };
  const state = {
    self,
    group: 'default',
    repairing: true,
    stall: noStall,
    leader: null as { id: string; incarnation: string } | null,
    clusterId,
    options: defaultRaftOptions,
    configurations: [{ index: 1, configuration }],
    log: { floorIndex: 0 },
    hardState: hardState as { term: number; votedFor: null; missing?: { term: number; index: number } },
    durable: { hardState: hardState as { term: number; votedFor: null; missing?: object } },
  };
  const told: unknown[] = [];
  const core = {
    state,
    repaired: (_now: number, { lastIndex }: { lastIndex: number }) => {
      state.repairing = false;
      told.push(`whole up to ${lastIndex}`);
    },
    repairAbandoned: () => {
      state.repairing = false;
      told.push('abandoned');
    },
  };
  const sent: Envelope[] = [];
  const clock = new ManualClock();
  const repair = new LogRepair(
    { self, instance, log, core } as unknown as Session,
    { group: 'default', clock, random: { integer: (from) => from, bytes: () => new Uint8Array(8) } },
    {
      input: (give) => give(clock.now()),
      send: (envelope) => sent.push(envelope),
      others: () => [{ id: 'n1' }, { id: 'n7' }],
      found: ({ report }) => told.push(`found: ${report}`),
      covered: ({ report }) => told.push(`covered: ${report}`),
      gained: (count) => told.push(`gained ${count}`),
      repaired: (how) => told.push(how),
      storageFailed: (error) => told.push(error),
    },
  );
  const hear = async (message: Message, rest: Partial<Envelope> = {}): Promise<boolean> => {
    const to = { id: self.id, incarnation: self.incarnation };
    const taken = repair.receive({ clusterId, group: 'default', from: other, to, message, ...rest });
    await settled();
    return taken;
  };
  return { repair, state, told, sent, clock, hear };
}

let d: Awaited<ReturnType<typeof damaged>>;
beforeEach(async () => {
  d = await damaged();
});

describe('a session with a damaged log', () => {
  it('tells it, asks, hands the whole log to the core, and tells that once nothing is missing durably', async () => {
    d.repair.look();
    expect(d.told.splice(0)).toEqual(['found: lost 4..6']);
    expect(d.sent.splice(0)).toEqual([
      {
        clusterId,
        group: 'default',
        from: self,
        to: { id: 'n2', incarnation: null },
        message: expect.objectContaining({ kind: 'RepairRequest', from: 4, to: 6 }),
      },
    ]);
    const requestId = { boot: 2, sequence: 1 };
    expect(await d.hear({ kind: 'RepairAnswer', requestId, held: true, entries: entries.slice(3, 6) })).toBe(
      true,
    );
    expect(d.told.splice(0)).toEqual(['gained 3', 'whole up to 9']);
    d.repair.look();
    expect([d.told, d.repair.damage?.missing]).toEqual([[], { term: 1, index: 9 }]);
    d.state.hardState = { term: 1, votedFor: null };
    d.repair.look();
    expect(d.told).toEqual([]);
    d.state.durable.hardState = { term: 1, votedFor: null };
    d.repair.look();
    d.repair.look();
    expect(d.told).toEqual([{ report: 'lost 4..6', by: 'peers', entries: 3, peers: ['n2'] }]);
    expect(d.repair.damage).toBeNull();
  });

  it('asks its members, whom else it knows of, and the leader, but never itself', async () => {
    d.state.leader = { id: 'n9', incarnation: 'i' };
    d.repair.look();
    for (let asked = 1; asked < 3; asked += 1) d.clock.advance(defaultRaftOptions.electionTimeoutMinMs);
    expect(d.sent.map(({ to }) => to.id)).toEqual(['n9', 'n2', 'n7']);
  });

  it('leaves to the leader what nobody has, and says by whom it became whole', async () => {
    d.state.leader = { id: 'n2', incarnation: other.incarnation };
    d.repair.look();
    const requestId = { boot: 2, sequence: 1 };
    await d.hear({ kind: 'RepairAnswer', requestId, held: false, reason: 'compacted' });
    d.clock.advance(defaultRaftOptions.electionTimeoutMinMs);
    expect(d.told.splice(0)).toEqual(['found: lost 4..6', 'abandoned']);
    expect(d.repair.damage?.failures).toEqual([
      { peer: 'n2', reason: 'compacted' },
      { peer: 'n7', reason: 'no-answer' },
    ]);
    d.state.hardState = { term: 1, votedFor: null };
    d.state.durable.hardState = { term: 1, votedFor: null };
    d.repair.look();
    expect(d.told).toEqual([{ report: 'lost 4..6', by: 'leader', entries: 0, peers: [] }]);
  });
});

describe('an envelope', () => {
  const request: Message = {
    kind: 'RepairRequest',
    requestId: { boot: 1, sequence: 1 },
    from: 1,
    to: 2,
    anchor: { index: 3, term: 1 },
    bytesMax: 1_000,
  };

  it('with a request is answered, even by who is damaged, and whichever incarnation it hoped to reach', async () => {
    for (const to of [self, { id: 'n1', incarnation: null }]) {
      expect(await d.hear(request, { to: { id: to.id, incarnation: to.incarnation } })).toBe(true);
    }
    expect(d.sent).toHaveLength(2);
    expect(d.sent[0]).toEqual({
      clusterId,
      group: 'default',
      from: self,
      to: { id: 'n2', incarnation: other.incarnation },
      message: {
        kind: 'RepairAnswer',
        requestId: { boot: 1, sequence: 1 },
        held: true,
        entries: entries.slice(0, 2),
      },
    });
  });

  it.each<[string, Partial<Envelope>]>([
    ['of another cluster', { clusterId: '00000000000000dd' }],
    ['of no cluster', { clusterId: null }],
    ['of another group', { group: 'other' }],
    ['for another replica', { to: { id: 'n3', incarnation: self.incarnation } }],
    ['for the disk it had before', { to: { id: 'n1', incarnation: '00000000000000ee' } }],
    ['from its own name', { from: { ...self, boot: 1 } }],
  ])('%s is neither answered nor believed', async (_what, rest) => {
    d.repair.look();
    d.sent.length = 0;
    expect(await d.hear(request, rest)).toBe(true);
    const requestId = { boot: 2, sequence: 1 };
    await d.hear({ kind: 'RepairAnswer', requestId, held: true, entries: entries.slice(3, 6) }, rest);
    expect([d.sent, d.told]).toEqual([[], ['found: lost 4..6']]);
  });

  it('of any other kind is left to the others, and of a session that has ended none is heard', async () => {
    expect(await d.hear({ kind: 'TimeoutNow', term: 1 })).toBe(false);
    d.repair.look();
    d.repair.stop();
    d.sent.length = 0;
    await d.hear(request);
    const requestId = { boot: 2, sequence: 1 };
    await d.hear({ kind: 'RepairAnswer', requestId, held: true, entries: entries.slice(3, 6) });
    d.clock.advance(60_000);
    expect([d.sent, d.told, d.clock.timersSet]).toEqual([[], ['found: lost 4..6'], 0]);
  });
});
