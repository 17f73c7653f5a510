import type { Index } from '../../../src/raft/entry.ts';
import type { RequestId } from '../../../src/raft/identity.ts';
import type { Cluster, FakeReplica } from '../cluster.ts';

interface Sample {
  readonly now: number;
  readonly local: number;
  readonly anomalies: number;
}

/**
 * Sees the whole cluster, so it knows what no replica can: the greatest index that was committed anywhere at any
 * moment. It compares with that whatever a core says of its own state:
 *
 *  - a read is granted at no index below what was committed anywhere when it was asked for. That is
 *    linearizability at the level of the core: whoever reads at that index misses no write that was acknowledged;
 *  - a bound on staleness is true: what was committed anywhere so long ago is applied here.
 *
 * It does not see what is read: that it is read from a state that holds the index is the node's.
 */
export class ReadOracle {
  granted = 0;
  grantedByLease = 0;
  stalenessTold = 0;
  readonly #cluster: Cluster;
  /** What was committed when, from `now` on, in the order of time. */
  readonly #greatest: { readonly now: number; readonly index: Index }[] = [{ now: -1, index: 0 }];
  readonly #asked = new Map<string, { readonly floor: Index; readonly lease: boolean }>();
  /** By replica and boot: what its core took for the time when, latest last. */
  readonly #times = new Map<string, Sample[]>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.onGranted = ({ id }, { readId, index }) => this.#onGranted(keyOf(id, readId), index);
  }

  ask(id: string, how: { readonly lease: boolean }): void {
    const { core } = this.#cluster.replica(id);
    if (core === null) return;
    // The id that the core gives next: a read may be granted before it is known.
    const { self, lastSequence } = core.state;
    const readId = { boot: self.boot, sequence: lastSequence + 1 };
    this.#asked.set(keyOf(id, readId), { floor: this.#greatest.at(-1)?.index ?? 0, lease: how.lease });
    this.#cluster.read(id, how);
  }

  /** After every drain of a core. */
  look(target: FakeReplica): void {
    const { core, id } = target;
    if (core === null) return;
    const { state } = core;
    const { now } = this.#cluster;
    if (state.commitIndex > (this.#greatest.at(-1)?.index ?? 0)) {
      this.#greatest.push({ now, index: state.commitIndex });
    }
    const run = `${id} ${state.self.boot}`;
    const times = this.#times.get(run) ?? [];
    this.#times.set(run, times);
    // A drain without an input finds the time of the last input; an anomaly may leave it where it was, much later.
    const last = times.at(-1);
    const { clockAnomalies: anomalies } = state;
    if (last?.local !== state.now || last.anomalies !== anomalies)
      times.push({ now, local: state.now, anomalies });
    const { proven } = state.freshness;
    if (proven === null) return;
    this.stalenessTold += 1;
    // Where the clock stood still, the moment meant is the last of these: before it nothing can be told.
    // Where it lies before the first of them, the clock ran before this run began.
    const [first = { now, local: state.now }] = times;
    const since =
      times.findLast(({ local }) => local <= proven.at)?.now ?? first.now - 2 * (first.local - proven.at);
    const known = this.#greatest.findLast((one) => one.now < since)?.index ?? 0;
    if (state.appliedIndex >= known) return;
    throw new Error(
      `${id} tells that it is ${state.now - proven.at} ms stale, has applied ${state.appliedIndex}, and misses ` +
        `${known}, which was committed before ${since}; it is ${now}`,
    );
  }

  #onGranted(key: string, index: Index): void {
    const asked = this.#asked.get(key);
    if (asked === undefined) return;
    this.#asked.delete(key);
    this.granted += 1;
    if (asked.lease) this.grantedByLease += 1;
    if (index >= asked.floor) return;
    throw new Error(
      `read ${key}${asked.lease ? ' by lease' : ''} is granted at ${index}, and ${asked.floor} was committed before it`,
    );
  }
}

function keyOf(id: string, { boot, sequence }: RequestId): string {
  return `${id} ${boot}.${sequence}`;
}
