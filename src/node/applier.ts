import type { Entry, Index } from '../raft/entry.ts';
import { StateMachineFailed } from './errors.ts';
import type { PendingRequests } from './pending-requests.ts';
import type { CommandCodec, StateMachine } from './state-machine.ts';

/** The part of a state machine that applies; what a query takes and returns does not matter here. */
type Applies<Command, Result> = Pick<StateMachine<Command, Result, unknown, unknown>, 'apply'>;

/**
 * Feeds committed entries to the state machine, one after another, each once. It outlives a reopened
 * storage, as the running state machine does.
 */
export class Applier<Command, Result> {
  readonly #stateMachine: Applies<Command, Result>;
  readonly #codec: CommandCodec<Command>;
  readonly #pending: PendingRequests;
  readonly #onApplied: (entry: Entry, result: unknown) => void;
  #appliedIndex: Index = 0;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  #onStopped: () => void = () => {};
  readonly #whenStopped = new Promise<void>((resolve) => {
    this.#onStopped = resolve;
  });

  constructor(
    stateMachine: Applies<Command, Result>,
    codec: CommandCodec<Command>,
    pending: PendingRequests,
    onApplied: (entry: Entry, result: unknown) => void,
  ) {
    this.#stateMachine = stateMachine;
    this.#codec = codec;
    this.#pending = pending;
    this.#onApplied = onApplied;
  }

  /** The last entry the state machine finished. */
  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  /** Settles when no `apply` of the user's is under way, or nobody cares any more. */
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

  #applyFrom(entries: readonly Entry[], start: number): void | Promise<void> {
    for (let position = start; position < entries.length; position += 1) {
      const entry = entries[position];
      if (entry === undefined || this.#stopped) break;
      if (entry.index !== this.#appliedIndex + 1) {
        throw new Error(`entry ${entry.index} was to be applied after entry ${this.#appliedIndex}`);
      }
      const result = this.#call(entry);
      if (isPromiseLike(result)) {
        return Promise.resolve(result).then(
          (value) => {
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
    if (entry.kind !== 'command') return undefined;
    try {
      const command = this.#codec.decode(entry.payload);
      return this.#stateMachine.apply(command, { index: entry.index, term: entry.term });
    } catch (error) {
      throw applyFailed(entry, error);
    }
  }

  #finished(entry: Entry, result: unknown): void {
    this.#appliedIndex = entry.index;
    this.#onApplied(entry, result);
    this.#pending.onApplied(entry, result);
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function applyFailed(entry: Entry, cause: unknown): StateMachineFailed {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StateMachineFailed(
    `the state machine failed on entry ${entry.index} (term ${entry.term}): ${why}. ` +
      'This replica stops here; restart it with a state machine that can apply this command.',
    { cause },
  );
}
