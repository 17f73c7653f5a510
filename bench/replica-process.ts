// One replica of the replication and read benches, in a process of its own; driven over IPC by its parent.
import { RaftNode } from 'kontiki';
import { fileStorage } from 'kontiki/storage';
import { tcpTransport } from 'kontiki/transport';
import { nodeClock } from '../src/doors/node-clock.ts';
import { answersParent } from './child.ts';
import { percentile } from './percentile.ts';

/** What the parent asks. */
export type Ask =
  | {
      readonly kind: 'open';
      readonly id: string;
      readonly members: readonly { readonly id: string; readonly address: string }[];
      readonly directory: string;
      readonly backend: 'files' | 'level';
    }
  | {
      readonly kind: 'measure';
      readonly operation: 'propose' | 'linearizable' | 'lease' | 'local';
      readonly callers: number;
      /** Of what is proposed. */
      readonly valueBytes?: number;
      readonly seconds: number;
    }
  | { readonly kind: 'close' };

/** What it is told. */
export type Answer =
  | { readonly kind: 'role'; readonly leads: boolean }
  | Measured
  | { readonly kind: 'closed' };

export interface Measured {
  readonly kind: 'measured';
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const clock = nodeClock();
let node: RaftNode<Uint8Array, number, null, number> | null = null;

answersParent(answer);

async function answer(ask: Ask): Promise<Answer> {
  if (ask.kind === 'open') {
    let applied = 0;
    const self = ask.members.find(({ id }) => id === ask.id);
    node = await RaftNode.open<Uint8Array, number, null, number>({
      id: ask.id,
      storage: fileStorage({ directory: ask.directory, backend: ask.backend }),
      transport: tcpTransport({ listen: self?.address ?? '' }),
      stateMachine: {
        apply: () => {
          applied += 1;
          return applied;
        },
        query: () => applied,
      },
      bootstrap: { members: ask.members },
      raft: { clockDriftMaxRatio: 0.1 },
    });
    const leader = await node.waitForLeader({ timeoutMs: 30_000 });
    return { kind: 'role', leads: leader.id === ask.id };
  }
  if (node === null) throw new Error(`${ask.kind} before open`);
  if (ask.kind === 'measure') return measure(node, ask);
  await node.close();
  return { kind: 'closed' };
}

async function measure(
  replica: RaftNode<Uint8Array, number, null, number>,
  { operation, callers, valueBytes = 0, seconds }: Extract<Ask, { kind: 'measure' }>,
): Promise<Answer> {
  const value = new Uint8Array(valueBytes).fill(120);
  const load = async (untilMs: number, latencies: number[]): Promise<void> => {
    while (clock.now() < untilMs) {
      const calledAt = clock.now();
      if (operation === 'propose') await replica.propose(value);
      else await replica.read(null, { consistency: operation });
      latencies.push(clock.now() - calledAt);
    }
  };
  const all = async (durationMs: number): Promise<number[]> => {
    const latencies: number[] = [];
    const untilMs = clock.now() + durationMs;
    await Promise.all(Array.from({ length: callers }, () => load(untilMs, latencies)));
    return latencies;
  };
  await all(500);
  const startedAt = clock.now();
  const latencies = Float64Array.from(await all(seconds * 1000));
  const perSecond = (latencies.length / (clock.now() - startedAt)) * 1000;
  return {
    kind: 'measured',
    perSecond,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}
