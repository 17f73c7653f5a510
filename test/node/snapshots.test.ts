import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  OutcomeUnknown,
  type SnapshotMeta,
  type StateMachine,
  StateMachineFailed,
  StorageRefused,
  snapshotPolicy,
} from '../../src/index.ts';
import { fileStorage, memoryStorage } from '../../src/storage/index.ts';
import { eventually, Nodes, next, Total, truth, withFailingSnapshots } from './nodes.ts';

const nodes = new Nodes();
afterEach(() => nodes.close());

const alone = { id: 'n1', bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };
const every = (entries: number, keepEntries = 2) => ({ snapshots: snapshotPolicy({ entries, keepEntries }) });

async function proposeOnes(node: { propose(amount: number): Promise<number> }, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await node.propose(1);
}

describe('snapshots of the own state machine', () => {
  it('are taken at every multiple of the policy, and the log is compacted behind what is kept', async () => {
    const taken: SnapshotMeta[] = [];
    const node = await nodes.open({ ...alone, ...every(10) });
    node.on('snapshot-taken', (meta) => taken.push(meta));
    await node.waitForLeader();
    await proposeOnes(node, 28);
    await eventually(() => truth(node.status().floorIndex === 28));
    expect(taken.map(({ index }) => index)).toEqual([10, 20, 30]);
    expect(node.status().snapshot).toMatchObject({ index: 30, term: node.status().term });
    expect(node.metrics()).toMatchObject({
      raft_snapshot_index: 30,
      raft_floor_index: 28,
      raft_snapshots_taken_total: 3,
      raft_snapshots_failed_total: 0,
    });
    expect(await node.propose(1)).toBe(29);
  });

  it('spare a restarted replica the commands before them', async () => {
    const storage = memoryStorage();
    const before = await nodes.open({ ...alone, ...every(10), storage });
    await before.waitForLeader();
    await proposeOnes(before, 28);
    await eventually(() => truth(before.status().snapshot?.index === 30));
    await proposeOnes(before, 2);
    await before.close();
    const stateMachine = new Total();
    const after = await nodes.open({ ...alone, ...every(10), storage, stateMachine });
    await after.waitForLeader();
    expect(await after.read('total')).toBe(30);
    expect(stateMachine).toMatchObject({ restored: 1, applied: 2 });
  });

  it('that were stored before a crash, and whose floor was not, compact the log after it', async () => {
    const storage = memoryStorage();
    // As after the crash: the snapshot is there, and the log begins long before it.
    const before = await nodes.open({ ...alone, ...every(10, 100), storage });
    await before.waitForLeader();
    await proposeOnes(before, 22);
    await eventually(() => truth(before.status().snapshot?.index === 20));
    expect(before.status().floorIndex).toBe(0);
    await before.close();
    const after = await nodes.open({ ...alone, ...every(10), storage });
    await eventually(() => truth(after.status().floorIndex === 18));
    expect(after.status().snapshot?.index).toBe(20);
  });

  it('do not pile up on the disk while more entries are kept than lie between two of them', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kontiki-snapshots-'));
    try {
      const node = await nodes.open({
        ...alone,
        storage: fileStorage({ directory }),
        snapshots: snapshotPolicy({ bytes: 1_000 }),
      });
      let taken = 0;
      node.on('snapshot-taken', () => {
        taken += 1;
      });
      await node.waitForLeader();
      await proposeOnes(node, 300);
      await eventually(() => truth(taken >= 5));
      expect(node.status().floorIndex).toBe(0);
      await node.close();
      const files = await readdir(join(directory, 'snapshots-default'));
      expect(files.length).toBeLessThanOrEqual(2);
      expect(files.length).toBeGreaterThan(0);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('are taken on demand, once for one state, and not at all where there is nothing to take', async () => {
    const node = await nodes.open({ ...alone });
    await node.waitForLeader();
    await node.propose(5);
    const meta = await node.snapshot();
    expect(meta).toMatchObject({ index: node.status().appliedIndex, size: 46 });
    expect(await node.snapshot()).toEqual(meta);
    expect(node.metrics().raft_snapshots_taken_total).toBe(1);
    await node.propose(5);
    expect((await node.snapshot())?.index).toBe((meta?.index ?? 0) + 1);

    const waiting = await nodes.open({ id: 'n2' });
    expect(await waiting.snapshot()).toBeNull();
    const { apply, query } = { apply: () => 0, query: () => 0 };
    const without = await nodes.open({
      ...alone,
      id: 'n3',
      bootstrap: { members: [{ id: 'n3', address: 'n3' }] },
      stateMachine: { apply, query },
      ...every(2),
    });
    await without.waitForLeader();
    await proposeOnes(without, 5);
    expect(await without.snapshot()).toBeNull();
    expect(without.status()).toMatchObject({ snapshot: null, floorIndex: 0 });
  });

  it('whose iterator throws are told of, and tried again some entries later', async () => {
    const stateMachine = new Total();
    let failing = true;
    const whole = stateMachine.snapshot.bind(stateMachine);
    stateMachine.snapshot = function* () {
      yield Buffer.from('1');
      if (failing) throw new Error('out of pencils');
      yield* whole();
    };
    const node = await nodes.open({ ...alone, ...every(10), stateMachine });
    await node.waitForLeader();
    const failed = next(node, 'snapshot-failed');
    await proposeOnes(node, 10);
    expect(await failed).toMatchObject({ index: 10, origin: 'taken', error: { message: 'out of pencils' } });
    await expect(node.snapshot()).rejects.toThrow('out of pencils');
    failing = false;
    const taken = next(node, 'snapshot-taken');
    await proposeOnes(node, 8);
    expect((await taken).index).toBeLessThan(20);
    expect(node.status().state).toBe('running');
    expect(node.metrics()).toMatchObject({ storage_failures_total: 0 });
  });

  it('that the disk does not take reopen the storage, and are taken then', async () => {
    const faults = { failures: 1 };
    const node = await nodes.open({
      ...alone,
      ...every(10),
      storage: withFailingSnapshots(memoryStorage(), faults),
    });
    await node.waitForLeader();
    const failed = next(node, 'storage-failed');
    const taken = next(node, 'snapshot-taken');
    await Promise.allSettled([proposeOnes(node, 8)]);
    expect((await failed).error).toMatchObject({ message: 'no space left on device' });
    expect((await taken).index).toBeGreaterThanOrEqual(10);
    expect(node.status()).toMatchObject({ boot: 2, state: 'running' });
  });

  it('are refused to a state machine that cannot restore them', async () => {
    const storage = memoryStorage();
    const before = await nodes.open({ ...alone, storage });
    await before.waitForLeader();
    await before.propose(5);
    await before.snapshot();
    await before.close();
    const forgetful: StateMachine<number, number, string, number> = { apply: (n) => n, query: () => 0 };
    const opening = nodes.open({ ...alone, storage, stateMachine: forgetful });
    await expect(opening).rejects.toThrow(/the state machine has no restore\(\), and entries up to 3 are in/);
    const throwing = { ...forgetful, restore: () => Promise.reject(new Error('what is this?')) };
    await expect(nodes.open({ ...alone, storage, stateMachine: throwing })).rejects.toThrow(
      /failed to restore the snapshot of entry 3 \(term 2\): what is this\?/,
    );
    const lazy = { ...forgetful, restore: () => {} };
    const opened = await nodes.open({ ...alone, storage, stateMachine: lazy });
    expect(opened.status().appliedIndex).toBe(3);
  });
});

describe('snapshots of a leader', () => {
  it('bring a replica up that was away while the log was compacted', async () => {
    const machines = new Map(['n1', 'n2', 'n3'].map((id) => [id, new Total()]));
    const storages = new Map(['n1', 'n2', 'n3'].map((id) => [id, memoryStorage()]));
    const options = (id: string) => ({
      ...every(10),
      stateMachine: machines.get(id) ?? new Total(),
      storage: storages.get(id) ?? memoryStorage(),
      raft: { snapshotChunkBytes: 1 },
    });
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], options);
    const away = followers[0];
    if (away === undefined) throw new Error('no follower');
    await away.close();
    await proposeOnes(leader, 57);
    await eventually(() => truth(leader.status().snapshot?.index === 50));

    const phases: string[] = [];
    leader.on('snapshot-transfer', ({ peer, phase }) => phases.push(`${peer} ${phase}`));
    const stateMachine = new Total();
    const members = ['n1', 'n2', 'n3'].map((id) => ({ id, address: id }));
    const back = await nodes.open({ ...options(away.id), id: away.id, bootstrap: { members }, stateMachine });
    const installed = next(back, 'snapshot-installed');
    expect(await installed).toMatchObject({ index: 50 });
    await eventually(() => truth(back.status().appliedIndex === leader.status().appliedIndex));
    expect(stateMachine.total).toBe(57);
    expect(stateMachine.restored).toBe(1);
    expect(back.metrics()).toMatchObject({ raft_snapshots_installed_total: 1, raft_snapshot_receiving: 0 });
    expect(phases).toEqual([`${away.id} begun`, `${away.id} completed`]);
    expect(await leader.propose(1)).toBe(58);
  });

  it('stop a replica whose state machine cannot restore them', async () => {
    const forgetful: StateMachine<number, number, string, number> = { apply: (n) => n, query: () => 0 };
    const members = ['n1', 'n2', 'n3'].map((id) => ({ id, address: id }));
    const storage = memoryStorage();
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], (id) => ({
      ...every(10),
      ...(id === 'n3' ? { stateMachine: forgetful, storage } : {}),
    }));
    const away = [leader, ...followers].find(({ id }) => id === 'n3');
    await away?.close();
    const remaining = [leader, ...followers].filter((node) => node !== away);
    const leading = await eventually(() => remaining.find((node) => node.status().role === 'leader'));
    await proposeOnes(leading, 30);
    await eventually(() => truth(leading.status().floorIndex >= 20));
    const back = await nodes.open({ id: 'n3', bootstrap: { members }, stateMachine: forgetful, storage });
    const { error } = await next(back, 'stopped');
    expect(error).toBeInstanceOf(StateMachineFailed);
    expect(error?.message).toMatch(/has no restore\(\)/);
  });
});

describe('opening', () => {
  it('refuses a log that begins after a snapshot which is not there', async () => {
    const storage = memoryStorage();
    const node = await nodes.open({ ...alone, ...every(10), storage });
    await node.waitForLeader();
    await proposeOnes(node, 20);
    await eventually(() => truth(node.status().floorIndex > 0));
    await node.close();
    const withoutSnapshots = {
      open: async (request: Parameters<typeof storage.open>[0]) => {
        const instance = await storage.open(request);
        const snapshots = (group: string) => ({
          ...instance.snapshots(group),
          latest: async () => null,
        });
        return {
          identity: instance.identity,
          failed: instance.failed,
          snapshots,
          adoptCluster: (clusterId: string) => instance.adoptCluster(clusterId),
          openLog: (group: string) => instance.openLog(group),
          stats: () => instance.stats(),
          close: () => instance.close(),
        };
      },
    };
    const opening = nodes.open({ ...alone, storage: withoutSnapshots });
    await expect(opening).rejects.toThrow(/the log begins after entry 18, but there is no whole snapshot/);
    await expect(nodes.open({ ...alone, storage: withoutSnapshots })).rejects.toBeInstanceOf(StorageRefused);
  });
});

describe('who waits for an entry that a snapshot covers', () => {
  it('does not learn its result', async () => {
    // The leader is cut off with a proposal in its log, which the others never get; they compact past it.
    const ids = ['n1', 'n2', 'n3'];
    const { leader, followers } = await nodes.found(ids, () => every(10));
    for (const { id } of followers) {
      nodes.network.cut({ from: leader.id, to: id });
      nodes.network.cut({ from: id, to: leader.id });
    }
    const doubtful = leader.propose(1000, { timeoutMs: 60_000 });
    const settled = expect(doubtful).rejects.toThrow(
      /a snapshot up to entry \d+ took the place of applying it/,
    );
    const successor = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    await proposeOnes(successor, 30);
    await eventually(() => truth(successor.status().floorIndex >= 20));
    for (const { id } of followers) {
      nodes.network.heal({ from: leader.id, to: id });
      nodes.network.heal({ from: id, to: leader.id });
    }
    await settled;
    await expect(doubtful).rejects.toBeInstanceOf(OutcomeUnknown);
    await eventually(() => truth(leader.status().appliedIndex === successor.status().appliedIndex));
  });
});
