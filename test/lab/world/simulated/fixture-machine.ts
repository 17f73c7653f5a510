import { SimulatedDatabases } from '../../../../lab/world/simulated/databases.ts';
import { SimulatedDevice } from '../../../../lab/world/simulated/device.ts';
import { SimulatedDisk } from '../../../../lab/world/simulated/disk.ts';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';
import type { Database } from '../../../../src/doors/database.ts';
import type { Disk } from '../../../../src/doors/disk.ts';
import { play } from './play.ts';

/** A machine with a disk and databases, and one process after another on it. */
export class Machine {
  readonly simulation: Simulation;
  readonly device: SimulatedDevice;
  readonly files: SimulatedDisk;
  readonly databases: SimulatedDatabases;
  #boot = 0;
  #current: { program: SimulatedProcess; disk: Disk; openDatabase: (directory: string) => Database };

  constructor(seed = 1) {
    this.simulation = new Simulation({ seed });
    const random = this.simulation.random.stream('n1');
    this.device = new SimulatedDevice({ simulation: this.simulation, name: 'n1', random });
    this.files = new SimulatedDisk(this.device);
    this.databases = new SimulatedDatabases(this.device, this.files);
    this.#current = this.#start();
  }

  get program(): SimulatedProcess {
    return this.#current.program;
  }

  get disk(): Disk {
    return this.#current.disk;
  }

  openDatabase(directory: string): Database {
    return this.#current.openDatabase(directory);
  }

  /** The process dies, with the power or without, and the next one begins. */
  crash(options: { readonly power: boolean }): void {
    this.program.kill();
    this.files.crash(options);
    this.databases.crash(options);
    this.#current = this.#start();
  }

  /** A second process beside the first. */
  neighbour(): { program: SimulatedProcess; disk: Disk; openDatabase: (directory: string) => Database } {
    return this.#start();
  }

  play<T>(script: (disk: Disk) => Promise<T>): Promise<T> {
    return play(this.simulation, () => script(this.disk));
  }

  #start(): { program: SimulatedProcess; disk: Disk; openDatabase: (directory: string) => Database } {
    this.#boot += 1;
    const program = new SimulatedProcess(this.simulation, `n1#${this.#boot}`);
    return { program, disk: this.files.door(program), openDatabase: this.databases.door(program) };
  }
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
export const bytes = (content: string): Uint8Array => new Uint8Array(Buffer.from(content, 'latin1'));

/** The code a promise rejects with, or 'resolved'. */
export const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code ?? error,
  );
