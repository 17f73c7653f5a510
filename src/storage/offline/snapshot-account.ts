import type { Index, Term } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { SnapshotMeta } from '../contract.ts';
import { checkSnapshot } from '../disk/snapshot-check.ts';
import { isSnapshotName, placeOfName } from '../disk/snapshot-record.ts';
import type { Finding } from './finding.ts';
import { namesIn } from './folder-tree.ts';
import type { StoppedDirectory } from './stopped-directory.ts';

/** One snapshot file of a group. */
export interface SnapshotAccount {
  /** Within the directory. */
  readonly file: string;
  readonly index: Index;
  readonly term: Term;
  /** Of its content; null when its record cannot be read. */
  readonly size: number | null;
  /** Why it is not whole; null when every byte of it is what was written. */
  readonly damage: string | null;
}

/** Reads every snapshot of a group to its last byte; in the order of their indexes. */
export async function accountOfSnapshots(
  stopped: StoppedDirectory,
  group: GroupId,
): Promise<{
  readonly snapshots: SnapshotAccount[];
  /** The newest whole one. */
  readonly latest: SnapshotMeta | null;
  readonly findings: Finding[];
}> {
  const folder = `snapshots-${group}`;
  const snapshots: SnapshotAccount[] = [];
  const findings: Finding[] = [];
  let latest: SnapshotMeta | null = null;
  const names = (await namesIn(stopped.disk, `${stopped.directory}/${folder}`)) ?? [];
  for (const [done, name] of names.entries()) {
    const file = `${folder}/${name}`;
    stopped.step({ doing: `checking snapshots of group ${group}`, done, all: names.length });
    if (!isSnapshotName(name)) {
      findings.push({
        kind: 'note',
        group,
        file,
        what: `${file} is left of a snapshot that was not finished`,
      });
      continue;
    }
    const { account, meta } = await accountOf(stopped, { file, name, group });
    snapshots.push(account);
    if (meta !== null && meta.index >= (latest?.index ?? 0)) latest = meta;
    if (account.damage !== null) {
      findings.push({
        kind: 'damage',
        group,
        file,
        what: `the snapshot ${file} is damaged: ${account.damage}`,
      });
    }
  }
  return { snapshots, latest, findings };
}

async function accountOf(
  stopped: StoppedDirectory,
  { file, name, group }: { readonly file: string; readonly name: string; readonly group: GroupId },
): Promise<{ readonly account: SnapshotAccount; readonly meta: SnapshotMeta | null }> {
  const { index, term } = placeOfName(name);
  const opened = await stopped.disk.open(`${stopped.directory}/${file}`);
  try {
    const all = await opened.size();
    const checked = await checkSnapshot(name, stopped.seed, (offset, length) => {
      stopped.step({ doing: `checking snapshot ${index} of group ${group}, bytes`, done: offset, all });
      return opened.read(offset, length);
    });
    const damage = checked.isWhole ? null : checked.why;
    return {
      account: { file, index, term, size: checked.meta?.size ?? null, damage },
      meta: checked.isWhole ? checked.meta : null,
    };
  } finally {
    await opened.close();
  }
}
