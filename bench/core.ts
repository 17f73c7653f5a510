// Three cores in one thread, with nothing between them: what consensus itself costs.

import { nodeClock } from '../src/doors/node-clock.ts';
import type { Configuration } from '../src/raft/configuration.ts';
import { defaultRaftOptions } from '../src/raft/options.ts';
import { Raft } from '../src/raft/raft.ts';
import { row } from './table.ts';

const PAYLOAD_BYTES = 128;
const PROPOSALS = 400_000;
const IDS = ['n1', 'n2', 'n3'];

class Trio {
  now = 0;
  readonly cores = new Map<string, Raft>();
  committed = 0;

  constructor() {
    const incarnation = (id: string): string => id.padEnd(16, '0');
    const configuration: Configuration = {
      voters: IDS.map((id) => ({ id, incarnation: incarnation(id), address: id })),
      outgoing: [],
      learners: [],
    };
    const clusterId = 'c'.repeat(16);
    for (const id of IDS) {
      const entry = { kind: 'configuration', index: 1, term: 1, clusterId, configuration } as const;
      let draw = 0;
      const core = new Raft(
        {
          self: { id, incarnation: incarnation(id), boot: 1 },
          group: 'default',
          clusterId,
          options: defaultRaftOptions,
          now: 0,
          recovered: {
            hardState: { term: 1, votedFor: null },
            floor: { index: 0, term: 0, configuration: null },
            lastIndex: 1,
            runs: [{ term: 1, firstIndex: 1 }],
            configurations: [entry],
          },
          appliedIndex: 0,
        },
        // Different and fixed waits: n1 always campaigns first.
        { integer: (from, to) => Math.min(to - 1, from + 200 * IDS.indexOf(id) + (draw++ % 2)) },
      );
      this.cores.set(id, core);
    }
  }

  leader(): Raft {
    for (let steps = 0; steps < 10_000; steps += 1) {
      for (const core of this.cores.values()) if (core.state.role === 'leader') return core;
      const deadlines = [...this.cores.values()].map(({ deadline }) => deadline ?? Number.POSITIVE_INFINITY);
      this.now = Math.max(this.now, Math.min(...deadlines));
      for (const core of this.cores.values()) core.tick(this.now);
      this.pump();
    }
    throw new Error('the bench elected no leader');
  }

  /** Until no core wants anything any more; every write is durable at once. */
  pump(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const core of this.cores.values()) {
        for (const effect of core.takeEffects()) {
          busy = true;
          if (effect.kind === 'send')
            this.cores.get(effect.envelope.to.id)?.receive(this.now, effect.envelope);
          else if (effect.kind === 'write') core.persisted(this.now, effect.writeId);
          else if (effect.kind === 'apply') core.applied(this.now, effect.to);
          else if (effect.kind === 'load')
            throw new Error('an entry left the cache: the bench would measure loads');
        }
      }
    }
  }
}

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

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Prints the section. */
export function benchCore(): void {
  console.log(`\nThree in-process cores, payload ${PAYLOAD_BYTES} bytes, median of three runs`);
  for (const batch of [1, 64]) {
    row(`batches of ${batch}`, `${Math.round(measure(batch)).toLocaleString('en')} committed proposals/s`);
  }
}
