import { SimulatedClock } from '../../../lab/world/simulated/clock.ts';
import { SimulatedDatabases } from '../../../lab/world/simulated/databases.ts';
import { SimulatedDevice } from '../../../lab/world/simulated/device.ts';
import { SimulatedDisk } from '../../../lab/world/simulated/disk.ts';
import { SimulatedProcess } from '../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import { simulatedWork } from '../../../lab/world/simulated/work.ts';
import type { Disk } from '../../../src/doors/disk.ts';
import { blockMagic } from '../../../src/storage/disk/block-header.ts';
import { fileStorage, type Storage, type StorageDoors } from '../../../src/storage/index.ts';

export type BackendName = 'files' | 'level';

/** What a medium does to a block. */
export type Strike = 'flipped' | 'zeroed' | 'removed';

/** One simulated machine with one storage on it, for tests that stop it at each of its steps. */
export class Machine {
  readonly simulation: Simulation;
  readonly device: SimulatedDevice;
  readonly #disk: SimulatedDisk;
  readonly #databases: SimulatedDatabases;
  readonly #clock: SimulatedClock;
  readonly #backend: BackendName;
  #lives = 0;

  constructor({ seed, backend }: { readonly seed: number; readonly backend: BackendName }) {
    this.simulation = new Simulation({ seed });
    const random = this.simulation.random.stream('device');
    this.device = new SimulatedDevice({ simulation: this.simulation, name: 'n1', random });
    this.#disk = new SimulatedDisk(this.device);
    this.#databases = new SimulatedDatabases(this.device, this.#disk);
    this.#clock = new SimulatedClock({ simulation: this.simulation, name: 'n1' });
    this.#backend = backend;
  }

  /** What is in a database as a program would read it now. */
  recordsIn(directory: string): number {
    return this.#databases.inspect(directory)?.length ?? 0;
  }

  /** All that is kept of logs: blocks, floors, marks. */
  logs(): unknown {
    const files = this.#disk.copy().files.filter(([path]) => /shard-|floor-|mark/.test(path));
    return JSON.stringify([files, this.#databases.copy()]);
  }

  /** Damages the block that has this text in it, between two lives. @throws Error when there is none. */
  strike(text: string, how: Strike): void {
    const struck = { count: 0 };
    const inFile = (bytes: Uint8Array): Uint8Array => strikeWithin(Buffer.from(bytes), text, how, struck);
    const { folders, files } = this.#disk.copy();
    this.#disk.replace({
      folders,
      files: files.map(([path, bytes]) => [path, path.includes('shard-') ? inFile(bytes) : bytes] as const),
    });
    this.#databases.replace(
      this.#databases.copy().map(([directory, entries]) => {
        const left = entries.map(({ key, value }) => ({ key, value: inFile(value) }));
        return [directory, left.filter(({ value }) => value.length > 0)] as const;
      }),
    );
    if (struck.count !== 1) throw new Error(`${struck.count} blocks have the text ${text}`);
  }

  /** Files that are not there any more, between two lives. */
  lose(isLost: (path: string) => boolean): void {
    const { folders, files } = this.#disk.copy();
    this.#disk.replace({ folders, files: files.filter(([path]) => !isLost(path)) });
  }

  /** Flips a bit of this text in a file, whoever has it open. */
  strikeLive(text: string): void {
    for (const [path, bytes] of this.#disk.copy().files) {
      const at = Buffer.from(bytes).indexOf(text);
      if (at !== -1) this.#disk.damage(path, at, 1);
    }
  }

  /**
   * Runs a process until it ends by itself, or for `events` events; then it is killed, and loses power
   * if `power` says so.
   *
   * @returns whether it ended by itself.
   * @throws what the body threw.
   */
  async live(
    body: (storage: Storage, disk: Disk, doors: StorageDoors) => Promise<void>,
    { events = Number.POSITIVE_INFINITY, power }: { readonly events?: number; readonly power: boolean },
  ): Promise<boolean> {
    this.#lives += 1;
    const process = new SimulatedProcess(this.simulation, `life ${this.#lives}`);
    const random = this.simulation.random.stream(`life ${this.#lives}`);
    const disk = this.#disk.door(process);
    const doors: StorageDoors = {
      clock: this.#clock.door(process),
      random: random.stream('storage'),
      disk,
      work: simulatedWork(process, random.stream('work')),
      openDatabase: this.#databases.door(process),
    };
    const storage = fileStorage({ directory: '/data', backend: this.#backend, segmentBytes: 4096, doors });
    const end: { ended: boolean; error?: unknown } = { ended: false };
    body(storage, disk, doors).then(
      () => {
        end.ended = true;
      },
      (error: unknown) => {
        end.error = error;
        end.ended = true;
      },
    );
    await this.simulation.run({
      when: () => end.ended,
      ...(events === Number.POSITIVE_INFINITY ? {} : { eventsMax: events }),
    });
    process.kill();
    this.#disk.crash({ power });
    this.#databases.crash({ power });
    if (end.error !== undefined) throw end.error;
    return end.ended;
  }
}

/**
 * Tries a story with a crash after each event of its part under test, until one gets to its end. The story
 * gives that part `events` and says whether it ended by itself.
 */
export async function stoppedEverywhere(story: (events: number) => Promise<boolean>): Promise<number> {
  for (let events = 0; ; events += 1) {
    try {
      if (await story(events)) return events;
    } catch (error) {
      throw new Error(`stopped after ${events} events: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
}

/** Blocks stand one after another, each from one magic to the next. */
function strikeWithin(bytes: Buffer, text: string, how: Strike, struck: { count: number }): Buffer {
  const at = bytes.indexOf(text);
  if (at === -1) return bytes;
  struck.count += 1;
  const from = bytes.lastIndexOf(blockMagic, at);
  const next = bytes.indexOf(blockMagic, at);
  const to = next === -1 ? bytes.length : next;
  if (how === 'removed') return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  if (how === 'zeroed') bytes.fill(0, from, to);
  else bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}
