import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, KvCluster } from './kv-cluster.ts';

const KILLS = 5;

let cluster: KvCluster | null = null;
let directory: string | null = null;

afterEach(async (context) => {
  await cluster?.stop();
  if (context.task.result?.state === 'fail') console.error(cluster?.output.join(''));
  if (directory !== null) await rm(directory, { recursive: true, force: true });
  cluster = null;
  directory = null;
});

/** Writes one key after another until told to stop; what was acknowledged must never be lost. */
class Writer {
  readonly acknowledged = new Map<string, string>();
  attempted = 0;
  longestGapMs = 0;
  readonly #cluster: KvCluster;
  #stopping = false;

  constructor(cluster: KvCluster) {
    this.#cluster = cluster;
  }

  async run(): Promise<void> {
    let lastAt = performance.now();
    for (let turn = 0; !this.#stopping; ) {
      const { http } = this.#cluster.members[turn % this.#cluster.members.length] ?? { http: '' };
      this.attempted += 1;
      const key = `key-${this.attempted}`;
      const value = `value-${this.attempted}`;
      if (await put(http, key, value)) {
        this.acknowledged.set(key, value);
        this.longestGapMs = Math.max(this.longestGapMs, performance.now() - lastAt);
        lastAt = performance.now();
      } else {
        turn += 1;
      }
    }
  }

  stop(): void {
    this.#stopping = true;
  }
}

async function put(http: string, key: string, body: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${http}/keys/${key}`, {
      method: 'PUT',
      body,
      signal: AbortSignal.timeout(1_000),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

describe.each(['files', 'level'] as const)('three real processes, logs on disk in %s', (backend) => {
  it(`lose no acknowledged write when their leader is killed ${KILLS} times`, {
    timeout: 120_000,
  }, async () => {
    directory = await mkdtemp(join(tmpdir(), 'kontiki-kv-'));
    const running = await KvCluster.start(directory, backend);
    cluster = running;
    await running.leader();
    const writer = new Writer(running);
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

    const dumps = await eventually('all three replicas agree', 20_000, async () => {
      const all = await Promise.all(
        running.members.map(({ id }) =>
          running.ask<{ appliedIndex: number; values: Record<string, string> }>(id, '/dump'),
        ),
      );
      const [first] = all;
      return first && all.every((dump) => dump?.appliedIndex === first.appliedIndex) ? all : null;
    });
    for (const [position, dump] of dumps.entries()) {
      const lost = [...writer.acknowledged].filter(([key, value]) => dump?.values[key] !== value);
      expect(lost, `acknowledged writes lost on n${position + 1}`).toEqual([]);
    }
    expect(writer.acknowledged.size).toBeGreaterThan(KILLS * 70);
    console.log(
      `${backend}: ${writer.acknowledged.size} of ${writer.attempted} writes acknowledged through ${KILLS} kills, ` +
        `longest gap ${Math.round(writer.longestGapMs)} ms`,
    );
  });
});
