import type { Contradiction } from './contradiction.ts';
import type { PartialScenario } from './partial-scenario.ts';
import type { TimelineStep } from './scenario.ts';

/** By how much the clock of this fault and a true one drift apart, in thousandths; 0 for any other fault. */
export function driftPerMille({ fault }: Pick<TimelineStep, 'fault'>): number {
  if (fault.kind !== 'clock') return 0;
  const { ratePerMille } = fault;
  return ratePerMille < 1000 ? 1000 - ratePerMille : 1000 - Math.floor(1_000_000 / ratePerMille);
}

/** A lease stands on a declared bound, and only what breaks the bound can make a read stale. */
export function checkLeases(scenario: PartialScenario): Contradiction[] {
  const { clockDriftPerMille: declared, reads, expect, timeline, timelineComplete } = scenario;
  const found: Contradiction[] = [];
  if (reads === 'lease' && declared === undefined) {
    const expected = 'a `clock-drift` of the cluster, such as 10%, or no reads by a lease';
    found.push({ path: ['workload', 'reads'], expected });
  }
  if (expect?.staleRead !== true) return found;
  if (reads === 'linearizable') {
    found.push({ path: ['expect', 'stale-read'], expected: '`reads: lease`: no other read is ever stale' });
  } else if (typeof declared === 'number' && timelineComplete) {
    if (timeline.some(({ step }) => driftPerMille(step) > declared)) return found;
    const expected = `a clock fault in the timeline that drifts by more than the declared ${declared / 10}%`;
    found.push({ path: ['expect', 'stale-read'], expected });
  }
  return found;
}
