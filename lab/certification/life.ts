import type { Storage, StorageDoors, StorageInstance, StorageOpenRequest } from '../../src/storage/index.ts';
import type { SimulatedRandom } from '../world/simulated/random.ts';
import type { Medium } from './medium.ts';
import { mediumDatabases } from './medium-databases.ts';
import { mediumDisk } from './medium-disk.ts';
import { packingWork } from './packing-work.ts';
import { Process, Turn } from './process.ts';
import { ProcessClock } from './process-clock.ts';

/** The storage under certification: made anew for each process that uses it. */
export type StorageFactory = (doors: StorageDoors) => Storage;

/** Turns of the event loop in which nothing happens: whatever is waited for waits for time to pass. */
const QUIET_TURNS = 20;
const TURNS_MAX = 10_000;

/** One process with the storage on a medium, from its start to its end. */
export class Life {
  readonly process = new Process();
  readonly clock = new ProcessClock();
  readonly #storage: Storage;
  #dies: () => void = () => {};
  /** Resolves when it is killed. */
  readonly #death = new Promise<typeof DEAD>((resolve) => {
    this.#dies = () => resolve(DEAD);
  });

  constructor(factory: StorageFactory, medium: Medium, random: SimulatedRandom) {
    this.#storage = factory({
      disk: mediumDisk(medium, this.process),
      openDatabase: mediumDatabases(medium, this.process),
      clock: this.clock,
      random,
      work: packingWork,
    });
  }

  open(request: Omit<StorageOpenRequest, 'id'> = {}): Promise<StorageInstance> {
    return this.driven(this.#storage.open({ id: 'n1', ...request }));
  }

  /** As SIGKILL. */
  kill(): void {
    this.process.alive = false;
    this.#dies();
  }

  /**
   * What the work comes to. Where it waits for a timer, time passes.
   *
   * @throws Killed when the process died meanwhile; Error when it waits for nothing that will come.
   */
  async driven<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settling = work.finally(() => {
      settled = true;
    });
    settling.catch(() => {});
    let quiet = 0;
    for (let turns = 0; turns < TURNS_MAX; turns += 1) {
      const next = new Turn();
      await Promise.race([settling.catch(() => {}), this.#death, next.come]);
      next.cancel();
      if (!this.process.alive) throw new Killed();
      if (settled) return settling;
      quiet = this.process.syncs > 0 ? 0 : quiet + 1;
      if (quiet >= QUIET_TURNS && this.clock.runNext()) quiet = 0;
    }
    throw new Error('the storage does not answer, and waits for no timer');
  }
}

const DEAD = Symbol('dead');

/** The process was killed: there is no answer. */
export class Killed extends Error {}
