import type { LogPosition, SnapshotMeta } from '../contract.ts';
import { type Covered, judgeAfterSnapshot } from './covered-holes.ts';
import type { FloorRecord } from './floor-file.ts';
import { judgeBeforeSnapshot, judgeWithoutSnapshot } from './lost-snapshot.ts';
import { type Records, recover, type Verdict } from './recover.ts';
import type { StoredBlock } from './stored-block.ts';

/** What the disk shows of one group. */
export interface FoundGroup {
  readonly records: Records;
  /** null also when it is damaged. */
  readonly floor: FloorRecord | null;
  /** The blocks that make up the log, in order, by the numbers that a verdict gives. */
  liveOf(numbers: readonly number[]): readonly StoredBlock[];
  /** The newest whole snapshot, null for none; undefined where a floor is taken at its word. */
  readonly snapshot: SnapshotMeta | null | undefined;
  /** The last entry of a damaged snapshot that is newer than the newest whole one; null when there is none. */
  damagedAhead(): LogPosition | null;
  /** The newest whole snapshot; asked for only where it matters, since that reads all of it. */
  latest(): Promise<SnapshotMeta | null>;
}

/** How a log is opened: what blocks, floor and snapshots mean together. */
export interface Judgement {
  readonly verdict: Verdict;
  /** Where the log begins: the floor on the disk, or the snapshot that stands in for it. */
  readonly floor: FloorRecord | null;
  /** What the log lacks, and needs no more; null when that is nothing. */
  readonly covered: Covered | null;
  /** The floor on the disk, whose snapshot is lost; null when it stands. */
  readonly lostFloor: FloorRecord | null;
}

/** A snapshot may make up for what blocks lack; or be what is lacking itself. */
export async function judgeOpening(found: FoundGroup): Promise<Judgement> {
  const { records, floor, snapshot } = found;
  const verdict = recover(records);
  const asFound: Judgement = { verdict, floor, covered: null, lostFloor: null };
  if (verdict.kind === 'hard-state-lost' || verdict.kind === 'floor-lost') return asFound;
  if (snapshot !== undefined) {
    const without = judgeWithoutSnapshot(records, floor, snapshot);
    if (without !== null) return { ...asFound, ...without, lostFloor: floor };
  }
  if (verdict.kind === 'clean' && snapshot !== undefined) {
    return { ...asFound, verdict: judgeBeforeSnapshot(verdict, found.damagedAhead()) ?? verdict };
  }
  if (verdict.kind !== 'holes') return asFound;
  const { holes, end, live } = verdict;
  const holed = { records, floor, holes, end, live: found.liveOf(live) };
  const latest = snapshot === undefined ? await found.latest() : snapshot;
  return { ...asFound, ...judgeAfterSnapshot(holed, latest) };
}
