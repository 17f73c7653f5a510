import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeDisk } from '../../../src/doors/node-disk.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import { readIdentity, writeIdentity } from '../../../src/storage/disk/identity-file.ts';
import {
  fileStorage,
  type RecoverOptions,
  type Recovery,
  recoverCluster,
} from '../../../src/storage/index.ts';
import { inspectDirectory } from '../../../src/storage/offline/inspection.ts';
import { Machine, stoppedEverywhere } from '../disk/machine.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import {
  CLUSTER,
  command,
  configurationEntry,
  doorsOn,
  logOf,
  openReplica,
  type ReplicaContent,
  writeReplica,
} from './replicas.ts';

const members = ['m1', 'm2'].map((id) => ({ id, address: `${id}:7001` }));

/** A disk with a survivor `/old/<name>` for each. */
async function diskWith(replicas: Readonly<Record<string, ReplicaContent>>): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  for (const [name, content] of Object.entries(replicas))
    await writeReplica(doorsOn(disk), `/old/${name}`, content);
  return disk;
}

type Options = Partial<Omit<RecoverOptions, 'survivors'>>;

function recover(disk: MemoryDisk, names: readonly string[], options: Options = {}): Promise<Recovery> {
  const survivors = names.map((name) => `/old/${name}`);
  return recoverCluster({ survivors, out: '/new', members, doors: doorsOn(disk), ...options });
}

/** After an account was read. */
async function confirmed(
  disk: MemoryDisk,
  names: readonly string[],
  options: Options = {},
): Promise<Recovery> {
  const { account } = await recover(disk, names, options);
  return recover(disk, names, { ...options, confirm: account.phrase });
}

const oldFilesOf = (disk: MemoryDisk): Map<string, Buffer> =>
  new Map(
    [...disk.files].filter(([path]) => path.startsWith('/old')).map(([path, b]) => [path, Buffer.from(b)]),
  );

/** What stands on the disk beside the survivors. */
const leftOn = async (disk: MemoryDisk): Promise<string[]> =>
  (await disk.list('/')).filter((name) => name !== 'old');

const three: Readonly<Record<string, ReplicaContent>> = {
  n1: { id: 'n1', entries: logOf([1, 1, 2]), term: 5 },
  n2: { id: 'n2', entries: logOf([1, 1, 2, 2, 3]), term: 3 },
};

describe('a recovery', () => {
  it('changes nothing until it is confirmed, and tells what each survivor holds and which is chosen', async () => {
    const disk = await diskWith(three);
    const before = oldFilesOf(disk);
    const { account, cluster } = await recover(disk, ['n1', 'n2']);
    expect(cluster).toBeNull();
    expect(oldFilesOf(disk)).toEqual(before);
    expect(await leftOn(disk)).toEqual([]);
    expect(account).toMatchObject({
      clusterId: CLUSTER,
      group: 'default',
      last: { index: 5, term: 3 },
      leftOut: [],
    });
    expect(account.chosen.directory).toBe('/old/n2');
    expect(account.survivors.map(({ identity }) => [identity?.id, identity?.boot])).toEqual([
      ['n1', 1],
      ['n2', 1],
    ]);
    expect(account.survivors.map(({ held }) => [held?.hardState.term, held?.log.lastIndex])).toEqual([
      [5, 3],
      [3, 5],
    ]);
    expect(account.phrase).toMatch(/^lose-what-n2-lacks-[0-9a-f]{8}$/);
    expect((await recover(disk, ['n1', 'n2'])).account.phrase).toBe(account.phrase);
  });

  it('is not confirmed by the phrase of another account', async () => {
    const disk = await diskWith(three);
    const { phrase } = (await recover(disk, ['n1', 'n2'])).account;
    const others: [readonly string[], Options][] = [
      [['n2'], {}],
      [['n1', 'n2'], { members: members.slice(0, 1) }],
    ];
    for (const [names, options] of others) {
      const other = await recover(disk, names, { ...options, confirm: phrase });
      expect(other.cluster).toBeNull();
      expect(other.account.phrase).not.toBe(phrase);
    }
    expect(await leftOn(disk)).toEqual([]);
    expect((await recover(disk, ['n1', 'n2'], { confirm: phrase })).cluster).not.toBeNull();
  });

  it('gives every member the same log, in which the new configuration alone is in force', async () => {
    const entries: Entry[] = [
      ...logOf([1, 1]),
      { kind: 'noop', index: 3, term: 2 },
      configurationEntry(4, 2),
      command(5, 2),
      configurationEntry(6, 2),
    ];
    const disk = await diskWith({ n1: { id: 'n1', entries, term: 9 } });
    const before = oldFilesOf(disk);
    const { cluster } = await confirmed(disk, ['n1']);
    if (cluster === null) throw new Error('it was not made');
    expect(oldFilesOf(disk)).toEqual(before);
    expect(await leftOn(disk)).toEqual(['new']);
    const { clusterId, configuration } = cluster;
    expect(clusterId).not.toBe(CLUSTER);
    expect(configuration).toMatchObject({ id: '1.1', outgoing: [], learners: [], retired: [] });
    for (const { id, incarnation } of cluster.members) {
      const found = await openReplica(doorsOn(disk), `/new/${id}`, { id });
      expect(found.identity).toEqual({ id, incarnation, boot: 2, clusterId });
      expect(found.entries).toEqual([
        { kind: 'configuration', index: 1, term: 1, clusterId, configuration },
        command(2, 1),
        { kind: 'noop', index: 3, term: 2 },
        { kind: 'noop', index: 4, term: 2 },
        command(5, 2),
        { kind: 'noop', index: 6, term: 2 },
      ]);
      expect(found.recovered).toMatchObject({ hardState: { term: 10, votedFor: null }, floor: { index: 0 } });
      expect(found.recovered.configurations).toHaveLength(1);
      expect(found.snapshot).toBeNull();
    }
    expect(configuration.voters).toEqual(cluster.members);
  });

  it.each([
    ['and a log that begins there', true],
    ['and a log that begins before it', false],
  ])('keeps a snapshot %s, with the entries after it', async (_what, floor) => {
    const entries = [...logOf([1, 1, 2, 2]), configurationEntry(5, 3), command(6, 3)];
    const snapshot = { index: 3, term: 2, content: 'the state at 3', floor };
    const disk = await diskWith({ n1: { id: 'n1', entries, snapshot } });
    const { account, cluster } = await confirmed(disk, ['n1']);
    expect(account.last).toEqual({ index: 6, term: 3 });
    expect(cluster?.configuration.id).toBe('3.2');
    const { recovered, ...found } = await openReplica(doorsOn(disk), '/new/m2', { id: 'm2' });
    expect(found.content).toBe('the state at 3');
    expect(found.snapshot?.configuration).toEqual(cluster?.configuration);
    expect(recovered.floor).toEqual({ index: 3, term: 2, configuration: cluster?.configuration });
    expect(found.entries).toEqual([command(4, 2), { kind: 'noop', index: 5, term: 3 }, command(6, 3)]);
    expect(recovered.hardState).toEqual({ term: 4, votedFor: null });
  });

  it.each([
    ['ahead of the log', 9, 2],
    ['of another term than the log has there', 2, 2],
  ])('takes a snapshot %s for the whole of the log, as an opening would', async (_what, index, term) => {
    const snapshot = { index, term, content: 'the state', floor: false };
    const disk = await diskWith({ n1: { id: 'n1', entries: logOf([1, 1, 1, 1]), term: 1, snapshot } });
    const { account, cluster } = await confirmed(disk, ['n1']);
    expect(account.last).toEqual({ index, term });
    expect(cluster?.last).toEqual({ index, term });
    const found = await openReplica(doorsOn(disk), '/new/m1', { id: 'm1' });
    expect(found).toMatchObject({ entries: [], content: 'the state' });
    expect(found.recovered).toMatchObject({ lastIndex: index, hardState: { term: term + 1 } });
  });

  it('tells what is in no member’s log: where logs part, and on a damaged survivor', async () => {
    const disk = await diskWith({
      ...three,
      n3: { id: 'n3', entries: logOf([1, 1, 2, 2, 2, 2]) },
      n4: { id: 'n4', entries: logOf([1, 1, 2, 2, 3, 3]) },
    });
    damageLog(disk, '/old/n4');
    const names = ['n1', 'n2', 'n3', 'n4'];
    const { account, cluster } = await confirmed(disk, names);
    expect(account.chosen.directory).toBe('/old/n2');
    expect(account.leftOut.map(({ by, from, to }) => [by.directory, from, to])).toEqual([
      ['/old/n3', 5, { index: 6, term: 2 }],
    ]);
    const { damage, held, identity } = account.survivors[3] ?? {};
    expect([held, identity?.id]).toEqual([null, 'n4']);
    expect(damage).toMatch(/^\/old\/n4: shard 0, group default: missing or changed/);
    expect(cluster?.last).toEqual({ index: 5, term: 3 });
  });

  it('finds damage that opening a log by its indexes does not, and takes another', async () => {
    const rotten = { id: 'n3', entries: logOf([1, 1, 2, 2, 3, 3, 3, 3]), segmentBytes: 512 };
    const disk = await diskWith({ ...three, n3: rotten });
    expect(disk.files.has('/old/n3/shard-0/000000000002.index')).toBe(true);
    const bytes = disk.files.get('/old/n3/shard-0/000000000002.blocks');
    bytes?.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    const before = oldFilesOf(disk);
    const { account, cluster } = await confirmed(disk, ['n1', 'n2', 'n3']);
    expect(account.survivors[2]).toMatchObject({ held: null });
    expect(account.survivors[2]?.damage).toMatch(/^\/old\/n3: shard 0, group default: missing or changed/);
    expect(account.chosen.directory).toBe('/old/n2');
    expect(cluster?.last).toEqual({ index: 5, term: 3 });
    expect(oldFilesOf(disk)).toEqual(before);
  });

  it('takes a survivor of which a file cannot be read for a damaged one', async () => {
    const disk = await diskWith({ ...three, n3: { id: 'n3', entries: logOf([1, 1, 2, 2, 3, 3]) } });
    const { open } = disk;
    disk.open = async (path, options) => {
      const file = await open.call(disk, path, options);
      const read = () => Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
      return path === '/old/n3/shard-0/000000000001.blocks' ? { ...file, read } : file;
    };
    const { account, cluster } = await confirmed(disk, ['n1', 'n2', 'n3']);
    expect(account.survivors[2]).toMatchObject({
      held: null,
      damage: '/old/n3/shard-0/000000000001.blocks cannot be read: EIO: i/o error, read',
    });
    expect(account.chosen.directory).toBe('/old/n2');
    expect(cluster?.last).toEqual({ index: 5, term: 3 });
    expect(await leftOn(disk)).toEqual(['new']);
  });

  it('goes on without a directory that is being put aside, and says what to do', async () => {
    const disk = await diskWith({ ...three, n3: { id: 'n3', entries: logOf([1, 1, 2, 2, 3, 3]) } });
    const found = await readIdentity(disk, '/old/n3');
    if (found.kind !== 'found') throw new Error('no identity');
    const putAside = { folder: 'damaged-1', why: 'both files were lost', isMoved: false };
    await writeIdentity(disk, '/old/n3', { ...found.identity, boot: 0, putAside });
    const { account, cluster } = await confirmed(disk, ['n1', 'n2', 'n3']);
    expect(account.survivors[2]?.held).toBeNull();
    expect(account.survivors[2]?.damage).toMatch(/being put aside in damaged-1.*give \/old\/n3\/damaged-1$/);
    expect(account.chosen.directory).toBe('/old/n2');
    expect(cluster?.last).toEqual({ index: 5, term: 3 });
    const options = { doors: doorsOn(disk), scratch: '/scratch', decode: true };
    expect((await inspectDirectory('/old/n3', options)).findings).toEqual([
      {
        kind: 'note',
        what: 'what the storage was is being put aside in damaged-1; opening it goes on with that',
      },
    ]);
  });

  it('takes the log of a directory that was put aside, though its term and vote are lost', async () => {
    const disk = await diskWith({ ...three, n2: { id: 'n2', entries: logOf([1, 1, 2, 2, 3]), term: 8 } });
    const doors = doorsOn(disk);
    for (const name of ['hard-state-1', 'hard-state-2']) await disk.remove(`/old/n2/${name}`);
    const instance = await fileStorage({ directory: '/old/n2', doors }).open({ id: 'n2', putAside: true });
    await instance.close();
    const before = oldFilesOf(disk);
    const { account, cluster } = await confirmed(disk, ['n1', 'n2/damaged-1']);
    expect(oldFilesOf(disk)).toEqual(before);
    const [whole, lost] = account.survivors;
    expect(whole?.damage).toBeNull();
    expect(lost?.damage).toMatch(/^\/old\/n2\/damaged-1: shard 0, group default: term and vote are lost/);
    expect(lost?.held).toMatchObject({ hardState: { term: 8, votedFor: null }, log: { lastIndex: 5 } });
    expect(account).toMatchObject({
      chosen: { directory: '/old/n2/damaged-1' },
      last: { index: 5, term: 3 },
    });
    expect(cluster?.last).toEqual({ index: 5, term: 3 });
    const { recovered, entries } = await openReplica(doors, '/new/m1', { id: 'm1' });
    expect(recovered.hardState.term).toBeGreaterThan(8);
    expect(entries).toHaveLength(5);
  });

  it('says so when the survivors could go on by themselves', async () => {
    const disk = new MemoryDisk();
    const doors = doorsOn(disk);
    const incarnations: Record<string, string> = {};
    for (const id of ['n1', 'n2']) {
      const { incarnation } = await fileStorage({ directory: `/old/${id}`, doors })
        .open({ id })
        .then(async (instance) => {
          await instance.close();
          return instance.identity;
        });
      incarnations[id] = incarnation;
    }
    const [entry] = logOf([1]);
    if (entry?.kind !== 'configuration') throw new Error('no configuration');
    const voters = entry.configuration.voters.map((voter) => {
      return { ...voter, incarnation: incarnations[voter.id] ?? voter.incarnation };
    });
    const founded = { ...entry, configuration: { ...entry.configuration, voters } };
    for (const id of ['n1', 'n2']) await writeReplica(doors, `/old/${id}`, { id, entries: [founded] });
    const both = (await recover(disk, ['n1', 'n2'])).account;
    expect(both).toMatchObject({ isQuorum: true, voters: { all: 3, surviving: 2 } });
    const one = (await recover(disk, ['n1'])).account;
    expect(one).toMatchObject({ isQuorum: false, voters: { all: 3, surviving: 1 } });
    // It has its log, but it will never vote again.
    for (const name of ['hard-state-1', 'hard-state-2']) await disk.remove(`/old/n2/${name}`);
    const lost = (await recover(disk, ['n1', 'n2'])).account;
    expect(lost).toMatchObject({ isQuorum: false, voters: { all: 3, surviving: 1 } });
  });

  it('keeps backend and shards, and works on real directories, which stay as they are', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kontiki-recover-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const doors = doorsOn(nodeDisk());
    const old = join(folder, 'old');
    const settings = { backend: 'level', shards: 3, group: 'orders' } as const;
    await writeReplica(doors, old, { id: 'n1', entries: logOf([1, 1, 2]), ...settings });
    const options = { survivors: [old], out: join(folder, 'new'), members, doors };
    const { account } = await recoverCluster(options);
    const { cluster } = await recoverCluster({ ...options, confirm: account.phrase });
    expect(cluster).toMatchObject({ group: 'orders', last: { index: 3, term: 2 } });
    const found = await openReplica(doors, join(options.out, 'm2'), { id: 'm2', ...settings });
    expect(found.entries.slice(1)).toEqual([command(2, 1), command(3, 2)]);
    // The survivor was opened once, when it was written.
    expect((await openReplica(doors, old, { id: 'n1', ...settings })).identity.boot).toBe(2);
  });
});

/** A flipped bit in the second block of a log: no crash does that. */
function damageLog(disk: MemoryDisk, directory: string): void {
  const bytes = disk.files.get(`${directory}/shard-0/000000000001.blocks`);
  bytes?.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
}

describe('survivors that make no cluster are refused, and nothing is made of them', () => {
  const refusals: [string, Readonly<Record<string, ReplicaContent>>, string, string][] = [
    [
      'of two clusters',
      {
        n1: { id: 'n1', entries: logOf([1]) },
        n2: { id: 'n2', entries: logOf([1]), clusterId: '00000000000000bb' },
      },
      'other-cluster',
      '/old/n1 belongs to cluster 00000000000000aa, but /old/n2 to 00000000000000bb',
    ],
    [
      'of two groups',
      { n1: { id: 'n1', entries: logOf([1]) }, n2: { id: 'n2', entries: logOf([1]), group: 'orders' } },
      'several-groups',
      '/old/n1 holds group default, and /old/n2 group orders',
    ],
    [
      'one of no cluster',
      { n1: { id: 'n1', entries: logOf([1]) }, n2: { id: 'n2', entries: [], clusterId: null } },
      'nothing-to-recover',
      '/old/n2 belongs to no cluster yet',
    ],
    ['without an entry', { n1: { id: 'n1', entries: [], term: 1 } }, 'nothing-to-recover', 'hold no entry'],
  ];
  it.each(refusals)('%s', async (_what, replicas, reason, message) => {
    const disk = await diskWith(replicas);
    const refused = recover(disk, Object.keys(replicas));
    await expect(refused).rejects.toMatchObject({ code: 'KONTIKI_RECOVERY_REFUSED', reason });
    await expect(refused).rejects.toThrow(message);
    expect(await leftOn(disk)).toEqual([]);
  });

  it('with several groups in one directory', async () => {
    const disk = await diskWith({ n1: { id: 'n1', entries: logOf([1]) } });
    const instance = await fileStorage({ directory: '/old/n1', doors: doorsOn(disk) }).open({ id: 'n1' });
    const log = await instance.openLog('orders');
    const writeId = { boot: 2, sequence: 1 };
    await log.write({ writeId, hardState: { term: 1, votedFor: null }, entries: [] });
    await instance.close();
    const refused = recover(disk, ['n1']);
    await expect(refused).rejects.toMatchObject({ reason: 'several-groups' });
    await expect(refused).rejects.toThrow('(default, orders)');
  });

  it('that are running, given twice, or copies of each other', async () => {
    const disk = await diskWith(three);
    const running = await fileStorage({ directory: '/old/n2', doors: doorsOn(disk) }).open({ id: 'n2' });
    const refused = recover(disk, ['n1', 'n2']);
    await expect(refused).rejects.toMatchObject({ reason: 'in-use' });
    await expect(refused).rejects.toThrow('/old/n2 is in use');
    await running.close();
    await expect(recover(disk, ['n1', 'n1'])).rejects.toMatchObject({ reason: 'in-use' });
    for (const [path, bytes] of [...disk.files]) {
      if (path.startsWith('/old/n2/')) disk.files.set(path.replace('n2', 'copy'), Buffer.from(bytes));
    }
    await disk.makeDirectory('/old/copy/shard-0');
    const copied = recover(disk, ['n2', 'copy']);
    await expect(copied).rejects.toThrow('/old/n2 and /old/copy are one replica, n2');
    // Nothing is held on to: a replica may be started again.
    await (await fileStorage({ directory: '/old/n1', doors: doorsOn(disk) }).open({ id: 'n1' })).close();
  });

  it('that are not there, or no directories of replicas, and are not touched', async () => {
    const disk = await diskWith(three);
    await disk.makeDirectory('/old/other');
    disk.files.set('/old/file', Buffer.from('x'));
    for (const name of ['none', 'other']) {
      await expect(recover(disk, ['n1', name])).rejects.toThrow(`/old/${name} is no directory of a replica`);
    }
    await expect(recover(disk, ['n1', 'file'])).rejects.toMatchObject({ reason: 'unreadable' });
    await expect(recover(disk, [])).rejects.toThrow('expected at least one directory');
    expect(await disk.list('/old/other')).toEqual([]);
  });

  it('that are damaged, all of them: by an identity, a block, a floor without its snapshot', async () => {
    const disk = await diskWith({
      n1: { id: 'n1', entries: logOf([1, 1, 1]) },
      n2: {
        id: 'n2',
        entries: logOf([1, 1, 1]),
        snapshot: { index: 2, term: 1, content: 'the state', floor: true },
      },
      n3: { id: 'n3', entries: logOf([1]) },
    });
    damageLog(disk, '/old/n1');
    for (const path of [...disk.files.keys()]) if (path.endsWith('.snapshot')) disk.files.delete(path);
    disk.files.set('/old/n3/identity', Buffer.from('nothing'));
    const refused = recover(disk, ['n1', 'n2', 'n3']);
    await expect(refused).rejects.toMatchObject({ reason: 'damaged' });
    await expect(refused).rejects.toThrow(
      /every survivor is damaged:\n- \/old\/n1: shard 0.*\n- the log begins after entry 2.*\n- \/old\/n3: its identity/,
    );
    await expect(recover(disk, ['n3'])).rejects.toMatchObject({ reason: 'damaged' });
    expect(await leftOn(disk)).toEqual([]);
  });

  it.each(['/old/n1/new', '/old/n1/log/../new/', '/old/./n1//segments/new', '/old/n1'])(
    'for a target within a survivor, which would be copied into itself: %s',
    async (out) => {
      const disk = await diskWith(three);
      const before = oldFilesOf(disk);
      const refused = recover(disk, ['n2', 'n1'], { out });
      await expect(refused).rejects.toMatchObject({ reason: 'wrong-options' });
      await expect(refused).rejects.toThrow(/out: .* is within \/old\/n1/);
      expect(oldFilesOf(disk)).toEqual(before);
    },
  );

  it('for members or a target that cannot be', async () => {
    const disk = await diskWith(three);
    const twice = [...members, { id: 'm1', address: 'm3:7001' }];
    await expect(recover(disk, ['n1'], { members: twice })).rejects.toThrow('m1 is listed twice');
    await expect(recover(disk, ['n1'], { out: '/old/n2' })).rejects.toMatchObject({
      reason: 'target-exists',
    });
    expect(await leftOn(disk)).toEqual([]);
  });
});

describe('a recovery that does not come to its end', () => {
  it('because one change of the disk fails leaves nothing but the survivors', async () => {
    const healthy = await diskWith(three);
    const { phrase: confirm } = (await recover(healthy, ['n1', 'n2'])).account;
    const from = healthy.changes;
    const before = new MemoryDisk(healthy);
    await recover(healthy, ['n1', 'n2'], { confirm });
    const count = healthy.changes - from;
    let failed = 0;
    for (let change = 1; change <= count; change += 1) {
      const disk = new MemoryDisk(before);
      disk.failAt(change, 'ENOSPC');
      const ended = await recover(disk, ['n1', 'n2'], { confirm }).then(
        ({ cluster }) => cluster,
        (error: unknown) => error,
      );
      expect(oldFilesOf(disk), `change ${change}`).toEqual(oldFilesOf(before));
      if (ended instanceof Error) {
        failed += 1;
        expect(await leftOn(disk), `change ${change}: ${ended.message}`).toEqual([]);
      } else {
        expect(ended).not.toBeNull();
        expect(await disk.list('/new')).toEqual(['m1', 'm2']);
      }
      // All of them can be opened again: no lock is left.
      await (await fileStorage({ directory: '/old/n1', doors: doorsOn(disk) }).open({ id: 'n1' })).close();
    }
    expect(failed).toBeGreaterThan(100);
  });

  it('because the machine stops leaves the survivors, and all members or none', async () => {
    const seen = new Map<string, number>();
    await stoppedEverywhere(async (events) => {
      const machine = new Machine({ seed: 1000 + events, backend: 'files' });
      const power = events % 3 > 0;
      let confirm = '';
      const options = (doors: RecoverOptions['doors'] & object): RecoverOptions => {
        return { survivors: ['/old/n1'], out: '/new', members, doors };
      };
      await machine.live(
        async (_storage, disk, doors) => {
          await writeReplica(doors, '/old/n1', { id: 'n1', entries: logOf([1, 1, 2]) });
          await disk.syncDirectory('/');
          confirm = (await recoverCluster(options(doors))).account.phrase;
        },
        { power },
      );
      const ended = await machine.live(
        async (_storage, _disk, doors) => {
          await recoverCluster({ ...options(doors), confirm });
        },
        { events, power },
      );
      await machine.live(
        async (_storage, disk, doors) => {
          const left = (await disk.list('/')).filter((name) => name !== 'old');
          seen.set(left.join(), (seen.get(left.join()) ?? 0) + 1);
          if (ended && !left.includes('new')) throw new Error('it was told, and is not there');
          for (const { id } of left.includes('new') ? members : []) {
            const { entries } = await openReplica(doors, `/new/${id}`, { id });
            if (entries.length !== 3) throw new Error(`${id} holds ${entries.length} entries`);
          }
          const survivor = await openReplica(doors, '/old/n1', { id: 'n1' });
          if (survivor.entries.length !== 3) throw new Error('the survivor lost entries');
          if (survivor.identity.boot !== 2)
            throw new Error(`the survivor was opened: boot ${survivor.identity.boot}`);
        },
        { power: true },
      );
      return ended;
    });
    expect(seen.get('new')).toBeGreaterThan(0);
    expect(seen.get('new.partial')).toBeGreaterThan(50);
  });

  it('because it is ended leaves nothing, and no lock', async () => {
    const disk = await diskWith(three);
    const { phrase: confirm } = (await recover(disk, ['n1', 'n2'])).account;
    const end = new AbortController();
    const write = disk.makeDirectory.bind(disk);
    disk.makeDirectory = async (directory) => {
      if (directory.includes('result/m2')) end.abort(new Error('enough'));
      return write(directory);
    };
    await expect(recover(disk, ['n1', 'n2'], { confirm, signal: end.signal })).rejects.toThrow('enough');
    expect(await leftOn(disk)).toEqual([]);
    await (await fileStorage({ directory: '/old/n2', doors: doorsOn(disk) }).open({ id: 'n2' })).close();
  });
});
