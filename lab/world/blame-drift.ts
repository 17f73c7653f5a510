import type { Violation } from '../checkers/checker.ts';
import type { Injection } from '../report/run-result.ts';
import { driftPerMille } from '../scenario/lease-checks.ts';
import type { Scenario } from '../scenario/scenario.ts';

/**
 * Says why a read by a lease was stale, where the clocks can be blamed: the lease stands on a bound that one of
 * them did not keep (dissertation 6.4.1). Where all kept it, the finding stays as it is: then it is a bug.
 */
export function blameDrift(
  found: Violation,
  { cluster: { clockDriftPerMille }, timeline }: Scenario,
  injections: readonly Injection[],
): Violation {
  const broken = timeline.filter((step) => driftPerMille(step) > (clockDriftPerMille ?? 1000));
  const struck = injections
    .filter(({ what, atMs }) => what.startsWith('clock: ') && atMs <= found.atMs)
    .flatMap(({ on }) => on);
  const worst = broken.toSorted((a, b) => driftPerMille(b) - driftPerMille(a))[0];
  if (worst === undefined || struck.length === 0) return found;
  const declared = (clockDriftPerMille ?? 0) / 10;
  const why =
    `a lease was taken for valid after another leader had been elected: the clock fault of line ${worst.line} ` +
    `made clocks (of ${[...new Set(struck)].sort().join(', ')}) drift by ${driftPerMille(worst) / 10}%, ` +
    `and the replicas were told ${declared}% at most`;
  return { ...found, sentence: `${found.sentence}; ${why}` };
}
