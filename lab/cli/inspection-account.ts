import type { HardState } from '../../src/raft/effect.ts';
import type { BlockAccount } from '../../src/storage/offline/block-account.ts';
import type { Finding } from '../../src/storage/offline/finding.ts';
import type { GroupInspection, Inspection } from '../../src/storage/offline/inspection.ts';
import type { SnapshotAccount } from '../../src/storage/offline/snapshot-account.ts';
import { formatCount, formatCounted } from '../report/quantities.ts';

/** Of more terms only the last are told. */
const RUNS_SHOWN = 8;

/** What is in a directory, and what is wrong with it. */
export function formatInspection(inspection: Inspection): string {
  const { directory, findings, groups } = inspection;
  const lines = [
    formatIdentity(inspection),
    ...(groups.length === 0 && inspection.identity !== null ? ['no group yet'] : []),
    ...groups.flatMap(formatGroup),
    ...findings.map(formatFinding),
  ];
  return `${directory}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** What a full check found. */
export function formatVerification({ directory, groups, findings }: Inspection): string {
  const damage = findings.filter(({ kind }) => kind === 'damage').length;
  const sum = (of: (group: GroupInspection) => number): number =>
    groups.reduce((total, group) => total + of(group), 0);
  const checked = [
    formatCounted(groups.length, 'group'),
    formatCounted(
      sum(({ blocks }) => blocks.count),
      'whole block',
    ),
    formatCounted(
      sum(({ snapshots }) => snapshots.filter((one) => one.damage === null).length),
      'whole snapshot',
    ),
  ].join(', ');
  const verdict = damage === 0 ? 'clean' : `DAMAGED, ${formatCounted(damage, 'finding')}`;
  return `${directory}: ${verdict} (${checked})\n${findings.map((finding) => `  ${formatFinding(finding)}\n`).join('')}`;
}

function formatIdentity({ identity }: Inspection): string {
  if (identity === null) return 'of an unknown replica';
  const { id, incarnation, boot, clusterId, format, backend, shards } = identity;
  const cluster = clusterId === null ? 'of no cluster yet' : `cluster ${clusterId}`;
  return (
    `replica ${id}, incarnation ${incarnation}, boot ${boot}, ${cluster}; ` +
    `format ${format}, backend ${backend}, ${formatCounted(shards, 'shard')}`
  );
}

function formatGroup(inspected: GroupInspection): string[] {
  const { group, shard, verdict, hardState, floor, blocks, snapshots } = inspected;
  const lines = [
    hardState === null
      ? 'term and vote are not known'
      : `term ${hardState.term}, ${hardState.votedFor === null ? 'no vote' : `voted for ${hardState.votedFor.id}`}`,
    ...formatMissing(hardState?.missing),
    ...(floor === null ? [] : [`floor after entry ${floor.index} (term ${floor.term})`]),
    formatLog(inspected),
    formatBlocks(blocks),
    ...snapshots.map(formatSnapshot),
  ];
  return [`group ${group} (shard ${shard}): ${verdict}`, ...lines.map((line) => `  ${line}`)];
}

function formatMissing(missing: HardState['missing']): string[] {
  if (missing === undefined) return [];
  const upTo = missing.index === null ? 'its end is not known' : `up to entry ${missing.index}`;
  return [
    `lost entries that may have been acknowledged (${upTo}, term ${missing.term}): it campaigns only once it has them again`,
  ];
}

function formatLog({ log }: GroupInspection): string {
  if (log === null) return 'log not whole';
  if (log.to < log.from) return 'log empty';
  const shown = log.runs.slice(-RUNS_SHOWN).map(({ term, firstIndex }) => `${term} from ${firstIndex}`);
  const left = log.runs.length - shown.length;
  const before = left === 0 ? '' : `${formatCounted(left, 'earlier run')}, `;
  return `log from ${log.from} to ${log.to}; terms: ${before}${shown.join(', ')}`;
}

function formatBlocks({ count, entries, bytes, codecs }: BlockAccount): string {
  const how = codecs.map(({ codec, blocks, storedBytes, rawBytes }) => {
    const ratio =
      storedBytes === 0 || codec === 'none' ? '' : `, ${(rawBytes / storedBytes).toFixed(2)} times smaller`;
    return `${formatCount(blocks)} ${codec}${ratio}`;
  });
  const codecsOf = how.length === 0 ? '' : ` (${how.join('; ')})`;
  return `${formatCounted(count, 'block')}${codecsOf}, ${formatCount(entries)} entries, ${formatCounted(bytes, 'byte')}`;
}

function formatSnapshot({ index, term, size, damage }: SnapshotAccount): string {
  const bytes = size === null ? 'of unknown size' : formatCounted(size, 'byte');
  return `snapshot of entry ${index} (term ${term}), ${bytes}, ${damage === null ? 'whole' : 'DAMAGED'}`;
}

function formatFinding({ kind, shard, group, what }: Finding): string {
  const place = [
    ...(shard === undefined ? [] : [`shard ${shard}`]),
    ...(group === undefined ? [] : [`group ${group}`]),
  ].join(', ');
  return `${kind === 'damage' ? 'DAMAGE' : 'note'}: ${place === '' ? '' : `${place}: `}${what}`;
}
