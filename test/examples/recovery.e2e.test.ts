import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, KvCluster, membersOn } from './kv-cluster.ts';
import { KvWriter } from './kv-writer.ts';

const KONTIKI = fileURLToPath(new URL('../../dist/lab/cli/kontiki.js', import.meta.url));
const FLAGS = ['--snapshot-entries', '40'];

let directory: string;
const running = new Set<KvCluster>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-recovery-'));
});
afterEach(async (context) => {
  for (const cluster of running) {
    await cluster.stop();
    if (context.task.result?.state === 'fail') console.error(cluster.output.join(''));
  }
  running.clear();
  await rm(directory, { recursive: true, force: true });
});

function noted(cluster: KvCluster): KvCluster {
  running.add(cluster);
  return cluster;
}

async function kontiki(...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [KONTIKI, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.on('data', (text: Buffer) => out.push(text.toString('utf8')));
  child.stderr.on('data', (text: Buffer) => err.push(text.toString('utf8')));
  await once(child, 'close');
  return { code: child.exitCode, out: out.join(''), err: err.join('') };
}

async function put(cluster: KvCluster, id: string, key: string, value: string): Promise<void> {
  const member = cluster.members.find((one) => one.id === id);
  const response = await fetch(`http://${member?.http}/keys/${key}`, { method: 'PUT', body: value });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

async function saveBackup(cluster: KvCluster, id: string, path: string): Promise<void> {
  const member = cluster.members.find((one) => one.id === id);
  const response = await fetch(`http://${member?.http}/backup`);
  if (!response.ok || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(path));
}

const memberFlags = (cluster: readonly { id: string; raft: string }[]): string[] =>
  cluster.flatMap(({ id, raft }) => ['--member', `${id}=${raft}`]);

describe.each(['files', 'level'] as const)('real processes, logs on disk in %s', (backend) => {
  it('a backup taken under a writer makes a cluster with all that was acknowledged before, and nothing torn', {
    timeout: 120_000,
  }, async () => {
    const old = noted(await KvCluster.start(join(directory, 'old'), backend, FLAGS));
    const leader = await old.leader();
    // `first` is acknowledged before `second` is sent, so at every moment it is equal or one ahead.
    let pairs = 0;
    let writing = true;
    const writer = (async () => {
      for (let n = 1; writing; n += 1) {
        await put(old, leader, 'first', `${n}`);
        await put(old, leader, 'second', `${n}`);
        pairs = n;
      }
    })();
    await eventually('pairs are written', 60_000, async () => (pairs > 60 ? true : null));
    const before = pairs;
    const file = join(directory, 'backup');
    await saveBackup(old, leader, file);
    // Another at once, while a client goes away in the middle of it.
    const http = old.members.find(({ id }) => id === leader)?.http;
    const cut = new AbortController();
    const response = await fetch(`http://${http}/backup`, { signal: cut.signal });
    cut.abort();
    await response.arrayBuffer().catch(() => {});
    await eventually('pairs are written on', 60_000, async () => (pairs > before + 60 ? true : null));
    const after = pairs;
    writing = false;
    await writer;

    const members = await membersOn(['m1', 'm2', 'm3']);
    const out = join(directory, 'new');
    const made = await kontiki('restore', file, '--out', out, ...memberFlags(members), '--backend', backend);
    expect(made).toMatchObject({ code: 0, err: '' });
    expect((await readdir(out)).sort()).toEqual(['m1', 'm2', 'm3']);
    // The old cluster still runs: they do not meet.
    const fresh = noted(KvCluster.startOn(out, backend, members, FLAGS));
    const newLeader = await fresh.leader();
    await put(fresh, newLeader, 'after', 'restore');
    for (const [id, values] of await fresh.agreedValues()) {
      const [first, second] = [Number(values.first), Number(values.second)];
      expect(second, `on ${id}`).toBeGreaterThanOrEqual(before);
      expect(first, `on ${id}`).toBeLessThanOrEqual(after + 1);
      expect([second, second + 1], `on ${id}, next to ${second}`).toContain(first);
      expect(values.after).toBe('restore');
    }
    const [was, is] = [await old.status(leader), await fresh.status(newLeader)];
    expect(is?.clusterId).not.toBe(was?.clusterId);
    expect(is?.configuration.voters.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3']);
    expect(made.out).toContain(`Cluster ${is?.clusterId} is made`);

    const again = await kontiki('restore', file, '--out', out, ...memberFlags(members));
    expect(again.code).toBe(2);
    expect(again.err).toContain('is not empty');
  });

  it('the survivor of three makes a cluster with all it held, which its old self does not disturb', {
    timeout: 180_000,
  }, async () => {
    const old = noted(await KvCluster.start(directory, backend, FLAGS));
    await old.leader();
    const writer = new KvWriter(old);
    const writes = writer.run();
    await eventually('writes', 60_000, async () => (writer.acknowledged.size > 100 ? true : null));
    writer.stop();
    await writes;
    // So that what the survivor holds is known; what it has not heard is lost.
    await old.agreedValues();
    const ofRunning = await kontiki(
      'recover',
      join(directory, 'n3'),
      '--out',
      join(directory, 'new'),
      '--member',
      'n1=a:1',
    );
    expect(ofRunning.code).toBe(2);
    expect(ofRunning.err).toContain('is in use: a replica runs on it');

    for (const id of ['n1', 'n2', 'n3']) await old.kill(id);
    for (const id of ['n1', 'n2']) await rm(join(directory, id), { recursive: true });
    const survivor = join(directory, 'n3');
    const before = await filesOf(survivor);
    const out = join(directory, 'new');
    const words = ['recover', survivor, '--out', out, ...memberFlags(old.members)];
    const told = await kontiki(...words);
    expect(told).toMatchObject({ code: 4, err: '' });
    expect(told.out).toContain('Of the 3 voters it lists, 1 survive here undamaged');
    const phrase = /--confirm (\S+)\n$/.exec(told.out)?.[1] ?? '';
    expect(await kontiki(...words, '--confirm', 'lose-what-n3-lacks-00000000')).toMatchObject({ code: 4 });
    expect((await readdir(directory)).sort()).toEqual(['n3']);
    expect(await kontiki(...words, '--confirm', phrase)).toMatchObject({ code: 0, err: '' });
    expect(await filesOf(survivor)).toEqual(before);
    expect((await readdir(directory)).sort()).toEqual(['n3', 'new']);

    // On the addresses of the old members, which the old member knows.
    const fresh = noted(KvCluster.startOn(out, backend, old.members, FLAGS));
    const leader = await fresh.leader();
    // Once this is applied, so is everything before it.
    await put(fresh, leader, 'after', 'recovery');
    for (const [id, values] of await fresh.agreedValues()) {
      const lost = [...writer.acknowledged].filter(([key, value]) => values[key] !== value);
      expect(lost, `acknowledged writes lost on ${id}`).toEqual([]);
    }
    const settled = await eventually('the leader has published all HTTP addresses', 60_000, async () => {
      const status = await fresh.status(leader);
      const isDone = status?.configuration.voters.every(({ metadata }) => metadata?.http !== undefined);
      return isDone === true && status?.configuration.outgoing.length === 0 ? status : null;
    });
    await mkdir(out, { recursive: true });
    await rename(survivor, join(out, 'old-n3'));
    await fresh.startBeside('old-n3', 'n3', 'n1');
    const refusals = (): number =>
      fresh.output
        .join('')
        .split('\n')
        .filter((line) => line.startsWith('old-n3') && line.includes('belongs to cluster')).length;
    await eventually('the old member is refused', 60_000, async () => (refusals() > 0 ? true : null));
    // Under load for several of its elections: it stays what it is.
    const beside = new KvWriter(fresh);
    const besides = beside.run();
    await eventually('writes go on', 60_000, async () => (beside.acknowledged.size > 300 ? true : null));
    beside.stop();
    await besides;
    expect(beside.attempted - beside.acknowledged.size).toBeLessThan(3);
    const status = await fresh.status(leader);
    expect(status).toMatchObject({ role: 'leader', term: settled.term, clusterId: settled.clusterId });
    expect(status?.configuration).toEqual(settled.configuration);
    expect(status?.newcomers).toEqual([]);
  });
});

/** Every file but those of the lock, with its bytes. */
async function filesOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !path.startsWith(join(folder, 'lock')))
      found.set(path, await readFile(path, 'base64'));
  }
  return found;
}
