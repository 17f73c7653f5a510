import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/doors/checksum.ts';
import { RecoveryRefused } from '../../../src/storage/errors.ts';
import { type RestoreOptions, restoreBackup } from '../../../src/storage/index.ts';
import { Machine, stoppedEverywhere } from '../disk/machine.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { backupOf, CLUSTER, doorsOn, openReplica } from './replicas.ts';

const members = ['m1', 'm2', 'm3'].map((id) => ({ id, address: `${id}:7001` }));
const STATE = `the state${'.'.repeat(200)}`;

async function diskWith(backup: Buffer): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/data');
  disk.files.set('/data/backup', backup);
  return disk;
}

const restore = (disk: MemoryDisk, options: Partial<RestoreOptions> = {}) =>
  restoreBackup({ backup: '/data/backup', out: '/data/new', members, doors: doorsOn(disk), ...options });

/** What stands beside the backup. */
const leftOn = async (disk: MemoryDisk): Promise<string[]> =>
  (await disk.list('/data')).filter((name) => name !== 'backup');

describe('a restored cluster', () => {
  it('has every member begin with the snapshot alone, under a new cluster id and new incarnations', async () => {
    const disk = await diskWith(backupOf(STATE));
    const before = Buffer.from(disk.files.get('/data/backup') ?? []);
    const cluster = await restore(disk, { out: '/data/new/' });
    expect(await leftOn(disk)).toEqual(['new']);
    expect(await disk.list('/data/new')).toEqual(['m1', 'm2', 'm3']);
    expect(disk.files.get('/data/backup')).toEqual(before);
    expect(cluster.clusterId).toMatch(/^[0-9a-f]{16}$/);
    expect(cluster.clusterId).not.toBe(CLUSTER);
    expect(cluster.last).toEqual({ index: 42, term: 7 });
    const { configuration } = cluster;
    expect(configuration).toMatchObject({ id: '42.7', outgoing: [], learners: [], retired: [] });
    expect(configuration.voters.map(({ id, address }) => ({ id, address }))).toEqual(members);
    expect(new Set(configuration.voters.map(({ incarnation }) => incarnation)).size).toBe(3);
    for (const { id, incarnation } of configuration.voters) {
      const found = await openReplica(doorsOn(disk), `/data/new/${id}`, { id });
      expect(found.identity).toEqual({ id, incarnation, boot: 2, clusterId: cluster.clusterId });
      expect(found.content).toBe(STATE);
      expect(found.snapshot).toMatchObject({ index: 42, term: 7, configuration });
      expect(found.recovered).toEqual({
        hardState: { term: 8, votedFor: null },
        floor: { index: 42, term: 7, configuration },
        lastIndex: 42,
        runs: [],
        configurations: [],
        damage: null,
      });
    }
  });

  it('may be of an empty state, of another group, over an empty folder, in other shards', async () => {
    const disk = await diskWith(backupOf('', { group: 'orders' }));
    await disk.makeDirectory('/data/new');
    const cluster = await restore(disk, { shards: 3 });
    expect(cluster.group).toBe('orders');
    const as = { id: 'm2', shards: 3, group: 'orders' };
    expect((await openReplica(doorsOn(disk), '/data/new/m2', as)).content).toBe('');
  });

  it('is made again under another id and with other incarnations', async () => {
    const disk = await diskWith(backupOf(STATE));
    const [one, two] = [await restore(disk), await restore(disk, { out: '/data/other' })];
    expect(one.clusterId).not.toBe(two.clusterId);
    expect(one.members.map(({ incarnation }) => incarnation)).not.toEqual(
      two.members.map(({ incarnation }) => incarnation),
    );
  });
});

describe('a backup that is not whole', () => {
  const backup = backupOf(STATE);

  it('is refused wherever it breaks off, and nothing is made', async () => {
    const reasons = new Set<string>();
    for (let length = 0; length < backup.length; length += 1) {
      const disk = await diskWith(backup.subarray(0, length));
      const refusal = await restore(disk).catch((error: unknown) => error);
      expect(refusal, `${length} bytes`).toBeInstanceOf(RecoveryRefused);
      reasons.add((refusal as RecoveryRefused).reason);
      expect(await leftOn(disk)).toEqual([]);
    }
    expect([...reasons].sort()).toEqual(['damaged', 'not-a-backup']);
  });

  it('is refused whichever bit is changed, and nothing is made', async () => {
    const reasons = new Map<string, number>();
    for (let at = 0; at < backup.length; at += 1) {
      const changed = Buffer.from(backup);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 8)), at);
      const disk = await diskWith(changed);
      const refusal = await restore(disk).catch((error: unknown) => error);
      expect(refusal, `byte ${at}`).toBeInstanceOf(RecoveryRefused);
      const { reason } = refusal as RecoveryRefused;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      expect(await leftOn(disk)).toEqual([]);
    }
    // In the magic word, and everywhere else.
    expect(Object.fromEntries(reasons)).toEqual({ 'not-a-backup': 16, damaged: backup.length - 16 });
  });

  it.each([
    ['goes on after its end', Buffer.concat([backup, Buffer.from('x')]), 'damaged', 'goes on after its end'],
    ['is another file', Buffer.from('#!/bin/sh\nexit 0\n'), 'not-a-backup', 'begins with other bytes'],
    ['is empty', Buffer.alloc(0), 'not-a-backup', 'begins with other bytes'],
  ])('that %s is refused', async (_what, bytes, reason, message) => {
    const refused = restore(await diskWith(bytes));
    await expect(refused).rejects.toMatchObject({ code: 'KONTIKI_RECOVERY_REFUSED', reason });
    await expect(refused).rejects.toThrow(message);
  });

  it('of a later version is refused as such', async () => {
    const later = withVersion(backup, 2);
    const refused = restore(await diskWith(later));
    await expect(refused).rejects.toMatchObject({ reason: 'other-version' });
    await expect(refused).rejects.toThrow('format 2');
  });

  it('whose content is not that of its header is refused, though its checksum is right', async () => {
    const disk = await diskWith(backupOf(STATE, { digest: '0'.repeat(64) }));
    await expect(restore(disk)).rejects.toMatchObject({ code: 'KONTIKI_SNAPSHOT_MISMATCH' });
    expect(await leftOn(disk)).toEqual([]);
  });

  it.each([
    { clusterId: 'x' },
    { group: '../up' },
    { index: 0 },
    { term: -1 },
    { size: 1.5 },
    { digest: 'abc' },
  ])('whose header says %o is refused, though its checksum is right', async (of) => {
    await expect(restore(await diskWith(backupOf('', of)))).rejects.toMatchObject({ reason: 'damaged' });
  });

  it('that is not there is refused', async () => {
    const refused = restore(await diskWith(backup), { backup: '/data/none' });
    await expect(refused).rejects.toMatchObject({ reason: 'unreadable' });
    await expect(refused).rejects.toThrow('/data/none: there is no such file');
  });
});

describe('what is asked for', () => {
  const backup = backupOf(STATE);

  it.each([
    [[], 'expected at least one'],
    [[...members, { id: 'm1', address: 'x:1' }], 'members[3].id: m1 is listed twice'],
    [[...members, { id: 'm4', address: 'm1:7001' }], 'members[3].address: m1:7001 is listed twice'],
    [[{ id: '../up', address: 'x:1' }], '"../up" is no id'],
    [[{ id: '..', address: 'x:1' }], '".." is no id'],
    [[{ id: 'm1', address: '' }], 'members[0].address: expected where'],
  ])('is refused with what is wrong: members %j', async (wrong, message) => {
    const refused = restore(await diskWith(backup), { members: wrong });
    await expect(refused).rejects.toMatchObject({ reason: 'wrong-options' });
    await expect(refused).rejects.toThrow(message);
  });

  it.each([0, 65, 1.5])('is refused with %d shards', async (shards) => {
    await expect(restore(await diskWith(backup), { shards })).rejects.toThrow('shards: found');
  });

  it('is refused where something is already, which stays as it is', async () => {
    const disk = await diskWith(backup);
    await restore(disk);
    const before = new MemoryDisk(disk).files;
    await expect(restore(disk)).rejects.toMatchObject({ reason: 'target-exists' });
    await expect(restore(disk, { out: '/data/backup' })).rejects.toThrow('is a file');
    for (const out of ['/none/new', '/data/backup/new']) {
      await expect(restore(disk, { out })).rejects.toThrow(/out: there is no folder .*; make it first/);
    }
    expect(disk.files).toEqual(before);
  });

  it('is refused where a killed run left something, which stays for whoever may want it', async () => {
    const disk = await diskWith(backup);
    await disk.makeDirectory('/data/new.partial/result');
    await expect(restore(disk)).rejects.toThrow('/data/new.partial is there already and is not empty');
    expect(await leftOn(disk)).toEqual(['new.partial']);
  });
});

describe('a restore that does not come to its end', () => {
  it.each(['ENOSPC', 'EIO'])('because one change of the disk fails with %s leaves nothing', async (code) => {
    const healthy = await diskWith(backupOf(STATE));
    await restore(healthy);
    const { changes } = healthy;
    let failed = 0;
    for (let change = 1; change <= changes; change += 1) {
      const disk = await diskWith(backupOf(STATE));
      disk.failAt(change, code);
      const ended = await restore(disk).then(
        () => 'made',
        (error: unknown) => error,
      );
      if (ended === 'made') {
        // What failed was a removal of what had served.
        expect((await openReplica(doorsOn(disk), '/data/new/m3', { id: 'm3' })).content).toBe(STATE);
        expect(await disk.list('/data/new')).toEqual(['m1', 'm2', 'm3']);
        continue;
      }
      failed += 1;
      expect(ended, `change ${change}`).toBeInstanceOf(Error);
      expect(await leftOn(disk), `change ${change}`).toEqual([]);
    }
    expect(failed).toBeGreaterThan(50);
    expect(changes - failed).toBeLessThan(10);
  });

  it('because it is ended leaves nothing', async () => {
    const healthy = await diskWith(backupOf(STATE));
    await restore(healthy);
    let ended = 0;
    for (let change = 1; change < healthy.changes; change += 5) {
      const disk = await diskWith(backupOf(STATE));
      const end = new AbortController();
      const open = disk.open.bind(disk);
      disk.open = async (path, options) => {
        if (disk.changes >= change) end.abort(new Error('enough'));
        return open(path, options);
      };
      const restoring = restore(disk, { signal: end.signal }).then(
        () => 'made',
        (error: unknown) => (error as Error).message,
      );
      expect(await restoring).toBe(end.signal.aborted ? 'enough' : 'made');
      expect(await leftOn(disk)).toEqual(end.signal.aborted ? [] : ['new']);
      if (end.signal.aborted) ended += 1;
    }
    expect(ended).toBeGreaterThan(15);
  });

  it('because the machine stops leaves all members, or a folder that no replica is started on', async () => {
    const seen = new Map<string, number>();
    const two = members.slice(0, 2);
    const stops = await stoppedEverywhere(async (events) => {
      const machine = new Machine({ seed: 1000 + events, backend: 'files' });
      const power = events % 3 > 0;
      await machine.live(
        async (_storage, disk) => {
          await disk.makeDirectory('/data');
          const file = await disk.open('/data/backup', { create: true });
          await file.append(backupOf(STATE));
          await file.sync();
          for (const folder of ['/', '/data']) await disk.syncDirectory(folder);
        },
        { power },
      );
      const ended = await machine.live(
        async (_storage, _disk, doors) => {
          await restoreBackup({ backup: '/data/backup', out: '/data/new', members: two, doors });
        },
        { events, power },
      );
      await machine.live(
        async (_storage, disk, doors) => {
          const left = (await disk.list('/data')).filter((name) => name !== 'backup');
          seen.set(left.join(), (seen.get(left.join()) ?? 0) + 1);
          if (!left.includes('new')) {
            if (ended) throw new Error('it was told, and is not there');
            return;
          }
          const clusters = new Set<string | null>();
          for (const { id } of two) {
            const found = await openReplica(doors, `/data/new/${id}`, { id });
            if (found.content !== STATE) throw new Error(`${id} holds ${found.content}`);
            const { floor, hardState } = found.recovered;
            if (floor.index !== 42 || hardState.term !== 8) throw new Error(`${id} begins at ${floor.index}`);
            clusters.add(found.identity.clusterId);
          }
          if (clusters.size !== 1 || clusters.has(null))
            throw new Error('the members are not of one cluster');
        },
        { power: true },
      );
      return ended;
    });
    expect(stops).toBeGreaterThan(100);
    expect(seen.get('new')).toBeGreaterThan(1);
    expect(seen.get('new.partial')).toBeGreaterThan(50);
  });
});

/** With a checksum that is right, as that version would write it. */
function withVersion(backup: Buffer, version: number): Buffer {
  const changed = Buffer.from(backup);
  changed.writeUInt32LE(version, 16);
  changed.writeUInt32LE(0, 24);
  return sealed(changed);
}

function sealed(backup: Buffer): Buffer {
  const length = backup.readUInt32LE(20);
  const crc = crc32(backup.subarray(28, 28 + length), crc32(backup.subarray(0, 24)));
  backup.writeUInt32LE(crc, 24);
  return backup;
}
