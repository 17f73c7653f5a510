import type { Clock } from '../doors/clock.ts';
import { Histogram } from '../metrics/histogram.ts';
import type { Index, Term } from '../raft/entry.ts';
import type { DropReason } from '../raft/event.ts';
import { termAt } from '../raft/log.ts';
import type { RaftState } from '../raft/state.ts';
import { channels, type NodeMessage, type ProposeMessage, type RangeMessage } from './channels.ts';
import { EntryTimes } from './entry-times.ts';
import { failureReason } from './failure-reason.ts';

/** Requests of one kind: every one of `total` is pending, has succeeded or has failed. */
export interface RequestTally {
  total: number;
  succeeded: number;
  failed: number;
  readonly failedBy: Map<string, number>;
}

type Drops = RaftState['drops'];

/** What is looked at of a core. */
type Looked = Pick<RaftState, 'commitIndex' | 'durable' | 'log' | 'drops'>;

interface Seen {
  readonly state: Looked;
  durableIndex: Index;
  commitIndex: Index;
}

export type RequestKind = 'proposal' | 'read';

/**
 * What a node measures of itself as it goes, by the clock of its doors alone, and tells on `channels`. It outlives
 * a reopened storage.
 */
export class Instruments {
  readonly node: NodeMessage;
  readonly clock: Clock;
  readonly latencies = {
    proposal: new Histogram(),
    read: new Histogram(),
    append: new Histogram(),
    commit: new Histogram(),
    apply: new Histogram(),
    stateMachine: new Histogram(),
    storageWrite: new Histogram(),
  };
  readonly requests: Readonly<Record<RequestKind, RequestTally>> = {
    proposal: noRequests(),
    read: noRequests(),
  };
  /** That peers gave, in place of what the disk lost. */
  repairedEntries = 0;
  readonly #appending = new EntryTimes(this.latencies.append);
  readonly #committing = new EntryTimes(this.latencies.commit);
  readonly #applying = new EntryTimes(this.latencies.apply);
  readonly #dropsBefore: Drops = {};
  /** The core that was looked at last, and what it had got to. */
  #seen: Seen | null = null;

  constructor(node: NodeMessage, clock: Clock) {
    this.node = node;
    this.clock = clock;
  }

  // ---- requests

  /** @returns when it began, for `requestEnded`. */
  requestBegan(kind: RequestKind): number {
    this.requests[kind].total += 1;
    return this.clock.now();
  }

  requestEnded(kind: RequestKind, beganAt: number, failure: { readonly error: unknown } | null): void {
    if (failure === null) {
      this.requests[kind].succeeded += 1;
      this.latencies[kind].observe(this.clock.now() - beganAt);
    } else this.#countFailure(kind, failure.error);
  }

  /** It was refused before it began. */
  requestRefused(kind: RequestKind, error: unknown): void {
    this.requests[kind].total += 1;
    this.#countFailure(kind, error);
  }

  #countFailure(kind: RequestKind, error: unknown): void {
    const tally = this.requests[kind];
    const reason = failureReason(error);
    tally.failed += 1;
    tally.failedBy.set(reason, (tally.failedBy.get(reason) ?? 0) + 1);
  }

  // ---- entries on their way

  /** The core took `count` commands into its log, as leader; the first at `from`. */
  appended(count: number, { from, term }: { readonly from: Index; readonly term: Term }): void {
    if (count === 0) return;
    const batch = { from, to: from + count - 1, term, count, since: this.clock.now() };
    this.#appending.begin(batch);
    this.#committing.begin(batch);
  }

  /** A traced proposal has its place in the log. */
  tracedAppend(message: ProposeMessage, entry: { readonly index: Index; readonly term: Term }): void {
    message.entry = entry;
    channels.append.publish(message);
  }

  /** Once in every drain, before anything of it is carried out: what has got durable, and committed. */
  look(state: Looked): void {
    const { commitIndex, durable, log } = state;
    const seen = this.#see(state);
    const hasNews =
      commitIndex > seen.commitIndex ||
      durable.index !== seen.durableIndex ||
      this.#appending.hasReached(durable.index) ||
      this.#committing.hasReached(commitIndex) ||
      this.#applying.hasReached(log.floorIndex);
    if (!hasNews) return;
    const now = this.clock.now();
    const term = (index: Index): Term | null => termAt(log, index);
    this.#appending.reach(durable.index, now, term);
    this.#committing.reach(commitIndex, now, term);
    // A snapshot took the place of applying these: who was applied is not waiting any more.
    this.#applying.reach(log.floorIndex, now, () => null);
    if (durable.index > seen.durableIndex) this.#tell('persist', state, seen.durableIndex + 1, durable.index);
    if (commitIndex > seen.commitIndex) {
      this.#waitForApply(state, seen.commitIndex + 1, now);
      this.#tell('commit', state, seen.commitIndex + 1, commitIndex);
    }
    seen.durableIndex = durable.index;
    seen.commitIndex = commitIndex;
  }

  /** The state machine finished this entry. */
  applied(index: Index): void {
    if (this.#applying.hasReached(index)) this.#applying.reach(index, this.clock.now(), null);
  }

  entriesRepaired(count: number): void {
    this.repairedEntries += count;
  }

  /** Messages that this core and the ones before it did not act upon. */
  drops(): Drops {
    const drops = { ...this.#dropsBefore };
    addDrops(drops, this.#seen?.state.drops ?? {});
    return drops;
  }

  #see(state: Looked): Seen {
    if (this.#seen?.state === state) return this.#seen;
    addDrops(this.#dropsBefore, this.#seen?.state.drops ?? {});
    this.#seen = { state, durableIndex: state.durable.index, commitIndex: state.commitIndex };
    return this.#seen;
  }

  #waitForApply({ log, commitIndex }: Looked, firstIndex: Index, now: number): void {
    const from = Math.max(firstIndex, log.floorIndex + 1);
    const term = termAt(log, commitIndex);
    if (from > commitIndex || term === null) return;
    this.#applying.begin({ from, to: commitIndex, term, count: commitIndex - from + 1, since: now });
  }

  /** One message for each term, so that a listener can tell an entry from another that took its place. */
  #tell(stage: 'persist' | 'commit', { log }: Looked, from: Index, to: Index): void {
    if (!channels[stage].hasSubscribers) return;
    for (const [position, { term, firstIndex }] of log.runs.entries()) {
      const lastIndex = (log.runs[position + 1]?.firstIndex ?? log.lastIndex + 1) - 1;
      const range = { from: Math.max(from, firstIndex), to: Math.min(to, lastIndex) };
      if (range.from > range.to) continue;
      const message: RangeMessage = { ...this.node, ...range, term };
      channels[stage].publish(message);
    }
  }
}

function noRequests(): RequestTally {
  return { total: 0, succeeded: 0, failed: 0, failedBy: new Map() };
}

function addDrops(to: Drops, more: Readonly<Drops>): void {
  for (const [reason, count] of Object.entries(more) as [DropReason, number][]) {
    to[reason] = (to[reason] ?? 0) + count;
  }
}
