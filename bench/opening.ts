// How long a log takes to open, and how much memory it holds then, by its length.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Opened } from './opening-process.ts';
import { row } from './table.ts';

const COUNTS = [10_000, 100_000, 1_000_000, 10_000_000];

/** Prints the section. @param entriesMax - longer logs are left out. */
export async function benchOpening(scratch: string, entriesMax: number): Promise<void> {
  console.log(
    '\nOpening a log of one group, entries of 128 bytes, written in batches of 64, files in the page cache',
  );
  for (const backend of ['files', 'level']) {
    for (const entries of COUNTS) {
      if (entries > entriesMax) continue;
      const directory = `${scratch}/opening`;
      await inProcess('write', directory, backend, entries);
      const opened = await inProcess('open', directory, backend, entries);
      if (opened === null) throw new Error('the process that opened a log told nothing');
      const { tookMs, residentBytes, peakBytes } = opened;
      row(
        `${backend}, ${entries.toLocaleString('en')}`,
        `${Math.round(tookMs)} ms`,
        `${mebibytes(residentBytes)} MiB`,
        `peak ${mebibytes(peakBytes)} MiB`,
      );
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

/** @returns what it told; one that writes tells nothing. */
async function inProcess(
  mode: 'write' | 'open',
  directory: string,
  backend: string,
  entries: number,
): Promise<Opened | null> {
  const child = fork(fileURLToPath(new URL('./opening-process.js', import.meta.url)), [
    mode,
    directory,
    backend,
    String(entries),
  ]);
  let told: Opened | null = null;
  child.on('message', (opened: Opened) => {
    told = opened;
  });
  // What it told may come after its end, and comes before its channel closes.
  const [[code]] = await Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
  if (code !== 0) throw new Error(`the process of the opening bench ended with code ${code}`);
  return told;
}

const mebibytes = (bytes: number): string => String(Math.round(bytes / 1024 / 1024));
