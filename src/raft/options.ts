import { shown } from './option-mistakes.ts';

/** Bounds and times of one replica's core. Plain data. */
export interface RaftOptions {
  /**
   * The shortest election timeout, and the promise to a leader; milliseconds. A promise is kept through a restart by
   * being silent for as long as this, so a restart with a smaller value may break one that was given with the
   * greater. Where leases are in use, read none (`clockDriftMaxRatio` null everywhere) while it is lowered.
   */
  readonly electionTimeoutMinMs: number;
  /** Exclusive. Each wait is drawn anew from min..max. */
  readonly electionTimeoutMaxMs: number;
  readonly heartbeatIntervalMs: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /**
   * By how much the clocks of two members may run apart, as a ratio: 0.1 says that while one counts 1,000 ms, no
   * other counts fewer than 900 or more than 1,111. Only then may a leader read by its lease, without a round of
   * heartbeats (dissertation 6.4.1); a clock outside the bound can make such a read stale. null: no leases.
   */
  readonly clockDriftMaxRatio: number | null;
  /**
   * 0 to 100. Below 100 this replica gives others a head start before it campaigns: up to a longest election
   * timeout more at 0. The head start halves with each wait in which no leader appeared.
   */
  readonly electionPriority: number;
  /** An input later than its deadline by more than this is a clock anomaly; milliseconds. */
  readonly clockGapMs: number;
  /** Entry bytes of one AppendEntries (at least one entry always fits). */
  readonly messageBytesMax: number;
  /** AppendEntries under way to one peer. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Entries of one apply effect. */
  readonly applyEntriesMax: number;
  /** Bytes of entries handed to the state machine at a time (at least one entry always fits). */
  readonly applyBytesMax: number;
  /** Bytes appended by this leader and not yet committed; beyond it proposals are refused. */
  readonly uncommittedBytesMax: number;
  /**
   * Bytes of entries that wait for the own disk; beyond it a leader refuses proposals, and a follower takes no
   * entries. At least what one leader may have under way to it: `inflightBytesMax` and a message more.
   */
  readonly diskBacklogBytesMax: number;
  /** Bytes of recent entries held in memory; never fewer than what is not durable yet. */
  readonly cacheBytesMax: number;
  /** Bytes of one chunk of a snapshot. */
  readonly snapshotChunkBytes: number;
  /** Chunks under way to one peer. */
  readonly snapshotChunksInflightMax: number;
  /** Bytes of snapshots that a leader sends per second, to all peers together; 0 for as fast as they go. */
  readonly snapshotBytesPerSecondMax: number;
  /**
   * Entries that are kept for a peer which receives an older snapshot, beyond what compaction would keep: then
   * it need not begin anew. A transfer slower than that does begin anew.
   */
  readonly snapshotPinnedEntriesMax: number;
  /** A new member that gets no further for this long is given up, and its change aborted; milliseconds. */
  readonly catchUpTimeoutMs: number;
  /** `automatic`: a member that comes back emptied is replaced by itself; `approved`: an operator says when. */
  readonly replacement: 'automatic' | 'approved';
}

export const defaultRaftOptions: RaftOptions = {
  electionTimeoutMinMs: 500,
  electionTimeoutMaxMs: 1000,
  heartbeatIntervalMs: 100,
  preVote: true,
  checkQuorum: true,
  clockDriftMaxRatio: null,
  electionPriority: 100,
  clockGapMs: 250,
  messageBytesMax: 256 * 1024,
  inflightMessagesMax: 64,
  inflightBytesMax: 4 * 1024 * 1024,
  applyEntriesMax: 1024,
  applyBytesMax: 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  diskBacklogBytesMax: 64 * 1024 * 1024,
  cacheBytesMax: 16 * 1024 * 1024,
  snapshotChunkBytes: 256 * 1024,
  snapshotChunksInflightMax: 4,
  snapshotBytesPerSecondMax: 0,
  snapshotPinnedEntriesMax: 1_000_000,
  catchUpTimeoutMs: 60_000,
  replacement: 'automatic',
};

/** The core's door of randomness: a uniform integer, `from` inclusive, `to` exclusive. */
export interface RandomSource {
  integer(from: number, to: number): number;
}

/** No transport is asked to carry more entries in one message than fit into this. */
const MESSAGE_BYTES_LIMIT = 16 * 1024 * 1024;

/** What is wrong with these options, one sentence each; empty when they are sound. */
export function raftOptionMistakes(options: RaftOptions): string[] {
  const mistakes: string[] = [];
  const unsound = new Set<keyof RaftOptions>();
  const atLeast = (name: keyof RaftOptions, least: number): void => {
    const value = options[name];
    if (Number.isSafeInteger(value) && (value as number) >= least) return;
    unsound.add(name);
    mistakes.push(`${name} must be a whole number, at least ${least}; it is ${shown(value)}`);
  };
  /** What ties options together says nothing while one of them makes no sense by itself. */
  const together = (
    names: readonly (keyof RaftOptions)[],
    holds: () => boolean,
    otherwise: () => string,
  ): void => {
    if (!names.some((name) => unsound.has(name)) && !holds()) mistakes.push(otherwise());
  };
  for (const name of ['preVote', 'checkQuorum'] as const) {
    if (typeof options[name] !== 'boolean')
      mistakes.push(`${name} must be true or false; it is ${shown(options[name])}`);
  }
  atLeast('electionTimeoutMinMs', 2);
  atLeast('electionTimeoutMaxMs', 3);
  atLeast('heartbeatIntervalMs', 1);
  atLeast('clockGapMs', 1);
  atLeast('messageBytesMax', 1);
  atLeast('inflightMessagesMax', 1);
  atLeast('inflightBytesMax', 1);
  atLeast('applyEntriesMax', 1);
  atLeast('applyBytesMax', 1);
  atLeast('uncommittedBytesMax', 1);
  atLeast('diskBacklogBytesMax', 1);
  atLeast('cacheBytesMax', 0);
  atLeast('snapshotChunkBytes', 1);
  atLeast('snapshotChunksInflightMax', 1);
  atLeast('snapshotBytesPerSecondMax', 0);
  atLeast('snapshotPinnedEntriesMax', 0);
  atLeast('catchUpTimeoutMs', 1);
  if (options.replacement !== 'automatic' && options.replacement !== 'approved') {
    mistakes.push(`replacement must be "automatic" or "approved"; it is ${shown(options.replacement)}`);
  }
  atLeast('electionPriority', 0);
  together(
    ['electionPriority'],
    () => options.electionPriority <= 100,
    () => `electionPriority must be at most 100; it is ${options.electionPriority}`,
  );
  mistakes.push(...leaseMistakes(options));
  const { electionTimeoutMinMs, electionTimeoutMaxMs, heartbeatIntervalMs } = options;
  const { messageBytesMax, inflightBytesMax, diskBacklogBytesMax } = options;
  for (const name of ['messageBytesMax', 'snapshotChunkBytes'] as const) {
    together(
      [name],
      () => options[name] <= MESSAGE_BYTES_LIMIT,
      () => `${name} (${options[name]}) must be at most ${MESSAGE_BYTES_LIMIT}`,
    );
  }
  together(
    ['inflightBytesMax', 'messageBytesMax'],
    () => inflightBytesMax >= messageBytesMax,
    () =>
      `inflightBytesMax (${inflightBytesMax}) must be at least messageBytesMax (${messageBytesMax}), ` +
      'or no full message fits the window',
  );
  together(
    ['diskBacklogBytesMax', 'inflightBytesMax', 'messageBytesMax'],
    () => diskBacklogBytesMax >= inflightBytesMax + messageBytesMax,
    () =>
      `diskBacklogBytesMax (${diskBacklogBytesMax}) must be at least inflightBytesMax + messageBytesMax ` +
      `(${inflightBytesMax + messageBytesMax}), or followers refuse what a leader's window lets through`,
  );
  together(
    ['electionTimeoutMaxMs', 'electionTimeoutMinMs'],
    () => electionTimeoutMaxMs > electionTimeoutMinMs,
    () =>
      `electionTimeoutMaxMs (${electionTimeoutMaxMs}) must be above electionTimeoutMinMs ` +
      `(${electionTimeoutMinMs}), or votes split again and again`,
  );
  together(
    ['heartbeatIntervalMs', 'electionTimeoutMinMs'],
    () => heartbeatIntervalMs * 2 <= electionTimeoutMinMs,
    () =>
      `heartbeatIntervalMs (${heartbeatIntervalMs}) must be at most half of electionTimeoutMinMs ` +
      `(${electionTimeoutMinMs}), or followers campaign against a leader that is well`,
  );
  return mistakes;
}

function leaseMistakes({ clockDriftMaxRatio: ratio, checkQuorum }: RaftOptions): string[] {
  if (ratio === null) return [];
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio < 1)) {
    return [`clockDriftMaxRatio must be null, or from 0 to below 1; it is ${shown(ratio)}`];
  }
  return checkQuorum
    ? []
    : [
        'clockDriftMaxRatio allows reads by a lease, which stands on what checkQuorum makes followers promise',
      ];
}
