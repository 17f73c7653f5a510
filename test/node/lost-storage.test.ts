import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Disk } from '../../src/doors/disk.ts';
import type { Observer, RaftNodeEvents } from '../../src/index.ts';
import { snapshotPolicy } from '../../src/index.ts';
import { nodeStorageDoors, type StorageDoors } from '../../src/storage/disk/storage-doors.ts';
import { fileStorage } from '../../src/storage/index.ts';
import { eventually, type Node, Nodes, next, truth } from './nodes.ts';

const nodes = new Nodes();
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-lost-'));
});
afterEach(async () => {
  await nodes.close();
  await rm(directory, { recursive: true, force: true });
});

const ids = ['n1', 'n2', 'n3'];
const members = ids.map((id) => ({ id, address: id }));
const folderOf = (id: string): string => join(directory, id);
const storageOf = (id: string) => fileStorage({ directory: folderOf(id) });

/** Three members, of which everyone has everything; then all are stopped. */
async function stopped(): Promise<{ total: number; incarnations: Map<string, string> }> {
  const snapshots = snapshotPolicy({ entries: 4, keepEntries: 2 });
  const { leader, nodes: old } = await nodes.found(ids, (id) => ({ storage: storageOf(id), snapshots }));
  for (let i = 0; i < 10; i += 1) await leader.propose(1);
  const { appliedIndex } = leader.status();
  await eventually(() => truth(old.every((node) => node.status().appliedIndex === appliedIndex)));
  const incarnations = new Map(old.map((node) => [node.id, node.status().incarnation]));
  await nodes.close();
  return { total: 10, incarnations };
}

const damages = {
  'both copies of the hard state are missing': ['hard-state-1', 'hard-state-2'].map((name) => ({
    name,
    how: 'missing',
  })),
  'both copies of the hard state are damaged': ['hard-state-1', 'hard-state-2'].map((name) => ({
    name,
    how: 'damaged',
  })),
  'the identity is missing': [{ name: 'identity', how: 'missing' }],
  'the floor is damaged': [{ name: 'floor-default', how: 'damaged' }],
  'the identity is damaged': [{ name: 'identity', how: 'damaged' }],
} as const;

async function damage(
  id: string,
  what: readonly { readonly name: string; readonly how: string }[],
): Promise<void> {
  for (const { name, how } of what) {
    const path = join(folderOf(id), name);
    if (how === 'missing') await rm(path);
    else await writeFile(path, Buffer.alloc(512, 0x55));
  }
}

const lose = (id: string): Promise<void> => damage(id, damages['both copies of the hard state are missing']);

interface Started {
  readonly node: Node;
  readonly told: RaftNodeEvents['storage-put-aside'][0][];
  /** Requests to be let in. */
  readonly asked: { count: number };
}

async function start(id: string): Promise<Started> {
  const told: Started['told'] = [];
  const asked = { count: 0 };
  const observer: Observer = (observation) => {
    if (observation.kind === 'sent' && observation.envelope.message.kind === 'JoinRequest') asked.count += 1;
  };
  const node = await nodes.open({ id, storage: storageOf(id), bootstrap: { members }, observer });
  node.on('storage-put-aside', (event) => told.push(event));
  return { node, told, asked };
}

/** Each has asked to be let in for long enough for several elections. */
function askedOften(asking: readonly Started[]): Promise<unknown> {
  return eventually(() => truth(asking.every(({ asked }) => asked.count >= 16)));
}

describe('a replica whose promises are lost', () => {
  it.each(Object.entries(damages))('comes back as another server where %s', async (_what, files) => {
    const { total, incarnations } = await stopped();
    await damage('n1', files);
    const started = await Promise.all(ids.map(start));
    const [struck] = started;
    if (struck === undefined) throw new Error('nobody started');
    await eventually(() =>
      truth(
        struck.node
          .status()
          .configuration.voters.some(
            ({ id, incarnation }) => id === 'n1' && incarnation === struck.node.status().incarnation,
          ),
      ),
    );
    expect(struck.node.status().incarnation).not.toBe(incarnations.get('n1'));
    expect(
      await eventually(() => (struck.node.status().leader !== null ? struck.node : undefined)).then((node) =>
        node.read('total'),
      ),
    ).toBe(total);
    const aside = join(folderOf('n1'), 'damaged-1');
    expect(struck.told).toEqual([
      { directory: aside, why: expect.stringMatching(/hard-state|hard state|identity|floor/) },
    ]);
    expect(await readdir(aside)).toEqual(expect.arrayContaining(['mark', 'shard-0']));
    expect(await readdir(join(aside, 'shard-0'))).not.toEqual([]);
    const others = started.slice(1).flatMap(({ told }) => told);
    expect(others).toEqual([]);
  });

  it('says so, with the others, where a majority is struck at once, and nobody leads', async () => {
    const { incarnations } = await stopped();
    await Promise.all(['n1', 'n2'].map(lose));
    const started = await Promise.all(ids.map(start));
    const [n1, n2, n3] = started.map(({ node }) => node);
    if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('not all started');
    // The one that remembers is asked by both, which it can do nothing about, and misses both of their old selves.
    const asking = await eventually(() => {
      const { newcomers } = n3.status();
      return newcomers.length === 2 ? newcomers : undefined;
    });
    expect(asking.map(({ id, answer }) => [id, answer]).sort()).toEqual([
      ['n1', 'ask-leader'],
      ['n2', 'ask-leader'],
    ]);
    const { term } = n3.status();
    await askedOften(started.slice(0, 2));
    for (const node of [n1, n2, n3]) expect(node.status()).toMatchObject({ state: 'running', leader: null });
    expect(n3.status().term).toBe(term);
    for (const node of [n1, n2]) {
      expect(node.status().incarnation).not.toBe(incarnations.get(node.id));
      expect(node.status()).toMatchObject({ lastIndex: 0, commitIndex: 0 });
    }
    await expect(n3.propose(1, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'KONTIKI_NOT_LEADER' });
  });

  it.each(['both copies of the hard state are missing', 'the identity is missing'] as const)(
    'founds no second cluster, where of all of them %s',
    async (what) => {
      await stopped();
      await Promise.all(ids.map((id) => damage(id, damages[what])));
      const started = await Promise.all(ids.map(start));
      await eventually(() => truth(started.every(({ told }) => told.length === 1)));
      await askedOften(started);
      for (const { node } of started) {
        expect(node.status()).toMatchObject({ state: 'running', leader: null, lastIndex: 0 });
      }
      // Nor after a restart, or by somebody who was really emptied.
      await nodes.close();
      await rm(folderOf('n1'), { recursive: true });
      const again = await Promise.all(ids.map(start));
      await eventually(() => truth((again[0]?.node.status().bootstrap?.notEmpty.length ?? 0) > 0));
      for (const { node } of again) expect(node.status()).toMatchObject({ leader: null, lastIndex: 0 });
      expect(again.map(({ told }) => told.length)).toEqual([0, 1, 1]);
    },
  );
});

describe('a running replica', () => {
  it('that finds its promises lost stops, and is another server from its next start on', async () => {
    const fault = { isDue: false };
    const { leader, nodes: all } = await nodes.found(ids, (id) => ({
      storage: fileStorage({ directory: folderOf(id), doors: failingOnce(fault, id) }),
    }));
    await leader.propose(1);
    const n2 = all.find(({ id }) => id === 'n2');
    if (n2 === undefined) throw new Error('no n2');
    const { incarnation } = n2.status();
    const stopped = next(n2, 'stopped');
    await lose('n2');
    fault.isDue = true;
    await leader.propose(1).catch(() => {});
    expect((await stopped).error).toMatchObject({
      code: 'KONTIKI_RETIRED',
      message: expect.stringContaining(join(folderOf('n2'), 'damaged-1')),
    });
    const { node } = await start('n2');
    await eventually(() =>
      truth(
        node.status().configuration.voters.some((voter) => voter.incarnation === node.status().incarnation),
      ),
    );
    expect(node.status().incarnation).not.toBe(incarnation);
    expect(await node.read('total')).toBeGreaterThan(0);
  });
});

/** The disk of n2 fails its next append, once that is due. */
function failingOnce(fault: { isDue: boolean }, id: string): StorageDoors {
  const doors = nodeStorageDoors();
  if (id !== 'n2') return doors;
  const open: Disk['open'] = async (path, options) => {
    const file = await doors.disk.open(path, options);
    const append = file.append.bind(file);
    file.append = (data) => {
      if (!fault.isDue) return append(data);
      fault.isDue = false;
      return Promise.reject(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }));
    };
    return file;
  };
  return { ...doors, disk: { ...doors.disk, open } };
}

describe('the only voter', () => {
  it.each([
    ['named alone', { members: [{ id: 'n1', address: 'n1' }] }],
    ['whatever it was told at its start', { members }],
  ])('is refused and left as it is, %s', async (_what, bootstrap) => {
    const { leader } = await nodes.found(['n1'], () => ({ storage: storageOf('n1') }));
    await leader.propose(1);
    await nodes.close();
    await lose('n1');
    const before = await readdir(folderOf('n1'));
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const opening = nodes.open({ id: 'n1', storage: storageOf('n1'), bootstrap });
      await expect(opening).rejects.toMatchObject({
        reason: 'damaged',
        message: expect.stringContaining('only voter'),
      });
    }
    expect(await readdir(folderOf('n1'))).toEqual(before);
  });

  it('is refused where nobody is named that could let it in again', async () => {
    await stopped();
    await lose('n2');
    const before = await readdir(folderOf('n2'));
    const opening = nodes.open({ id: 'n2', storage: storageOf('n2') });
    await expect(opening).rejects.toMatchObject({
      reason: 'damaged',
      message: expect.stringContaining('name them in `join`'),
    });
    expect(await readdir(folderOf('n2'))).toEqual(before);
  });
});
