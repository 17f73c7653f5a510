import type { LogHole, LogPosition, SnapshotMeta } from '../contract.ts';
import { describeHoles } from './describe-verdict.ts';
import type { FloorRecord } from './floor-file.ts';
import { type Records, recover, type Verdict } from './recover.ts';
import { replay } from './replay.ts';
import type { StoredBlock } from './stored-block.ts';

/** A log that was judged to have holes. */
export interface HoledLog {
  readonly records: Records;
  readonly floor: FloorRecord | null;
  readonly holes: readonly LogHole[];
  readonly end: LogPosition;
  /** The blocks that make it up, in order. */
  readonly live: readonly StoredBlock[];
}

/** What is missing of a log, and is in a snapshot. */
export interface Covered {
  readonly holes: readonly Pick<LogHole, 'from' | 'to'>[];
  /** For an operator. */
  readonly report: string;
}

/**
 * What a snapshot covers is not needed of the log any more, so a hole there is no loss: the log begins after the
 * snapshot, as it would had its floor been moved before the damage. That is so only where the log holds the
 * snapshot's last entry, beyond the hole. The floor on disk stays where it is until the next one is written.
 *
 * @returns null where the snapshot covers no hole.
 */
export function judgeAfterSnapshot(
  { records, floor, holes, end, live }: HoledLog,
  snapshot: SnapshotMeta | null,
): { readonly verdict: Verdict; readonly floor: FloorRecord; readonly covered: Covered } | null {
  const first = holes[0]?.from ?? 0;
  if (snapshot === null || first > snapshot.index) return null;
  if (replay(live, floor).blocks.termAt(snapshot.index) !== snapshot.term) return null;
  const { index, term, configuration } = snapshot;
  const raised = {
    index,
    term,
    configuration,
    lowestNumber: floor?.lowestNumber ?? 1,
    durableNumber: floor?.durableNumber ?? 0,
  };
  // The snapshot's last entry is held, so a hole that begins before it ends before it.
  const within = holes.filter(({ from }) => from <= index);
  const report = `${describeHoles(within, { end, missing: [] })}. The snapshot of entry ${index} makes up for it`;
  const covered = { holes: within.map(({ from, to }) => ({ from, to })), report };
  return { verdict: recover({ ...records, floor: raised }), floor: raised, covered };
}
