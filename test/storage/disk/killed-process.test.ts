import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileStorage } from '../../../src/storage/index.ts';

const WRITER = fileURLToPath(new URL('./writer-process.mjs', import.meta.url));
const KILLS = 3;

let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-killed-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

const start = (backend: string, codec: string): ChildProcess => {
  const child = spawn(process.execPath, [WRITER, directory, backend, codec], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
};

async function* lines(child: ChildProcess): AsyncGenerator<string> {
  if (child.stdout === null) throw new Error('the child has no output');
  yield* createInterface({ input: child.stdout });
}

/** Kills it in the middle of its work. @returns the payloads of what was acknowledged, by index. */
async function killAfter(child: ChildProcess, acknowledgements: number): Promise<Map<number, string>> {
  const acknowledged = new Map<number, string>();
  for await (const line of lines(child)) {
    const [what, index, term] = line.split(' ');
    if (what === 'failed') throw new Error(line);
    if (what !== 'ack') continue;
    acknowledged.set(Number(index), `entry ${index} of term ${term}`);
    if (acknowledged.size === acknowledgements) child.kill('SIGKILL');
  }
  if (child.signalCode === null && child.exitCode === null) await once(child, 'exit');
  return acknowledged;
}

describe.each([
  ['files', 'none'],
  ['files', 'gzip'],
  ['level', 'none'],
] as const)('a process writing to the %s backend, codec %s', (backend, codec) => {
  it(`finds what it acknowledged after each of ${KILLS} kills with SIGKILL`, async () => {
    const acknowledged = new Map<number, string>();
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const told = await killAfter(start(backend, codec), 100 + 37 * kill);
      for (const [index, payload] of told) acknowledged.set(index, payload);
      const instance = await fileStorage({ directory, backend, codec }).open({ id: 'n1' });
      expect(instance.identity.boot).toBe(2 * kill);
      const log = await instance.openLog('orders');
      const range = { from: 1, to: log.recovered.lastIndex, bytesMax: Number.MAX_SAFE_INTEGER };
      const found = new Map(
        (await log.read(range)).map((entry) => [
          entry.index,
          entry.kind === 'command' ? Buffer.from(entry.payload).toString() : entry.kind,
        ]),
      );
      for (const [index, payload] of acknowledged) expect(found.get(index)).toBe(payload);
      // No more than what was under way: four writers, one entry each.
      expect(found.size - acknowledged.size).toBeLessThanOrEqual(4 * kill);
      await instance.close();
    }
  });

  it('is refused while another process holds the directory, and not after that one is gone', async () => {
    const instance = await fileStorage({ directory, backend, codec }).open({ id: 'n1' });
    for await (const line of lines(start(backend, codec))) expect(line).toBe('failed in-use');
    await instance.close();

    const holder = start(backend, codec);
    for await (const line of lines(holder)) if (line.startsWith('ack')) break;
    await expect(fileStorage({ directory, backend, codec }).open({ id: 'n1' })).rejects.toMatchObject({
      reason: 'in-use',
    });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await fileStorage({ directory, backend, codec }).open({ id: 'n1' })).close();
  });
});
