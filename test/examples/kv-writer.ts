import type { KvCluster } from './kv-cluster.ts';

/** Writes one key after another until told to stop; what was acknowledged must never be lost. */
export class KvWriter {
  readonly acknowledged = new Map<string, string>();
  attempted = 0;
  longestGapMs = 0;
  readonly #cluster: Pick<KvCluster, 'members'>;
  #stopping = false;

  constructor(cluster: Pick<KvCluster, 'members'>) {
    this.#cluster = cluster;
  }

  async run(): Promise<void> {
    let lastAt = performance.now();
    for (let turn = 0; !this.#stopping; ) {
      const { members } = this.#cluster;
      const { http } = members[turn % members.length] ?? { http: '' };
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
