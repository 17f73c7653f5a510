import type { KvCall, KvResult, Operation } from '../../../lab/workload/history.ts';
import { History } from '../../../lab/workload/history.ts';

export interface RealRegisterOptions {
  readonly operations: number;
  readonly clients: number;
  /** Of 100 operations, how many never return; half of those take effect some time later. */
  readonly unknownPercent: number;
  readonly mix: { readonly read: number; readonly write: number; readonly cas: number };
  readonly seed: number;
}

/** What clients of one real register see: each operation takes effect at a random moment while it runs. */
export function realHistory(options: RealRegisterOptions): Operation[] {
  const { operations, clients, unknownPercent, mix, seed } = options;
  const random = randomFrom(seed);
  const history = new History();
  const running: (Running | null)[] = Array.from({ length: clients }, () => null);
  const stray: KvCall[] = [];
  let state: number | null = null;
  let seen: number | null = null;
  let lastValue = 0;
  const apply = (call: KvCall): KvResult => {
    if (call.kind === 'read') return { kind: 'read', value: state };
    const swapped = call.kind === 'write' || call.expected === state;
    if (swapped) state = call.value;
    return call.kind === 'write' ? { kind: 'write' } : { kind: 'cas', swapped };
  };
  const draw = (): KvCall => {
    const drawn = random(mix.read + mix.write + mix.cas);
    if (drawn < mix.read) return { kind: 'read', key: 'k' };
    lastValue += 1;
    if (drawn < mix.read + mix.write) return { kind: 'write', key: 'k', value: lastValue };
    return { kind: 'cas', key: 'k', expected: seen, value: lastValue };
  };
  for (let at = 0; ; at += 1) {
    if (history.operations.length >= operations && running.every((one) => one === null)) break;
    if (stray.length > 0 && random(50) === 0) {
      const [call] = stray.splice(random(stray.length), 1);
      if (call) apply(call);
    }
    const client = random(clients);
    const current = running[client];
    if (!current) {
      if (history.operations.length >= operations) continue;
      running[client] = { operation: history.call(client, draw(), at), result: null };
    } else if (current.result) {
      history.ok(current.operation, current.result, at);
      if (current.result.kind === 'read') seen = current.result.value;
      running[client] = null;
    } else if (random(100) < unknownPercent) {
      const { call } = current.operation;
      history.unknown(current.operation, 'timed out', at);
      if (call.kind !== 'read' && random(2) === 0) stray.push(call);
      running[client] = null;
    } else {
      current.result = apply(current.operation.call);
    }
  }
  return [...history.operations];
}

interface Running {
  readonly operation: Operation;
  result: KvResult | null;
}

/** A small generator of its own, so that a history is the same wherever and whenever it is made. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * below);
  };
}
