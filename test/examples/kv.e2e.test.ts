import { describe, expect, it } from 'vitest';
import { eventually, KvCluster } from './kv-cluster.ts';
import { KvWriter } from './kv-writer.ts';
import { oneClusterATest } from './one-cluster.ts';

const KILLS = 5;

const startCluster = oneClusterATest();

describe.each(['files', 'level'] as const)('three real processes, logs on disk in %s', (backend) => {
  it(`lose no acknowledged write when their leader is killed ${KILLS} times`, {
    timeout: 120_000,
  }, async () => {
    const running = await startCluster((directory) => KvCluster.start(directory, backend));
    await running.leader();
    const writer = new KvWriter(running);
    const writing = writer.run();

    for (let kill = 1; kill <= KILLS; kill += 1) {
      const before = writer.acknowledged.size;
      await eventually('writes go on', 20_000, async () =>
        writer.acknowledged.size > before + 50 ? true : null,
      );
      const victim = await running.leader();
      await running.kill(victim);
      const atKill = writer.acknowledged.size;
      await eventually('writes go on without the leader', 20_000, async () =>
        writer.acknowledged.size > atKill + 20 ? true : null,
      );
      running.spawn(victim);
      await eventually(`${victim} is back`, 20_000, () => running.ask(victim, '/status'));
    }
    writer.stop();
    await writing;

    for (const [id, values] of await running.agreedValues()) {
      const lost = [...writer.acknowledged].filter(([key, value]) => values[key] !== value);
      expect(lost, `acknowledged writes lost on ${id}`).toEqual([]);
    }
    expect(writer.acknowledged.size).toBeGreaterThan(KILLS * 70);
    console.log(
      `${backend}: ${writer.acknowledged.size} of ${writer.attempted} writes acknowledged through ${KILLS} kills, ` +
        `longest gap ${Math.round(writer.longestGapMs)} ms`,
    );
  });
});
