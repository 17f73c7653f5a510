import type { KvCall, Operation } from './history.ts';

/** One operation in a phrase: `client 2 read 17 from k1 (operation 31, 1200..1210 ms)`. */
export function describeOperation(operation: Operation): string {
  return `client ${operation.client} ${phrase(operation)} (operation ${operation.id}, ${interval(operation)})`;
}

function phrase({ call, outcome }: Operation): string {
  if (outcome?.kind === 'ok') {
    const { result } = outcome;
    if (call.kind === 'read' && result.kind === 'read') return `read ${shown(result.value)} from ${call.key}`;
    if (call.kind === 'write') return `wrote ${call.value} to ${call.key}`;
    if (call.kind === 'cas' && result.kind === 'cas') {
      const change = `${call.key} from ${shown(call.expected)} to ${call.value}`;
      return result.swapped ? `changed ${change}` : `did not change ${change}`;
    }
  }
  const ending = outcome === null ? 'not answered' : outcome.kind === 'failed' ? 'failed' : 'outcome unknown';
  return `tried to ${attempt(call)}, ${ending}`;
}

function attempt(call: KvCall): string {
  switch (call.kind) {
    case 'read':
      return `read ${call.key}`;
    case 'write':
      return `write ${call.value} to ${call.key}`;
    case 'cas':
      return `change ${call.key} from ${shown(call.expected)} to ${call.value}`;
  }
}

function interval({ calledAtMs, outcome }: Operation): string {
  return outcome?.kind === 'ok' || outcome?.kind === 'failed'
    ? `${calledAtMs}..${outcome.atMs} ms`
    : `from ${calledAtMs} ms`;
}

function shown(value: number | null): string {
  return value === null ? 'nothing' : String(value);
}
