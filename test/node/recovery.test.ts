import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { snapshotPolicy } from '../../src/index.ts';
import { fileStorage, recoverCluster } from '../../src/storage/index.ts';
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
