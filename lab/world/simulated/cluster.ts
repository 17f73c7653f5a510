import type { Observation } from '../../../src/node/observation.ts';
import type { StateMachine } from '../../../src/node/state-machine.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/transport/wire.ts';
import type { WorldObservation } from '../../checkers/checker.ts';
import type { DurationRange, Scenario } from '../../scenario/scenario.ts';
import type { Link, LinkTrouble, World } from '../world.ts';
import { SimulatedMachine } from './machine.ts';
import { type LinkQuality, SimulatedNetwork } from './network.ts';
import type { RangeUs } from './random.ts';
import type { Simulation } from './simulation.ts';

/** A leadership as somebody outside sees it begin. */
export interface Leadership {
  readonly atMs: number;
  readonly replica: NodeId;
  readonly term: number;
}

/** Replicas on machines in one network, and what faults can do to them. */
export class SimulatedCluster<Command, Result, Query, Answer> implements World {
  readonly replicas: readonly NodeId[];
  readonly machines: ReadonlyMap<NodeId, SimulatedMachine<Command, Result, Query, Answer>>;
  /** Every leadership so far, in order of their beginnings. */
  readonly leaderships: Leadership[] = [];
  readonly #simulation: Simulation;
  readonly #network: SimulatedNetwork;
  /** The term each replica leads, as of its last step. */
  readonly #leads = new Map<NodeId, number>();
  readonly #observe: (observation: WorldObservation) => void;

  constructor(
    simulation: Simulation,
    scenario: Scenario,
    stateMachine: (replica: NodeId) => StateMachine<Command, Result, Query, Answer>,
    observe: (observation: WorldObservation) => void,
  ) {
    this.#simulation = simulation;
    this.#observe = observe;
    const { cluster, disk, network } = scenario;
    this.replicas = Array.from({ length: cluster.replicas }, (_, i) => `n${i + 1}`);
    this.#network = new SimulatedNetwork({
      simulation,
      random: simulation.random.stream('network'),
      codec: { encode: encodeEnvelope, decode: decodeEnvelope },
      quality: {
        latency: rangeUs(network.latency),
        lossPerMille: network.lossPerMille,
        duplicatePerMille: network.duplicatePerMille,
      },
    });
    this.machines = new Map(
      this.replicas.map((id) => [
        id,
        new SimulatedMachine({
          simulation,
          network: this.#network,
          id,
          members: this.replicas,
          cluster,
          disk,
          stateMachine,
          observe: (observation) => this.#onObservation(id, observation),
        }),
      ]),
    );
  }

  /** Virtual milliseconds. */
  get nowMs(): number {
    return this.#simulation.nowUs / 1000;
  }

  start(): void {
    for (const machine of this.machines.values()) machine.start();
  }

  machine(id: NodeId): SimulatedMachine<Command, Result, Query, Answer> {
    const machine = this.machines.get(id);
    if (machine === undefined) throw new RangeError(`there is no replica ${id}`);
    return machine;
  }

  leader(): NodeId | null {
    let found: NodeId | null = null;
    let term = 0;
    for (const id of this.replicas) {
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

  cut(links: readonly Link[]): () => void {
    return this.#network.cut(links);
  }

  trouble(links: readonly Link[], trouble: LinkTrouble): () => void {
    return this.#network.override(links, qualityOf(trouble));
  }

  failDisk(replica: NodeId, operation: 'write' | 'sync', times: number): void {
    this.machine(replica).device.failNext(operation, times);
  }

  jumpClock(replica: NodeId, byMs: number): void {
    this.machine(replica).clock.jump(byMs * 1000);
  }

  setClockRate(replica: NodeId, perMille: number): void {
    this.machine(replica).clock.setRate(perMille);
  }

  crash(replica: NodeId, options: { readonly power: boolean }): void {
    const machine = this.machine(replica);
    machine.crash(options);
    this.#leads.delete(replica);
    this.#observe({ atMs: this.nowMs, replica, kind: 'crashed', power: options.power });
  }

  restart(replica: NodeId): void {
    this.machine(replica).start();
  }

  pause(replica: NodeId): void {
    this.machine(replica).pause();
  }

  resume(replica: NodeId): void {
    this.machine(replica).resume();
  }

  #onObservation(replica: NodeId, observation: Observation): void {
    if (observation.kind === 'step') {
      const { role, hardState } = observation.state;
      if (role !== 'leader') this.#leads.delete(replica);
      else if (this.#leads.get(replica) !== hardState.term) {
        this.#leads.set(replica, hardState.term);
        this.leaderships.push({ atMs: this.nowMs, replica, term: hardState.term });
      }
    } else if (observation.kind === 'write-failed' || observation.kind === 'stopped') {
      this.#leads.delete(replica);
    }
    this.#observe({ atMs: this.nowMs, replica, kind: 'replica', observation });
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
