import type { Contradiction } from './contradiction.ts';
import { formatDuration } from './durations.ts';
import { faultKinds } from './fault-settings.ts';
import { failsWrites, whyMomentary } from './fault-traits.ts';
import { checkLeases } from './lease-checks.ts';
import { checkMembership, idsUpTo, rangeOf } from './membership-checks.ts';
import type { PartialScenario, RepeatedStep } from './partial-scenario.ts';
import type { Expectations, PartitionShape, Selector, TimelineStep } from './scenario.ts';
import type { Path } from './yaml-document.ts';

/** What only shows when two settings are seen together. */
export function crossChecks(scenario: PartialScenario): Contradiction[] {
  const { durationMs } = scenario;
  const size = sizeOf(scenario);
  return [
    ...checkElectionTimeout(scenario),
    ...checkLimits(scenario),
    ...checkOverload(scenario),
    ...scenario.timeline.flatMap(({ path, step }) => [
      ...checkTimes(path, step, durationMs),
      ...(size === null ? [] : checkSelector(path, step, size)),
    ]),
    ...checkMembership(scenario),
    ...checkLeases(scenario),
    ...(scenario.expect ? checkExpectations(scenario.expect, scenario) : []),
  ];
}

function checkElectionTimeout({ electionTimeout, heartbeatMs, latency }: PartialScenario): Contradiction[] {
  if (electionTimeout === null) return [];
  const { fromMs, toMs } = electionTimeout;
  // With equal timeouts candidates split the vote again and again (paper, 5.2).
  if (fromMs === 0 || fromMs === toMs) {
    const example = Math.max(fromMs, 150);
    const expected = `a range to draw from, above 0ms, such as ${formatDuration(example)}..${formatDuration(example * 2)}`;
    return [{ path: ['cluster', 'election-timeout'], expected }];
  }
  const found: Contradiction[] = [];
  const shortest = `the shortest election timeout (${formatDuration(fromMs)})`;
  // One lost heartbeat must not depose a leader (paper, 5.6: broadcast time << election timeout).
  if (heartbeatMs !== null && heartbeatMs * 2 > fromMs) {
    found.push({
      path: ['cluster', 'heartbeat'],
      expected: `a heartbeat of at most ${formatDuration(Math.floor(fromMs / 2))}, half of ${shortest}`,
    });
  }
  if (latency !== null && latency.toMs * 2 >= fromMs) {
    found.push({
      path: ['network', 'latency'],
      expected:
        `a latency of less than ${formatDuration(Math.ceil(fromMs / 2))} one way, or a round trip outlasts ` +
        `${shortest} and nobody is ever elected`,
    });
  }
  return found;
}

/** As the core would refuse them. */
function checkLimits({ limits }: PartialScenario): Contradiction[] {
  if (limits === null) return [];
  const { messageBytes, windowBytes, diskBacklogBytes } = limits;
  const path = ['cluster', 'limits'];
  if (windowBytes < messageBytes) {
    return [{ path: [...path, 'window'], expected: `at least a message (${messageBytes}B)` }];
  }
  if (diskBacklogBytes < windowBytes + messageBytes) {
    const expected = `at least a window and a message (${windowBytes + messageBytes}B)`;
    return [{ path: [...path, 'disk-backlog'], expected }];
  }
  return [];
}

function checkOverload({ overload, durationMs }: PartialScenario): Contradiction[] {
  if (!overload || durationMs === null || overload.atMs + overload.forMs <= durationMs) return [];
  const expected = `an overload that is over before the run ends at ${formatDuration(durationMs)}`;
  return [{ path: ['workload', 'overload'], expected }];
}

function checkTimes(path: Path, step: RepeatedStep, durationMs: number | null): Contradiction[] {
  const { fault, everyMs, times } = step;
  const momentary = whyMomentary(fault);
  if (momentary !== null && step.forMs !== null) {
    return [{ path: [...path, 'for'], expected: `no \`for\`: ${momentary}` }];
  }
  if (times > 1 && fault.kind === 'membership') {
    return [
      { path: [...path, 'every'], expected: 'no `every`: a membership is changed to another one once' },
    ];
  }
  if (times > 1 && step.forMs !== null && step.forMs >= everyMs) {
    const expected = `longer than \`for\` (${formatDuration(step.forMs)}): each time ends before the next begins`;
    return [{ path: [...path, 'every'], expected }];
  }
  if (durationMs === null) return [];
  if (step.atMs >= durationMs) {
    return [
      {
        path: [...path, 'at'],
        expected: `a moment before the end of the run at ${formatDuration(durationMs)}`,
      },
    ];
  }
  const lasts = step.forMs ?? 0;
  const lastAtMs = step.atMs + (times - 1) * everyMs;
  if (times > 1 && (lastAtMs >= durationMs || lastAtMs + lasts > durationMs)) {
    const expected =
      `fewer: the last one starts at ${formatDuration(lastAtMs)}` +
      `${lasts === 0 ? '' : ` and ends at ${formatDuration(lastAtMs + lasts)}`}, and the run ends at ${formatDuration(durationMs)}`;
    return [{ path: [...path, 'times'], expected }];
  }
  if (step.forMs !== null && step.atMs + step.forMs > durationMs) {
    return [
      {
        path: [...path, 'for'],
        expected:
          `at most ${formatDuration(durationMs - step.atMs)}: the fault starts at ${formatDuration(step.atMs)} ` +
          `and the run ends at ${formatDuration(durationMs)}`,
      },
    ];
  }
  return [];
}

/** How large a cluster is. */
interface ClusterSize {
  /** Voters, at the most: the timeline may take spares in. */
  readonly replicas: number;
  readonly machines: number;
}

function sizeOf({ replicas, spares, timeline, timelineComplete }: PartialScenario): ClusterSize | null {
  if (replicas === null || spares === null) return null;
  const grows = !timelineComplete || timeline.some(({ step }) => step.fault.kind === 'membership');
  return { replicas: grows ? replicas + spares : replicas, machines: replicas + spares };
}

function checkSelector(path: Path, step: TimelineStep, size: ClusterSize): Contradiction[] {
  const { fault } = step;
  if (fault.kind === 'membership') return [];
  const { on, kind } = fault;
  // The cross-check does not know whether `on` was written out or was the shorthand; the path ends at
  // the deepest of the two that the file has.
  const at = [...path, kind, 'on'];
  const wrong = tooMany(on, size);
  if (wrong !== null) return [{ path: at, expected: wrong }];
  return fault.kind === 'partition' ? checkShape([...path, kind], fault, size) : [];
}

function checkShape(path: Path, shape: PartitionShape, size: ClusterSize): Contradiction[] {
  const { replicas } = size;
  const at = [...path, 'on'];
  const isSmall = (least: number): Contradiction[] => {
    const expected = `a cluster of at least ${least} replicas for a ${shape.shape}; it has ${replicas}`;
    return replicas < least ? [{ path: [...path, 'shape'], expected }] : [];
  };
  switch (shape.shape) {
    case 'ring':
      // In a ring of three everybody sees everybody.
      return isSmall(4);
    case 'bridge':
      return struck(shape.on, replicas) === 1
        ? isSmall(3)
        : [{ path: at, expected: 'one replica between the two halves, such as leader, one follower or n1' }];
    case 'cut-off': {
      const { on, from } = shape;
      if (from === null) {
        return struck(on, replicas) < replicas
          ? []
          : [{ path: at, expected: 'at least one replica on the other side of the partition' }];
      }
      const wrong = tooMany(from, size);
      if (wrong !== null) return [{ path: [...path, 'from'], expected: wrong }];
      return isSameOne(on, from)
        ? [{ path: [...path, 'from'], expected: 'somebody else than `on`: nobody is cut off from itself' }]
        : [];
    }
  }
}

/** Whether two selectors can only mean one and the same replica. */
function isSameOne(one: Selector, other: Selector): boolean {
  if (one.kind === 'leader') return other.kind === 'leader';
  if (one.kind !== 'ids' || other.kind !== 'ids') return false;
  return one.ids.length === 1 && other.ids.length === 1 && one.ids[0] === other.ids[0];
}

function tooMany(on: Selector, { replicas, machines }: ClusterSize): string | null {
  const cluster = `the cluster has ${replicas} replica${replicas === 1 ? '' : 's'}`;
  switch (on.kind) {
    case 'ids': {
      const known = idsUpTo(machines);
      const strangers = on.ids.filter((id) => !known.includes(id));
      return strangers.length === 0 ? null : `ids from ${rangeOf(known)}; not ${strangers.join(', ')}`;
    }
    case 'followers':
      if (replicas === 1) return `a selector other than followers; ${cluster}, and it leads`;
      return on.count === 'all' || on.count < replicas
        ? null
        : `at most ${replicas - 1} follower${replicas === 2 ? '' : 's'}; ${cluster}, and one of them leads`;
    case 'random':
      return on.count <= replicas ? null : `at most ${replicas} at random; ${cluster}`;
    default:
      return null;
  }
}

/** How many replicas are struck at most. */
function struck(on: Selector, replicas: number): number {
  switch (on.kind) {
    case 'ids':
      return on.ids.length;
    case 'leader':
      return 1;
    case 'followers':
      return on.count === 'all' ? replicas - 1 : on.count;
    case 'minority':
      return Math.max(1, Math.ceil(replicas / 2) - 1);
    case 'majority':
      return Math.floor(replicas / 2) + 1;
    case 'random':
      return on.count;
    case 'all':
      return replicas;
  }
}

/** A bound that no fault of the timeline can put to the test would always hold, and mean nothing. */
function checkExpectations(expect: Expectations, scenario: PartialScenario): Contradiction[] {
  const lacks = (...kinds: readonly string[]): boolean =>
    scenario.timelineComplete && !scenario.timeline.some(({ step }) => kinds.includes(step.fault.kind));
  const found: Contradiction[] = [];
  const demand = (key: string, expected: string): void => {
    found.push({ path: ['expect', key], expected });
  };
  const reopens = scenario.timeline.some(({ step: { fault } }) => failsWrites(fault));
  if (expect.storageReopened && scenario.timelineComplete && !reopens)
    demand('storage-reopened', 'a disk fault in the timeline to test it');
  const isRotting = ({ step: { fault } }: PartialScenario['timeline'][number]): boolean =>
    fault.kind === 'disk' && fault.how === 'rots';
  if (expect.damageRepaired && scenario.timelineComplete && !scenario.timeline.some(isRotting))
    demand('damage-repaired', 'rot in the timeline to test it');
  if (expect.snapshotResumed && lacks('partition', 'crash', 'pause')) {
    demand('snapshot-resumed', 'a fault in the timeline that takes the leader away from a transfer');
  }
  if (
    expect.newLeaderWithinMs !== null &&
    lacks('partition', 'network', 'disk', 'clock', 'crash', 'pause', 'wipe')
  ) {
    demand('new-leader-within', 'a fault in the timeline to test it');
  }
  if (expect.stepDownWithinMs !== null && lacks('partition', 'network')) {
    demand('step-down-within', 'a partition or network fault in the timeline to test it');
  }
  if (expect.settlesWithinMs !== null && lacks(...faultKinds)) {
    demand('settles-within', 'a fault in the timeline to test it');
  }
  if (expect.overloadRefused && scenario.overload === undefined) {
    demand('overload-refused', 'an overload in the workload to test it');
  }
  if (expect.membershipWithinMs !== null && lacks('membership')) {
    demand('membership-within', 'a change of the membership in the timeline to test it');
  }
  return found;
}
