import { SimulatedClock } from '../../../lab/world/simulated/clock.ts';
import { SimulatedDatabases } from '../../../lab/world/simulated/databases.ts';
import { SimulatedDevice } from '../../../lab/world/simulated/device.ts';
import { SimulatedDisk } from '../../../lab/world/simulated/disk.ts';
import { SimulatedProcess } from '../../../lab/world/simulated/process.ts';
import type { SimulatedRandom } from '../../../lab/world/simulated/random.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import { simulatedWork } from '../../../lab/world/simulated/work.ts';
import type { Clock } from '../../../src/doors/clock.ts';
import type { LogStorage, StorageInstance } from '../../../src/storage/contract.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';
import { fileStorage } from '../../../src/storage/index.ts';
import { LogModel } from './log-model.ts';

export interface StormOptions {
  readonly seed: number;
  readonly backend: 'files' | 'level';
  readonly codec: 'none' | 'gzip' | 'zstd';
  readonly shards: number;
  /** Processes, one after another; each ends by a crash, a failure of the disk, or a clean close. */
  readonly rounds: number;
}

/**
 * A storage on a simulated machine that is killed, loses power, and whose disk fails, over and over.
 * After each opening, what is found must be what some prefix of the writes made, no shorter than what
 * was acknowledged.
 *
 * @returns how often each thing happened.
 * @throws Error saying what was found wrong.
 */
export async function storm(options: StormOptions): Promise<Map<string, number>> {
  const simulation = new Simulation({ seed: options.seed });
  const random = simulation.random.stream('storm');
  const device = new SimulatedDevice({ simulation, name: 'n1', random: random.stream('device') });
  const disk = new SimulatedDisk(device);
  const databases = new SimulatedDatabases(device, disk);
  const clock = new SimulatedClock({ simulation, name: 'n1' });
  const counts = new Map<string, number>();
  const count = (what: string): void => {
    counts.set(what, (counts.get(what) ?? 0) + 1);
  };
  const models = ['a', 'b', 'c'].map((group) => new LogModel(group));
  let boot = 0;

  for (let round = 0; round < options.rounds; round += 1) {
    const process = new SimulatedProcess(simulation, `round ${round}`);
    const storage = fileStorage({
      directory: '/data',
      backend: options.backend,
      codec: options.codec,
      shards: options.shards,
      // A few blocks: floors take whole segments away.
      segmentBytes: 4096,
      doors: {
        clock: clock.door(process),
        random: random.stream(`storage ${round}`),
        disk: disk.door(process),
        work: simulatedWork(process, random.stream(`work ${round}`)),
        openDatabase: databases.door(process),
      },
    });
    const open = async (): Promise<StorageInstance | null> => {
      try {
        const instance = await storage.open({ id: 'n1' });
        if (instance.identity.boot <= boot) throw new Error(`boot ${instance.identity.boot} came again`);
        boot = instance.identity.boot;
        return instance;
      } catch (error) {
        if (error instanceof StorageRefused && error.reason === 'not-writable') return null;
        throw error;
      }
    };
    const life = new Life(random.stream(`life ${round}`), clock.door(process), models, count);
    if (random.chance(400)) {
      const kind = random.chance(500) ? 'sync' : 'write';
      const [fault, atUs] = [kind, random.integer(0, 30_000)] as const;
      process.schedule(atUs, 'fault', 'input', () => device.failNext(fault, 1, 'EIO'));
    }
    const end: { error?: unknown } = {};
    let ended = false;
    life.run(open).then(
      () => {
        ended = true;
      },
      (error: unknown) => {
        end.error = error;
        ended = true;
      },
    );
    const killAtUs = simulation.nowUs + random.integer(0, 60_000);
    const reason = await simulation.run({ atUs: killAtUs, when: () => ended });
    if (end.error !== undefined) throw end.error;
    const power = random.chance(600);
    count(reason === 'condition' ? 'ended by itself' : power ? 'power cut' : 'killed');
    process.kill();
    disk.crash({ power });
    databases.crash({ power });
  }
  return counts;
}

/** One process: opens, checks, writes; after a failure of the disk opens again. */
class Life {
  readonly #random: SimulatedRandom;
  readonly #clock: Clock;
  readonly #models: readonly LogModel[];
  readonly #count: (what: string) => void;

  constructor(
    random: SimulatedRandom,
    clock: Clock,
    models: readonly LogModel[],
    count: (what: string) => void,
  ) {
    this.#random = random;
    this.#clock = clock;
    this.#models = models;
    this.#count = count;
  }

  async run(open: () => Promise<StorageInstance | null>): Promise<void> {
    for (let generation = 0; generation < 3; generation += 1) {
      const instance = await open();
      if (instance === null) {
        this.#count('not writable');
        continue;
      }
      try {
        await this.#write(instance);
      } finally {
        const { rawBytes, bytesWritten } = instance.stats();
        if (rawBytes > bytesWritten) this.#count('compressed');
        await instance.close().catch(() => {});
      }
    }
  }

  async #write(instance: StorageInstance): Promise<void> {
    const logs: { log: LogStorage; model: LogModel }[] = [];
    for (const model of this.#models) {
      const log = await openOrFail(instance, model.group);
      if (log === null) return;
      if (!(await hasRead(model.checkRecovered(log)))) return;
      logs.push({ log, model });
    }
    this.#count('opened');
    let failed = false;
    for (let step = 0; step < 25 && !failed; step += 1) {
      const { log, model } = logs[this.#random.integer(0, logs.length)] ?? {};
      if (log === undefined || model === undefined) return;
      const { request, acknowledge } = model.next(this.#random, { boot: 1, sequence: step + 1 });
      log.write(request).then(
        () => {
          this.#count('acknowledged');
          acknowledge();
        },
        () => {
          failed = true;
        },
      );
      if (this.#random.chance(400)) await this.#sleep(this.#random.integer(0, 4));
    }
    if (failed) this.#count('poisoned');
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(ms, resolve);
    });
  }
}

/** false when the disk failed meanwhile. */
async function hasRead(check: Promise<void>): Promise<boolean> {
  try {
    await check;
    return true;
  } catch (error) {
    if (isFailure(error)) return false;
    throw error;
  }
}

const isFailure = (error: unknown): boolean =>
  ['KONTIKI_STORAGE_FAILED', 'EIO'].includes(String((error as { code?: unknown }).code));

/** null when the disk failed while the open record was written. */
async function openOrFail(instance: StorageInstance, group: string): Promise<LogStorage | null> {
  try {
    return await instance.openLog(group);
  } catch (error) {
    if (isFailure(error)) return null;
    throw error;
  }
}
