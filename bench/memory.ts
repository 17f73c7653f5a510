// What the core of one replica holds in memory while its log is compacted: flat, however long it has run.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Held } from './memory-process.ts';
import { row } from './table.ts';

const COUNTS = [10_000, 100_000, 1_000_000, 10_000_000];

/** Prints the section. */
export async function benchMemory(): Promise<void> {
  console.log('\nMemory of one core, of three in one thread, a snapshot every 10,000 entries of 128 bytes');
  const process = fork(fileURLToPath(new URL('./memory-process.js', import.meta.url)), COUNTS.map(String), {
    execArgv: ['--expose-gc'],
  });
  process.on('message', ({ committed, bytesPerCore }: Held) => {
    row(`${committed.toLocaleString('en')} committed`, `${Math.round(bytesPerCore / 1024)} KiB`);
  });
  const [code] = await once(process, 'exit');
  if (code !== 0) throw new Error(`the process of the memory bench ended with code ${code}`);
}
