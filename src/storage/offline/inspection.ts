import type { HardState } from '../../raft/effect.ts';
import type { Index, TermRun } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogPosition, SnapshotMeta } from '../contract.ts';
import { describeLostSnapshot, describeVerdict } from '../disk/describe-verdict.ts';
import type { FloorRecord } from '../disk/floor-file.ts';
import type { IdentityRecord } from '../disk/identity-file.ts';
import { type Judgement, judgeOpening } from '../disk/judge-opening.ts';
import type { Verdict } from '../disk/recover.ts';
import { accountOfBlocks, type BlockAccount, brokenBlocks, undecodableBlocks } from './block-account.ts';
import type { Finding } from './finding.ts';
import { findingsInSlots } from './slot-findings.ts';
import { accountOfSnapshots, type SnapshotAccount } from './snapshot-account.ts';
import {
  type JudgedGroup,
  type ReadingOptions,
  type StoppedDirectory,
  withStoppedDirectory,
} from './stopped-directory.ts';

/** What is in the directory of a stopped replica. Plain data. */
export interface Inspection {
  readonly directory: string;
  /** null when it cannot be read: nothing else can then. */
  readonly identity: IdentityRecord | null;
  readonly groups: readonly GroupInspection[];
  readonly findings: readonly Finding[];
}

export interface GroupInspection {
  readonly group: GroupId;
  readonly shard: number;
  /** What opening it would find. */
  readonly verdict: Verdict['kind'];
  /** null when it is lost. */
  readonly hardState: HardState | null;
  /** null without one, and when it is damaged: `findings` tells which. */
  readonly floor: FloorRecord | null;
  /** null when the log is not whole. */
  readonly log: {
    /** The first entry after the floor. */
    readonly from: Index;
    /** `from - 1` for an empty one. */
    readonly to: Index;
    readonly runs: readonly TermRun[];
  } | null;
  readonly blocks: BlockAccount;
  readonly snapshots: readonly SnapshotAccount[];
}

/**
 * Inspects a directory; `decode` also takes every block apart, as reading its entries would.
 *
 * @throws InspectionRefused; the signal's reason; errors of the disk.
 */
export function inspectDirectory(
  directory: string,
  { decode, ...options }: ReadingOptions & { readonly decode: boolean },
): Promise<Inspection> {
  return withStoppedDirectory(directory, options, async (found) => {
    if (found.identity === null) {
      const findings = [{ kind: 'damage', file: 'identity', what: found.damage } as const];
      return { directory, identity: null, groups: [], findings };
    }
    if (found.identity.boot === 0) {
      const { putAside } = found.identity;
      const what =
        putAside?.isMoved === false
          ? `what the storage was is being put aside in ${putAside.folder}; opening it goes on with that`
          : 'the storage is to be emptied, and nothing in it counts; opening it does that';
      return { directory, identity: found.identity, groups: [], findings: [{ kind: 'note', what }] };
    }
    const findings = [...(await findingsInSlots(found)), ...findingsInShards(found)];
    const groups: GroupInspection[] = [];
    for (const group of found.groups) {
      const judged = await found.judge(group);
      const { snapshots, latest, findings: inSnapshots } = await accountOfSnapshots(found, group);
      const opening = await judgeOpening({
        ...judged,
        liveOf: (numbers) => judged.shard.found.liveOf(group, numbers),
        snapshot: latest,
        latest: async () => latest,
        damagedAhead: () => damagedAhead(snapshots, latest),
      });
      groups.push(inspectGroup(judged, opening, snapshots));
      findings.push(...findingsInOpening(judged, opening), ...brokenBlocks(judged), ...inSnapshots);
      if (decode) findings.push(...(await undecodableBlocks(found, judged)));
    }
    return { directory, identity: found.identity, groups, findings };
  });
}

function damagedAhead(
  snapshots: readonly SnapshotAccount[],
  latest: SnapshotMeta | null,
): LogPosition | null {
  const ahead = snapshots.filter(({ damage, index }) => damage !== null && index > (latest?.index ?? 0));
  return ahead.at(-1) ?? null;
}

function inspectGroup(
  judged: JudgedGroup,
  { verdict, floor: start }: Judgement,
  snapshots: readonly SnapshotAccount[],
): GroupInspection {
  const { group, shard, hardState, floor } = judged;
  return {
    group,
    shard: shard.number,
    verdict: verdict.kind,
    hardState: hardState.kind === 'found' ? hardState.hardState : null,
    floor,
    log:
      verdict.kind === 'clean'
        ? { from: (start?.index ?? 0) + 1, to: verdict.end.index, runs: verdict.runs }
        : null,
    blocks: accountOfBlocks(judged),
    snapshots,
  };
}

function findingsInShards({ shards }: StoppedDirectory): Finding[] {
  return shards.flatMap(({ number, broken, found }): Finding[] => {
    const at = { shard: number, file: `shard-${number}` };
    if (broken !== null) return [{ kind: 'damage', ...at, what: broken }];
    if (found.stray.all === 'none') return [];
    const bytes = `bytes in shard-${number} belong to no block that can be named`;
    return found.stray.all === 'torn'
      ? [{ kind: 'note', ...at, what: `${bytes}: what an interrupted write left` }]
      : [{ kind: 'damage', ...at, what: `${bytes}: they were changed after they were written` }];
  });
}

/** What opening would tell, with where it is. */
function findingsInOpening({ group, shard }: JudgedGroup, opening: Judgement): Finding[] {
  const { verdict, covered, lostFloor } = opening;
  const at = { kind: 'damage', shard: shard.number, group } as const;
  const findings: Finding[] = [];
  if (covered !== null) findings.push({ ...at, ...rangeOf(covered.holes), what: covered.report });
  if (verdict.kind === 'clean') return findings;
  if (lostFloor !== null) {
    const entries = { from: (opening.floor?.index ?? 0) + 1, to: lostFloor.index };
    findings.push({ kind: 'damage', group, entries, what: describeLostSnapshot(lostFloor) });
  }
  const what = describeVerdict(verdict);
  if (verdict.kind === 'tail-lost') findings.push({ ...at, what, blocks: verdict.lost });
  else if (verdict.kind !== 'holes') findings.push({ ...at, what });
  else {
    const [first, last] = [verdict.missing[0], verdict.missing.at(-1)];
    const isKnown = first !== undefined && last !== undefined;
    const blocks = isKnown ? { blocks: { from: first.from, to: last.to } } : {};
    findings.push({ ...at, what, ...blocks, ...rangeOf(verdict.holes) });
  }
  return findings;
}

function rangeOf(holes: readonly { readonly from: Index; readonly to: Index }[]): Pick<Finding, 'entries'> {
  const [from, to] = [holes[0]?.from, holes.at(-1)?.to];
  return from === undefined || to === undefined ? {} : { entries: { from, to } };
}
