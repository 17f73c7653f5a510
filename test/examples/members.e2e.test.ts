import { expect, it } from 'vitest';
import { eventually, KvCluster } from './kv-cluster.ts';
import { KvWriter } from './kv-writer.ts';
import { oneClusterATest } from './one-cluster.ts';

const SNAPSHOT_ENTRIES = 30;
const REPLACEMENTS = [
  { leaves: 'n1', comes: 'n4', seed: 'n2' },
  { leaves: 'n2', comes: 'n5', seed: 'n4' },
  { leaves: 'n3', comes: 'n6', seed: 'n4' },
];

const startCluster = oneClusterATest();

it('all three processes are replaced under a continuous writer and one is wiped, and no acknowledged write is lost', {
  timeout: 300_000,
}, async () => {
  const running = await startCluster((directory) =>
    KvCluster.start(directory, 'files', ['--snapshot-entries', `${SNAPSHOT_ENTRIES}`]),
  );
  await running.leader();
  const writer = new KvWriter(running);
  const writing = writer.run();
  const writesGoOn = async (count: number): Promise<void> => {
    const before = writer.acknowledged.size;
    await eventually('writes go on', 60_000, async () =>
      writer.acknowledged.size >= before + count ? true : null,
    );
  };

  // Beyond two snapshots the first entries are gone: from now on newcomers need a snapshot.
  await writesGoOn(3 * SNAPSHOT_ENTRIES);
  for (const { leaves, comes, seed } of REPLACEMENTS) {
    await running.join(comes, seed);
    const configuration = await running.changeMembers(seed, 'POST', '/members', {
      replace: [{ id: leaves, by: { id: comes } }],
    });
    expect(configuration.voters.map(({ id }) => id)).toContain(comes);
    expect(configuration.voters.map(({ id }) => id)).not.toContain(leaves);
    expect(configuration.voters).toHaveLength(3);
    expect(await running.ended(leaves, 60_000), `exit code of ${leaves}`).toBe(0);
    expect(running.output.join('')).toContain(`kv replica ${leaves} was removed from its cluster`);
    await writesGoOn(20);
  }
  const gapOfReplacements = writer.longestGapMs;
  for (const { comes } of REPLACEMENTS) {
    const status = await eventually(`${comes} answers`, 60_000, () => running.status(comes));
    expect(status.metrics.raft_snapshots_installed_total, `${comes} began with a snapshot`).toBe(1);
    expect(status.snapshot?.index, `${comes} took snapshots of its own`).toBeGreaterThan(0);
    expect(await running.leaderToldBy(comes), `where ${comes} sends a writer`).toBe(await running.leader());
  }

  const wiped = 'n6';
  const before = await eventually(`${wiped} answers`, 60_000, () => running.status(wiped));
  await running.kill(wiped);
  await running.wipe(wiped);
  running.spawn(wiped);
  const after = await eventually(`${wiped} is a voter again`, 60_000, async () => {
    const status = await running.status(wiped);
    const votes = status?.configuration.voters.some(
      ({ id, incarnation }) => id === wiped && incarnation === status.incarnation,
    );
    return status !== null && votes === true && status.configuration.outgoing.length === 0 ? status : null;
  });
  expect(after.incarnation).not.toBe(before.incarnation);
  expect(after.clusterId).toBe(before.clusterId);
  expect(after.configuration.voters.map(({ id }) => id).sort()).toEqual(['n4', 'n5', 'n6']);
  expect(after.configuration.retired).toContainEqual({ id: wiped, incarnation: before.incarnation });
  await writesGoOn(20);
  // Its lost disk is found, and started: the cluster never takes that incarnation back.
  expect(await running.returnOfTheOld(wiped, 'n4', 60_000), 'exit code of the old n6').toBe(1);
  expect(running.output.join('')).toContain(`kv replica ${wiped} is refused for ever and ends`);
  writer.stop();
  await writing;

  const values = await running.agreedValues();
  expect([...values.keys()].sort()).toEqual(['n4', 'n5', 'n6']);
  for (const [id, held] of values) {
    const lost = [...writer.acknowledged].filter(([key, value]) => held[key] !== value);
    expect(lost, `acknowledged writes lost on ${id}`).toEqual([]);
    expect(held, `the state of ${id}`).toEqual(values.get('n4'));
  }
  console.log(
    `members: ${writer.acknowledged.size} of ${writer.attempted} writes acknowledged while all members were replaced ` +
      `(longest gap ${Math.round(gapOfReplacements)} ms) and one was wiped (longest gap of all ${Math.round(writer.longestGapMs)} ms)`,
  );
});
