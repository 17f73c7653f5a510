import type { Operation } from '../../../lab/workload/history.ts';

/**
 * Linearizability by its definition, for a handful of operations on one key: is there any subset of the
 * unknown ones, and any order of it with the acknowledged ones, that keeps real time and a register's rules?
 */
export function linearizableByDefinition(operations: readonly Operation[]): boolean {
  const candidates = operations.filter(({ outcome }) => outcome?.kind !== 'failed');
  return extend(candidates, null);
}

function extend(left: readonly Operation[], state: number | null): boolean {
  if (left.every(({ outcome }) => outcome?.kind !== 'ok')) return true;
  const firstReturn = Math.min(...left.map(returned));
  return left.some((operation) => {
    // Nothing may be put before an operation that returned before it was called.
    if (operation.calledSequence > firstReturn) return false;
    const next = applied(operation, state);
    return (
      next !== 'impossible' &&
      extend(
        left.filter((other) => other !== operation),
        next,
      )
    );
  });
}

function returned({ outcome }: Operation): number {
  return outcome?.kind === 'ok' ? outcome.sequence : Number.POSITIVE_INFINITY;
}

function applied({ call, outcome }: Operation, state: number | null): number | null | 'impossible' {
  const result = outcome?.kind === 'ok' ? outcome.result : null;
  switch (call.kind) {
    case 'read':
      return result?.kind === 'read' && result.value !== state ? 'impossible' : state;
    case 'write':
      return call.value;
    case 'cas': {
      const swaps = call.expected === state;
      if (result?.kind === 'cas' && result.swapped !== swaps) return 'impossible';
      return swaps ? call.value : state;
    }
  }
}
