import { nodeClock } from '../../../src/doors/node-clock.ts';
import { msgpackCodec } from '../../../src/node/command-codec.ts';
import { members } from '../../../src/raft/configuration.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import { standardCheckers } from '../../checkers/all.ts';
import type { Violation, WorldObservation } from '../../checkers/checker.ts';
import { CheckerSet } from '../../checkers/checker-set.ts';
import { LeadershipBounds } from '../../checkers/leadership-bounds.ts';
import { LogBounded } from '../../checkers/log-bounded.ts';
import { recoveryAfter } from '../../checkers/recovery.ts';
import { StorageReopened } from '../../checkers/storage-reopened.ts';
import type { RunResult } from '../../report/run-result.ts';
import { StepTrace } from '../../report/step-trace.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { longestOutage } from '../../workload/availability.ts';
import type { KvResult } from '../../workload/history.ts';
import { type KvCommand, type KvQuery, KvStateMachine } from '../../workload/kv.ts';
import { KvClients } from '../../workload/kv-clients.ts';
import { Timeline } from '../timeline.ts';
import { clientTarget } from './client-target.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedCluster } from './cluster.ts';
import { SimulatedProcess } from './process.ts';
import { Simulation, SimulationFailed } from './simulation.ts';

export interface RunOptions {
  /** Any safe integer; equal seeds give equal runs. */
  readonly seed: number;
  /** Called now and then, with virtual milliseconds and operations so far. */
  readonly onProgress?: (progress: { readonly virtualMs: number; readonly operations: number }) => void;
  /** Ends the run; `runScenario` then rejects with its reason. */
  readonly signal?: AbortSignal;
}

const FIRST_LEADER_WITHIN_MS = 30_000;
const SLICE_MS = 50;
const TRACE_LINES = 60;
/** As the replicas encode commands: the node's default. */
const codec = msgpackCodec<KvCommand>();

/** Runs one scenario with one seed in the simulated world, and judges it. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const clock = nodeClock();
  const startedAt = clock.now();
  const run = new ScenarioRun(scenario, options);
  await run.play();
  return run.result(Math.round(clock.now() - startedAt));
}

class ScenarioRun {
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #simulation: Simulation;
  readonly #cluster: SimulatedCluster<KvCommand, KvResult, KvQuery, KvResult>;
  readonly #clients: KvClients;
  readonly #timeline: Timeline;
  readonly #trace = new StepTrace(TRACE_LINES);
  readonly #checkers: CheckerSet;
  readonly #bounds: LeadershipBounds;
  readonly #storageReopened = new StorageReopened();
  /** Of each replica's latest process. */
  readonly #stateMachines = new Map<NodeId, KvStateMachine>();
  #violation: Violation | null = null;
  #traceAtViolation: readonly string[] = [];

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#simulation = new Simulation({ seed: options.seed });
    const found = (violation: Violation): void => this.#found(violation);
    this.#cluster = new SimulatedCluster({
      simulation: this.#simulation,
      scenario,
      stateMachine: (machine) => {
        const stateMachine = new KvStateMachine();
        this.#stateMachines.set(machine, stateMachine);
        return stateMachine;
      },
      observe: (observation) => this.#observe(observation),
      found,
    });
    const process = new SimulatedProcess(this.#simulation, 'clients');
    this.#clients = new KvClients({
      // From zero, as the world counts: what clients saw is held against when faults struck and healed.
      clock: new SimulatedClock({ simulation: this.#simulation, name: 'clients', originUs: 0 }).door(process),
      random: this.#simulation.random.stream('clients'),
      spec: scenario.workload,
      target: clientTarget(this.#cluster),
    });
    const { logAtMost, diskAtMostBytes } = scenario.expect;
    this.#checkers = new CheckerSet([
      ...standardCheckers({
        history: this.#clients.history,
        decodeCommand: (payload) => codec.decode(payload),
        digestOf: (replica) => this.#stateMachines.get(replica) ?? null,
      }),
      ...(scenario.expect.storageReopened ? [this.#storageReopened] : []),
      ...(logAtMost === null && diskAtMostBytes === null
        ? []
        : [
            new LogBounded({
              entriesMax: logAtMost,
              bytesMax: diskAtMostBytes,
              diskBytes: (machine) => this.#cluster.machine(machine).diskBytes,
            }),
          ]),
    ]);
    const schedule = (delayMs: number, label: string, callback: () => void): void => {
      this.#simulation.schedule(delayMs * 1000, label, callback);
    };
    this.#bounds = new LeadershipBounds(this.#cluster, scenario.expect, schedule, found);
    this.#timeline = new Timeline({
      world: this.#cluster,
      random: this.#simulation.random.stream('timeline'),
      nowMs: () => this.#nowMs,
      schedule,
      onStrike: (struck) => {
        this.#trace.note(this.#nowMs, `fault of line ${struck.step.line} strikes ${struck.on.join(', ')}`);
        this.#bounds.onStrike(struck);
        if (struck.step.fault.kind === 'disk') this.#storageReopened.onStrike(struck.on);
      },
      onMissed: (step, why) =>
        found({
          checker: 'timeline',
          sentence: `the fault of line ${step.line} never struck: ${why}`,
          atMs: this.#nowMs,
        }),
    });
  }

  get #nowMs(): number {
    return this.#simulation.nowUs / 1000;
  }

  /** Never rejects for what happens inside the simulation: that is a violation. */
  async play(): Promise<void> {
    try {
      await this.#phases();
    } catch (error) {
      if (!(error instanceof SimulationFailed)) throw error;
      this.#found({
        checker: 'no-failure',
        sentence: error.message,
        atMs: error.atUs / 1000,
      });
    }
  }

  async #phases(): Promise<void> {
    const { durationMs, timeline, expect } = this.#scenario;
    this.#cluster.start();
    await this.#runUntil(FIRST_LEADER_WITHIN_MS, () => this.#cluster.leader() !== null);
    if (this.#cluster.leader() === null) {
      this.#late(FIRST_LEADER_WITHIN_MS, 'no replica led');
      return;
    }
    const base = this.#nowMs;
    this.#clients.start();
    this.#timeline.start(timeline);
    await this.#runUntil(base + durationMs, () => false);
    // Faults that waited for a leader may end later than the scenario says.
    await this.#runUntil(this.#nowMs + durationMs, () => this.#timeline.done);
    this.#timeline.healAll();
    const healedAt = this.#timeline.lastHealedAtMs ?? base;
    await this.#runUntil(healedAt + expect.recoveryWithinMs, () => this.#recoveredSince(healedAt));
    if (!this.#recoveredSince(healedAt)) {
      this.#late(
        expect.recoveryWithinMs,
        `no operation called after the last fault (${healedAt} ms) was acknowledged`,
      );
      return;
    }
    let drained = false;
    void this.#clients.stop().then(() => {
      drained = true;
    });
    await this.#runUntil(this.#nowMs + this.#scenario.workload.timeoutMs + SLICE_MS, () => drained);
    await this.#runUntil(this.#nowMs + expect.recoveryWithinMs, () => this.#allAgree());
    if (!this.#allAgree()) {
      this.#late(
        expect.recoveryWithinMs,
        `the replicas did not reach one applied index: ${this.#appliedIndexes()}`,
      );
      return;
    }
    this.#judge();
  }

  /** What can be said only when all is over. */
  #judge(): void {
    if (this.#violation !== null) return;
    const { expect } = this.#scenario;
    const atMs = this.#nowMs;
    const { operations } = this.#clients.history;
    const outage = longestOutage(operations, atMs);
    const bound = expect.unavailableAtMostMs;
    const findings: (() => Violation | null)[] = [
      () => this.#checkers.finish(atMs),
      () =>
        bound === null || outage === null || outage.durationMs <= bound
          ? null
          : {
              checker: 'unavailable-at-most',
              sentence:
                `clients waited ${outage.durationMs} ms with nothing acknowledged, from ${outage.fromMs} ms ` +
                `to ${outage.toMs} ms; at most ${bound} ms were allowed`,
              atMs,
            },
    ];
    for (const find of findings) {
      const violation = find();
      if (violation !== null) {
        this.#found(violation);
        return;
      }
    }
  }

  /** Runs to a moment, or to the end of the slice in which a condition came true, or to a violation. */
  async #runUntil(atMs: number, when: () => boolean): Promise<void> {
    const violated = (): boolean => this.#violation !== null;
    while (!violated() && this.#nowMs < atMs && !when()) {
      const sliceEndMs = Math.min(atMs, this.#nowMs + SLICE_MS);
      await this.#simulation.run({ atUs: Math.round(sliceEndMs * 1000), when: violated });
      this.#options.signal?.throwIfAborted();
      this.#options.onProgress?.({
        virtualMs: this.#nowMs,
        operations: this.#clients.history.operations.length,
      });
    }
  }

  #observe(observation: WorldObservation): void {
    this.#trace.observe(observation);
    if (this.#violation !== null) return;
    const violation = this.#checkers.observe(observation);
    if (violation !== null) this.#found(violation);
    if (observation.kind === 'replica' && observation.observation.kind === 'stopped') {
      const { error } = observation.observation;
      if (this.#cluster.mayStop(observation.replica)) return;
      this.#found({
        checker: 'no-failure',
        sentence: `${observation.replica} stopped: ${error instanceof Error ? error.message : String(error)}`,
        atMs: observation.atMs,
      });
    }
  }

  /** Clients may run on long after the bound: what was acknowledged later does not count. */
  #recoveredSince(healedAtMs: number): boolean {
    const recovery = recoveryAfter(this.#clients.history.operations, healedAtMs);
    return recovery !== null && recovery.durationMs <= this.#scenario.expect.recoveryWithinMs;
  }

  /** Every listed member runs, as the very pair that is listed, and all hold and applied the same. */
  #allAgree(): boolean {
    const configuration = this.#cluster.settled();
    if (configuration === null) return false;
    const listed = members(configuration);
    const nodes = listed.map(({ id }) => this.#cluster.machine(id).node?.status());
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

  #appliedIndexes(): string {
    return this.#cluster.members
      .map((id) => `${id} ${this.#cluster.machine(id).node?.status().appliedIndex ?? 'down'}`)
      .join(', ');
  }

  #late(boundMs: number, what: string): void {
    this.#found({ checker: 'recovery-within', sentence: `${what} within ${boundMs} ms`, atMs: this.#nowMs });
  }

  #found(violation: Violation): void {
    if (this.#violation !== null) return;
    this.#violation = violation;
    this.#traceAtViolation = this.#trace.lines();
  }

  result(wallMs: number): RunResult {
    const { operations } = this.#clients.history;
    const { attempted, acknowledged, failed, unknown, running } = this.#clients.history.counts();
    const violation = this.#violation;
    return {
      scenario: this.#scenario.name,
      file: this.#scenario.file,
      seed: this.#options.seed,
      verdict: violation === null ? 'passed' : 'violated',
      digest: this.#simulation.digest(),
      events: this.#simulation.events,
      virtualMs: this.#nowMs,
      wallMs,
      injections: this.#timeline.injections,
      leaders: this.#cluster.leaderships,
      operations: { attempted, acknowledged, failed, unknown: unknown + running },
      longestUnavailableMs: longestOutage(operations, this.#nowMs)?.durationMs ?? 0,
      checkers: [
        ...this.#checkers.results(),
        ...expectationsOf(this.#scenario).map((one) => ({ ...one, passed: violation?.checker !== one.name })),
      ],
      violation,
      trace: this.#traceAtViolation,
    };
  }
}

/** What is judged besides what the checkers watch. */
function expectationsOf({ expect, timeline }: Scenario): { name: string; property: string }[] {
  return [
    { name: 'no-failure', property: 'No replica stops by itself, and nothing throws unexpectedly.' },
    {
      name: 'recovery-within',
      property: `Within ${expect.recoveryWithinMs} ms after the last fault clients are served, and all replicas agree.`,
    },
    ...(timeline.some(({ fault }) => fault.kind === 'membership')
      ? [
          {
            name: SimulatedCluster.membershipWithin,
            property: 'What an operator asks of the membership is so in time.',
          },
        ]
      : []),
    ...(expect.newLeaderWithinMs === null
      ? []
      : [
          {
            name: LeadershipBounds.newLeader,
            property: `A majority without its leader has a new one within ${expect.newLeaderWithinMs} ms.`,
          },
        ]),
    ...(expect.stepDownWithinMs === null
      ? []
      : [
          {
            name: LeadershipBounds.stepDown,
            property: `A leader cut off from the majority steps down within ${expect.stepDownWithinMs} ms.`,
          },
        ]),
    ...(expect.unavailableAtMostMs === null
      ? []
      : [
          {
            name: 'unavailable-at-most',
            property: `Clients never wait longer than ${expect.unavailableAtMostMs} ms with nothing acknowledged.`,
          },
        ]),
  ];
}
