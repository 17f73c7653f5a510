import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../bench/free-ports.ts';
import { formatMembers, type KvMember } from '../../examples/kv/member-list.ts';
import type { Configuration, Metrics, NodeStatus } from '../../src/index.ts';
import { Line } from './line.ts';

const SERVER = fileURLToPath(new URL('../../dist/examples/kv/server.js', import.meta.url));

/** How a replica comes into the cluster, as its command line says it. */
type Entrance = readonly string[];

/** Replicas of examples/kv as real processes: three at first, more by `join`. */
export class KvCluster {
  /** Those that are asked; whoever was replaced is taken out. */
  members: readonly KvMember[];
  readonly output: string[] = [];
  readonly #directory: string;
  readonly #flags: readonly string[];
  readonly #entrances = new Map<string, Entrance>();
  readonly #children = new Map<string, ChildProcess>();
  readonly #lines = new Map<string, Line>();

  private constructor(members: readonly KvMember[], directory: string, flags: readonly string[]) {
    this.members = members;
    this.#directory = directory;
    this.#flags = flags;
  }

  static async start(
    directory: string,
    backend: 'files' | 'level',
    flags: readonly string[] = [],
  ): Promise<KvCluster> {
    return KvCluster.startOn(directory, backend, await membersOn(['n1', 'n2', 'n3']), flags);
  }

  /** On directories that may be there already. */
  static startOn(
    directory: string,
    backend: 'files' | 'level',
    members: readonly KvMember[],
    flags: readonly string[] = [],
  ): KvCluster {
    const cluster = new KvCluster(members, directory, ['--backend', backend, ...flags]);
    for (const { id } of members) {
      cluster.#entrances.set(id, ['--members', formatMembers(members)]);
      cluster.spawn(id);
    }
    return cluster;
  }

  /** As `start`, and what one replica sends to another passes a line that can be cut. */
  static async startOnLines(directory: string, flags: readonly string[]): Promise<KvCluster> {
    const members = await membersOn(['n1', 'n2', 'n3']);
    const behind = await freePorts(members.length);
    const cluster = new KvCluster(members, directory, ['--backend', 'files', ...flags]);
    for (const [at, { id, raft }] of members.entries()) {
      const listen = `127.0.0.1:${behind[at]}`;
      cluster.#lines.set(id, await Line.open(raft, listen));
      cluster.#entrances.set(id, ['--members', formatMembers(members), '--listen', listen]);
      cluster.spawn(id);
    }
    return cluster;
  }

  /** Nothing that is sent to these replicas comes through any more. */
  cutLinesTo(...ids: readonly string[]): void {
    for (const id of ids) this.#lines.get(id)?.cut();
  }

  mendLines(): void {
    for (const line of this.#lines.values()) line.mend();
  }

  /** Starts a process on a directory of its own, which asks the member `seedId`. It is asked for nothing. */
  async startBeside(name: string, id: string, seedId: string): Promise<void> {
    const [self] = await membersOn([id]);
    if (self === undefined) throw new Error('no ports');
    this.#start(name, { id, directory: name, entrance: this.#joining(self, seedId) });
  }

  /** Starts a replica that knows itself and one seed, by its Raft address alone. */
  async join(id: string, seedId: string): Promise<void> {
    const [self] = await membersOn([id]);
    if (self === undefined) throw new Error('no ports');
    this.#entrances.set(id, this.#joining(self, seedId));
    this.members = [...this.members, self];
    this.spawn(id);
  }

  /** With the flags of its first start. */
  spawn(id: string): void {
    this.#start(id, { id, directory: id, entrance: this.#entrances.get(id) ?? [] });
  }

  async kill(id: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#children.get(id);
    if (child === undefined || hasEnded(child)) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Stands still, as `SIGSTOP` makes it, until `resume`. */
  pause(id: string): void {
    this.#children.get(id)?.kill('SIGSTOP');
  }

  resume(id: string): void {
    this.#children.get(id)?.kill('SIGCONT');
  }

  /** A killed replica loses its disk; `returnOfTheOld` finds it again. */
  async wipe(id: string): Promise<void> {
    await rename(join(this.#directory, id), join(this.#directory, `${id}.old`));
  }

  /** Starts a process beside the others, on the disk that a wiped replica lost. @returns its exit code. */
  async returnOfTheOld(id: string, seedId: string, withinMs: number): Promise<number | null> {
    const name = `${id}.old`;
    await this.startBeside(name, id, seedId);
    return this.ended(name, withinMs);
  }

  /** The exit code of a replica that ends by itself; it is asked for nothing any more. */
  async ended(id: string, withinMs: number): Promise<number | null> {
    const child = this.#children.get(id);
    if (child === undefined) throw new Error(`${id} was never started`);
    if (!hasEnded(child)) await once(child, 'exit', { signal: AbortSignal.timeout(withinMs) });
    this.members = this.members.filter((member) => member.id !== id);
    return child.exitCode;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((id) => this.kill(id)));
    for (const line of this.#lines.values()) line.close();
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

  status(id: string): Promise<(NodeStatus & { readonly metrics: Metrics }) | null> {
    return this.ask(id, '/status');
  }

  /** The member that answers a write sent to `id`: itself, or where its answer redirects to. */
  async leaderToldBy(id: string): Promise<string | undefined> {
    const member = this.members.find((m) => m.id === id);
    const response = await fetch(`http://${member?.http}/keys/probe`, {
      method: 'PUT',
      body: '',
      redirect: 'manual',
      signal: AbortSignal.timeout(20_000),
    });
    const location = response.headers.get('location');
    if (response.status !== 307) return response.ok ? id : undefined;
    return this.members.find(({ http }) => location === `http://${http}/keys/probe`)?.id;
  }

  /**
   * Changes the membership through the replica `at`, again for as long as it is refused because another
   * change is not finished, or the leader is new. @throws Error with what was answered instead.
   */
  async changeMembers(
    at: string,
    method: 'POST' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<Configuration> {
    const member = this.members.find((m) => m.id === at);
    return eventually(`${method} ${path} ${JSON.stringify(body)}`, 60_000, async () => {
      const response = await fetch(`http://${member?.http}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(60_000),
      });
      const answer = (await response.json()) as Configuration & { reason?: string };
      if (response.ok) return answer;
      const passes = response.status === 503 || TRANSIENT.has(answer.reason ?? '');
      const told = `${response.status} ${JSON.stringify(answer)}`;
      if (!passes) throw new Error(told);
      this.output.push(`${method} ${path} at ${at}: ${told}\n`);
      return null;
    });
  }

  /** The replica that says it leads, in the highest term; waits for one. */
  async leader(withinMs = 60_000): Promise<string> {
    return eventually('a replica leads', withinMs, async () => {
      let found: { id: string; term: number } | null = null;
      for (const { id } of this.members) {
        const status = await this.status(id);
        if (status?.role === 'leader' && status.term > (found?.term ?? 0)) found = { id, term: status.term };
      }
      return found?.id ?? null;
    });
  }

  /** What each member holds, once all have applied equally much. Only while nobody writes. */
  async agreedValues(): Promise<Map<string, Readonly<Record<string, string>>>> {
    return eventually('all replicas agree', 60_000, async () => {
      const ids = this.members.map(({ id }) => id);
      const dumps = await Promise.all(
        ids.map((id) => this.ask<{ appliedIndex: number; values: Record<string, string> }>(id, '/dump')),
      );
      const agreed = dumps.every((dump) => dump !== null && dump.appliedIndex === dumps[0]?.appliedIndex);
      return agreed ? new Map(ids.map((id, i) => [id, dumps[i]?.values ?? {}])) : null;
    });
  }

  #joining({ raft, http }: KvMember, seedId: string): Entrance {
    const seed = this.members.find((member) => member.id === seedId);
    if (seed === undefined) throw new Error(`no seed ${seedId}`);
    return ['--join', `${seed.id}=${seed.raft}`, '--raft', raft, '--http', http];
  }

  #start(
    name: string,
    as: { readonly id: string; readonly directory: string; readonly entrance: Entrance },
  ): void {
    const child = spawn(
      process.execPath,
      [
        SERVER,
        ...['--id', as.id, '--dir', join(this.#directory, as.directory), '--log-level', 'warn'],
        ...as.entrance,
        ...this.#flags,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => this.output.push(`${name}: ${text.toString('utf8')}`));
    }
    this.#children.set(name, child);
  }
}

const TRANSIENT: ReadonlySet<string> = new Set(['term-not-committed', 'change-in-progress']);

export async function membersOn(ids: readonly string[]): Promise<KvMember[]> {
  const ports = await freePorts(2 * ids.length);
  return ids.map((id, i) => ({
    id,
    raft: `127.0.0.1:${ports[i]}`,
    http: `127.0.0.1:${ports[i + ids.length]}`,
  }));
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
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
