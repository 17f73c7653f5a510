import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually, KvCluster } from '../examples/kv-cluster.ts';
import { KvWriter } from '../examples/kv-writer.ts';
import { seeded } from '../raft/seeded.ts';

const KILLS = Number(process.env.KONTIKI_KILLS ?? 50);
const seed = Number(process.env.KONTIKI_SEED ?? 1);

it.each(['files', 'level'] as const)(
  `${KILLS} replicas killed under load lose nothing: %s`,
  async (backend) => {
    const { integer } = seeded(seed);
    const directory = mkdtempSync(join(tmpdir(), 'kontiki-kills-'));
    const cluster = await KvCluster.start(directory, backend);
    try {
      await cluster.leader();
      const writer = new KvWriter(cluster);
      const writing = writer.run();
      let leaders = 0;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const before = writer.acknowledged.size;
        await eventually('writes go on', 30_000, async () =>
          writer.acknowledged.size > before + 20 ? true : null,
        );
        const leader = await cluster.leader();
        const victim = cluster.members[integer(0, cluster.members.length)]?.id ?? leader;
        if (victim === leader) leaders += 1;
        await cluster.kill(victim);
        const atKill = writer.acknowledged.size;
        await eventually('writes go on without it', 30_000, async () =>
          writer.acknowledged.size > atKill + 10 ? true : null,
        );
        cluster.spawn(victim);
        await eventually(`${victim} is back`, 30_000, () => cluster.ask(victim, '/status'));
      }
      writer.stop();
      await writing;
      for (const [id, values] of await cluster.agreedValues()) {
        const lost = [...writer.acknowledged].filter(([key, value]) => values[key] !== value);
        expect(lost, `acknowledged writes lost on ${id}`).toEqual([]);
      }
      console.log(
        `${backend}, seed ${seed}: ${writer.acknowledged.size} of ${writer.attempted} writes acknowledged through ${KILLS} kills ` +
          `(${leaders} of the leader), longest gap ${Math.round(writer.longestGapMs)} ms`,
      );
    } finally {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
