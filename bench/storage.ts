// The log storage alone: backends, shards, codecs, and how close it comes to a file that is only appended to.
import * as fs from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeClock } from '../src/doors/node-clock.ts';
import { nodeWork } from '../src/doors/node-work.ts';
import { nodesWithZstd } from '../src/doors/work.ts';
import { fileStorage, type StorageInstance } from '../src/storage/index.ts';
import { fileSystemOf } from './file-system.ts';
import { COMMAND_BYTES, orderCommands } from './order-commands.ts';
import { median } from './percentile.ts';
import { StorageLog } from './storage-log.ts';
import { row } from './table.ts';

const CALLERS = [1, 16, 64] as const;
const GROUPS = 64;
const SHARDS = [1, 2, 4] as const;
const BACKENDS = ['files', 'level'] as const;
const CODECS = ['none', 'gzip', 'zstd'] as const;
/** What is compared takes turns, so that a busy moment of the machine falls on all of it. */
const ROUNDS = 5;
const TURN_MS = 120;
const BATCHES = [1, 128] as const;
const WRITES_A_TURN = 100;
const PLAIN_ROUNDS = 21;
/** Unmeasured: a new process takes ten times as long for its first thousand writes. */
const WARM_UP_WRITES = 1500;

const clock = nodeClock();
const commands = orderCommands(4096);

/** Prints the section. The directory is made and emptied; it must be on the disk that is to be measured. */
export async function benchStorage(scratch: string): Promise<void> {
  await mkdir(scratch, { recursive: true });
  const directory = await mkdtemp(join(scratch, 'storage-'));
  try {
    console.log(`\nThe log storage, commands of ${COMMAND_BYTES} bytes, on ${await fileSystemOf(directory)}`);
    for (const batch of BATCHES) await benchPlain(join(directory, `plain-${batch}`), batch);
    await benchShards(directory);
    for (const commandsAWrite of [1, 64]) await benchCodecs(directory, commandsAWrite);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** One writer; the file gets as many bytes a sync as the log does. */
async function benchPlain(directory: string, batch: number): Promise<void> {
  console.log(`\n  The log against a file, append and fdatasync, batches of ${batch}: medians`);
  const fdatasync = promisify(fs.fdatasync);
  const instance = await fileStorage({ directory }).open({ id: 'n1' });
  const log = await StorageLog.begin(await instance.openLog('g'), commands);
  for (let write = 0; write < WARM_UP_WRITES; write += 1) await log.write(log.request(batch));
  const before = instance.stats();
  await log.write(log.request(batch));
  const bytes = Buffer.alloc(instance.stats().bytesWritten - before.bytesWritten, 'x');
  const fd = fs.openSync(join(directory, 'plain'), 'w');
  let end = 0;
  const plain = async (): Promise<void> => {
    end += fs.writeSync(fd, bytes, 0, bytes.length, end);
    await fdatasync(fd);
  };
  const times: Record<'plain' | 'log', number[]> = { plain: [], log: [] };
  const ratios: number[] = [];
  for (let round = 0; round < PLAIN_ROUNDS; round += 1) {
    const requests = Array.from({ length: WRITES_A_TURN }, () => log.request(batch));
    const tasks = {
      plain: requests.map(() => plain),
      log: requests.map((request) => () => log.write(request)),
    };
    const medians = { plain: Number.NaN, log: Number.NaN };
    // Each goes first in turn: what one leaves to the disk is at the expense of the other.
    for (const side of round % 2 === 0 ? (['plain', 'log'] as const) : (['log', 'plain'] as const)) {
      const taken = await timesOf(tasks[side]);
      times[side].push(...taken);
      medians[side] = median(taken);
    }
    ratios.push(medians.plain / medians.log);
  }
  fs.closeSync(fd);
  await instance.close();
  const us = (ms: number): string => `${Math.round(ms * 1000)} us`;
  row('plain', us(median(times.plain)));
  row('log', us(median(times.log)), `${median(ratios).toFixed(2)} of plain`);
}

async function timesOf(tasks: readonly (() => Promise<void>)[]): Promise<number[]> {
  const times: number[] = [];
  for (const task of tasks) {
    const beganAt = clock.now();
    await task();
    times.push(clock.now() - beganAt);
  }
  return times;
}

interface Contender {
  readonly name: string;
  readonly instance: StorageInstance;
  readonly logs: readonly StorageLog[];
}

async function benchShards(directory: string): Promise<void> {
  for (const groups of [GROUPS, 1]) {
    console.log(
      `\n  ${groups} group${groups === 1 ? '' : 's'}: writes/s by callers; x: times files with 1 shard`,
    );
    const contenders: Contender[] = [];
    for (const backend of BACKENDS) {
      for (const shards of SHARDS) {
        const name = `${backend}, ${shards} shard${shards === 1 ? '' : 's'}`;
        const folder = join(directory, `${backend}-${shards}-${groups}`);
        const instance = await fileStorage({ directory: folder, backend, shards }).open({ id: 'n1' });
        contenders.push(await contender(name, instance, groups));
      }
    }
    const byCallers: number[][] = [];
    for (const callers of CALLERS) byCallers.push(await rates(contenders, callers, 1));
    for (const [place, { name, instance }] of contenders.entries()) {
      const cells = byCallers.map((all) => {
        const rate = all[place] ?? Number.NaN;
        return `${thousands(rate)} ${(rate / (all[0] ?? Number.NaN)).toFixed(2)}x`;
      });
      row(name, ...cells);
      await instance.close();
    }
  }
}

async function benchCodecs(directory: string, commandsAWrite: number): Promise<void> {
  const callers = 64;
  const what = commandsAWrite === 1 ? 'one command' : `${commandsAWrite} commands`;
  console.log(
    `\n  Codecs, one group, ${callers} callers with ${what} a write: writes/s, and bytes of the log`,
  );
  const work = nodeWork();
  const contenders: Contender[] = [];
  for (const codec of CODECS) {
    if (codec === 'zstd' && work.zstd === null) continue;
    const folder = join(directory, `${codec}-${commandsAWrite}`);
    contenders.push(
      await contender(codec, await fileStorage({ directory: folder, codec }).open({ id: 'n1' }), 1),
    );
  }
  const measured = await rates(contenders, callers, commandsAWrite);
  for (const [place, { name, instance }] of contenders.entries()) {
    const rate = measured[place] ?? Number.NaN;
    const { rawBytes, bytesWritten, blocks } = instance.stats();
    row(
      name,
      thousands(rate),
      `${(rate / (measured[0] ?? Number.NaN)).toFixed(2)} of none`,
      `raw/stored ${(rawBytes / bytesWritten).toFixed(2)}`,
      `${Math.round(bytesWritten / blocks / 1024)} KiB a block`,
    );
    await instance.close();
  }
  if (work.zstd === null) row('zstd', `needs ${nodesWithZstd}`);
}

async function contender(name: string, instance: StorageInstance, groups: number): Promise<Contender> {
  const logs: StorageLog[] = [];
  for (let group = 0; group < groups; group += 1) {
    logs.push(await StorageLog.begin(await instance.openLog(`g${group}`), commands));
  }
  return { name, instance, logs };
}

/** Writes a second of each, the median of its turns. */
async function rates(
  contenders: readonly Contender[],
  callers: number,
  commandsAWrite: number,
): Promise<number[]> {
  const samples: number[][] = contenders.map(() => []);
  for (const { logs } of contenders) await rateOf(logs, callers, commandsAWrite);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [place, { logs }] of contenders.entries()) {
      samples[place]?.push(await rateOf(logs, callers, commandsAWrite));
    }
  }
  return samples.map(median);
}

async function rateOf(logs: readonly StorageLog[], callers: number, commandsAWrite: number): Promise<number> {
  const beganAt = clock.now();
  let writes = 0;
  const call = async (caller: number): Promise<void> => {
    const log = logs[caller % logs.length];
    while (log !== undefined && clock.now() - beganAt < TURN_MS) {
      await log.write(log.request(commandsAWrite));
      writes += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  return (writes / (clock.now() - beganAt)) * 1000;
}

function thousands(rate: number): string {
  return Math.round(rate).toLocaleString('en');
}
