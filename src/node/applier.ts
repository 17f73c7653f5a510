import type { Entry, Index } from '../raft/entry.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import { StorageRefused } from '../storage/errors.ts';
import { StateMachineFailed } from './errors.ts';
import type { PendingRequests } from './pending-requests.ts';
import { isPromiseLike } from './promise-like.ts';
import type { AppliedSessions } from './sessions/applied-sessions.ts';
import { ChunkReader } from './sessions/chunk-reader.ts';
import type { SnapshotContent } from './snapshot-content.ts';
import type { CommandCodec, StateMachine } from './state-machine.ts';

/** The part of a state machine that applies; what a query takes and returns does not matter here. */
type Applies<Command, Result> = Pick<StateMachine<Command, Result, unknown, unknown>, 'apply' | 'restore'>;

/**
 * Feeds committed entries to the state machine, one after another, each once, or replaces its state by a
 * snapshot's; and keeps the table of sessions in step with it. It outlives a reopened storage, as the running state machine does.
 */
export class Applier<Command, Result> {
  readonly #stateMachine: Applies<Command, Result>;
  readonly #codec: CommandCodec<Command>;
  readonly #pending: PendingRequests;
  readonly #sessions: AppliedSessions;
  readonly #onApplied: (entry: Entry, result: unknown) => void;
  #appliedIndex: Index = 0;
  #running: Promise<void> = Promise.resolve();
  #midCommand = false;
  #isTorn = false;
  #stopped = false;
  #onStopped: () => void = () => {};
  readonly #whenStopped = new Promise<void>((resolve) => {
    this.#onStopped = resolve;
  });

  constructor(
    stateMachine: Applies<Command, Result>,
    codec: CommandCodec<Command>,
    pending: PendingRequests,
    sessions: AppliedSessions,
    onApplied: (entry: Entry, result: unknown) => void,
  ) {
    this.#stateMachine = stateMachine;
    this.#codec = codec;
    this.#pending = pending;
    this.#sessions = sessions;
    this.#onApplied = onApplied;
  }

  /** The last entry the state machine finished. */
  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  /** An `apply` or `restore` has not settled, or failed: the state is that of no entry. */
  get midCommand(): boolean {
    return this.#midCommand || this.#isTorn;
  }

  /** A `restore` came to no good end: whatever the applied index says, the state has to be restored again. */
  get isTorn(): boolean {
    return this.#isTorn;
  }

  /** Settles when no `apply` or `restore` of the user's is under way, or nobody cares any more. */
  async idle(): Promise<void> {
    await Promise.race([this.#running, this.#whenStopped]);
  }

  /** Nothing more is applied after the entry under way. */
  stop(): void {
    this.#stopped = true;
    this.#onStopped();
  }

  /**
   * Applies consecutive entries, the first being `appliedIndex + 1`; synchronously as long as the state
   * machine is. @throws StateMachineFailed, thrown or as a rejection; the failed entry is not applied.
   */
  apply(entries: readonly Entry[]): void | Promise<void> {
    const outcome = this.#applyFrom(entries, 0);
    if (outcome !== undefined) {
      this.#running = outcome.catch(() => {});
    }
    return outcome;
  }

  /**
   * Replaces the state by that of a snapshot, which is ahead of it unless it is torn; only while nothing is
   * being applied.
   *
   * @throws StateMachineFailed; or what the storage failed with, and then it is to be restored again.
   */
  restore(meta: SnapshotMeta, content: SnapshotContent): Promise<void> {
    const outcome = this.#restore(meta, content);
    this.#running = outcome.catch(() => {});
    return outcome;
  }

  async #restore(meta: SnapshotMeta, content: SnapshotContent): Promise<void> {
    const { index, term } = meta;
    if (this.#stateMachine.restore === undefined) {
      throw new StateMachineFailed(
        `the state machine has no restore(), and entries up to ${index} are in a snapshot only. ` +
          'This replica stops here; restart it with a state machine that can restore one.',
      );
    }
    this.#midCommand = true;
    this.#isTorn = true;
    let adoptSessions: (() => void) | undefined;
    try {
      // One that never settles must not keep the node from closing.
      const stopped = this.#whenStopped.then(() => undefined);
      adoptSessions = await Promise.race([this.#restoreFrom(content), stopped]);
    } catch (cause) {
      if (content.failure !== null) throw content.failure.error;
      if (cause instanceof StorageRefused) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StateMachineFailed(
        `the state machine failed to restore the snapshot of entry ${index} (term ${term}): ${why}. ` +
          'This replica stops here; restart it with a state machine that can restore this snapshot.',
        { cause },
      );
    } finally {
      this.#midCommand = false;
    }
    if (this.#stopped || adoptSessions === undefined) return;
    await content.finish();
    adoptSessions();
    this.#isTorn = false;
    this.#appliedIndex = index;
    this.#pending.onRestored({ index, term });
  }

  /** @returns what puts the restored table of sessions in force. */
  async #restoreFrom(content: SnapshotContent): Promise<() => void> {
    const reader = new ChunkReader(content.chunks());
    const adoptSessions = await this.#sessions.read(reader, content);
    await this.#stateMachine.restore?.(reader.rest());
    return adoptSessions;
  }

  #applyFrom(entries: readonly Entry[], start: number): void | Promise<void> {
    for (let position = start; position < entries.length; position += 1) {
      const entry = entries[position];
      if (entry === undefined || this.#stopped) break;
      if (entry.index !== this.#appliedIndex + 1) {
        throw new Error(`entry ${entry.index} was to be applied after entry ${this.#appliedIndex}`);
      }
      const result = this.#call(entry);
      if (isPromiseLike(result)) {
        this.#midCommand = true;
        return Promise.resolve(result).then(
          (value) => {
            this.#midCommand = false;
            this.#finished(entry, value);
            return this.#applyFrom(entries, position + 1);
          },
          (error: unknown) => Promise.reject(applyFailed(entry, error)),
        );
      }
      this.#finished(entry, result);
    }
  }

  #call(entry: Entry): unknown {
    try {
      if (entry.kind === 'command') return this.#execute(entry, entry.payload);
      if (entry.kind !== 'session') return undefined;
      return this.#sessions.apply(entry, (command) => this.#execute(entry, command));
    } catch (error) {
      throw applyFailed(entry, error);
    }
  }

  #execute({ index, term }: Entry, command: Uint8Array): Result | Promise<Result> {
    return this.#stateMachine.apply(this.#codec.decode(command), { index, term });
  }

  #finished(entry: Entry, result: unknown): void {
    this.#appliedIndex = entry.index;
    this.#onApplied(entry, result);
    this.#pending.onApplied(entry, result);
  }
}

function applyFailed(entry: Entry, cause: unknown): StateMachineFailed {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StateMachineFailed(
    `the state machine failed on entry ${entry.index} (term ${entry.term}): ${why}. ` +
      'This replica stops here; restart it with a state machine that can apply this command.',
    { cause },
  );
}
