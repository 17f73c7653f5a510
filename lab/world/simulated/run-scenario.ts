import { nodeClock } from '../../../src/doors/node-clock.ts';
import type { Violation } from '../../checkers/checker.ts';
import { DamageRepaired } from '../../checkers/damage-repaired.ts';
import { LeadershipBounds } from '../../checkers/leadership-bounds.ts';
import { findOverloadNotRefused, overloadRefused } from '../../checkers/overload-refused.ts';
import { recoveryAfter } from '../../checkers/recovery.ts';
import { findUnsettled, settling } from '../../checkers/settling.ts';
import { SnapshotResumed } from '../../checkers/snapshot-resumed.ts';
import { StepsAside } from '../../checkers/steps-aside.ts';
import { StorageReopened } from '../../checkers/storage-reopened.ts';
import type { RunResult } from '../../report/run-result.ts';
import { failsWrites, fillsDisk } from '../../scenario/fault-traits.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { longestOutage } from '../../workload/availability.ts';
import { blameDrift } from '../blame-drift.ts';
import { Timeline } from '../timeline.ts';
import { CheckedCluster } from './checked-cluster.ts';
import { SimulatedCluster } from './cluster.ts';

export interface RunOptions {
  /** Any safe integer; equal seeds give equal runs. */
  readonly seed: number;
  /** Called now and then, with virtual milliseconds and operations so far. */
  readonly onProgress?: (progress: { readonly virtualMs: number; readonly operations: number }) => void;
  /** Ends the run; `runScenario` then rejects with its reason. */
  readonly signal?: AbortSignal;
}

const STALE_READ = 'stale-read';
const FIRST_LEADER_WITHIN_MS = 30_000;
/** The last operations end at their timeout, or a little later. */
const DRAINED_LATER_MS = 50;

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
  readonly #checked: CheckedCluster;
  readonly #timeline: Timeline;
  readonly #bounds: LeadershipBounds;
  /** What the scenario is there to show. */
  #shown: string | null = null;
  /** When faults that last until the end were taken away. */
  #loadEndedAt = 0;

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#options = options;
    const storageReopened = new StorageReopened();
    const stepsAside = new StepsAside(scenario.cluster.reserveBytes);
    const checked = new CheckedCluster({
      scenario,
      seed: options.seed,
      checkers: [
        ...(scenario.expect.storageReopened ? [storageReopened] : []),
        ...(scenario.expect.stepsAside ? [stepsAside] : []),
        ...(scenario.expect.snapshotResumed ? [new SnapshotResumed()] : []),
        ...(scenario.expect.damageRepaired ? [new DamageRepaired()] : []),
      ],
    });
    this.#checked = checked;
    const { cluster, simulation } = checked;
    const schedule = (delayMs: number, label: string, callback: () => void): void => {
      simulation.schedule(delayMs * 1000, label, callback);
    };
    this.#bounds = new LeadershipBounds(cluster, scenario.expect, schedule, (violation) =>
      checked.found(violation),
    );
    this.#timeline = new Timeline({
      world: cluster,
      random: simulation.random.stream('timeline'),
      nowMs: () => checked.nowMs,
      schedule,
      onStrike: (struck) => {
        checked.trace.note(
          checked.nowMs,
          `fault of line ${struck.step.line} strikes ${struck.on.join(', ')}`,
        );
        this.#bounds.onStrike(struck);
        if (failsWrites(struck.step.fault)) storageReopened.onStrike(struck.on);
        if (fillsDisk(struck.step.fault)) stepsAside.onStrike(struck.on);
      },
      onMissed: (step, why) =>
        checked.found({
          checker: 'timeline',
          sentence: `the fault of line ${step.line} never struck: ${why}`,
          atMs: checked.nowMs,
        }),
    });
  }

  get #nowMs(): number {
    return this.#checked.nowMs;
  }

  /** Never rejects for what happens inside the simulation: that is a violation. */
  async play(): Promise<void> {
    const { cluster, clients } = this.#checked;
    const { durationMs, timeline, expect } = this.#scenario;
    cluster.start();
    await this.#runUntil(FIRST_LEADER_WITHIN_MS, () => cluster.leader() !== null);
    if (cluster.leader() === null) {
      this.#late(FIRST_LEADER_WITHIN_MS, 'no replica led');
      return;
    }
    const base = this.#nowMs;
    clients.start();
    this.#timeline.start(timeline);
    await this.#runUntil(base + durationMs, () => false);
    // Faults that waited for a leader may end later than the scenario says.
    await this.#runUntil(this.#nowMs + durationMs, () => this.#timeline.done);
    this.#loadEndedAt = this.#nowMs;
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
    void clients.stop().then(() => {
      drained = true;
    });
    await this.#runUntil(this.#nowMs + this.#scenario.workload.timeoutMs + DRAINED_LATER_MS, () => drained);
    await this.#runUntil(this.#nowMs + expect.recoveryWithinMs, () => this.#checked.allAgree());
    if (!this.#checked.allAgree()) {
      this.#late(
        expect.recoveryWithinMs,
        `the members did not come to agree: ${this.#checked.describeMembers()}`,
      );
      return;
    }
    this.#judge();
  }

  /** What can be said only when all is over. */
  #judge(): void {
    const checked = this.#checked;
    if (checked.violation !== null) return;
    const violation =
      this.#judgeStaleness(checked.finish()) ??
      this.#unavailable() ??
      this.#unsettled() ??
      this.#overloadNotRefused();
    if (violation !== null) checked.found(violation);
  }

  /** A clock that drifts beyond what the replicas were told takes the blame for a stale read, and may be meant to. */
  #judgeStaleness(found: Violation | null): Violation | null {
    const { expect, workload } = this.#scenario;
    const isStale =
      found?.checker === 'linearizability' && found.undecided !== true && workload.reads === 'lease';
    const stale =
      found === null || !isStale ? found : blameDrift(found, this.#scenario, this.#timeline.injections);
    if (!expect.staleRead) return stale;
    if (stale !== null && isStale) {
      this.#shown = stale.sentence;
      return null;
    }
    return stale ?? { checker: STALE_READ, sentence: 'no read was stale', atMs: this.#nowMs };
  }

  #unavailable(): Violation | null {
    const atMs = this.#nowMs;
    const bound = this.#scenario.expect.unavailableAtMostMs;
    const outage = longestOutage(this.#checked.clients.history.operations, atMs);
    if (bound === null || outage === null || outage.durationMs <= bound) return null;
    const sentence =
      `clients waited ${outage.durationMs} ms with nothing acknowledged, from ${outage.fromMs} ms ` +
      `to ${outage.toMs} ms; at most ${bound} ms were allowed`;
    return { checker: 'unavailable-at-most', sentence, atMs };
  }

  #overloadNotRefused(): Violation | null {
    const { expect, workload } = this.#scenario;
    if (!expect.overloadRefused) return null;
    return findOverloadNotRefused(this.#checked.clients.history.operations, workload.clients, this.#nowMs);
  }

  #unsettled(): Violation | null {
    const { expect, cluster } = this.#scenario;
    if (expect.settlesWithinMs === null) return null;
    const evidence = {
      changedAtMs: this.#timeline.injections.flatMap(({ atMs, healedAtMs }) =>
        healedAtMs === null ? [atMs] : [atMs, healedAtMs],
      ),
      leaderships: this.#checked.cluster.leaderships,
      operations: this.#checked.clients.history.operations,
      untilMs: this.#loadEndedAt,
    };
    const bounds = { withinMs: expect.settlesWithinMs, unservedAtMostMs: cluster.electionTimeout.toMs };
    return findUnsettled(evidence, bounds);
  }

  async #runUntil(atMs: number, when: () => boolean): Promise<void> {
    const { history } = this.#checked.clients;
    await this.#checked.runUntil(atMs, when, () => {
      this.#options.signal?.throwIfAborted();
      this.#options.onProgress?.({ virtualMs: this.#nowMs, operations: history.operations.length });
    });
  }

  /** Clients may run on long after the bound: what was acknowledged later does not count. */
  #recoveredSince(healedAtMs: number): boolean {
    const recovery = recoveryAfter(this.#checked.clients.history.operations, healedAtMs);
    return recovery !== null && recovery.durationMs <= this.#scenario.expect.recoveryWithinMs;
  }

  #late(boundMs: number, what: string): void {
    const sentence = `${what} within ${boundMs} ms`;
    this.#checked.found({ checker: 'recovery-within', sentence, atMs: this.#nowMs });
  }

  result(wallMs: number): RunResult {
    const { clients, simulation, cluster, violation, traceAtViolation, results } = this.#checked;
    const { operations } = clients.history;
    const { attempted, acknowledged, failed, unknown, running } = clients.history.counts();
    return {
      scenario: this.#scenario.name,
      file: this.#scenario.file,
      seed: this.#options.seed,
      verdict: violation === null ? 'passed' : 'violated',
      digest: simulation.digest(),
      events: simulation.events,
      virtualMs: this.#nowMs,
      wallMs,
      injections: this.#timeline.injections,
      leaders: cluster.leaderships,
      operations: { attempted, acknowledged, failed, unknown: unknown + running },
      longestUnavailableMs: longestOutage(operations, this.#nowMs)?.durationMs ?? 0,
      checkers: [
        ...results,
        ...expectationsOf(this.#scenario).map((one) => ({ ...one, passed: violation?.checker !== one.name })),
      ],
      violation,
      shown: this.#shown,
      trace: traceAtViolation,
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
            name: SimulatedCluster.membership,
            property:
              'A change of the membership that is called done is so and committed; none is refused in vain.',
          },
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
    ...(expect.staleRead
      ? [{ name: STALE_READ, property: 'A clock beyond the declared drift makes a read by a lease stale.' }]
      : []),
    ...(expect.settlesWithinMs === null
      ? []
      : [
          {
            name: settling,
            property: `Within ${expect.settlesWithinMs} ms after each change of the faults one leader stays and serves, while they last.`,
          },
        ]),
    ...(expect.overloadRefused
      ? [
          {
            name: overloadRefused,
            property:
              'Of too much that is asked a part is refused as overloaded, at once, and the rest served.',
          },
        ]
      : []),
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
