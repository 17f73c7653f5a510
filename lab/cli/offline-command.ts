import { RecoveryRefused } from '../../src/storage/index.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import type { Machine } from './machine.ts';

/**
 * Runs a command that makes directories, all of them or none. Ctrl-C ends it at the next step, and what was
 * begun is taken away first.
 */
export async function offlineCommand(
  name: 'restore' | 'recover',
  machine: Machine,
  work: (signal: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  const interrupt = new AbortController();
  const stopListening = machine.onInterrupt(() => interrupt.abort());
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      machine.complain('Interrupted. Nothing was made.\n');
      return exitCode.interrupted;
    }
    const why = error instanceof Error ? error.message : String(error);
    machine.complain(`${why}\nNothing was made. \`kontiki ${name} --help\` shows how.\n`);
    return error instanceof RecoveryRefused ? exitCode.badInput : exitCode.machineFailed;
  } finally {
    stopListening();
  }
}
