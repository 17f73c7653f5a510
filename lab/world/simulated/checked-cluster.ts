import { msgpackCodec } from '../../../src/node/command-codec.ts';
import { members } from '../../../src/raft/configuration.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import { standardCheckers } from '../../checkers/all.ts';
import type { Checker, Violation, WorldObservation } from '../../checkers/checker.ts';
import { CheckerSet } from '../../checkers/checker-set.ts';
import { LogBounded } from '../../checkers/log-bounded.ts';
import { MemoryBounded } from '../../checkers/memory-bounded.ts';
import { StepTrace } from '../../report/step-trace.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { KvResult } from '../../workload/history.ts';
import { type KvCommand, type KvQuery, KvStateMachine } from '../../workload/kv.ts';
import { KvClients } from '../../workload/kv-clients.ts';
import { clientTarget } from './client-target.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedCluster } from './cluster.ts';
import { SimulatedProcess } from './process.ts';
import { Simulation, SimulationFailed } from './simulation.ts';

export interface CheckedClusterOptions {
  /** Its timeline is not played here. */
  readonly scenario: Scenario;
  readonly seed: number;
  /** Beside the standard ones. */
  readonly checkers?: readonly Checker[];
  /** Sees everything, before the checkers do. */
  readonly observe?: (observation: WorldObservation) => void;
}

const SLICE_MS = 50;
const TRACE_LINES = 60;
/** As the replicas encode commands, and the results of sessions: the node's default. */
const codec = msgpackCodec<KvCommand>();

/** A simulated cluster of key-value maps with its clients, every step of it checked. Whoever has it plays the faults. */
export class CheckedCluster {
  readonly simulation: Simulation;
  readonly cluster: SimulatedCluster<KvCommand, KvResult, KvQuery, KvResult>;
  readonly clients: KvClients;
  readonly trace = new StepTrace(TRACE_LINES);
  readonly #checkers: CheckerSet;
  readonly #observer: ((observation: WorldObservation) => void) | null;
  /** Of each machine's latest process. */
  readonly #stateMachines = new Map<NodeId, KvStateMachine>();
  #violation: Violation | null = null;
  #traceAtViolation: readonly string[] = [];

  constructor({ scenario, seed, checkers = [], observe }: CheckedClusterOptions) {
    this.#observer = observe ?? null;
    this.simulation = new Simulation({ seed });
    this.cluster = new SimulatedCluster({
      simulation: this.simulation,
      scenario,
      stateMachine: (machine) => {
        const stateMachine = new KvStateMachine();
        this.#stateMachines.set(machine, stateMachine);
        return stateMachine;
      },
      observe: (observation) => this.#observe(observation),
      found: (violation) => this.found(violation),
    });
    const process = new SimulatedProcess(this.simulation, 'clients');
    this.clients = new KvClients({
      // From zero, as the world counts: what clients saw is held against when faults struck and healed.
      clock: new SimulatedClock({ simulation: this.simulation, name: 'clients', originUs: 0 }).door(process),
      random: this.simulation.random.stream('clients'),
      spec: scenario.workload,
      target: clientTarget(this.cluster, scenario.workload.reads),
    });
    this.#checkers = new CheckerSet([
      ...standardCheckers({
        history: this.clients.history,
        decodeCommand: (payload) => codec.decode(payload),
        decodeResult: scenario.workload.sessions ? (result) => codec.decode(result) : null,
        digestOf: (machine) => this.#stateMachines.get(machine) ?? null,
      }),
      ...this.#bounded(scenario),
      ...(scenario.expect.memoryBounded
        ? [
            new MemoryBounded({
              // Proposals and reads are bounded apart.
              pendingRequestsMax: 2 * scenario.cluster.limits.pendingRequests,
              pendingRequests: (machine) => this.#pendingRequests(machine),
            }),
          ]
        : []),
      ...checkers,
    ]);
  }

  get nowMs(): number {
    return this.simulation.nowUs / 1000;
  }

  /** The first thing found; nothing is judged after it. */
  get violation(): Violation | null {
    return this.#violation;
  }

  /** The last steps before the violation. */
  get traceAtViolation(): readonly string[] {
    return this.#traceAtViolation;
  }

  get results(): ReturnType<CheckerSet['results']> {
    return this.#checkers.results();
  }

  found(violation: Violation): void {
    if (this.#violation !== null) return;
    this.#violation = violation;
    this.#traceAtViolation = this.trace.lines();
  }

  /**
   * Runs to a moment, or to the end of the slice in which a condition came true, or to a violation. What
   * fails inside the simulation is one.
   */
  async runUntil(atMs: number, when: () => boolean, onSlice: () => void = () => {}): Promise<void> {
    const violated = (): boolean => this.#violation !== null;
    while (!violated() && this.nowMs < atMs && !when()) {
      const sliceEndMs = Math.min(atMs, this.nowMs + SLICE_MS);
      try {
        await this.simulation.run({ atUs: Math.round(sliceEndMs * 1000), when: violated });
      } catch (error) {
        if (!(error instanceof SimulationFailed)) throw error;
        this.found({ checker: 'no-failure', sentence: error.message, atMs: error.atUs / 1000 });
      }
      onSlice();
    }
  }

  /** What the checkers can say only when all is over. */
  finish(): Violation | null {
    return this.#checkers.finish(this.nowMs);
  }

  /** Every listed member runs, as the very pair that is listed, and all hold and applied the same. */
  allAgree(): boolean {
    const configuration = this.cluster.settled();
    if (configuration === null) return false;
    const listed = members(configuration);
    const nodes = listed.map(({ id }) => this.cluster.machine(id).node?.status());
    const first = nodes[0];
    return (
      first !== undefined &&
      nodes.every(
        (node, at) =>
          node?.incarnation === listed[at]?.incarnation &&
          node?.appliedIndex === first.appliedIndex &&
          node.lastIndex === first.appliedIndex,
      )
    );
  }

  /** How far each member is, in words. */
  describeMembers(): string {
    const applied = this.cluster.members.map((id) => {
      const status = this.cluster.machine(id).node?.status();
      return status === undefined ? `${id} is down` : `${id} has applied ${status.appliedIndex}`;
    });
    const { configuration } = this.cluster;
    return `${applied.join(', ')}; configuration ${configuration?.id ?? 'none'}`;
  }

  #pendingRequests(machine: NodeId): number {
    return this.cluster.machine(machine).node?.metrics().raft_requests_pending ?? 0;
  }

  #bounded({ expect }: Scenario): Checker[] {
    const { logAtMost, diskAtMostBytes } = expect;
    if (logAtMost === null && diskAtMostBytes === null) return [];
    const diskBytes = (machine: NodeId): number => this.cluster.machine(machine).diskBytes;
    return [new LogBounded({ entriesMax: logAtMost, bytesMax: diskAtMostBytes, diskBytes })];
  }

  #observe(observation: WorldObservation): void {
    this.trace.observe(observation);
    if (this.#violation !== null) return;
    this.#observer?.(observation);
    const violation = this.#checkers.observe(observation);
    if (violation !== null) this.found(violation);
    if (observation.kind === 'replica' && observation.observation.kind === 'stopped') {
      const { error } = observation.observation;
      if (this.cluster.mayStop(observation.replica, error)) return;
      this.found({
        checker: 'no-failure',
        sentence: `${observation.replica} stopped: ${error instanceof Error ? error.message : String(error)}`,
        atMs: observation.atMs,
      });
    }
  }
}
