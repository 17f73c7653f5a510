import type { Index } from '../../src/raft/entry.ts';

/**
 * What clients saw. Order is by `sequence`, a counter of the world that grows with every call and
 * return, so that two moments of one millisecond are still ordered.
 */
export interface Operation {
  /** 0, 1, 2, ... in order of calls. */
  readonly id: number;
  readonly client: number;
  readonly call: KvCall;
  readonly calledAtMs: number;
  readonly calledSequence: number;
  /** null while running. An operation of unknown outcome may take effect at any time after its call. */
  outcome: OperationOutcome | null;
}

export type KvCall =
  | { readonly kind: 'read'; readonly key: string }
  | { readonly kind: 'write'; readonly key: string; readonly value: number }
  /** Sets `value` if the present one is `expected` (null: absent). */
  | { readonly kind: 'cas'; readonly key: string; readonly expected: number | null; readonly value: number };

export type KvResult =
  | { readonly kind: 'read'; readonly value: number | null }
  | ({ readonly kind: 'write' } & AppliedAt)
  | ({ readonly kind: 'cas'; readonly swapped: boolean } & AppliedAt);

interface AppliedAt {
  /** Of the entry that took effect: it tells the first result of a command from that of a second effect. */
  readonly index?: Index;
}

export type OperationOutcome =
  | { readonly kind: 'ok'; readonly result: KvResult; readonly atMs: number; readonly sequence: number }
  /** It surely had no effect. */
  | { readonly kind: 'failed'; readonly error: string; readonly atMs: number; readonly sequence: number }
  | { readonly kind: 'unknown'; readonly error: string; readonly atMs: number; readonly sequence: number };

/** How many operations ended how. `running` ones have not ended; judge them as unknown. */
export interface OperationCounts {
  readonly attempted: number;
  readonly acknowledged: number;
  readonly failed: number;
  readonly unknown: number;
  readonly running: number;
}

/**
 * Records calls and returns in the one order they happened. An outcome is final: what a client gave up
 * as unknown stays unknown though its answer may arrive later, because the client acted on not knowing.
 */
export class History {
  readonly #operations: Operation[] = [];
  #sequence = 0;
  readonly #ended = { ok: 0, failed: 0, unknown: 0 };

  /** In order of their calls; live, so running ones change. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  call(client: number, call: KvCall, atMs: number): Operation {
    const operation: Operation = {
      id: this.#operations.length,
      client,
      call,
      calledAtMs: atMs,
      calledSequence: this.#nextSequence(),
      outcome: null,
    };
    this.#operations.push(operation);
    return operation;
  }

  /** @throws Error when the result is of another kind than the call, or the operation has ended. */
  ok(operation: Operation, result: KvResult, atMs: number): void {
    if (result.kind !== operation.call.kind) {
      throw new Error(`operation ${operation.id} is a ${operation.call.kind}, its result a ${result.kind}`);
    }
    this.#end(operation, { kind: 'ok', result, atMs, sequence: this.#nextSequence() });
  }

  failed(operation: Operation, error: string, atMs: number): void {
    this.#end(operation, { kind: 'failed', error, atMs, sequence: this.#nextSequence() });
  }

  unknown(operation: Operation, error: string, atMs: number): void {
    this.#end(operation, { kind: 'unknown', error, atMs, sequence: this.#nextSequence() });
  }

  counts(): OperationCounts {
    const { ok, failed, unknown } = this.#ended;
    const attempted = this.#operations.length;
    return { attempted, acknowledged: ok, failed, unknown, running: attempted - ok - failed - unknown };
  }

  #end(operation: Operation, outcome: OperationOutcome): void {
    if (operation.outcome !== null) {
      throw new Error(`operation ${operation.id} already ended as ${operation.outcome.kind}`);
    }
    operation.outcome = outcome;
    this.#ended[outcome.kind] += 1;
  }

  #nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }
}
