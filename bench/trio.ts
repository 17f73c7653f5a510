// Three cores in one thread, with nothing between them: every write is durable at once.

import type { Configuration } from '../src/raft/configuration.ts';
import type { Index } from '../src/raft/entry.ts';
import { defaultRaftOptions } from '../src/raft/options.ts';
import { Raft } from '../src/raft/raft.ts';

const IDS = ['n1', 'n2', 'n3'];

/** How often each core is told of a snapshot, and how much of its log it keeps behind it. */
export interface Compaction {
  readonly everyEntries: number;
  readonly keepEntries: number;
}

export class Trio {
  now = 0;
  readonly cores = new Map<string, Raft>();
  readonly #compaction: Compaction | null;

  constructor(compaction: Compaction | null = null) {
    this.#compaction = compaction;
    const incarnation = (id: string): string => id.padEnd(16, '0');
    const configuration: Configuration = {
      id: '1.1',
      voters: IDS.map((id) => ({ id, incarnation: incarnation(id), address: id })),
      outgoing: [],
      learners: [],
      retired: [],
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
          snapshot: null,
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

  /** Until no core wants anything any more. */
  pump(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const core of this.cores.values()) {
        for (const effect of core.takeEffects()) {
          busy = true;
          if (effect.kind === 'send')
            this.cores.get(effect.envelope.to.id)?.receive(this.now, effect.envelope);
          else if (effect.kind === 'write') core.persisted(this.now, effect.writeId);
          else if (effect.kind === 'apply') this.#applied(core, effect.to);
          else if (effect.kind === 'load')
            throw new Error('an entry left the cache: the bench would measure loads');
        }
      }
    }
  }

  #applied(core: Raft, to: Index): void {
    core.applied(this.now, to);
    if (this.#compaction === null) return;
    const { everyEntries, keepEntries } = this.#compaction;
    // At multiples, as the default policy does; ranges are applied whole here, so it may be a little later.
    const taken = Math.floor((core.state.snapshot?.index ?? 0) / everyEntries);
    if (Math.floor(to / everyEntries) === taken) return;
    const meta = {
      index: to,
      term: core.termAt(to) ?? 0,
      configuration: core.configurationAt(to),
      size: 0,
      digest: '',
    };
    core.snapshotTaken(this.now, meta, Math.max(1, to - keepEntries + 1));
  }
}
