import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asks } from './child.ts';
import { freePorts } from './free-ports.ts';
import type { Answer, Ask, Measured } from './replica-process.ts';

/** Three replica processes over TCP, one of which leads. */
export class ReplicaProcesses {
  readonly leader: ChildProcess;
  readonly follower: ChildProcess;
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[], leader: ChildProcess, follower: ChildProcess) {
    this.#children = children;
    this.leader = leader;
    this.follower = follower;
  }

  static async open(backend: 'files' | 'level', directory: string): Promise<ReplicaProcesses> {
    const ports = await freePorts(3);
    const members = ports.map((port, i) => ({ id: `n${i + 1}`, address: `127.0.0.1:${port}` }));
    const program = fileURLToPath(new URL('./replica-process.js', import.meta.url));
    const children = members.map(() => fork(program));
    const roles = await Promise.all(
      children.map((child, i) =>
        asks<Ask, Answer>(child, {
          kind: 'open',
          id: `n${i + 1}`,
          members,
          directory: join(directory, `n${i + 1}`),
          backend,
        }),
      ),
    );
    const leads = (child: ChildProcess): boolean => {
      const role = roles[children.indexOf(child)];
      return role?.kind === 'role' && role.leads;
    };
    const leader = children.find(leads);
    const follower = children.find((child) => !leads(child));
    if (leader === undefined || follower === undefined) throw new Error('no process leads');
    return new ReplicaProcesses(children, leader, follower);
  }

  async measure(
    child: ChildProcess,
    ask: Omit<Extract<Ask, { kind: 'measure' }>, 'kind'>,
  ): Promise<Measured> {
    const told = await asks<Ask, Answer>(child, { kind: 'measure', ...ask });
    if (told.kind !== 'measured') throw new Error(`expected a measurement, got ${told.kind}`);
    return told;
  }

  async close(): Promise<void> {
    const ended = this.#children.map((child) => once(child, 'exit'));
    await Promise.all(this.#children.map((child) => asks<Ask, Answer>(child, { kind: 'close' })));
    await Promise.all(ended);
  }

  /** However far it came. */
  kill(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}
