// Reads on the leader and on a follower of three replica processes over TCP, callers inside those processes.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ReplicaProcesses } from './replica-processes.ts';
import { row } from './table.ts';

const SECONDS = 3;
const CALLERS = [1, 64, 256];

/** Prints the section. The directory is made and emptied. */
export async function benchReads(scratch: string): Promise<void> {
  await mkdir(scratch, { recursive: true });
  const directory = await mkdtemp(join(scratch, 'reads-'));
  console.log('\nReads, three replica processes over TCP, nothing written meanwhile');
  const processes = await ReplicaProcesses.open('files', directory);
  try {
    for (const where of ['leader', 'follower'] as const) {
      for (const operation of ['linearizable', 'lease', 'local'] as const) {
        for (const callers of CALLERS) {
          const told = await processes.measure(processes[where], { operation, callers, seconds: SECONDS });
          row(
            `${where}, ${operation}, ${callers} caller${callers === 1 ? '' : 's'}`,
            `${Math.round(told.perSecond).toLocaleString('en')}/s`,
            `p50 ${told.p50Ms.toFixed(3)} ms`,
            `p99 ${told.p99Ms.toFixed(3)} ms`,
          );
        }
      }
    }
    await processes.close();
  } finally {
    processes.kill();
    await rm(join(directory), { recursive: true, force: true });
  }
}
