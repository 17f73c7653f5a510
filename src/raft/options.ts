/** Bounds and times of one replica's core. Plain data. */
export interface RaftOptions {
  /** The shortest election timeout, and the promise to a leader; milliseconds. */
  readonly electionTimeoutMinMs: number;
  /** Exclusive. Each wait is drawn anew from min..max. */
  readonly electionTimeoutMaxMs: number;
  readonly heartbeatIntervalMs: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** An input later than its deadline by more than this is a clock anomaly; milliseconds. */
  readonly clockGapMs: number;
  /** Entry bytes of one AppendEntries (at least one entry always fits). */
  readonly messageBytesMax: number;
  /** AppendEntries under way to one peer. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Entries of one apply effect. */
  readonly applyEntriesMax: number;
  /** Bytes appended by this leader and not yet committed; beyond it proposals are refused. */
  readonly uncommittedBytesMax: number;
  /** Bytes of recent entries held in memory; never fewer than what is not durable yet. */
  readonly cacheBytesMax: number;
}

export const defaultRaftOptions: RaftOptions = {
  electionTimeoutMinMs: 500,
  electionTimeoutMaxMs: 1000,
  heartbeatIntervalMs: 100,
  preVote: true,
  checkQuorum: true,
  clockGapMs: 250,
  messageBytesMax: 256 * 1024,
  inflightMessagesMax: 64,
  inflightBytesMax: 4 * 1024 * 1024,
  applyEntriesMax: 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  cacheBytesMax: 16 * 1024 * 1024,
};

/** The core's door of randomness: a uniform integer, `from` inclusive, `to` exclusive. */
export interface RandomSource {
  integer(from: number, to: number): number;
}
