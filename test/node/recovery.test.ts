import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { snapshotPolicy } from '../../src/index.ts';
import { fileStorage, recoverCluster, restoreBackup } from '../../src/storage/index.ts';
import { eventually, Nodes, truth } from './nodes.ts';

const nodes = new Nodes();
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-recovery-'));
});
afterEach(async () => {
  await nodes.close();
  await rm(directory, { recursive: true, force: true });
});

const every = (entries: number) => snapshotPolicy({ entries, keepEntries: 2 });

it.each([
  ['from a log alone', every(1_000_000)],
  ['from a snapshot and a log', every(15)],
])('a cluster recovered %s goes on, and lets in a newcomer that gets all of it', async (_what, snapshots) => {
  const { leader, nodes: old } = await nodes.found(['n1', 'n2', 'n3'], (id) => {
    return { snapshots, storage: fileStorage({ directory: join(directory, id) }) };
  });
  // Configurations of the old cluster among the commands, before and after the snapshot.
  for (let round = 1; round <= 4; round += 1) {
    for (let i = 0; i < 5; i += 1) await leader.propose(1);
    const update = [{ id: 'n1', metadata: { round: `${round}` } }];
    await eventually(() => truth(leader.status().change === null));
    await leader.changeMembership({ update });
  }
  const total = await leader.propose(1);
  const before = leader.status();
  await eventually(() => truth(old.every((node) => node.status().appliedIndex === before.appliedIndex)));
  await nodes.close();

  const survivors = [join(directory, 'n2')];
  const out = join(directory, 'new');
  const members = ['m1', 'm2'].map((id) => ({ id, address: id }));
  const { account } = await recoverCluster({ survivors, out, members });
  expect(account.last.index).toBeGreaterThanOrEqual(before.appliedIndex);
  const { cluster } = await recoverCluster({ survivors, out, members, confirm: account.phrase });

  const fresh = await Promise.all(
    members.map(({ id }) =>
      nodes.open({ id, snapshots, storage: fileStorage({ directory: join(out, id) }) }),
    ),
  );
  const next = await eventually(() => fresh.find((node) => node.status().role === 'leader'));
  expect(await next.read('total')).toBe(total);
  const { clusterId, configuration, term } = next.status();
  expect(clusterId).toBe(cluster?.clusterId);
  expect(configuration.voters).toEqual(cluster?.configuration.voters);
  expect(term).toBeGreaterThan(before.term);
  // Entry by entry or by the snapshot: a configuration of the old cluster would be refused on the way.
  const newcomer = await nodes.open({ id: 'm3', snapshots, join: { seeds: members } });
  await next.changeMembership({ add: [{ id: 'm3' }] });
  await next.propose(1);
  await eventually(() => truth(newcomer.status().appliedIndex === next.status().appliedIndex));
  expect(newcomer.status().configuration.voters.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3']);
  for (const node of fresh) expect(node.status().state).toBe('running');
  // The others are gone: what the newcomer answers is what it was given.
  expect(await next.read('total')).toBe(total + 1);
});

it('a session goes on in the cluster recovered or restored, as far as that one knows of it', async () => {
  const { leader, nodes: old } = await nodes.found(['n1', 'n2', 'n3'], (id) => {
    return { storage: fileStorage({ directory: join(directory, id) }) };
  });
  const session = await leader.session();
  const first = session.token;
  await session.propose(5);
  await writeFile(join(directory, 'backup'), leader.backup());
  const second = session.token;
  await session.propose(6);
  const late = await leader.session();
  const { appliedIndex } = leader.status();
  await eventually(() => truth(old.every((node) => node.status().appliedIndex === appliedIndex)));
  await nodes.close();

  const members = [{ id: 'm1', address: 'm1' }];
  const survivors = [join(directory, 'n2')];
  const recover = { survivors, out: join(directory, 'recovered'), members };
  const { phrase } = (await recoverCluster(recover)).account;
  await recoverCluster({ ...recover, confirm: phrase });
  const recovered = await nodes.open({
    id: 'm1',
    storage: fileStorage({ directory: join(directory, 'recovered', 'm1') }),
  });
  await recovered.waitForLeader();
  // Both were applied in the old cluster, and are in this one's log: the first is acknowledged.
  await expect((await recovered.session({ resume: first })).propose(5)).rejects.toMatchObject({
    reason: 'acknowledged',
    outcomeKnown: false,
  });
  expect(await (await recovered.session({ resume: second })).propose(6)).toBe(11);
  expect(await (await recovered.session({ resume: late.token })).propose(1)).toBe(12);
  await recovered.close();

  await restoreBackup({ backup: join(directory, 'backup'), out: join(directory, 'restored'), members });
  const restored = await nodes.open({
    id: 'm1',
    storage: fileStorage({ directory: join(directory, 'restored', 'm1') }),
  });
  await restored.waitForLeader();
  expect(await (await restored.session({ resume: first })).propose(5)).toBe(5);
  // What the backup does not hold was never applied as far as this cluster goes.
  expect(await (await restored.session({ resume: second })).propose(6)).toBe(11);
  await expect((await restored.session({ resume: late.token })).propose(1)).rejects.toMatchObject({
    reason: 'session-gone',
    outcomeKnown: false,
  });
  expect(await restored.read('total')).toBe(11);
});
