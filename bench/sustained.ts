// The log storage under sustained writing, with compaction running: does it slow down, and how much disk does it take?
import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeClock } from '../src/doors/node-clock.ts';
import { emptyConfiguration } from '../src/raft/configuration.ts';
import { fileStorage, type SnapshotStorage, type StorageInstance } from '../src/storage/index.ts';
import { type BytesWritten, bytesBelow, bytesWritten } from './disk-use.ts';
import { fileSystemOf } from './file-system.ts';
import { RandomBytes } from './random-bytes.ts';
import { inScratchDirectory } from './scratch-directory.ts';
import { StorageLog } from './storage-log.ts';
import { row } from './table.ts';

const GB = 1e9;
const MIB = 1024 * 1024;
const COMMAND_BYTES = 256;
const COMMANDS_A_WRITE = 16;
const CALLERS = 64;
/** As by the default policy of a node, and as it keeps behind a snapshot. */
const SNAPSHOT_EACH_BYTES = 64 * MIB;
const KEEP_ENTRIES = 1_000;
const STATE_BYTES = MIB;
const COMPACTIONS_MIN = 10;
const LEVEL_GB = 2;
/** One commit of the storage takes no more. */
const PLAIN_SYNC_BYTES = 256 * 1024;
const PLAIN_BYTES = 512 * MIB;
const LOOK_EACH_MS = 50;
const SPARE_BYTES = 2 * GB;

const clock = nodeClock();

/** Prints the section. @throws Error when the disk has no room for it all, or nothing was measured. */
export async function benchSustained(scratch: string, gigabytes: number): Promise<void> {
  // Nothing of it is kept for long; but if compaction failed to free anything, the disk would have to hold it.
  const bytesFree = gigabytes * GB + SPARE_BYTES;
  await inScratchDirectory({ scratch, name: 'sustained', bytesFree }, async (directory) => {
    console.log(
      `\nSustained writing of ${gigabytes} GB, pseudo random commands of ${COMMAND_BYTES} bytes, ${CALLERS} callers with ` +
        `${COMMANDS_A_WRITE} a write, on ${await fileSystemOf(directory)}.\n` +
        `  A snapshot of ${mebibytes(STATE_BYTES)} MiB each ${mebibytes(SNAPSHOT_EACH_BYTES)} MiB of commands, then the floor ` +
        `${KEEP_ENTRIES.toLocaleString('en')} entries behind it. MB/s: of commands`,
    );
    row('plain file, before', `${await plainRate(directory)} MB/s`, what);
    for (const backend of ['files', 'level'] as const) {
      const size = backend === 'files' ? gigabytes : Math.min(LEVEL_GB, gigabytes);
      const folder = join(directory, backend);
      await new Sustained(folder, size).measure(backend);
      fs.rmSync(folder, { recursive: true });
    }
    row('plain file, after', `${await plainRate(directory)} MB/s`, what);
  });
}

const what = `append and fdatasync of ${mebibytes(PLAIN_BYTES)} MiB, ${PLAIN_SYNC_BYTES / 1024} KiB a sync`;

/** What the disk gives to one writer that does nothing else, in MB/s. */
async function plainRate(directory: string): Promise<number> {
  const fdatasync = promisify(fs.fdatasync);
  const path = join(directory, 'plain');
  const bytes = new RandomBytes().take(PLAIN_SYNC_BYTES);
  const fd = fs.openSync(path, 'w');
  const beganAt = clock.now();
  for (let end = 0; end < PLAIN_BYTES; end += bytes.length) {
    fs.writeSync(fd, bytes, 0, bytes.length, end);
    await fdatasync(fd);
  }
  const rate = PLAIN_BYTES / 1000 / (clock.now() - beganAt);
  fs.closeSync(fd);
  fs.rmSync(path);
  return Math.round(rate);
}

/** One storage, written to until it has taken so many bytes of commands. */
class Sustained {
  readonly #directory: string;
  readonly #gigabytes: number;
  readonly #random = new RandomBytes();
  #lastIndex = 0;
  #commandBytes = 0;
  #snapshotAtBytes = 0;
  #compacting: Promise<void> | null = null;
  /** The directory's size after each. */
  readonly #compacted: number[] = [];
  #largest = 0;

  constructor(directory: string, gigabytes: number) {
    this.#directory = directory;
    this.#gigabytes = gigabytes;
  }

  async measure(backend: 'files' | 'level'): Promise<void> {
    const instance = await fileStorage({ directory: this.#directory, backend }).open({ id: 'n1' });
    const log = await StorageLog.begin(await instance.openLog('main'), []);
    console.log(`\n  ${backend}, ${this.#gigabytes} GB: by GB; the disk's size: the most in that GB`);
    const looking = setInterval(() => this.#look(), LOOK_EACH_MS);
    const before = bytesWritten(this.#directory);
    const beganAt = clock.now();
    let largest = 0;
    try {
      for (let gigabyte = 1; gigabyte <= this.#gigabytes; gigabyte += 1) {
        const fromMs = clock.now();
        const fromBytes = this.#commandBytes;
        await this.#write(log, instance.snapshots('main'), gigabyte * GB);
        this.#look();
        row(
          `${backend}, GB ${gigabyte}`,
          `${rate(this.#commandBytes - fromBytes, clock.now() - fromMs)} MB/s`,
          `disk ${mebibytes(this.#largest)} MiB`,
          `resident ${mebibytes(process.memoryUsage.rss())} MiB`,
        );
        largest = Math.max(largest, this.#largest);
        this.#largest = 0;
      }
      const tookMs = clock.now() - beganAt;
      await this.#compacting;
      row(`${backend}, all`, `${rate(this.#commandBytes, tookMs)} MB/s`, `disk ${mebibytes(largest)} MiB`);
    } finally {
      clearInterval(looking);
      await instance.close();
    }
    this.#printSizes();
    this.#printAmplification(instance, before);
  }

  /** Until so many bytes of commands are durable, in all. */
  async #write(log: StorageLog, snapshots: SnapshotStorage, upToBytes: number): Promise<void> {
    let begun = this.#commandBytes;
    const call = async (): Promise<void> => {
      while (begun < upToBytes) {
        const commands = this.#nextCommands();
        const bytes = commands.length * COMMAND_BYTES;
        begun += bytes;
        const request = log.requestOf(commands);
        await log.write(request);
        this.#commandBytes += bytes;
        this.#lastIndex = Math.max(this.#lastIndex, request.entries.at(-1)?.index ?? 0);
        if (this.#commandBytes - this.#snapshotAtBytes < SNAPSHOT_EACH_BYTES || this.#compacting !== null)
          continue;
        this.#compacting = this.#compact(log, snapshots).then(() => {
          this.#compacting = null;
        });
        // One that failed stays, and is heard of at the end.
        this.#compacting.catch(() => {});
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
  }

  #nextCommands(): Uint8Array[] {
    const bytes = this.#random.take(COMMAND_BYTES * COMMANDS_A_WRITE);
    return Array.from({ length: COMMANDS_A_WRITE }, (_, at) =>
      bytes.subarray(at * COMMAND_BYTES, (at + 1) * COMMAND_BYTES),
    );
  }

  /** As a node does: a snapshot of what is applied, beside the writing; once it is durable, the floor. */
  async #compact(log: StorageLog, snapshots: SnapshotStorage): Promise<void> {
    this.#snapshotAtBytes = this.#commandBytes;
    const at = { index: this.#lastIndex, term: 1, configuration: emptyConfiguration };
    await snapshots.write(at, [this.#random.take(STATE_BYTES)]);
    await log.write(log.requestFloor({ ...at, index: at.index - KEEP_ENTRIES }));
    this.#look();
    this.#compacted.push(bytesBelow(this.#directory));
  }

  #look(): void {
    this.#largest = Math.max(this.#largest, bytesBelow(this.#directory));
  }

  /** @throws Error when there are too few of them to say anything. */
  #printSizes(): void {
    const sizes = this.#compacted;
    if (sizes.length < COMPACTIONS_MIN) throw new Error(`the log was compacted ${sizes.length} times only`);
    console.log(
      `  The directory after each of ${sizes.length} compactions, MiB; to be kept are a snapshot of ` +
        `${mebibytes(STATE_BYTES)} MiB, ${KEEP_ENTRIES.toLocaleString('en')} entries and what came since the snapshot was begun`,
    );
    for (let from = 0; from < sizes.length; from += COMPACTIONS_MIN) {
      const some = sizes.slice(from, from + COMPACTIONS_MIN);
      const name = `compactions ${from + 1} to ${from + some.length}`;
      console.log(`  ${name.padEnd(26)}${some.map((size) => mebibytes(size).padStart(6)).join('')}`);
    }
  }

  #printAmplification(instance: StorageInstance, before: BytesWritten): void {
    const after = bytesWritten(this.#directory);
    const { bytesWritten: logBytes, blocks } = instance.stats();
    console.log('  Bytes written, and times the bytes of the commands');
    const commands = this.#commandBytes;
    const line = (name: string, bytes: number | null, how: string): void => {
      if (bytes === null) row(name, 'not told by this system');
      else row(name, `${(bytes / GB).toFixed(3)} GB`, (bytes / commands).toFixed(3), ` ${how}`);
    };
    line('commands', commands, 'their payloads');
    line(
      'log',
      logBytes,
      `blocks of ${Math.round(logBytes / blocks / 1024)} KiB, by the storage's own count`,
    );
    line(
      'all files',
      since(after.handedOver, before.handedOver),
      'log, mark, floor, snapshots: wchar of /proc/self/io',
    );
    line(
      'to the page cache',
      since(after.dirtied, before.dirtied),
      'whole pages made dirty: write_bytes of /proc/self/io',
    );
    line(
      'to the device',
      since(after.device, before.device),
      "sectors, the file system's own and other programs' included",
    );
  }
}

function since(after: number | null, before: number | null): number | null {
  return after === null || before === null ? null : after - before;
}

function rate(bytes: number, ms: number): string {
  if (!(bytes > 0 && ms > 0)) throw new Error('nothing was written, so nothing was measured');
  return String(Math.round(bytes / 1000 / ms));
}

function mebibytes(bytes: number): string {
  return String(Math.round(bytes / MIB));
}
