import type { OpenDatabase } from '../../../src/doors/database.ts';
import { levelError, noSpaceIn, SimulatedDatabase } from './database.ts';
import { DatabaseContent, type DatabaseEntry } from './database-content.ts';
import { tableKey } from './database-cursor.ts';
import type { SimulatedDevice } from './device.ts';
import type { SimulatedDisk } from './disk.ts';
import { normalizePath } from './file-tree.ts';
import type { SimulatedProcess } from './process.ts';
import type { SimulatedRandom } from './random.ts';

/** All databases of one machine at one moment, by folder. */
export type DatabasesCopy = readonly (readonly [directory: string, entries: readonly DatabaseEntry[]])[];

/** The LevelDBs of one machine, by folder; they outlive the processes there. */
export class SimulatedDatabases {
  readonly #device: SimulatedDevice;
  readonly #databases = new Map<string, DatabaseContent>();
  readonly #holders = new Map<string, SimulatedProcess>();
  readonly #processes = new Set<SimulatedProcess>();

  /** @param disk - where their folders are. */
  constructor(device: SimulatedDevice, disk: Pick<SimulatedDisk, 'onRename'>) {
    this.#device = device;
    disk.onRename = (from, to) => this.#follow(from, to);
    device.holds(() => this.size);
  }

  /** LevelDB as one process sees it. */
  door(process: SimulatedProcess): OpenDatabase {
    this.#processes.add(process);
    process.onKill(() => this.#bury(process));
    return (given) => {
      const directory = normalizePath(given);
      return new SimulatedDatabase({
        directory,
        name: process.name,
        submit: (operation) => this.#device.submit(process, operation),
        room: () => this.#device.room,
        recordBytes: (bytes) => this.#device.simulation.recordBytes(bytes),
        claim: (options) => this.#claim(process, directory, options),
        release: () => this.#holders.delete(directory),
      });
    };
  }

  /**
   * What a crash does once every process is dead. Without `power` every completed write stays; with it,
   * a prefix of what was not synced does.
   * @throws Error when a process that uses these databases still lives.
   */
  crash(options: { readonly power: boolean }): void {
    this.#requireDead();
    if (!options.power) return;
    for (const directory of [...this.#databases.keys()].sort()) {
      this.#databases.get(directory)?.losePower(this.#device.random);
    }
  }

  /** @throws Error when a process that uses these databases still lives. */
  wipe(): void {
    this.#requireDead();
    this.#databases.clear();
  }

  /** What each database shows now. */
  copy(): DatabasesCopy {
    return [...this.#databases.keys()]
      .sort()
      .map((directory) => [directory, this.#databases.get(directory)?.entries() ?? []] as const);
  }

  /** These databases and no others, durable. @throws Error when a process that uses them still lives. */
  replace(copy: DatabasesCopy): void {
    this.wipe();
    for (const [directory, entries] of copy) {
      const content = new DatabaseContent();
      const batch = entries.map(({ key, value }) => ({ key: tableKey(key), value: value.slice() }));
      if (batch.length > 0) content.write(batch, true);
      this.#databases.set(directory, content);
    }
  }

  /** Bytes of all keys and values. */
  get size(): number {
    let bytes = 0;
    for (const content of this.#databases.values()) bytes += content.size;
    return bytes;
  }

  /** Every entry of a database as a program would read it now, in byte order; null when there is none. */
  inspect(directory: string): { readonly key: Uint8Array; readonly value: Uint8Array }[] | null {
    return this.#databases.get(normalizePath(directory))?.entries() ?? null;
  }

  /**
   * The medium rots in so many durable places of these; or in all, so that they do not open any more.
   *
   * @returns how many places it found to rot.
   */
  rot(
    places: number | 'all',
    random: SimulatedRandom,
    of: (directory: string) => boolean = () => true,
  ): number {
    const names = [...this.#databases.keys()].filter(of).sort();
    const contents = names.flatMap((name) => this.#databases.get(name) ?? []);
    if (places === 'all') {
      for (const content of contents) content.opens = false;
      return contents.length;
    }
    let hit = 0;
    for (let place = 0; place < places && contents.length > 0; place += 1) {
      if (contents[random.integer(0, contents.length)]?.rot(random)) hit += 1;
    }
    return hit;
  }

  /** At once durable, also where the rename is not: the folder is back then, and empty. */
  #follow(from: string, to: string): void {
    for (const [directory, content] of [...this.#databases]) {
      if (directory !== from && !directory.startsWith(`${from}/`)) continue;
      this.#databases.delete(directory);
      this.#databases.set(`${to}${directory.slice(from.length)}`, content);
    }
  }

  #requireDead(): void {
    const [living] = this.#processes;
    if (living !== undefined) throw new Error(`process ${living.name} still lives: kill it first`);
  }

  #claim(
    process: SimulatedProcess,
    directory: string,
    options: { readonly createIfMissing: boolean; readonly errorIfExists: boolean },
  ): DatabaseContent {
    if (this.#holders.has(directory)) {
      throw levelError('LEVEL_LOCKED', `IO error: lock ${directory}/LOCK: already held by process`);
    }
    // It begins a new manifest and a new log each time.
    if (this.#device.room === 0) throw noSpaceIn(directory);
    let content = this.#databases.get(directory);
    if (content === undefined) {
      if (!options.createIfMissing) {
        throw new Error(`Invalid argument: ${directory}: does not exist (create_if_missing is false)`);
      }
      content = new DatabaseContent();
      this.#databases.set(directory, content);
    } else if (options.errorIfExists) {
      throw new Error(`Invalid argument: ${directory}: exists (error_if_exists is true)`);
    }
    if (!content.opens) throw levelError('LEVEL_CORRUPTION', `Corruption: ${directory}: missing files`);
    this.#holders.set(directory, process);
    return content;
  }

  #bury(process: SimulatedProcess): void {
    this.#device.abandon(process);
    for (const [directory, holder] of [...this.#holders]) {
      if (holder === process) this.#holders.delete(directory);
    }
    this.#processes.delete(process);
  }
}
