import type { KvCall, KvResult, Operation } from '../../../lab/workload/history.ts';
import { parsed } from './operations.ts';

/** An operation without its times; no result: it never returns. */
export interface Part {
  readonly call: KvCall;
  readonly result: KvResult | null;
}

/** A call or a return of the part at this place. */
interface Moment {
  readonly at: number;
  readonly isReturn: boolean;
}

/** Written as for `drawn`, with `?` at the end when it never returns. */
export function part(text: string): Part {
  const { call, result } = parsed({ what: text.replace(/\?$/, ''), key: 'k' });
  return { call, result: text.endsWith('?') ? null : result };
}

/** Every choice of so many out of `all`, each as often as one likes, regardless of order. */
export function* choices<T>(all: readonly T[], count: number): Generator<T[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (const [at, first] of all.entries()) {
    for (const rest of choices(all.slice(at), count - 1)) yield [first, ...rest];
  }
}

/**
 * Every way in which the parts can overlap, once. Which of two calls comes first matters only when a return
 * is between them, and the other way round; so calls without a return between them are in the order of
 * `parts`, and so are returns.
 */
export function* everyHistory(parts: readonly Part[]): Generator<Operation[]> {
  const moments: Moment[] = [];
  const phase: ('uncalled' | 'running' | 'ended')[] = parts.map(() => 'uncalled');
  function* extend(): Generator<Operation[]> {
    const last = moments.at(-1);
    if (phase.every((one) => one === 'ended')) {
      // A call after all returns is of something that might as well not be.
      if (last?.isReturn) yield timed(parts, moments);
      return;
    }
    for (const [at, before] of phase.entries()) {
      const isReturn = before === 'running';
      if (before === 'ended' || (last?.isReturn === isReturn && last.at > at)) continue;
      // Of two that are alike the first is called first.
      if (!isReturn && at > 0 && parts[at] === parts[at - 1] && phase[at - 1] === 'uncalled') continue;
      moments.push({ at, isReturn });
      phase[at] = isReturn || parts[at]?.result === null ? 'ended' : 'running';
      yield* extend();
      phase[at] = before;
      moments.pop();
    }
  }
  yield* extend();
}

function timed(parts: readonly Part[], moments: readonly Moment[]): Operation[] {
  const operations: Operation[] = [];
  const ofPart = new Map<number, Operation>();
  for (const [sequence, { at }] of moments.entries()) {
    const called = ofPart.get(at);
    const { call, result } = parts[at] ?? {};
    if (called && result) called.outcome = { kind: 'ok', result, atMs: sequence, sequence };
    else if (call) {
      const id = operations.length;
      const common = { calledAtMs: sequence, calledSequence: sequence };
      const operation: Operation = { id, client: at, call, ...common, outcome: null };
      operations.push(operation);
      ofPart.set(at, operation);
    }
  }
  return operations;
}
