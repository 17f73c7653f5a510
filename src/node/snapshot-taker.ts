import type { Entry, Index } from '../raft/entry.ts';
import { entryBytes } from '../raft/entry.ts';
import type { Raft } from '../raft/raft.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { SnapshotStorage } from '../storage/contract.ts';
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
  readonly source: SnapshotSource;
  readonly waiters: readonly SnapshotWaiter[];
}

/**
 * Takes snapshots of the running state machine. `snapshot()` is called right after the entry it is of, between
 * two commands; what it gives is written while applying goes on, one snapshot at a time. A trigger that comes
 * while it cannot be followed (another is being written, the storage is being reopened) is remembered.
 */
export class SnapshotTaker {
  readonly #snapshot: (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>) | null;
  readonly #policy: SnapshotPolicy;
  readonly #applied: () => { readonly index: Index; readonly midCommand: boolean };
  readonly #failed: (index: Index, error: unknown) => void;
  #session: SnapshotTakerSession | null = null;
  #writing: Writing | null = null;
  #wanted = false;
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

  begin(session: SnapshotTakerSession): void {
    this.#session = session;
    this.#takeIfPossible();
  }

  /** The storage is gone: what was being written is taken anew with the next session. */
  end(): void {
    this.#session = null;
    if (this.#writing === null) return;
    this.#wanted = true;
    this.#waiters.unshift(...this.#writing.waiters);
    this.#writing.source.cut();
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
      if (this.#policy.due(at)) this.#wanted = true;
    } catch (error) {
      this.#failed(index, error);
    }
    if (this.#wanted) this.#takeIfPossible();
  }

  /** Called after every drain: what kept a wanted one from being taken may be over. */
  look(): void {
    if (this.#wanted) this.#takeIfPossible();
  }

  /** The state machine holds what this snapshot holds: whatever was wanted, this is as good. */
  onRestored(meta: SnapshotMeta): void {
    this.#sinceIndex = meta.index;
    this.#bytesSince = 0;
    this.#wanted = false;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(meta);
  }

  /** One now. Resolves once it is durable; null when there is nothing to take, or no way to. */
  take(): Promise<SnapshotMeta | null> {
    if (this.#snapshot === null || this.#applied().index === 0) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#wanted = true;
      this.#takeIfPossible();
    });
  }

  #takeIfPossible(): void {
    const session = this.#session;
    if (!this.#wanted || session === null || this.#writing !== null || this.#snapshot === null) return;
    const { index, midCommand } = this.#applied();
    if (midCommand || index === 0) return;
    const { state } = session.core;
    if (state.snapshot !== null && index <= state.snapshot.index) {
      this.onRestored(state.snapshot);
      return;
    }
    // After a reopened storage the log may not reach up to what is applied yet, or hold other entries there:
    // then it cannot tell the term and the configuration of that entry, and the next applied one is as good.
    const term = index <= state.settledIndex && state.restoring === null ? session.core.termAt(index) : null;
    if (term === null) return;

    this.#wanted = false;
    this.#sinceIndex = index;
    this.#bytesSince = 0;
    const waiters = this.#waiters.splice(0);
    let source: SnapshotSource;
    try {
      source = new SnapshotSource(this.#snapshot());
    } catch (error) {
      this.#tellFailed(waiters, index, error);
      return;
    }
    const writing = { source, waiters };
    this.#writing = writing;
    const at = { index, term, configuration: session.core.configurationAt(index) };
    session.snapshots.write(at, source).then(
      (meta) => {
        if (this.#ends(writing)) this.#onTaken(session, waiters, meta);
      },
      (error: unknown) => {
        if (source.failure === null) {
          // Still under way for `end`, which the storage's end calls: it keeps the trigger and the waiters.
          if (this.#writing === writing) session.storageFailed(error);
        } else if (this.#ends(writing)) {
          this.#tellFailed(waiters, index, source.failure.error);
          this.#takeIfPossible();
        }
      },
    );
  }

  #onTaken(session: SnapshotTakerSession, waiters: readonly SnapshotWaiter[], meta: SnapshotMeta): void {
    session.taken(meta, Math.max(1, meta.index - this.#policy.keepEntries + 1));
    for (const waiter of waiters) waiter.resolve(meta);
    this.#takeIfPossible();
  }

  #tellFailed(waiters: readonly SnapshotWaiter[], index: Index, error: unknown): void {
    this.#failed(index, error);
    for (const waiter of waiters) waiter.reject(error);
  }

  /** @returns false when its session ended meanwhile. */
  #ends(writing: Writing): boolean {
    if (this.#writing !== writing) return false;
    this.#writing = null;
    return true;
  }
}
