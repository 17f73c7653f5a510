import type { SnapshotMeta } from '../contract.ts';
import type { FloorRecord } from './floor-file.ts';
import { type Records, recover, type Verdict } from './recover.ts';
import { replay } from './replay.ts';

/**
 * What a snapshot covers is not needed of the log any more, so a hole there is no loss: the log begins after the
 * snapshot, as it would had its floor been moved before the damage. That is so only where the log holds the
 * snapshot's last entry, beyond the hole. The floor on disk stays where it is until the next one is written.
 *
 * @returns null where the snapshot covers no hole.
 */
export function judgeAfterSnapshot(
  records: Records,
  floor: FloorRecord | null,
  snapshot: SnapshotMeta | null,
): { readonly verdict: Verdict; readonly floor: FloorRecord } | null {
  const verdict = recover(records);
  if (verdict.kind !== 'holes' || snapshot === null) return null;
  const first = verdict.holes[0]?.from ?? 0;
  if (first > snapshot.index) return null;
  const live = new Set(verdict.live);
  const stored = records.blocks
    .filter((block) => block.intact)
    .filter(({ number }) => live.has(number))
    .sort((a, b) => a.number - b.number)
    .map((header) => ({ header }));
  if (replay(stored, floor).blocks.termAt(snapshot.index) !== snapshot.term) return null;
  const { index, term, configuration } = snapshot;
  const raised = {
    index,
    term,
    configuration,
    lowestNumber: floor?.lowestNumber ?? 1,
    durableNumber: floor?.durableNumber ?? 0,
  };
  return { verdict: recover({ ...records, floor: raised }), floor: raised };
}
