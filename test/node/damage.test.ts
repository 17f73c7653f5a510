import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RaftNodeEvents } from '../../src/index.ts';
import { StorageRefused, snapshotPolicy } from '../../src/index.ts';
import { DamagedStorage } from './damaged-storage.ts';
import { eventually, type Node, Nodes, Total, truth } from './nodes.ts';

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

const ids = ['n1', 'n2', 'n3'];
const members = ids.map((id) => ({ id, address: id }));

/** A node that tells what becomes of its damage, in order, from its opening on. */
interface Told {
  readonly node: Node;
  readonly machine: Total;
  readonly found: RaftNodeEvents['damage-found'][0][];
  readonly repaired: RaftNodeEvents['damage-repaired'][0][];
}

async function open(id: string, storage: DamagedStorage, listed = members): Promise<Told> {
  const machine = new Total();
  const node = await nodes.open({ id, storage, stateMachine: machine, bootstrap: { members: listed } });
  const told: Told = { node, machine, found: [], repaired: [] };
  node.on('damage-found', (event) => told.found.push(event));
  node.on('damage-repaired', (event) => told.repaired.push(event));
  return told;
}

/** The storages of three replicas, all of which hold the same log: one configuration, and `commands` times 1. */
async function storagesOf(commands: number): Promise<Map<string, DamagedStorage>> {
  const storages = new Map(ids.map((id) => [id, new DamagedStorage()]));
  const { leader, nodes: all } = await nodes.found(ids, (id) => ({
    storage: storages.get(id) as DamagedStorage,
  }));
  for (let i = 0; i < commands; i += 1) await leader.propose(1);
  const { lastIndex } = leader.status();
  await eventually(() =>
    truth(
      all.every(
        (node) => node.status().durableIndex === lastIndex && node.status().commitIndex === lastIndex,
      ),
    ),
  );
  await nodes.close();
  return storages;
}

const storageOf = (storages: ReadonlyMap<string, DamagedStorage>, id: string): DamagedStorage => {
  const storage = storages.get(id);
  if (storage === undefined) throw new Error(`no ${id}`);
  return storage;
};

const heals = (told: Told): Promise<true> =>
  eventually(() => truth(told.repaired.length > 0 && told.node.status().damage === null));

describe('a damaged log', () => {
  it('of each of three, none of which can lead, heals from the others, and then they elect', async () => {
    const storages = await storagesOf(20);
    storageOf(storages, 'n1').lose({ from: 3, to: 8 });
    storageOf(storages, 'n2').lose({ from: 9, to: 9 }, { from: 12, to: 15 });
    storageOf(storages, 'n3').lose({ from: 16, to: 22 });
    const all = await Promise.all(ids.map((id) => open(id, storageOf(storages, id))));
    await Promise.all(all.map(heals));
    for (const { node, found, repaired } of all) {
      expect(found).toHaveLength(1);
      expect(repaired).toHaveLength(1);
      expect(repaired[0]).toMatchObject({ by: 'peers', report: found[0]?.report });
      const { raft_log_incomplete, raft_damage_found_total, raft_repaired_entries_total } = node.metrics();
      expect([raft_log_incomplete, raft_damage_found_total]).toEqual([0, 1]);
      expect(raft_repaired_entries_total).toBe(repaired[0]?.entries);
    }
    expect(all.map(({ repaired }) => repaired[0]?.entries)).toEqual([6, 5, 7]);
    const leader = await eventually(() => all.find(({ node }) => node.status().role === 'leader'));
    expect(await leader.node.propose(1)).toBe(21);
    await eventually(() => truth(all.every(({ machine }) => machine.total === 21)));
  });

  it('of which the beginning is lost, its configuration too, heals from those that it was told to found with', async () => {
    const storages = await storagesOf(5);
    storageOf(storages, 'n1').lose({ from: 1, to: 4 });
    const all = await Promise.all(ids.map((id) => open(id, storageOf(storages, id))));
    const [first] = all;
    if (first === undefined) throw new Error('no n1');
    await heals(first);
    expect(first.repaired[0]).toMatchObject({ by: 'peers', entries: 4 });
    await eventually(() => truth(first.machine.total === 5));
  });

  it('shows how its repair goes, while nobody answers, and its node closes as any other', async () => {
    const storages = await storagesOf(5);
    storageOf(storages, 'n1').lose({ from: 3, to: 4 });
    const alone = await open('n1', storageOf(storages, 'n1'));
    const report = 'lost 3..4';
    await eventually(() => truth(alone.node.status().damage?.failures.length === 2));
    expect(alone.node.status()).toMatchObject({
      role: 'follower',
      lastIndex: 2,
      damage: {
        report,
        holes: [{ from: 3, to: 4, anchor: { index: 5 } }],
        missing: { index: 7 },
        repairing: true,
        repairedEntries: 0,
      },
    });
    expect(alone.node.status().damage?.failures.toSorted((a, b) => a.peer.localeCompare(b.peer))).toEqual([
      { peer: 'n2', reason: 'no-answer' },
      { peer: 'n3', reason: 'no-answer' },
    ]);
    expect(alone.node.metrics()).toMatchObject({ raft_log_incomplete: 1, raft_damage_found_total: 1 });
    await alone.node.close();
    expect(alone.repaired).toEqual([]);
    expect(alone.node.status().damage).toBeNull();
    // Nothing was given up meanwhile: it heals when it is opened again and the others are back.
    const all = await Promise.all(ids.map((id) => open(id, storageOf(storages, id))));
    const again = all[0] as Told;
    await heals(again);
    expect(again.repaired).toEqual([
      { report, by: 'peers', entries: 2, peers: [expect.stringMatching(/^n[23]$/)] },
    ]);
  });

  it('of which the others have a snapshot alone is made whole by their leader', async () => {
    const storages = await storagesOf(10);
    // What is lost has been compacted everywhere else by the time it is asked for.
    const compacting = { snapshots: snapshotPolicy({ entries: 4, keepEntries: 0 }) };
    const others = await Promise.all(
      ['n2', 'n3'].map((id) =>
        nodes.open({ id, storage: storageOf(storages, id), bootstrap: { members }, ...compacting }),
      ),
    );
    const leader = await eventually(() => others.find((node) => node.status().role === 'leader'));
    for (let i = 0; i < 10; i += 1) await leader.propose(1);
    await eventually(() => truth(others.every((node) => node.status().floorIndex > 12)));
    storageOf(storages, 'n1').lose({ from: 5, to: 6 });
    const told = await open('n1', storageOf(storages, 'n1'));
    await heals(told);
    expect(told.repaired).toEqual([{ report: 'lost 5..6', by: 'leader', entries: 0, peers: [] }]);
    await eventually(() => truth(told.machine.total === 20));
    expect(told.node.status().damage).toBeNull();
  });

  it('of a follower heals while the others serve, and does not stand in their way', async () => {
    const storages = await storagesOf(10);
    storageOf(storages, 'n3').lose({ from: 4, to: 9 });
    const [n1, n2] = await Promise.all(['n1', 'n2'].map((id) => open(id, storageOf(storages, id))));
    const leader = await eventually(() => [n1, n2].find((told) => told?.node.status().role === 'leader'));
    expect(await leader.node.propose(1)).toBe(11);
    const n3 = await open('n3', storageOf(storages, 'n3'));
    await heals(n3);
    expect(n3.repaired).toEqual([
      { report: 'lost 4..9', by: 'peers', entries: 6, peers: [expect.stringMatching(/^n[12]$/)] },
    ]);
    expect(await leader.node.propose(1)).toBe(12);
    await eventually(() => truth(n3.machine.total === 12));
  });

  it('of which the end is lost, and not how long it was, is made whole by a leader', async () => {
    const storages = await storagesOf(10);
    storageOf(storages, 'n2').loseEnd(6);
    const n2 = await open('n2', storageOf(storages, 'n2'));
    expect(n2.node.status()).toMatchObject({
      lastIndex: 5,
      damage: {
        report: 'lost 6..Infinity',
        holes: [],
        missing: { index: null },
        repairing: false,
        failures: [],
      },
    });
    const others = await Promise.all(['n1', 'n3'].map((id) => open(id, storageOf(storages, id))));
    await heals(n2);
    expect(n2.repaired).toEqual([{ report: 'lost 6..Infinity', by: 'leader', entries: 0, peers: [] }]);
    expect(others.map(({ found, node }) => [found, node.status().damage])).toEqual([
      [[], null],
      [[], null],
    ]);
    await eventually(() => truth(n2.machine.total === 10));
  });

  it('of a sole voter is refused, and again, until its directory is restored', async () => {
    const storage = new DamagedStorage();
    const { leader } = await nodes.found(['n1'], () => ({ storage }));
    await leader.propose(1);
    await nodes.close();
    storage.lose({ from: 2, to: 2 });
    for (let again = 0; again < 2; again += 1) {
      await expect(open('n1', storage, [{ id: 'n1', address: 'n1' }])).rejects.toBeInstanceOf(StorageRefused);
    }
  });
});
