// What consensus itself costs: proposals through three cores in one thread.

import { nodeClock } from '../src/doors/node-clock.ts';
import { median } from './percentile.ts';
import { row } from './table.ts';
import { Trio } from './trio.ts';

const PAYLOAD_BYTES = 128;
const PROPOSALS = 400_000;

/** Committed proposals per second, `batch` entries a call. */
function measure(batch: number): number {
  const clock = nodeClock();
  const trio = new Trio();
  const leader = trio.leader();
  const payload = new Uint8Array(PAYLOAD_BYTES);
  const call = Array.from({ length: batch }, () => ({ kind: 'command', payload }) as const);
  const run = (proposals: number): number => {
    const startedAt = clock.now();
    const before = leader.state.commitIndex;
    for (let done = 0; done < proposals; done += batch) {
      trio.now += 0.01;
      leader.propose(trio.now, call);
      trio.pump();
    }
    const committed = leader.state.commitIndex - before;
    if (committed < proposals) throw new Error(`only ${committed} of ${proposals} proposals were committed`);
    return (committed / (clock.now() - startedAt)) * 1000;
  };
  run(PROPOSALS / 4);
  return median([run(PROPOSALS), run(PROPOSALS), run(PROPOSALS)]);
}

/** Prints the section. */
export function benchCore(): void {
  console.log(`\nThree in-process cores, payload ${PAYLOAD_BYTES} bytes, median of three runs`);
  for (const batch of [1, 64]) {
    row(`batches of ${batch}`, `${Math.round(measure(batch)).toLocaleString('en')} committed proposals/s`);
  }
}
