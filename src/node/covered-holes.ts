import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { LogStorage } from '../storage/contract.ts';

/**
 * What a snapshot covers is not needed of the log any more, so a hole there needs no repair: the log begins after the
 * snapshot. That is so only where the log holds the snapshot's last entry, beyond the hole; then what follows stays.
 *
 * @param boot - of the open that `log` is of.
 * @returns whether the floor was moved, durably: another open finds what is left.
 */
export async function leaveCoveredHoles(
  log: LogStorage,
  snapshot: SnapshotMeta | null,
  boot: number,
): Promise<boolean> {
  const { damage, hardState } = log.recovered;
  const first = damage?.holes[0];
  if (damage === null || first === undefined || damage.end === null || snapshot === null) return false;
  if (first.from > snapshot.index || log.termAt(snapshot.index) !== snapshot.term) return false;
  // The core judges by it, once it has seen what is left, whether anything is missing still.
  const missing = hardState.missing ?? damage.end;
  await log.write({ writeId: { boot, sequence: 1 }, hardState: { ...hardState, missing }, entries: [] });
  const { index, term, configuration } = snapshot;
  await log.write({ writeId: { boot, sequence: 2 }, entries: [], floor: { index, term, configuration } });
  return true;
}
