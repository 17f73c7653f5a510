import { Removed, Retired } from '../../../src/node/errors.ts';
import type { Observation } from '../../../src/node/observation.ts';
import type { StateMachine } from '../../../src/node/state-machine.ts';
import { type Configuration, members } from '../../../src/raft/configuration.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import type { RaftState } from '../../../src/raft/state.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/transport/wire.ts';
import type { Violation, WorldObservation } from '../../checkers/checker.ts';
import { holdPromises } from '../../scenario/fault-traits.ts';
import { idsUpTo } from '../../scenario/membership-checks.ts';
import type { DiskOperation, DurationRange, RottenFiles, Scenario } from '../../scenario/scenario.ts';
import { Operator } from '../operator.ts';
import type { Link, LinkTrouble, OrderedChange, World } from '../world.ts';
import { type DiskCopy, type EntryFlags, SimulatedMachine } from './machine.ts';
import { type LinkQuality, SimulatedNetwork } from './network.ts';
import { askForChange, settledConfiguration, whatIsKnown } from './operate.ts';
import type { RangeUs } from './random.ts';
import type { Simulation } from './simulation.ts';

/** A leadership as somebody outside sees it begin. */
export interface Leadership {
  readonly atMs: number;
  readonly replica: NodeId;
  readonly term: number;
}

export interface ClusterOptions<Command, Result, Query, Answer> {
  readonly simulation: Simulation;
  readonly scenario: Scenario;
  /** A fresh one for each start of a process on this machine. */
  readonly stateMachine: (machine: NodeId) => StateMachine<Command, Result, Query, Answer>;
  readonly observe: (observation: WorldObservation) => void;
  /** A change of the membership that did not come about in time, or a false answer to who asked for it. */
  readonly found: (violation: Violation) => void;
}

const MEMBERSHIP_WITHIN_MS = 20_000;
/** A removed replica that does not stop by itself is stopped by the operator. */
const LEAVES_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 100;

/** Replicas on machines in one network, and what faults can do to them. */
export class SimulatedCluster<Command, Result, Query, Answer> implements World {
  static readonly membership = 'membership';
  static readonly membershipWithin = 'membership-within';
  readonly machineIds: readonly NodeId[];
  readonly machines: ReadonlyMap<NodeId, SimulatedMachine<Command, Result, Query, Answer>>;
  /** Every leadership so far, in order of their beginnings. */
  readonly leaderships: Leadership[] = [];
  readonly #options: ClusterOptions<Command, Result, Query, Answer>;
  readonly #simulation: Simulation;
  readonly #network: SimulatedNetwork;
  readonly #operator: Operator;
  readonly #founders: readonly NodeId[];
  readonly #doubles = new Map<NodeId, SimulatedMachine<Command, Result, Query, Answer>>();
  /** The term each replica leads, as of its last step. */
  readonly #leads = new Map<NodeId, number>();
  /** What the latest leader goes by; null before the first. */
  #inForce: { readonly term: number; readonly configuration: Configuration } | null = null;
  #voters: readonly NodeId[];
  /** Those that an operator asked to leave, and that did not come back. */
  readonly #leaving = new Set<NodeId>();
  /** Those whose disk was ever set back. */
  readonly #setBack = new Set<NodeId>();
  /** Those whose promises ever rotted. */
  readonly #promisesRotted = new Set<NodeId>();

  constructor(options: ClusterOptions<Command, Result, Query, Answer>) {
    this.#options = options;
    this.#simulation = options.simulation;
    const { cluster, network, expect } = options.scenario;
    this.#founders = idsUpTo(cluster.replicas);
    this.#voters = this.#founders;
    this.machineIds = idsUpTo(cluster.replicas + cluster.spares);
    this.#network = new SimulatedNetwork({
      simulation: this.#simulation,
      random: this.#simulation.random.stream('network'),
      codec: { encode: encodeEnvelope, decode: decodeEnvelope },
      quality: {
        latency: rangeUs(network.latency),
        lossPerMille: network.lossPerMille,
        duplicatePerMille: network.duplicatePerMille,
      },
    });
    this.machines = new Map(this.machineIds.map((id) => [id, this.#build(id, id, () => this.#flagsOf(id))]));
    this.#operator = new Operator({
      cluster: {
        leader: () => this.leader(),
        ask: (replica, change, timeoutMs) => askForChange(this.machine(replica), change, timeoutMs),
        knows: (replica) => whatIsKnown(this.machine(replica)),
        settled: () => this.settled(),
      },
      nowMs: () => this.nowMs,
      schedule: (delayMs, label, callback) => this.#schedule(delayMs, label, callback),
      withinMs: expect.membershipWithinMs ?? MEMBERSHIP_WITHIN_MS,
      late: (sentence) =>
        options.found({ checker: SimulatedCluster.membershipWithin, sentence, atMs: this.nowMs }),
      wrong: (sentence) =>
        options.found({ checker: SimulatedCluster.membership, sentence, atMs: this.nowMs }),
    });
  }

  /** Virtual milliseconds. */
  get nowMs(): number {
    return this.#simulation.nowUs / 1000;
  }

  /** The voters by the configuration that the latest leader goes by. */
  get replicas(): readonly NodeId[] {
    return this.#voters;
  }

  /** Of the configuration that the latest leader goes by; null before the first. */
  get configuration(): Configuration | null {
    return this.#inForce?.configuration ?? null;
  }

  /** The founders; spares wait until they are taken in. */
  start(): void {
    for (const id of this.#founders) this.machine(id).start();
  }

  machine(id: NodeId): SimulatedMachine<Command, Result, Query, Answer> {
    const machine = this.machines.get(id) ?? this.#doubles.get(id);
    if (machine === undefined) throw new RangeError(`there is no machine ${id}`);
    return machine;
  }

  leader(): NodeId | null {
    let found: NodeId | null = null;
    let term = 0;
    for (const id of this.machineIds) {
      const leads = this.#leads.get(id) ?? 0;
      if (leads > term && this.machine(id).running) {
        found = id;
        term = leads;
      }
    }
    return found;
  }

  /** The term the replica leads; 0 when it does not. */
  termLedBy(id: NodeId): number {
    return this.#leads.get(id) ?? 0;
  }

  /** What the leader knows to be committed, if no change is under way; else null. */
  settled(): Configuration | null {
    const leader = this.leader();
    return leader === null ? null : settledConfiguration(this.machine(leader));
  }

  /**
   * Whether a replica may stop by itself for this reason: an operator removed it, its disk was set back or what it
   * had promised rotted, so that it is another server from its next start on, or it is a mere double.
   */
  mayStop(machine: NodeId, error: unknown): boolean {
    if (error instanceof Removed) return this.#leaving.has(machine) || this.#doubles.has(machine);
    if (!(error instanceof Retired)) return false;
    return this.#setBack.has(machine) || this.#doubles.has(machine) || this.#promisesRotted.has(machine);
  }

  cut(links: readonly Link[]): () => void {
    return this.#network.cut(links);
  }

  trouble(links: readonly Link[], trouble: LinkTrouble): () => void {
    return this.#network.override(links, qualityOf(trouble));
  }

  failDisk(replica: NodeId, operation: DiskOperation, times: number): void {
    this.machine(replica).device.failNext(operation, times);
  }

  hangDisk(replica: NodeId): () => void {
    return this.machine(replica).device.stall();
  }

  slowDisk(replica: NodeId, latency: DurationRange): () => void {
    const operation = rangeUs(latency);
    return this.machine(replica).device.slow({ read: operation, write: operation, sync: operation });
  }

  fillDisk(replica: NodeId, bytesLeft: number): () => void {
    return this.machine(replica).device.fill(bytesLeft);
  }

  rotDisk(replica: NodeId, what: RottenFiles, places: number | 'all'): void {
    const hit = this.machine(replica).rotDisk(what, places);
    if (hit === 0) return;
    if (holdPromises(what)) this.#promisesRotted.add(replica);
    this.#options.observe({ atMs: this.nowMs, replica, kind: 'rotted', what, places: hit });
  }

  jumpClock(replica: NodeId, byMs: number): void {
    this.machine(replica).clock.jump(byMs * 1000);
  }

  setClockRate(replica: NodeId, perMille: number): void {
    this.machine(replica).clock.setRate(perMille);
  }

  crash(replica: NodeId, options: { readonly power: boolean }): void {
    this.machine(replica).crash(options);
    this.#leads.delete(replica);
    this.#options.observe({ atMs: this.nowMs, replica, kind: 'crashed', power: options.power });
  }

  wipe(replica: NodeId): void {
    this.crash(replica, { power: false });
    this.machine(replica).wipeDisk();
    this.#options.observe({ atMs: this.nowMs, replica, kind: 'wiped' });
  }

  /** Kills the process and sets its disk back to what it held when it was copied. */
  rollBack(replica: NodeId, disk: DiskCopy): void {
    this.crash(replica, { power: false });
    this.machine(replica).replaceDisk(disk);
    this.#setBack.add(replica);
    this.#options.observe({ atMs: this.nowMs, replica, kind: 'rolled-back' });
  }

  /** Nobody who was removed comes back by itself. */
  restart(replica: NodeId): void {
    if (!this.#leaving.has(replica)) this.machine(replica).start();
  }

  pause(replica: NodeId): void {
    this.machine(replica).pause();
  }

  resume(replica: NodeId): void {
    this.machine(replica).resume();
  }

  changeMembership(change: OrderedChange, onOver: () => void): void {
    const newcomers = [...change.add, ...change.addLearners, ...change.replace.map(({ by }) => by)];
    for (const id of newcomers) {
      this.#leaving.delete(id);
      this.machine(id).start();
    }
    const leavers = [...change.remove, ...change.replace.map(({ id }) => id)];
    for (const id of leavers) this.#leaving.add(id);
    this.#operator.change(change, () => {
      for (const id of leavers) this.#seeOut(id, LEAVES_WITHIN_MS);
      onOver();
    });
  }

  /**
   * Starts another machine, under its own name and address, that runs a replica of the given id, with a copy
   * of a disk or an empty one. The cluster does not count on it, and nor do its clients.
   */
  startDouble(double: {
    readonly name: NodeId;
    readonly of: NodeId;
    readonly disk: DiskCopy | null;
    readonly flags: EntryFlags;
    readonly refused?: (error: unknown) => void;
  }): SimulatedMachine<Command, Result, Query, Answer> {
    const machine = this.#build(double.of, double.name, () => double.flags, double.refused);
    this.#doubles.set(double.name, machine);
    if (double.disk !== null) machine.replaceDisk(double.disk);
    machine.start();
    return machine;
  }

  #build(
    id: NodeId,
    name: NodeId,
    flags: () => EntryFlags,
    refused?: (error: unknown) => void,
  ): SimulatedMachine<Command, Result, Query, Answer> {
    const { scenario, stateMachine } = this.#options;
    return new SimulatedMachine({
      simulation: this.#simulation,
      network: this.#network,
      id,
      name,
      flags,
      cluster: scenario.cluster,
      disk: scenario.disk,
      stateMachine,
      observe: (observation) => this.#onObservation(name, observation),
      ...(refused === undefined ? {} : { refused }),
    });
  }

  /** Whoever comes later knows those who are members then. */
  #flagsOf(id: NodeId): EntryFlags {
    return this.#founders.includes(id) ? { members: this.#founders } : { seeds: this.replicas };
  }

  /** The machine of a removed replica goes down once it has stopped by itself, and else after a while. */
  #seeOut(id: NodeId, patienceMs: number): void {
    if (!this.#leaving.has(id)) return;
    const { node, running } = this.machine(id);
    if (!running) return;
    if (patienceMs <= 0 || node?.status().state === 'stopped') this.crash(id, { power: false });
    else {
      this.#schedule(LOOK_EVERY_MS, `${id} is leaving`, () => this.#seeOut(id, patienceMs - LOOK_EVERY_MS));
    }
  }

  #schedule(delayMs: number, label: string, callback: () => void): void {
    this.#simulation.schedule(delayMs * 1000, label, callback);
  }

  #onObservation(replica: NodeId, observation: Observation): void {
    if (observation.kind === 'step') {
      const { role, hardState } = observation.state;
      if (role !== 'leader') this.#leads.delete(replica);
      else {
        if (this.#leads.get(replica) !== hardState.term) {
          this.#leads.set(replica, hardState.term);
          this.leaderships.push({ atMs: this.nowMs, replica, term: hardState.term });
        }
        this.#noteConfiguration(observation.state);
      }
    } else if (observation.kind === 'write-failed' || observation.kind === 'stopped') {
      this.#leads.delete(replica);
    }
    this.#options.observe({ atMs: this.nowMs, replica, kind: 'replica', observation });
  }

  #noteConfiguration({ hardState: { term }, configurations }: RaftState): void {
    const configuration = configurations.at(-1)?.configuration;
    const known = this.#inForce;
    if (!configuration || configuration === known?.configuration || term < (known?.term ?? 0)) return;
    this.#inForce = { term, configuration };
    this.#voters = this.#inOrder(configuration.voters);
  }

  /** Every member, learners and those who are about to leave included, in the cluster's order. */
  get members(): readonly NodeId[] {
    return this.#inForce === null ? this.#founders : this.#inOrder(members(this.#inForce.configuration));
  }

  #inOrder(some: readonly { readonly id: NodeId }[]): readonly NodeId[] {
    return this.machineIds.filter((id) => some.some((member) => member.id === id));
  }
}

/** What is null stays as it was. */
function qualityOf(given: LinkTrouble): Partial<LinkQuality> {
  const { latency, lossPerMille, duplicatePerMille } = given;
  return {
    ...(latency === null ? {} : { latency: rangeUs(latency) }),
    ...(lossPerMille === null ? {} : { lossPerMille }),
    ...(duplicatePerMille === null ? {} : { duplicatePerMille }),
  };
}

function rangeUs({ fromMs, toMs }: DurationRange): RangeUs {
  return { fromUs: fromMs * 1000, toUs: toMs * 1000 };
}
