import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RaftNodeEvents } from '../../src/index.ts';
import { StorageRefused, snapshotPolicy } from '../../src/index.ts';
import { fileStorage, memoryStorage, SnapshotDamaged, type Storage } from '../../src/storage/index.ts';
import { changedInstance } from './changed-instance.ts';
import { eventually, type Node, Nodes, next, type Options, Total, truth } from './nodes.ts';

let nodes: Nodes;
let home: string;
beforeEach(() => {
  nodes = new Nodes();
  home = mkdtempSync(join(tmpdir(), 'kontiki-lost-snapshot-'));
});
afterEach(async () => {
  await nodes.close();
  rmSync(home, { recursive: true });
});

const ids = ['n1', 'n2', 'n3'];
const members = ids.map((id) => ({ id, address: id }));
const storageOf = (id: string) => fileStorage({ directory: join(home, id) });
const compacting = { snapshots: snapshotPolicy({ entries: 8, keepEntries: 0 }) };
const keepingAll = { snapshots: snapshotPolicy({ entries: 1_000_000 }) };

interface Told {
  readonly node: Node;
  readonly machine: Total;
  readonly found: RaftNodeEvents['damage-found'][0][];
  readonly repaired: RaftNodeEvents['damage-repaired'][0][];
  readonly roles: string[];
}

async function open(id: string, options: Partial<Options> = { bootstrap: { members } }): Promise<Told> {
  const machine = new Total();
  const node = await nodes.open({ id, storage: storageOf(id), stateMachine: machine, ...options });
  const told: Told = { node, machine, found: [], repaired: [], roles: [] };
  node.on('damage-found', (event) => told.found.push(event));
  node.on('damage-repaired', (event) => told.repaired.push(event));
  node.on('role-changed', ({ role }) => told.roles.push(role));
  return told;
}

/** Directories of stopped replicas that hold the same log, of `commands` times 1; some have compacted it. */
async function written(commands: number, policy: (id: string) => Partial<Options>): Promise<void> {
  const { leader, nodes: all } = await nodes.found(ids, (id) => ({ storage: storageOf(id), ...policy(id) }));
  for (let i = 0; i < commands; i += 1) await leader.propose(1);
  const { lastIndex } = leader.status();
  await eventually(() => truth(all.every((node) => node.status().appliedIndex === lastIndex)));
  for (const { id } of all) {
    if (policy(id) !== keepingAll) await eventually(() => truth(snapshotsOf(id).length > 0));
  }
  await eventually(() =>
    truth(all.every((node) => policy(node.id) === keepingAll || node.status().floorIndex > 8)),
  );
  await nodes.close();
}

const folderOf = (id: string): string => join(home, id, 'snapshots-default');
const snapshotsOf = (id: string): string[] => {
  try {
    return readdirSync(folderOf(id)).filter((name) => name.endsWith('.snapshot'));
  } catch {
    return [];
  }
};

function rot(id: string): void {
  for (const name of snapshotsOf(id)) {
    const path = join(folderOf(id), name);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    writeFileSync(path, bytes);
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const heals = (told: Told): Promise<true> =>
  eventually(() => truth(told.repaired.length > 0 && told.node.status().damage === null));

describe('a replica whose snapshot is damaged', () => {
  it("is made whole by a leader's snapshot where the others have compacted as well", async () => {
    await written(20, () => compacting);
    rot('n1');
    const others = await Promise.all(
      ['n2', 'n3'].map((id) => open(id, { bootstrap: { members }, ...compacting })),
    );
    const leader = await eventually(() => others.find(({ node }) => node.status().role === 'leader'));
    const told = await open('n1', { bootstrap: { members }, ...compacting });
    await heals(told);
    expect(told.found).toHaveLength(1);
    expect(told.found[0]?.report).toMatch(/there is no whole snapshot .* entries 1 to \d+/);
    expect(told.repaired).toMatchObject([{ by: 'leader', report: told.found[0]?.report }]);
    await eventually(() => truth(told.machine.total === 20));
    expect(told.machine.restored).toBe(1);
    expect(told.roles).toEqual([]);
    expect(await leader.node.propose(1)).toBe(21);
    await eventually(() => truth(told.machine.total === 21));
    await nodes.close();
    // It is whole for good.
    const again = await open('n1', { bootstrap: { members }, ...compacting });
    expect(again.node.status().damage).toBeNull();
    expect(again.machine.total).toBeGreaterThan(0);
  });

  it('gets its log back from peers that keep all of theirs, and applies it from the first entry on', async () => {
    await written(20, (id) => (id === 'n1' ? compacting : keepingAll));
    rot('n1');
    await Promise.all(['n2', 'n3'].map((id) => open(id, { bootstrap: { members }, ...keepingAll })));
    const told = await open('n1', { bootstrap: { members }, ...keepingAll });
    await heals(told);
    expect(told.repaired).toMatchObject([{ by: 'peers' }]);
    await eventually(() => truth(told.machine.total === 20));
    expect(told.machine.restored).toBe(0);
    expect(told.node.status()).toMatchObject({ floorIndex: 0 });
  });

  it('knows whom to ask by its floor alone, and neither campaigns nor applies meanwhile', async () => {
    await written(20, () => compacting);
    rot('n1');
    // It was not told of the others, and there is nobody who sends it anything.
    const told = await open('n1', {});
    await eventually(() => truth(told.node.status().damage?.failures.length === 2));
    const { damage, ...status } = told.node.status();
    expect(damage?.failures.map(({ peer }) => peer).sort()).toEqual(['n2', 'n3']);
    expect(damage).toMatchObject({ holes: [{ from: 1 }], repairing: true, missing: { index: 22 } });
    expect(status).toMatchObject({ role: 'follower', lastIndex: 0, appliedIndex: 0 });
    expect([told.roles, told.machine.total]).toEqual([[], 0]);
    await open('n2', {});
    await open('n3', {});
    await heals(told);
    await eventually(() => truth(told.machine.total === 20));
  });

  it('and another one of three vote for the third, which has its snapshot, and come back by it', async () => {
    await written(20, () => compacting);
    rot('n1');
    rot('n2');
    const all = await Promise.all(ids.map((id) => open(id, { bootstrap: { members }, ...compacting })));
    const [n1, n2, n3] = all;
    if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three were opened');
    await Promise.all([heals(n1), heals(n2)]);
    expect(n3.found).toEqual([]);
    expect(n3.node.status().role).toBe('leader');
    expect(await n3.node.propose(1)).toBe(21);
    await eventually(() => truth(all.every(({ machine }) => machine.total === 21)));
  });

  it('is refused while it is the only voter, whatever it is told of others, and left as it is', async () => {
    const one = { bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };
    const { node } = await open('n1', { ...one, ...compacting });
    await node.waitForLeader();
    for (let i = 0; i < 20; i += 1) await node.propose(1);
    await eventually(() => truth(node.status().floorIndex > 8));
    await nodes.close();
    rot('n1');
    // But for the boot, and the hard state that says what it said.
    const bytes = (): string[] =>
      (readdirSync(join(home, 'n1'), { recursive: true }) as string[])
        .filter((path) => /blocks$|floor-|snapshot$/.test(path))
        .sort()
        .map((path) => `${path} ${sha256(readFileSync(join(home, 'n1', path)))}`);
    const before = bytes();
    for (const options of [one, {}, { join: { seeds: [{ id: 'n2', address: 'n2' }] } }]) {
      const refused = open('n1', { ...options, ...compacting });
      await expect(refused).rejects.toBeInstanceOf(StorageRefused);
      await expect(refused).rejects.toThrow(/no whole snapshot .* the only voter/);
    }
    expect(before).toHaveLength(3);
    expect(bytes()).toEqual(before);
  });
});

describe('a replica whose snapshot makes up for what is lost', () => {
  it('tells of that, and of nothing else', async () => {
    const storage = memoryStorage();
    const node = await nodes.open({
      id: 'n1',
      storage,
      bootstrap: { members: [{ id: 'n1', address: 'n1' }] },
    });
    await node.waitForLeader();
    await node.close();
    const covered = { holes: [{ from: 1, to: 1 }], report: 'entry 1 is in a snapshot' };
    const telling: Storage = {
      open: async (request) =>
        changedInstance(await storage.open(request), {
          log: ({ recovered }) => ({ recovered: { ...recovered, covered } }),
        }),
    };
    const again = await nodes.open({ id: 'n1', storage: telling });
    expect(await next(again, 'damage-covered')).toEqual(covered);
    expect(again.status().damage).toBeNull();
    await again.waitForLeader();
    expect(again.metrics()).toMatchObject({ raft_log_incomplete: 0, raft_damage_found_total: 1 });
  });
});

describe('a snapshot that rots when it was just installed', () => {
  it('is passed over by opening the storage anew, and the replica stops, since a part of it was restored', async () => {
    await written(22, () => compacting);
    const others = await Promise.all(
      ['n1', 'n2'].map((id) => open(id, { bootstrap: { members }, ...compacting })),
    );
    const leader = await eventually(() => others.find(({ node }) => node.status().role === 'leader'));
    for (let i = 0; i < 20; i += 1) await leader.node.propose(1);
    await eventually(() => truth(others.every(({ node }) => node.status().floorIndex > 30)));
    // Between the moment in which it is found whole and that in which it is restored.
    const faults = { isRotten: false };
    const machine = new Total();
    const n3 = await nodes.open({
      id: 'n3',
      stateMachine: machine,
      bootstrap: { members },
      ...compacting,
      storage: rottingBeforeRestore('n3', faults),
    });
    const reopened = next(n3, 'storage-failed');
    const stopped = next(n3, 'stopped');
    faults.isRotten = true;
    expect((await reopened).error).toBeInstanceOf(SnapshotDamaged);
    expect((await stopped).error?.message).toMatch(/restart it: a new state machine begins/);
    const told = await open('n3', { bootstrap: { members }, ...compacting });
    await heals(told);
    await eventually(() => truth(told.machine.total === leader.machine.total));
  });
});

/** Its snapshot rots as soon as the first chunk of one newer than it had is asked for. */
function rottingBeforeRestore(id: string, faults: { isRotten: boolean }): Storage {
  return {
    open: async (request) =>
      changedInstance(await storageOf(id).open(request), {
        snapshots: (snapshots) => ({
          read: async (meta, range) => {
            if (faults.isRotten && range.length > 0) {
              faults.isRotten = false;
              rot(id);
            }
            return snapshots.read(meta, range);
          },
        }),
      }),
  };
}

describe('a leader whose snapshot rots while it runs', () => {
  it.each([
    { what: 'of the last entry it applied', more: 0 },
    { what: 'of an earlier entry', more: 3 },
  ])('does not send it, $what, says so once, and sends another', async ({ more }) => {
    await written(22, () => compacting);
    // The third is away until the log of the others begins after its end.
    const two = await Promise.all(
      ['n1', 'n2'].map((id) => open(id, { bootstrap: { members }, ...compacting })),
    );
    const leader = await eventually(() => two.find(({ node }) => node.status().role === 'leader'));
    const damaged: RaftNodeEvents['snapshot-damaged'][0][] = [];
    leader.node.on('snapshot-damaged', (event) => damaged.push(event));
    const before = leader.node.status().lastIndex;
    const last = Math.ceil((before + 1) / 8) * 8 + more;
    for (let index = before; index < last; index += 1) await leader.node.propose(1);
    expect(leader.node.status().lastIndex).toBe(last);
    await eventually(() => truth(leader.node.status().floorIndex === last - more));
    rot(leader.node.id);
    const transferred: string[] = [];
    leader.node.on('snapshot-transfer', ({ phase }) => transferred.push(phase));
    const failed: unknown[] = [];
    const n3 = await open('n3', { bootstrap: { members }, ...compacting });
    n3.node.on('snapshot-failed', (event) => failed.push(event));
    await eventually(() => truth(n3.machine.total === leader.machine.total));
    expect(damaged).toMatchObject([{ index: last - more, isReplaced: true }]);
    expect(damaged[0]?.error).toBeInstanceOf(SnapshotDamaged);
    expect(failed).toEqual([]);
    expect(transferred).toContain('completed');
    // From its own as well, when it was opened.
    expect(n3.machine.restored).toBe(2);
  });
});
