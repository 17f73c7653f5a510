import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeStorageDoors } from '../../src/storage/disk/storage-doors.ts';
import { InspectionRefused } from '../../src/storage/errors.ts';
import type { ReadingOptions } from '../../src/storage/offline/stopped-directory.ts';
import { formatCount } from '../report/quantities.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import { LiveLine } from './live-line.ts';
import type { Machine } from './machine.ts';

/** What became of one directory. */
export type Read<T> =
  | { readonly directory: string; readonly refused: null; readonly value: T }
  | { readonly directory: string; readonly refused: InspectionRefused };

/**
 * Reads directories one after another; one that is refused does not keep the others from being read. `told` hears of
 * each in turn, and `finished` of all.
 *
 * @returns 2 when one was refused, else what `finished` says.
 */
export async function readingCommand<T>(
  directories: readonly string[],
  machine: Machine,
  by: {
    readonly read: (directory: string, options: ReadingOptions) => Promise<T>;
    readonly told?: (read: Read<T>) => void;
    readonly finished: (reads: readonly Read<T>[]) => ExitCode;
  },
): Promise<ExitCode> {
  const scratch = mkdtempSync(join(tmpdir(), 'kontiki-copy-'));
  const interrupt = new AbortController();
  const stopListening = machine.onInterrupt(() => interrupt.abort());
  const live = new LiveLine(machine);
  const reads: Read<T>[] = [];
  let at = '';
  try {
    for (const directory of directories) {
      at = directory;
      const read = await readOne(directory, by.read, { scratch, signal: interrupt.signal, live });
      live.clear();
      reads.push(read);
      if (read.refused !== null) machine.complain(`${read.refused.message}\n`);
      by.told?.(read);
    }
    const code = by.finished(reads);
    return reads.some(({ refused }) => refused !== null) ? exitCode.badInput : code;
  } catch (error) {
    live.clear();
    if (interrupt.signal.aborted) {
      machine.complain('Interrupted.\n');
      return exitCode.interrupted;
    }
    machine.complain(`${at}: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCode.machineFailed;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    stopListening();
  }
}

async function readOne<T>(
  directory: string,
  read: (directory: string, options: ReadingOptions) => Promise<T>,
  by: { readonly scratch: string; readonly signal: AbortSignal; readonly live: LiveLine },
): Promise<Read<T>> {
  try {
    const value = await read(directory, {
      doors: nodeStorageDoors(),
      scratch: join(by.scratch, 'copy'),
      signal: by.signal,
      onProgress: ({ doing, done, all }) =>
        by.live.update(() => `${directory}: ${doing}: ${formatCount(done)} of ${formatCount(all)}`),
    });
    return { directory, refused: null, value };
  } catch (error) {
    if (!(error instanceof InspectionRefused)) throw error;
    return { directory, refused: error };
  }
}
