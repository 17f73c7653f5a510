import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { KvCluster } from './kv-cluster.ts';

/** Starts the one cluster of a test; it ends, and its directory goes, with the test. What it printed is told of a failure. */
export function oneClusterATest(): (start: (directory: string) => Promise<KvCluster>) => Promise<KvCluster> {
  let cluster: KvCluster | null = null;
  let directory: string | null = null;

  afterEach(async (context) => {
    await cluster?.stop();
    if (context.task.result?.state === 'fail') console.error(cluster?.output.join(''));
    if (directory !== null) await rm(directory, { recursive: true, force: true });
    cluster = null;
    directory = null;
  });

  return async (start) => {
    directory = await mkdtemp(join(tmpdir(), 'kontiki-kv-'));
    cluster = await start(directory);
    return cluster;
  };
}
