// Three replica processes over TCP with their logs on disk, callers inside the leader's process.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeClock } from '../src/doors/node-clock.ts';
import { nodeDisk } from '../src/doors/node-disk.ts';
import { percentile } from './percentile.ts';
import { ReplicaProcesses } from './replica-processes.ts';
import { row } from './table.ts';

const VALUE_BYTES = 256;
const SECONDS = 3;
const CALLERS = [1, 16, 64, 256];

/** Prints the section. The directory is made and emptied; it must be on the disk that is to be measured. */
export async function benchReplication(scratch: string): Promise<void> {
  await mkdir(scratch, { recursive: true });
  const directory = await mkdtemp(join(scratch, 'replication-'));
  try {
    console.log(`\nDurable proposals of ${VALUE_BYTES} bytes, three replica processes over TCP`);
    const floor = await benchDisk(directory);
    row(
      'one file, append + sync',
      `${Math.round(1000 / floor)}/s`,
      `p50 ${floor.toFixed(3)} ms`,
      '(nothing replicated)',
    );
    for (const backend of ['files', 'level'] as const)
      await benchBackend(backend, join(directory, backend), floor);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function benchBackend(backend: 'files' | 'level', directory: string, floorMs: number): Promise<void> {
  const processes = await ReplicaProcesses.open(backend, directory);
  try {
    for (const callers of CALLERS) {
      const told = await processes.measure(processes.leader, {
        operation: 'propose',
        callers,
        valueBytes: VALUE_BYTES,
        seconds: SECONDS,
      });
      row(
        `${backend}, ${callers} caller${callers === 1 ? '' : 's'}`,
        `${Math.round(told.perSecond).toLocaleString('en')}/s`,
        `p50 ${told.p50Ms.toFixed(3)} ms`,
        `p99 ${told.p99Ms.toFixed(3)} ms`,
        `${(told.p50Ms / floorMs).toFixed(1)}x one sync`,
      );
    }
    await processes.close();
  } finally {
    processes.kill();
  }
}

/** Milliseconds of one append and sync, the median: what no durable proposal can be faster than. */
async function benchDisk(directory: string): Promise<number> {
  const clock = nodeClock();
  const file = await nodeDisk().open(join(directory, 'floor'), { create: true });
  const samples = new Float64Array(2_000);
  const record = new Uint8Array(VALUE_BYTES);
  for (let i = 0; i < samples.length; i += 1) {
    const startedAt = clock.now();
    await file.append(record);
    await file.sync();
    samples[i] = clock.now() - startedAt;
  }
  await file.close();
  return percentile(samples, 0.5);
}
