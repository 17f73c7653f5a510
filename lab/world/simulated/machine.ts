import { OutcomeUnknown } from '../../../src/node/errors.ts';
import type { Observation } from '../../../src/node/observation.ts';
import type { RaftNodeOptions } from '../../../src/node/options.ts';
import { RaftNode } from '../../../src/node/raft-node.ts';
import { snapshotPolicy } from '../../../src/node/snapshot-policy.ts';
import type { StateMachine } from '../../../src/node/state-machine.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import { fileStorage } from '../../../src/storage/index.ts';
import type { ClusterSpec, DiskSpec, RottenFiles } from '../../scenario/scenario.ts';
import { SimulatedClock } from './clock.ts';
import { type DatabasesCopy, SimulatedDatabases } from './databases.ts';
import { SimulatedDevice } from './device.ts';
import { SimulatedDisk } from './disk.ts';
import type { TreeCopy } from './file-tree.ts';
import type { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';
import type { SimulatedRandom } from './random.ts';
import type { Simulation } from './simulation.ts';
import { simulatedTransport } from './transport.ts';
import { simulatedWork } from './work.ts';

export interface MachineOptions<Command, Result, Query, Answer> {
  readonly simulation: Simulation;
  readonly network: SimulatedNetwork;
  /** Of the replica. */
  readonly id: NodeId;
  /** Of the machine, which is also its address. Default: the replica's id. */
  readonly name?: NodeId;
  /** How the replica gets into a cluster; asked at the first start, and kept for all others. */
  readonly flags: () => EntryFlags;
  readonly cluster: ClusterSpec;
  readonly disk: DiskSpec;
  /** A fresh state machine, for each start of the process. */
  readonly stateMachine: (replica: NodeId) => StateMachine<Command, Result, Query, Answer>;
  readonly observe: (observation: Observation) => void;
  /** A replica refused to open. Default: the simulation fails. */
  readonly refused?: (error: unknown) => void;
}

/** Who founds a cluster, or whom to ask to be let into one. */
export type EntryFlags = { readonly members: readonly NodeId[] } | { readonly seeds: readonly NodeId[] };

/** All that the disk of a machine held at one moment. */
export interface DiskCopy {
  readonly files: TreeCopy;
  readonly databases: DatabasesCopy;
}

const DIRECTORY = '/data';
/** What begins like this was put aside. */
const ASIDE = `${DIRECTORY}/damaged-`;
const PATHS: Readonly<Record<RottenFiles, RegExp>> = {
  blocks: /\.blocks$/,
  'hard-state': /\/hard-state-[12]$/,
  identity: /\/identity$/,
  mark: /\/mark$/,
  floor: /\/floor-[^/]*$/,
  snapshots: /\/snapshots-[^/]*\/[^/]*$/,
};

/**
 * One machine of a simulated cluster: its clock and its disk outlive the processes that run the replica
 * there, one after another. The replica is the production RaftNode on the production storage.
 */
export class SimulatedMachine<Command, Result, Query, Answer> {
  readonly id: NodeId;
  readonly name: NodeId;
  readonly clock: SimulatedClock;
  readonly device: SimulatedDevice;
  readonly #options: MachineOptions<Command, Result, Query, Answer>;
  readonly #rotRandom: SimulatedRandom;
  readonly #disk: SimulatedDisk;
  readonly #databases: SimulatedDatabases;
  #process: SimulatedProcess | null = null;
  #node: RaftNode<Command, Result, Query, Answer> | null = null;
  #starts = 0;
  #flags: EntryFlags | null = null;
  /** Callers who lose their connection when the process dies. */
  readonly #calls = new Set<(error: Error) => void>();

  constructor(options: MachineOptions<Command, Result, Query, Answer>) {
    this.#options = options;
    const { simulation, id, name = id, disk } = options;
    this.id = id;
    this.name = name;
    this.clock = new SimulatedClock({ simulation, name });
    const operation = { fromUs: disk.latency.fromMs * 1000, toUs: disk.latency.toMs * 1000 };
    const random = simulation.random.stream(`disk of ${name}`);
    this.#rotRandom = random.stream('rot');
    this.device = new SimulatedDevice({
      simulation,
      name,
      random,
      latency: { read: operation, write: operation, sync: operation },
    });
    this.#disk = new SimulatedDisk(this.device);
    this.#databases = new SimulatedDatabases(this.device, this.#disk);
  }

  /** null while the process is down, or its storage is being opened. */
  get node(): RaftNode<Command, Result, Query, Answer> | null {
    return this.#node;
  }

  get running(): boolean {
    return this.#process?.state === 'running';
  }

  /** Starts the process; a no-op while it lives. A replica that refuses to open fails the simulation. */
  start(): void {
    if (this.#process?.alive === true) return;
    const { simulation } = this.#options;
    this.#starts += 1;
    const process = new SimulatedProcess(simulation, `${this.name}#${this.#starts}`);
    this.#process = process;
    RaftNode.open(this.#nodeOptions(process)).then(
      (node) => {
        if (this.#process === process) this.#node = node;
      },
      (error: unknown) => {
        if (this.#options.refused) this.#options.refused(error);
        else simulation.fail(error, `the start of ${this.name}`);
      },
    );
  }

  /** A no-op while the process is down. */
  crash(options: { readonly power: boolean }): void {
    const process = this.#process;
    if (process?.alive !== true) return;
    process.kill();
    this.#process = null;
    this.#node = null;
    this.#disk.crash(options);
    this.#databases.crash(options);
    for (const reject of [...this.#calls]) {
      reject(new OutcomeUnknown(`the connection to ${this.name} broke: its process died`));
    }
    this.#calls.clear();
  }

  /** Empties the disk. @throws Error while the process lives. */
  wipeDisk(): void {
    this.#disk.wipe();
    this.#databases.wipe();
  }

  /** As a program would copy the directory, at one moment, while the replica runs on. */
  copyDisk(): DiskCopy {
    return { files: this.#disk.copy(), databases: this.#databases.copy() };
  }

  /** The disk holds that copy and nothing else. @throws Error while the process lives. */
  replaceDisk({ files, databases }: DiskCopy): void {
    this.#disk.replace(files);
    this.#databases.replace(databases);
  }

  /** Durable places of these files rot, but not of what was put aside. @returns how many: none where nothing is durable. */
  rotDisk(what: RottenFiles, places: number | 'all'): number {
    if (what === 'blocks' && this.#options.cluster.backend === 'level') {
      return this.#databases.rot(places, this.#rotRandom, (path) => !path.startsWith(ASIDE));
    }
    const isOne = (path: string): boolean => PATHS[what].test(path) && !path.startsWith(ASIDE);
    return this.#disk.rot(isOne, places, this.#rotRandom);
  }

  /** Bytes on the disk. */
  get diskBytes(): number {
    return this.#disk.size + this.#databases.size;
  }

  /** A no-op while the process is down. */
  pause(): void {
    if (this.#process?.alive === true) this.#process.pause();
  }

  resume(): void {
    if (this.#process?.alive === true) this.#process.resume();
  }

  /**
   * A client's call over a connection to this machine: refused while the process is down, held up while
   * it is paused, broken when it dies. null: refused, and nothing was done.
   */
  call<T>(make: (node: RaftNode<Command, Result, Query, Answer>) => Promise<T>): Promise<T> | null {
    const process = this.#process;
    const node = this.#node;
    if (process === null || node === null) return null;
    return new Promise<T>((resolve, reject) => {
      this.#calls.add(reject);
      process.deliver(`a client calls ${this.name}`, 'input', () => {
        make(node)
          .then(resolve, reject)
          .finally(() => this.#calls.delete(reject));
      });
    });
  }

  #entry(): Pick<RaftNodeOptions<Command, Result, Query, Answer>, 'bootstrap' | 'join'> {
    this.#flags ??= this.#options.flags();
    const at = (id: NodeId): { id: NodeId; address: string } => ({ id, address: id });
    return 'members' in this.#flags
      ? { bootstrap: { members: this.#flags.members.map(at) } }
      : { join: { seeds: this.#flags.seeds.map(at) } };
  }

  #nodeOptions(process: SimulatedProcess): RaftNodeOptions<Command, Result, Query, Answer> {
    const { simulation, network, id, cluster, stateMachine, observe } = this.#options;
    const { snapshots, sessions, limits } = cluster;
    const random = simulation.random.stream(process.name);
    const clock = this.clock.door(process);
    return {
      id,
      doors: { clock, random: random.stream('node') },
      storage: fileStorage({
        directory: DIRECTORY,
        backend: cluster.backend,
        codec: cluster.codec,
        shards: cluster.shards,
        segmentBytes: cluster.segmentBytes,
        scrubIntervalMs: cluster.scrubIntervalMs,
        reserveBytes: cluster.reserveBytes,
        doors: {
          clock,
          random: random.stream('storage'),
          disk: this.#disk.door(process),
          work: simulatedWork(process, random.stream('work')),
          openDatabase: this.#databases.door(process),
        },
      }),
      transport: simulatedTransport(network, process, this.name),
      stateMachine: stateMachine(this.name),
      ...this.#entry(),
      pendingRequestsMax: limits.pendingRequests,
      snapshots: snapshotPolicy({ entries: snapshots.entries, keepEntries: snapshots.keepEntries }),
      sessionsMax: sessions.max,
      sessionTimeoutMs: sessions.timeoutMs,
      sessionResultBytesMax: sessions.resultBytesMax,
      raft: {
        electionTimeoutMinMs: cluster.electionTimeout.fromMs,
        electionTimeoutMaxMs: cluster.electionTimeout.toMs,
        heartbeatIntervalMs: cluster.heartbeatMs,
        messageBytesMax: limits.messageBytes,
        inflightMessagesMax: limits.windowMessages,
        inflightBytesMax: limits.windowBytes,
        uncommittedBytesMax: limits.uncommittedBytes,
        diskBacklogBytesMax: limits.diskBacklogBytes,
        cacheBytesMax: limits.cacheBytes,
        applyBytesMax: limits.applyBytes,
        snapshotChunkBytes: snapshots.chunkBytes,
        snapshotBytesPerSecondMax: snapshots.bytesPerSecond,
        clockDriftMaxRatio: cluster.clockDriftPerMille === null ? null : cluster.clockDriftPerMille / 1000,
      },
      observer: (observation) => {
        if (process.alive) observe(observation);
      },
    };
  }
}
