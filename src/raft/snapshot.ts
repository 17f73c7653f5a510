import type { Configuration } from './configuration.ts';
import type { Index, Term } from './entry.ts';

/**
 * A complete snapshot, wherever it lies: the state machine's state after `index`, with the configuration
 * in force there (dissertation 5.1). Two with the same index, term, size and digest are the same bytes.
 */
export interface SnapshotMeta {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: Configuration;
  /** Bytes of the whole content. */
  readonly size: number;
  /** Lower-case hex SHA-256 over the whole content. */
  readonly digest: string;
}

/** Whether a transfer of the one can go on with the other. */
export function sameSnapshot(a: SnapshotMeta, b: SnapshotMeta): boolean {
  return a.index === b.index && a.term === b.term && a.size === b.size && a.digest === b.digest;
}
