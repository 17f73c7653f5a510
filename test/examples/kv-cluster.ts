import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../bench/free-ports.ts';
import { formatMembers, type KvMember } from '../../examples/kv/member-list.ts';

const SERVER = fileURLToPath(new URL('../../dist/examples/kv/server.js', import.meta.url));

/** Three replicas of examples/kv as real processes. */
export class KvCluster {
  readonly members: readonly KvMember[];
  readonly #directory: string;
  readonly #backend: string;
  readonly #children = new Map<string, ChildProcess>();
  readonly output: string[] = [];

  private constructor(members: readonly KvMember[], directory: string, backend: string) {
    this.members = members;
    this.#directory = directory;
    this.#backend = backend;
  }

  static async start(directory: string, backend: 'files' | 'level'): Promise<KvCluster> {
    const ports = await freePorts(6);
    const members = [0, 1, 2].map((i) => ({
      id: `n${i + 1}`,
      raft: `127.0.0.1:${ports[i]}`,
      http: `127.0.0.1:${ports[i + 3]}`,
    }));
    const cluster = new KvCluster(members, directory, backend);
    for (const { id } of members) cluster.spawn(id);
    return cluster;
  }

  spawn(id: string): void {
    const child = spawn(
      process.execPath,
      [
        SERVER,
        ...['--id', id, '--members', formatMembers(this.members), '--backend', this.#backend],
        ...['--dir', join(this.#directory, id), '--log-level', 'warn'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => this.output.push(`${id}: ${text.toString('utf8')}`));
    }
    this.#children.set(id, child);
  }

  async kill(id: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#children.get(id);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ id }) => this.kill(id)));
  }

  /** What a replica answers; null while it is down. */
  async ask<T>(id: string, path: string): Promise<T | null> {
    const member = this.members.find((m) => m.id === id);
    try {
      const response = await fetch(`http://${member?.http}${path}`, { signal: AbortSignal.timeout(1_000) });
      return (await response.json()) as T;
    } catch {
      return null;
    }
  }

  /** The replica that says it leads, in the highest term; waits for one. */
  async leader(withinMs = 20_000): Promise<string> {
    return eventually('a replica leads', withinMs, async () => {
      let found: { id: string; term: number } | null = null;
      for (const { id } of this.members) {
        const status = await this.ask<{ role: string; term: number }>(id, '/status');
        if (status?.role === 'leader' && status.term > (found?.term ?? 0)) found = { id, term: status.term };
      }
      return found?.id ?? null;
    });
  }
}

/** Asks until the answer is not null. @throws Error naming `what` when the time is over. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  ask: () => Promise<T | null>,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
