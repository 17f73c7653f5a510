import type { Index, Term } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import { checkSnapshot } from '../disk/snapshot-check.ts';
import { isSnapshotName } from '../disk/snapshot-record.ts';
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
): Promise<{ readonly snapshots: SnapshotAccount[]; readonly findings: Finding[] }> {
  const folder = `snapshots-${group}`;
  const snapshots: SnapshotAccount[] = [];
  const findings: Finding[] = [];
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
    const account = await accountOf(stopped, { file, name, group });
    snapshots.push(account);
    if (account.damage !== null) {
      findings.push({
        kind: 'damage',
        group,
        file,
        what: `the snapshot ${file} is damaged: ${account.damage}`,
      });
    }
  }
  return { snapshots, findings };
}

async function accountOf(
  stopped: StoppedDirectory,
  { file, name, group }: { readonly file: string; readonly name: string; readonly group: GroupId },
): Promise<SnapshotAccount> {
  const [index = 0, term = 0] = name.split('-').map((part) => Number.parseInt(part, 10));
  const opened = await stopped.disk.open(`${stopped.directory}/${file}`);
  try {
    const all = await opened.size();
    const checked = await checkSnapshot(name, stopped.seed, (offset, length) => {
      stopped.step({ doing: `checking snapshot ${index} of group ${group}, bytes`, done: offset, all });
      return opened.read(offset, length);
    });
    return {
      file,
      index,
      term,
      size: checked.meta?.size ?? null,
      damage: checked.isWhole ? null : checked.why,
    };
  } finally {
    await opened.close();
  }
}
