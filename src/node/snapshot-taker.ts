import type { Entry, Index } from '../raft/entry.ts';
import { entryBytes } from '../raft/entry.ts';
import type { Raft } from '../raft/raft.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { SnapshotStorage } from '../storage/contract.ts';
import { SnapshotMismatch } from '../storage/errors.ts';
import type { SnapshotPolicy } from './snapshot-policy.ts';
import { SnapshotSource } from './snapshot-source.ts';

/** What a session gives, as long as it lasts. */
export interface SnapshotTakerSession {
  readonly snapshots: Pick<SnapshotStorage, 'write'>;
  readonly core: Pick<Raft, 'state' | 'configurationAt' | 'termAt'>;
  /** It is durable; entries from `keepFrom` on are to be kept. */
  taken(meta: SnapshotMeta, keepFrom: Index): void;
  storageFailed(error: unknown): void;
}

interface SnapshotWaiter {
  resolve(meta: SnapshotMeta | null): void;
  reject(error: unknown): void;
}

interface Writing {
  readonly index: Index;
  readonly source: SnapshotSource;
  /** The policy asked for it; otherwise only the waiters did. */
  readonly isDue: boolean;
  readonly waiters: readonly SnapshotWaiter[];
}

/**
 * Takes snapshots of the running state machine. `snapshot()` is called right after the entry it is of, between
 * two commands; what it gives is written while applying goes on, one snapshot at a time. A trigger that comes
 * while it cannot be followed (another is being written, the storage is being reopened) is remembered. One
 * that the state machine failed is followed again some entries later, ever more of them, or when the next is due.
 */
export class SnapshotTaker {
  readonly #snapshot: (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>) | null;
  readonly #policy: SnapshotPolicy;
  readonly #applied: () => { readonly index: Index; readonly midCommand: boolean };
  readonly #failed: (index: Index, error: unknown) => void;
  #session: SnapshotTakerSession | null = null;
  #writing: Writing | null = null;
  /** The policy asked for the next one. */
  #isDue = false;
  /** The latest one is damaged: the next takes its place, though it be of the same entry. */
  #replaces = false;
  /** The applied entry after which a failed one is tried again; null when none failed. */
  #retryAt: Index | null = null;
  #retryAfterEntries = 1;
  /** Of the one that another took the place of, until one succeeds. */
  #supersededAt: Index | null = null;
  /** Who asked for the next one. */
  #waiters: SnapshotWaiter[] = [];
  /** Of the last one begun or installed. */
  #sinceIndex: Index = 0;
  #bytesSince = 0;

  /** @param snapshot - the state machine's; null when it has none: then no snapshot is ever taken. */
  constructor(
    snapshot: (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>) | null,
    policy: SnapshotPolicy,
    applied: () => { readonly index: Index; readonly midCommand: boolean },
    failed: (index: Index, error: unknown) => void,
  ) {
    this.#snapshot = snapshot;
    this.#policy = policy;
    this.#applied = applied;
    this.#failed = failed;
  }

  /** The first entry that the log keeps behind a snapshot of `index`. */
  keepFrom(index: Index): Index {
    return Math.max(1, index - this.#policy.keepEntries + 1);
  }

  begin(session: SnapshotTakerSession): void {
    this.#session = session;
    // Opening read all of the latest.
    this.#replaces = false;
    this.#takeIfPossible();
  }

  /** The storage is gone: what was being written is taken anew with the next session. */
  end(): void {
    this.#session = null;
    if (this.#writing === null) return;
    const { source, isDue, waiters } = this.#writing;
    source.cut();
    if (isDue) this.#isDue = true;
    this.#waiters.unshift(...waiters);
    this.#writing = null;
  }

  /** The node stopped. */
  stop(error: unknown): void {
    this.end();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** Called after each entry, before the next is touched. */
  onApplied(entry: Entry): void {
    if (this.#snapshot === null) return;
    const { index } = entry;
    this.#bytesSince += entryBytes(entry);
    try {
      const at = { index, entriesSince: index - this.#sinceIndex, bytesSince: this.#bytesSince };
      if (this.#policy.due(at)) this.#isDue = true;
    } catch (error) {
      this.#failed(index, error);
    }
    if (this.#retryAt !== null && index >= this.#retryAt) this.#isDue = true;
    this.#takeIfPossible();
  }

  /**
   * The latest one does not read back as it was written: another is taken at once, of an entry as far on or further, as the
   * state machine holds all that it held.
   *
   * @returns whether that is news, and whether there is a way to take one.
   */
  replace(): { readonly isNews: boolean; readonly isPossible: boolean } {
    const isNews = !this.#replaces;
    this.#replaces = true;
    if (isNews) this.#isDue = true;
    this.#takeIfPossible();
    return { isNews, isPossible: this.#snapshot !== null };
  }

  /** Called after every drain: what kept one from being taken may be over. */
  look(): void {
    this.#takeIfPossible();
  }

  /** The state machine holds what this snapshot holds: whatever was wanted, this is as good. */
  onRestored(meta: SnapshotMeta): void {
    this.#sinceIndex = meta.index;
    this.#bytesSince = 0;
    this.#isDue = false;
    this.#replaces = false;
    this.#forgetFailures();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(meta);
  }

  /**
   * The disk is nearly full. One now lets go of the entries since the last one, which is worth it where those are more
   * than it is, and safe where it is sure to fit, grown since the last one or not.
   */
  makeRoom(freeBytes: number): void {
    const size = this.#session?.core.state.snapshot?.size ?? Number.POSITIVE_INFINITY;
    if (size >= this.#bytesSince || 2 * size > freeBytes) return;
    this.#isDue = true;
    this.#takeIfPossible();
  }

  /** One now. Resolves once it is durable; null when there is nothing to take, or no way to. */
  take(): Promise<SnapshotMeta | null> {
    if (this.#snapshot === null || this.#applied().index === 0) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#takeIfPossible();
    });
  }

  #takeIfPossible(): void {
    const session = this.#session;
    if (!this.#isDue && this.#waiters.length === 0) return;
    if (session === null || this.#writing !== null || this.#snapshot === null) return;
    const { index, midCommand } = this.#applied();
    if (midCommand || index === 0) return;
    const { state } = session.core;
    const { snapshot } = state;
    if (snapshot !== null && index <= snapshot.index && !(this.#replaces && index === snapshot.index)) {
      // One that is damaged serves nobody who waits.
      if (!this.#replaces) this.onRestored(snapshot);
      return;
    }
    // After a reopened storage the log may not reach up to what is applied yet, or hold other entries there:
    // then it cannot tell the term and the configuration of that entry, and the next applied one is as good.
    const term = index <= state.settledIndex && state.restoring === null ? session.core.termAt(index) : null;
    if (term === null) return;

    const isDue = this.#isDue || this.#retryAt !== null;
    this.#isDue = false;
    this.#retryAt = null;
    this.#sinceIndex = index;
    this.#bytesSince = 0;
    const waiters = this.#waiters.splice(0);
    let source: SnapshotSource;
    try {
      source = new SnapshotSource(this.#snapshot());
    } catch (error) {
      this.#onFailed({ index, isDue, waiters }, error);
      return;
    }
    const writing: Writing = { index, source, isDue, waiters };
    this.#writing = writing;
    const at = { index, term, configuration: session.core.configurationAt(index) };
    session.snapshots.write(at, source).then(
      (meta) => {
        if (this.#ends(writing)) this.#onTaken(session, waiters, meta);
      },
      (error: unknown) => this.#onNotWritten(session, writing, error),
    );
  }

  #onTaken(session: SnapshotTakerSession, waiters: readonly SnapshotWaiter[], meta: SnapshotMeta): void {
    this.#replaces = false;
    this.#forgetFailures();
    session.taken(meta, this.keepFrom(meta.index));
    for (const waiter of waiters) waiter.resolve(meta);
    this.#takeIfPossible();
  }

  #onNotWritten(session: SnapshotTakerSession, writing: Writing, error: unknown): void {
    const { source, index } = writing;
    if (source.failure !== null) {
      if (!this.#ends(writing)) return;
      this.#onFailed(writing, source.failure.error);
      this.#takeIfPossible();
    } else if (!(error instanceof SnapshotMismatch)) {
      // Still under way for `end`, which the storage's end calls: it keeps the trigger and the waiters.
      if (this.#writing === writing) session.storageFailed(error);
    } else if (this.#ends(writing)) {
      // A later one is there, or another of this entry: that serves whom this one was for. A storage which says
      // so twice in a row of one entry says nothing of the sort.
      if (this.#supersededAt === index) this.#onFailed(writing, error);
      else this.#waiters.unshift(...writing.waiters);
      this.#supersededAt = index;
      this.#takeIfPossible();
    }
  }

  /** Whoever asked is told, and may ask again; what the policy asked for is made up for. */
  #onFailed({ index, isDue, waiters }: Omit<Writing, 'source'>, error: unknown): void {
    if (isDue) {
      this.#retryAt = this.#applied().index + this.#retryAfterEntries;
      this.#retryAfterEntries *= 2;
    }
    this.#failed(index, error);
    for (const waiter of waiters) waiter.reject(error);
  }

  #forgetFailures(): void {
    this.#retryAt = null;
    this.#retryAfterEntries = 1;
    this.#supersededAt = null;
  }

  /** @returns false when its session ended meanwhile. */
  #ends(writing: Writing): boolean {
    if (this.#writing !== writing) return false;
    this.#writing = null;
    return true;
  }
}
