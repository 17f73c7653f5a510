import type { Index } from '../raft/entry.ts';
import { shown, unknownOptions } from '../raft/option-mistakes.ts';
import { InvalidOptions } from './errors.ts';

/** Decides when a replica takes a snapshot of its state machine, and how much of the log it keeps behind it. */
export interface SnapshotPolicy {
  /**
   * Asked after every applied entry; true: take one now. One that comes due while another is being written is
   * taken when that has ended.
   */
  due(at: SnapshotDue): boolean;
  /** Entries kept behind the snapshot, for followers that are a little slow. */
  readonly keepEntries: number;
}

export interface SnapshotDue {
  /** The entry just applied. */
  readonly index: Index;
  /** Entries applied since the last snapshot was begun or installed. */
  readonly entriesSince: number;
  /** Their bytes, as they lie in the log; counted since this process has the state machine. */
  readonly bytesSince: number;
}

export interface SnapshotPolicyOptions {
  /** Default 10,000. */
  readonly entries?: number;
  /** Default 64 MiB. */
  readonly bytes?: number;
  /** Default 1,000. */
  readonly keepEntries?: number;
}

/**
 * The default policy: a snapshot at every index that is a multiple of `entries`, and after `bytes` of entries.
 * Multiples, so that replicas take theirs at the same indexes: then a transfer that lost its leader goes on
 * under the next one, which holds the same snapshot.
 *
 * @throws InvalidOptions with every mistake in the options.
 */
export function snapshotPolicy(options: SnapshotPolicyOptions = {}): SnapshotPolicy {
  const { entries = 10_000, bytes = 64 * 1024 * 1024, keepEntries = 1_000 } = options;
  const mistakes = unknownOptions(options, ['entries', 'bytes', 'keepEntries']);
  for (const [name, value, least] of [
    ['entries', entries, 1],
    ['bytes', bytes, 1],
    ['keepEntries', keepEntries, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      mistakes.push(`${name}: expected a whole number, at least ${least}, found ${shown(value)}`);
    }
  }
  if (mistakes.length > 0) throw new InvalidOptions(mistakes);
  return {
    keepEntries,
    due: ({ index, bytesSince }) => index % entries === 0 || bytesSince >= bytes,
  };
}
