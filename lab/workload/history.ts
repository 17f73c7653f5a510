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
  | { readonly kind: 'write' }
  | { readonly kind: 'cas'; readonly swapped: boolean };

export type OperationOutcome =
  | { readonly kind: 'ok'; readonly result: KvResult; readonly atMs: number; readonly sequence: number }
  /** It surely had no effect. */
  | { readonly kind: 'failed'; readonly error: string; readonly atMs: number; readonly sequence: number }
  | { readonly kind: 'unknown'; readonly error: string; readonly atMs: number; readonly sequence: number };
