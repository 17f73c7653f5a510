// What three compacting cores hold in memory, at several lengths of their history. Run with --expose-gc; tells
// its parent over IPC.
import { Trio } from './trio.ts';

/** Bytes of the JavaScript heap and of buffers, per core, about this many committed entries into its life. */
export interface Held {
  readonly committed: number;
  readonly bytesPerCore: number;
}

const PAYLOAD_BYTES = 128;
const BATCH = 64;
/** Those of the default policy. */
const COMPACTION = { everyEntries: 10_000, keepEntries: 1_000 };

const counts = process.argv.slice(2).map(Number);
const { gc } = globalThis;
if (gc === undefined) throw new Error('expected to be run with --expose-gc');

const before = held(gc);
const trio = new Trio(COMPACTION);
const leader = trio.leader();
for (const committed of counts) {
  // Half way to the next snapshot: right after one the least is held.
  const until = committed + COMPACTION.everyEntries / 2;
  while (leader.state.commitIndex < until) propose(Math.min(BATCH, until - leader.state.commitIndex));
  process.send?.({ committed, bytesPerCore: (held(gc) - before) / trio.cores.size } satisfies Held);
}
process.disconnect();

function propose(count: number): void {
  // A payload of its own for each entry, as commands have.
  const call = Array.from(
    { length: count },
    () => ({ kind: 'command', payload: new Uint8Array(PAYLOAD_BYTES) }) as const,
  );
  trio.now += 0.01;
  const { accepted } = leader.propose(trio.now, call);
  if (!accepted) throw new Error('the bench proposes more than its leader takes');
  trio.pump();
}

function held(collect: () => void): number {
  // Twice: buffers that the first one finds dead are given back after it.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
