import type { LogPosition, SnapshotMeta } from '../contract.ts';
import type { FloorRecord } from './floor-file.ts';
import { type Records, recover, type Verdict } from './recover.ts';

/**
 * A log whose floor stands on a snapshot that is not there any more, or not whole. A floor becomes durable only after its
 * snapshot (paper 7), and no snapshot goes before a later one is there: so the disk lost it.
 *
 * What the snapshot held is entries that were committed, and to lack them is to have a hole in the log, from its
 * beginning or from an older snapshot on:
 *
 *     floor 7/3, blocks of 8 9            no snapshot          7 is missing, and all before it
 *                                         a snapshot of 4      5 6 7 are missing
 *
 * The last (index, term) of the log is known, so nothing of what was promised is forgotten: the replica votes by it (5.4.1),
 * and neither campaigns nor applies. The floor names an entry that every leader's log holds (5.4.3), so whoever holds
 * that entry holds those before it (Log Matching, 5.3): they can be asked for like those of any hole, and a
 * leader's snapshot makes up for them where nobody has them.
 *
 * The floor on the disk stays: it tells which blocks count, and that its entry is committed, whether its snapshot is
 * there or not. It is judged anew at each opening, by then perhaps with a part of the hole filled.
 *
 * @param snapshot - the newest whole one; null when there is none.
 * @returns null where the floor stands.
 */
export function judgeWithoutSnapshot(
  records: Records,
  floor: FloorRecord | null,
  snapshot: SnapshotMeta | null,
): { readonly verdict: Verdict; readonly floor: FloorRecord } | null {
  if (floor === null || !isLost(floor, snapshot)) return null;
  const { index, term, configuration } = snapshot ?? { index: 0, term: 0, configuration: null };
  const below = { index, term };
  return { verdict: recover({ ...records, below }), floor: { ...floor, ...below, configuration } };
}

function isLost(floor: FloorRecord, snapshot: SnapshotMeta | null): boolean {
  return floor.index > (snapshot?.index ?? 0);
}

/**
 * A log that ends before a snapshot which is damaged. A leader's snapshot counts as held from the moment it is durable,
 * before its floor is: the end of what was acknowledged is lost with it. A crash does not change a file that has its name,
 * since that is given once the content is synced.
 *
 * Nothing tells whether the entries behind the log's end were acknowledged, so this is an end that is not known.
 *
 * @returns null where the log reaches as far: it holds that entry, or a later term's (paper 5.4.3).
 */
export function judgeBeforeSnapshot(
  verdict: Extract<Verdict, { readonly kind: 'clean' }>,
  damaged: LogPosition | null,
): Verdict | null {
  const { end, nextNumber } = verdict;
  if (damaged === null || end.term > damaged.term) return null;
  if (end.term === damaged.term && end.index >= damaged.index) return null;
  const why = `the snapshot of entry ${damaged.index} is damaged, and may have stood for what the log does not hold`;
  return { ...verdict, kind: 'tail-lost', lost: { from: nextNumber, to: nextNumber }, why };
}
