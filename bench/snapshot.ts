// A large snapshot on its way: written by one process, sent over TCP, stored and restored by another.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asks } from './child.ts';
import { freePorts } from './free-ports.ts';
import type { Answer, Ask } from './snapshot-process.ts';
import { row } from './table.ts';

const MIB = 1024 * 1024;

/** Prints the section. Twice the size is written below `scratch`, and removed at the end. */
export async function benchSnapshot(scratch: string, mebibytes: number): Promise<void> {
  await mkdir(scratch, { recursive: true });
  const directory = await mkdtemp(join(scratch, 'snapshot-'));
  console.log(`\nA snapshot of ${mebibytes} MiB, from one process to another over TCP`);
  const [leader, learner] = [new ReplicaProcess(), new ReplicaProcess()];
  try {
    const [leaderPort, learnerPort] = await freePorts(2);
    const stateBytes = mebibytes * MIB;
    const seed = { id: 'n1', address: `127.0.0.1:${leaderPort}` };
    await leader.open({ ...seed, directory: join(directory, 'n1'), stateBytes, seed: null });
    await learner.open({
      id: 'n2',
      address: `127.0.0.1:${learnerPort}`,
      directory: join(directory, 'n2'),
      stateBytes,
      seed,
    });

    const writtenMs = await leader.done({ kind: 'snapshot' });
    row('written', rate(mebibytes, writtenMs));
    const restored = learner.done({ kind: 'restored' });
    const admitted = leader.done({ kind: 'admit', id: 'n2' });
    // One that fails ends the bench, whatever the other still waits for.
    await Promise.race([restored, admitted.then(() => restored)]);
    row('admitted until restored', rate(mebibytes, await restored));
    await admitted;

    for (const [name, replica] of [
      ['leader', leader],
      ['learner', learner],
    ] as const) {
      const { idle, peak } = await replica.memory();
      row(
        `memory of the ${name}`,
        `idle ${Math.round(idle / MIB)} MiB`,
        `peak ${Math.round(peak / MIB)} MiB`,
        `${Math.round((peak - idle) / MIB)} MiB beyond`,
      );
    }
    await Promise.all([leader.close(), learner.close()]);
  } finally {
    leader.kill();
    learner.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

class ReplicaProcess {
  readonly #child = fork(fileURLToPath(new URL('./snapshot-process.js', import.meta.url)));
  #idleBytes = 0;

  async open(ask: Omit<Extract<Ask, { kind: 'open' }>, 'kind'>): Promise<void> {
    await this.done({ kind: 'open', ...ask });
    const memory = await asks<Ask, Answer>(this.#child, { kind: 'memory' });
    if (memory.kind === 'memory') this.#idleBytes = memory.rssBytes;
  }

  /** Milliseconds it took, by the process's own clock. */
  async done(ask: Exclude<Ask, { kind: 'memory' }>): Promise<number> {
    const answer = await asks<Ask, Answer>(this.#child, ask);
    if (answer.kind !== 'done') throw new Error(`expected to be told that ${ask.kind} is done`);
    return answer.ms;
  }

  /** Resident bytes: after opening, and at most. */
  async memory(): Promise<{ idle: number; peak: number }> {
    const answer = await asks<Ask, Answer>(this.#child, { kind: 'memory' });
    if (answer.kind !== 'memory') throw new Error('expected to be told of memory');
    return { idle: this.#idleBytes, peak: answer.peakRssBytes };
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    await this.done({ kind: 'close' });
    await ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function rate(mebibytes: number, ms: number): string {
  return `${(ms / 1000).toFixed(2)} s, ${Math.round((mebibytes * MIB) / 1000 / ms).toLocaleString('en')} MB/s`;
}
