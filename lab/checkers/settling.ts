import type { NodeId } from '../../src/raft/identity.ts';
import { outages } from '../workload/availability.ts';
import type { Operation } from '../workload/history.ts';
import type { Violation } from './checker.ts';

/** What a run has to show for itself, once clients have stopped. */
export interface SettlingEvidence {
  /** Every moment at which a fault struck or ended; any order. */
  readonly changedAtMs: readonly number[];
  /** Every leadership, by its beginning. */
  readonly leaderships: readonly { readonly atMs: number; readonly replica: NodeId; readonly term: number }[];
  readonly operations: readonly Operation[];
  /** When the last fault was taken away, or clients stopped. */
  readonly untilMs: number;
}

export interface SettlingBounds {
  readonly withinMs: number;
  /** The longest election timeout: whoever serves nobody for longer is being replaced. */
  readonly unservedAtMostMs: number;
}

/**
 * Whatever a fault leaves of the network, as long as somebody sees a quorum one leader has to emerge, stay and
 * serve while the fault lasts: it is judged from a while after each change of the faults until the next one. That
 * is what a bridge, a ring or a one-way link put to the test, where a replica that cannot hear the leader deposes
 * it through one that can (ZOO V10, V11). A stretch shorter than the while is not judged.
 */
export function findUnsettled(evidence: SettlingEvidence, bounds: SettlingBounds): Violation | null {
  const { leaderships, operations, untilMs } = evidence;
  const { withinMs, unservedAtMostMs } = bounds;
  const changes = [...evidence.changedAtMs, untilMs].sort((a, b) => a - b);
  const gaps = outages(operations, untilMs);
  for (const [position, atMs] of changes.entries()) {
    const fromMs = atMs + withinMs;
    const toMs = changes[position + 1] ?? untilMs;
    if (fromMs >= toMs) continue;
    const late = leaderships.find((one) => one.atMs > fromMs && one.atMs < toMs);
    const since = `${ms(atMs)} ms, when a fault last struck or ended`;
    if (late !== undefined) {
      const sentence =
        `${late.replica} began to lead term ${late.term} at ${ms(late.atMs)} ms, ` +
        `later than ${withinMs} ms after ${since}: leadership did not settle`;
      return { checker: settling, sentence, atMs: late.atMs };
    }
    const unserved = gaps.find((gap) => clipped(gap, fromMs, toMs) > unservedAtMostMs);
    if (unserved !== undefined) {
      const sentence =
        `clients waited from ${ms(unserved.fromMs)} ms to ${ms(unserved.toMs)} ms with nothing acknowledged, ` +
        `later than ${withinMs} ms after ${since}; at most ${unservedAtMostMs} ms were allowed`;
      return { checker: settling, sentence, atMs: unserved.toMs };
    }
  }
  return null;
}

export const settling = 'settles-within';

function clipped(
  gap: { readonly fromMs: number; readonly toMs: number },
  fromMs: number,
  toMs: number,
): number {
  return Math.min(gap.toMs, toMs) - Math.max(gap.fromMs, fromMs);
}

function ms(moment: number): number {
  return Math.round(moment * 1000) / 1000;
}
