import type { Disk } from '../../../src/doors/disk.ts';
import { nodeClock } from '../../../src/doors/node-clock.ts';
import { nodeOpenDatabase } from '../../../src/doors/node-database.ts';
import { nodeRandom } from '../../../src/doors/node-random.ts';
import { nodeWork } from '../../../src/doors/node-work.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import {
  type BackupHeader,
  backupDigest,
  encodeBackupHead,
  encodeBackupTrailer,
} from '../../../src/storage/backup-format.ts';
import { SEGMENT_BYTES } from '../../../src/storage/disk/file-storage.ts';
import type { StorageDoors } from '../../../src/storage/disk/storage-doors.ts';
import {
  fileStorage,
  type RecoveredLog,
  type SnapshotMeta,
  type StorageIdentity,
} from '../../../src/storage/index.ts';

export const CLUSTER = '00000000000000aa';

export const doorsOn = (disk: Disk): StorageDoors => ({
  disk,
  clock: nodeClock(),
  random: nodeRandom(),
  work: nodeWork(),
  openDatabase: nodeOpenDatabase(),
});

/** Of voters n1, n2, n3 of the old cluster, by their incarnations. */
export const oldConfiguration = (
  id: string,
  incarnations: Readonly<Record<string, string>> = {},
): Configuration => ({
  id,
  voters: ['n1', 'n2', 'n3'].map((name) => ({
    id: name,
    incarnation: incarnations[name] ?? '0123456789abcdef',
    address: `old-${name}:1`,
  })),
  outgoing: [],
  learners: [],
  retired: [{ id: 'n0', incarnation: '00000000000000ff' }],
});

export const command = (index: number, term: number): Entry => ({
  kind: 'command',
  index,
  term,
  payload: Buffer.from(`entry ${index} of term ${term}`),
});

export const configurationEntry = (index: number, term: number): Entry => ({
  kind: 'configuration',
  index,
  term,
  clusterId: CLUSTER,
  configuration: oldConfiguration(`${index}.${term}`),
});

/** A log from entry 1: a configuration, then commands, one term for each. */
export function logOf(terms: readonly number[]): Entry[] {
  return terms.map((term, position) => {
    const index = position + 1;
    return index === 1 ? configurationEntry(index, term) : command(index, term);
  });
}

export interface ReplicaContent {
  readonly id: string;
  readonly entries: readonly Entry[];
  readonly term?: number;
  readonly clusterId?: string | null;
  readonly group?: string;
  readonly backend?: 'files' | 'level';
  readonly shards?: number;
  readonly segmentBytes?: number;
  readonly snapshot?: {
    readonly index: number;
    readonly term: number;
    readonly content: string;
    /** Whether the log begins there. */
    readonly floor: boolean;
  };
}

/** A directory as a stopped replica of the old cluster leaves it. */
export async function writeReplica(
  doors: StorageDoors,
  directory: string,
  content: ReplicaContent,
): Promise<StorageIdentity> {
  const { id, entries, clusterId = CLUSTER, group = 'default', snapshot } = content;
  const { backend = 'files', shards = 1, segmentBytes = SEGMENT_BYTES } = content;
  const instance = await fileStorage({ directory, backend, shards, segmentBytes, doors }).open({ id });
  if (clusterId !== null) await instance.adoptCluster(clusterId);
  const log = await instance.openLog(group);
  let sequence = 0;
  const write = (request: Omit<Parameters<typeof log.write>[0], 'writeId'>): Promise<void> => {
    sequence += 1;
    return log.write({ writeId: { boot: 1, sequence }, ...request });
  };
  const term = content.term ?? Math.max(0, snapshot?.term ?? 0, ...entries.map((entry) => entry.term));
  const votedFor = { id: 'n2', incarnation: '0123456789abcdef' };
  await write({ hardState: { term, votedFor }, entries: [] });
  for (const entry of entries) await write({ entries: [entry] });
  if (snapshot !== undefined) {
    const { index, term: ofTerm } = snapshot;
    const at = { index, term: ofTerm, configuration: oldConfiguration('1.1') };
    await instance.snapshots(group).write(at, [Buffer.from(snapshot.content)]);
    if (snapshot.floor) await write({ entries: [], floor: at });
  }
  await instance.close();
  return instance.identity;
}

/** What a replica that is started on a directory would find there. */
export interface FoundReplica {
  readonly identity: StorageIdentity;
  readonly recovered: RecoveredLog;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | null;
  readonly content: string | null;
}

export async function openReplica(
  doors: StorageDoors,
  directory: string,
  as: {
    readonly id: string;
    readonly backend?: 'files' | 'level';
    readonly shards?: number;
    readonly group?: string;
  },
): Promise<FoundReplica> {
  const { id, backend = 'files', shards = 1, group = 'default' } = as;
  const instance = await fileStorage({ directory, backend, shards, doors }).open({ id });
  try {
    const log = await instance.openLog(group);
    const { recovered } = log;
    const range = { from: recovered.floor.index + 1, to: recovered.lastIndex, bytesMax: 1e9 };
    const entries = range.from > range.to ? [] : await log.read(range);
    const snapshots = instance.snapshots(group);
    const snapshot = await snapshots.latest();
    const content =
      snapshot === null
        ? null
        : Buffer.from(await snapshots.read(snapshot, { offset: 0, length: snapshot.size })).toString();
    return { identity: instance.identity, recovered, entries, snapshot, content };
  } finally {
    await instance.close();
  }
}

/** A backup of that content, as a replica gives it. */
export function backupOf(content: string, of: Partial<BackupHeader> = {}): Buffer {
  const bytes = Buffer.from(content);
  const inner = backupDigest();
  inner.update(bytes);
  const head = encodeBackupHead({
    clusterId: CLUSTER,
    group: 'default',
    index: 42,
    term: 7,
    configuration: oldConfiguration('1.1'),
    size: bytes.length,
    digest: inner.finish(),
    ...of,
  });
  const outer = backupDigest();
  outer.update(head);
  outer.update(bytes);
  return Buffer.concat([head, bytes, encodeBackupTrailer(outer)]);
}
