// What three replica processes hold in memory while ten times as much is asked of them as they can do.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asks } from './child.ts';
import { freePorts } from './free-ports.ts';
import type { Answer, Ask } from './overload-process.ts';
import { row } from './table.ts';

const CALLERS = 256;
const CAPACITY_SECONDS = 3;
const TIMES = 10;

/** Prints the section. The directory is made and emptied. */
export async function benchOverload(scratch: string, seconds: number): Promise<void> {
  await mkdir(scratch, { recursive: true });
  const directory = await mkdtemp(join(scratch, 'overload-'));
  const ports = await freePorts(3);
  const members = ports.map((port, i) => ({ id: `n${i + 1}`, address: `127.0.0.1:${port}` }));
  const children = members.map(() => fork(fileURLToPath(new URL('./overload-process.js', import.meta.url))));
  const ask = (child: (typeof children)[number], asked: Ask): Promise<Answer> =>
    asks<Ask, Answer>(child, asked);
  try {
    console.log(`\nA burst of ${TIMES} times what three replica processes can do, commands of 1 KiB`);
    const roles = await Promise.all(
      children.map((child, i) =>
        ask(child, { kind: 'open', id: `n${i + 1}`, members, directory: join(directory, `n${i + 1}`) }),
      ),
    );
    const leads = roles.findIndex((role) => role.kind === 'role' && role.leads);
    const leader = children[leads];
    if (leader === undefined) throw new Error('no process leads');
    const could = await ask(leader, { kind: 'capacity', callers: CALLERS, seconds: CAPACITY_SECONDS });
    if (could.kind !== 'capacity') throw new Error('no capacity was told');
    row(`${CALLERS} callers`, `${Math.round(could.perSecond).toLocaleString('en')} proposals/s`);

    const before = await peaks(children, ask);
    const perSecond = Math.round(could.perSecond * TIMES);
    const told = await ask(leader, { kind: 'burst', perSecond, seconds });
    if (told.kind !== 'burst') throw new Error('no outcome of the burst was told');
    const after = await peaks(children, ask);
    const { offered, acknowledged, refused, otherwise } = told;
    row('offered', `${Math.round(offered / seconds).toLocaleString('en')}/s`);
    row('acknowledged', `${Math.round(acknowledged / seconds).toLocaleString('en')}/s`);
    for (const [reason, count] of Object.entries(refused)) {
      row(`refused, ${reason}`, `${Math.round(count / seconds).toLocaleString('en')}/s`);
    }
    for (const [name, count] of Object.entries(otherwise))
      row(`ended as ${name}`, count.toLocaleString('en'));
    for (const [i, bytes] of after.entries()) {
      const name = i === leads ? 'leader' : 'follower';
      row(
        `${name}, peak beyond before`,
        `${mebibytes(bytes - (before[i] ?? 0))} MiB`,
        `(${mebibytes(bytes)} MiB)`,
      );
    }
  } finally {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill();
        await exited;
      }
    }
    await rm(directory, { recursive: true, force: true });
  }
}

async function peaks<Child>(
  children: readonly Child[],
  ask: (child: Child, asked: Ask) => Promise<Answer>,
): Promise<number[]> {
  const told = await Promise.all(children.map((child) => ask(child, { kind: 'peak' })));
  return told.map((one) => (one.kind === 'peak' ? one.rssBytes : 0));
}

function mebibytes(bytes: number): string {
  return Math.round(bytes / 1024 / 1024).toLocaleString('en');
}
