import type { Configuration } from '../../raft/configuration.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogDamage } from '../contract.ts';
import { describeLostSnapshot, describeVerdict } from './describe-verdict.ts';
import type { FloorRecord } from './floor-file.ts';
import { GroupLog } from './group-log.ts';
import type { Judgement } from './judge-opening.ts';
import type { OpenedShard } from './opened-shard.ts';
import type { OpenVerdict } from './recover.ts';
import { latestKnown, recoveredLog } from './recovered-log.ts';
import { replay } from './replay.ts';

/** The log of one group, and where it lives. */
export interface LogPlace extends Pick<OpenedShard, 'shard' | 'found'> {
  readonly group: GroupId;
  /** Shard and group, for an operator. */
  readonly place: string;
}

/** Reads what the log needs; nothing on disk is changed by it. @throws StorageFailed when a configuration cannot be read. */
export async function openedLog(
  { shard, found, group, place }: LogPlace,
  verdict: OpenVerdict,
  { floor, lostFloor, covered }: Judgement,
): Promise<GroupLog> {
  const { hardState, end, lastIndex, cutFrom, nextNumber, voidFrom } = verdict;
  const live = found.liveOf(group, verdict.live);
  const { blocks } = lostFloor === null ? replay(live, floor) : replay(live, lostFloor, floor);
  blocks.cutFrom(cutFrom);
  const { index, term, configuration } = floor ?? { index: 0, term: 0, configuration: null };
  const told = covered === null ? {} : { covered: { ...covered, report: `${place}: ${covered.report}` } };
  const failed = (cause: unknown): never => {
    throw shard.fail(`a configuration of group ${group} cannot be read`, cause);
  };
  const lost = lostFloor && {
    floor: lostFloor,
    configuration: await latestKnown(shard, blocks, { floor: lostFloor, end }).catch(failed),
  };
  const recovered = await recoveredLog(shard, blocks, {
    hardState,
    floor: { index, term, configuration },
    lastIndex,
    damage: damageOf({ place, unreadable: found.unreadable }, verdict, lost),
    ...told,
  }).catch(failed);
  const openRecord = { cutFrom, voidFrom };
  return new GroupLog(shard, group, {
    recovered,
    place,
    blocks,
    end,
    nextNumber,
    // A log that never was has nothing to void.
    openRecord: nextNumber > 1 ? openRecord : null,
  });
}

function damageOf(
  { place, unreadable }: { readonly place: string; readonly unreadable: string | null },
  verdict: OpenVerdict,
  lost: { readonly floor: FloorRecord; readonly configuration: Configuration | null } | null,
): LogDamage | null {
  if (verdict.kind === 'clean') return null;
  const cause =
    unreadable === null ? '' : `. Why: ${unreadable}. It is put aside in a folder damaged-<number>`;
  const why = lost === null ? '' : `${describeLostSnapshot(lost.floor)}; `;
  const report = `${place}: ${why}${describeVerdict(verdict)}${cause}`;
  const known = lost?.configuration ?? null;
  const configuration = known === null ? {} : { configuration: known };
  if (verdict.kind === 'tail-lost') return { holes: [], end: null, report, ...configuration };
  const { index, term } = verdict.end;
  return { holes: verdict.holes, end: { index, term }, report, ...configuration };
}
