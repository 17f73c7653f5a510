import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../src/doors/node-clock.ts';
import { nodeRandom } from '../../src/doors/node-random.ts';
import { Applier } from '../../src/node/applier.ts';
import { msgpackCodec } from '../../src/node/command-codec.ts';
import { Retired, StateMachineFailed } from '../../src/node/errors.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import { openSession, type SessionSettings } from '../../src/node/session.ts';
import { AppliedSessions } from '../../src/node/sessions/applied-sessions.ts';
import { SnapshotContent } from '../../src/node/snapshot-content.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { memoryStorage, StorageRefused } from '../../src/storage/index.ts';
import { DamagedStorage } from './damaged-storage.ts';
import { emptyHead } from './sessions/snapshot-bytes.ts';

const at = (index: number) => ({ index, term: 1, configuration: emptyConfiguration });

/** A state machine at entry `applied`, into which a later snapshot was restored but for its end. */
async function tornAfter(applied: number) {
  const machine = {
    state: 'none',
    apply: () => undefined,
    async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
      this.state = '';
      for await (const chunk of chunks) this.state += Buffer.from(chunk).toString();
    },
  };
  const applier = new Applier<unknown, unknown>(
    machine,
    msgpackCodec(),
    new PendingRequests(),
    new AppliedSessions(msgpackCodec()),
    () => {},
  );
  for (let index = 1; index <= applied; index += 1) applier.apply([{ kind: 'noop', index, term: 1 }]);
  const gone = new Error('the disk is gone');
  const half = Buffer.concat([emptyHead, Buffer.from('half')]);
  const read = (_: unknown, { offset }: { offset: number }): Promise<Uint8Array> =>
    offset === 0 ? Promise.resolve(half) : Promise.reject(gone);
  const meta = { ...at(9), size: half.length + 4, digest: '' };
  await expect(applier.restore(meta, new SnapshotContent({ read }, meta, half.length))).rejects.toBe(gone);
  expect([machine.state, applier.appliedIndex]).toEqual(['half', applied]);
  return { machine, applier };
}

const settings: SessionSettings = {
  id: 'n1',
  group: 'default',
  raft: defaultRaftOptions,
  clock: nodeClock(),
  random: nodeRandom(),
  bootstrap: null,
  join: null,
};

async function storageWithSnapshotAt(index: number) {
  const storage = memoryStorage();
  const instance = await storage.open({ id: 'n1' });
  await instance.snapshots('default').write(at(index), [emptyHead, Buffer.from(`state at ${index}`)]);
  await instance.close();
  return storage;
}

describe('a storage that is reopened while the state machine holds a part of a snapshot', () => {
  it.each([3, 5, 9])(
    'restores it from the latest one, of entry %i, wherever it was before',
    async (index) => {
      const { machine, applier } = await tornAfter(5);
      const session = await openSession(await storageWithSnapshotAt(index), settings, applier, null);
      expect(session.restoredFrom?.index).toBe(index);
      expect(session.core.state.appliedIndex).toBe(index);
      expect([machine.state, applier.appliedIndex, applier.isTorn]).toEqual([
        `state at ${index}`,
        index,
        false,
      ]);
      await session.instance.close();
    },
  );

  it('stops without any, and leaves the storage closed', async () => {
    const { applier } = await tornAfter(5);
    const storage = memoryStorage();
    await expect(openSession(storage, settings, applier, null)).rejects.toBeInstanceOf(StateMachineFailed);
    await (await storage.open({ id: 'n1' })).close();
  });

  it('is retired when the cluster forgot the replica whose state that was', async () => {
    const { applier } = await tornAfter(0);
    const storage = await storageWithSnapshotAt(3);
    const instance = await storage.open({ id: 'n1' });
    const { incarnation } = instance.identity;
    await instance.close();
    await expect(openSession(storage, settings, applier, incarnation)).rejects.toBeInstanceOf(Retired);
  });
});

describe('a storage that is reopened while the state machine is whole', () => {
  it('leaves it alone unless the snapshot is ahead of it', async () => {
    for (const [index, restored] of [
      [4, null],
      [5, null],
      [6, 6],
    ] as const) {
      const { machine, applier } = await tornAfter(0);
      const first = await openSession(await storageWithSnapshotAt(5), settings, applier, null);
      await first.instance.close();
      const second = await openSession(await storageWithSnapshotAt(index), settings, applier, null);
      expect(second.restoredFrom?.index ?? null).toBe(restored);
      expect(machine.state).toBe(`state at ${restored ?? 5}`);
      await second.instance.close();
    }
  });
});

describe('a damaged log', () => {
  const clusterId = '00000000000000cc';
  const stranger = '00000000000000bb';

  /** Entry 1 lists these voters, and a second list follows as entry 4, if given; 5 entries, of which some are lost. */
  async function damaged(
    lists: { readonly first: readonly string[]; readonly second?: readonly string[] },
    ...lost: { from: number; to: number }[]
  ) {
    const storage = new DamagedStorage();
    const instance = await storage.open({ id: 'n1' });
    const { incarnation } = instance.identity;
    await instance.adoptCluster(clusterId);
    const listing = (index: number, ids: readonly string[]): Entry => ({
      kind: 'configuration',
      index,
      term: 1,
      clusterId,
      configuration: {
        ...emptyConfiguration,
        id: `${index}.1`,
        voters: ids.map((id) => ({ id, incarnation: id === 'n1' ? incarnation : stranger, address: id })),
      },
    });
    const noop = (index: number): Entry => ({ kind: 'noop', index, term: 1 });
    await (await instance.openLog('default')).write({
      writeId: { boot: 1, sequence: 1 },
      hardState: { term: 1, votedFor: null },
      entries: [
        listing(1, lists.first),
        noop(2),
        noop(3),
        lists.second === undefined ? noop(4) : listing(4, lists.second),
        noop(5),
      ],
    });
    await instance.close();
    storage.lose(...lost);
    return storage;
  }

  const opened = async (storage: DamagedStorage, others: Partial<SessionSettings> = {}): Promise<string> => {
    const { applier } = await tornAfter(0);
    const machine = {
      get appliedIndex() {
        return applier.appliedIndex;
      },
      isTorn: false,
      restore: applier.restore.bind(applier),
    };
    try {
      const session = await openSession(storage, { ...settings, ...others }, machine, null);
      await session.instance.close();
      return 'opened';
    } catch (error) {
      if (!(error instanceof StorageRefused)) throw error;
      return `${error.reason}: ${error.message}`;
    }
  };

  it('of the only voter is refused, with what is lost and what to do, and stays as it is', async () => {
    const storage = await damaged({ first: ['n1'] }, { from: 3, to: 3 });
    for (let again = 0; again < 2; again += 1) {
      expect(await opened(storage)).toMatch(
        /^damaged: lost 3\.\.3\. .*only voter.*was left as it is.*Keep a copy/,
      );
    }
    const instance = await storage.open({ id: 'n1' });
    const log = await instance.openLog('default');
    expect(log.recovered.damage?.holes).toEqual([{ from: 3, to: 3, anchor: { index: 4, term: 1 } }]);
    expect(log.termAt(5)).toBe(1);
    await instance.close();
  });

  it.each<[string, string, Parameters<typeof damaged>, Partial<Record<'bootstrap' | 'join', string[]>>]>([
    ['of one voter of two', 'opened', [{ first: ['n1', 'n2'] }, { from: 3, to: 3 }], {}],
    ['of one that is no voter', 'opened', [{ first: ['n2'] }, { from: 3, to: 3 }], {}],
    [
      'of one that was alone once',
      'opened',
      [
        { first: ['n1'], second: ['n1', 'n2'] },
        { from: 5, to: 5 },
      ],
      {},
    ],
    [
      'of one that is alone by now',
      'damaged',
      [
        { first: ['n1', 'n2'], second: ['n1'] },
        { from: 5, to: 5 },
      ],
      {},
    ],
    [
      'whose first entry is lost, of one that founded the cluster alone',
      'damaged',
      [{ first: ['n1'] }, { from: 1, to: 1 }],
      { bootstrap: ['n1'] },
    ],
    [
      'whose first entry is lost, of one that was listed with another',
      'opened',
      [{ first: ['n1', 'n2'] }, { from: 1, to: 1 }],
      { bootstrap: ['n1', 'n2'] },
    ],
    [
      'whose first entry is lost, of one that joined',
      'opened',
      [{ first: ['n1', 'n2'] }, { from: 1, to: 1 }],
      { join: ['n2'] },
    ],
    ['that is whole after all', 'opened', [{ first: ['n1'] }], {}],
  ])('%s is %s', async (_what, outcome, [lists, ...lost], named) => {
    const listOf = (ids: string[] | undefined) => ids?.map((id) => ({ id, address: id })) ?? null;
    const storage = await damaged(lists, ...lost);
    const others = { bootstrap: listOf(named.bootstrap), join: listOf(named.join) };
    expect(await opened(storage, others)).toMatch(new RegExp(`^${outcome}`));
  });

  it('whose place a snapshot takes is opened when that lists others', async () => {
    const storage = await damaged({ first: ['n1'], second: ['n1'] }, { from: 5, to: 5 });
    const instance = await storage.open({ id: 'n1' });
    const { incarnation } = instance.identity;
    // Entry 3 of the log is another one, so it is the snapshot's membership that is in force.
    const configuration = {
      ...emptyConfiguration,
      id: '3.2',
      voters: [
        { id: 'n1', incarnation, address: 'n1' },
        { id: 'n2', incarnation: stranger, address: 'n2' },
      ],
    };
    await instance.snapshots('default').write({ index: 3, term: 2, configuration }, [emptyHead]);
    await instance.close();
    expect(await opened(storage)).toBe('opened');
  });
});
