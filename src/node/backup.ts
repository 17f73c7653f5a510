import type { Index } from '../raft/entry.ts';
import type { ClusterId, GroupId } from '../raft/identity.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import { backupDigest, encodeBackupHead, encodeBackupTrailer } from '../storage/backup-format.ts';
import type { SnapshotStorage } from '../storage/contract.ts';
import { SnapshotMismatch } from '../storage/errors.ts';
import { BackupFailed } from './errors.ts';

const CHUNK_BYTES = 1024 * 1024;
const ATTEMPTS_MAX = 5;

/** What a backup asks of the node it is taken of. */
export interface BackupSource {
  readonly group: GroupId;
  appliedIndex(): Index;
  /** Whether the state machine has a `snapshot`. */
  readonly takesSnapshots: boolean;
  /** Takes one that covers everything applied now, where the latest does not; null when there is nothing to take. */
  snapshot(): Promise<SnapshotMeta | null>;
  /** null while the storage is being reopened. @throws Closed once the node is. */
  open(): { readonly clusterId: ClusterId | null; readonly snapshots: SnapshotStorage } | null;
}

/**
 * A backup, piece by piece: a head that says of what, the content of a snapshot, and a checksum over all of it. The
 * next piece is read once it is asked for. The snapshot is held until the last piece was read or nobody wants more,
 * so no newer one takes it away; what cannot be read to its end ends in an error, and without the checksum.
 */
export async function* streamBackup(source: BackupSource): AsyncGenerator<Uint8Array> {
  const { meta, clusterId, snapshots, release } = await holdSnapshot(source);
  try {
    const digest = backupDigest();
    const head = encodeBackupHead({ ...meta, clusterId, group: source.group });
    digest.update(head);
    yield head;
    for (let offset = 0; offset < meta.size; ) {
      const chunk = await read(source, snapshots, meta, offset);
      digest.update(chunk);
      offset += chunk.length;
      yield chunk;
    }
    yield encodeBackupTrailer(digest);
  } finally {
    release();
  }
}

interface HeldSnapshot {
  readonly meta: SnapshotMeta;
  readonly clusterId: ClusterId;
  readonly snapshots: SnapshotStorage;
  readonly release: () => void;
}

/** Nothing was given away yet, so one that went before it could be held is taken anew. */
async function holdSnapshot(source: BackupSource): Promise<HeldSnapshot> {
  if (!source.takesSnapshots) {
    throw new BackupFailed(
      'the state machine has no snapshot(), so there is nothing that could be backed up',
    );
  }
  const covered = source.appliedIndex();
  for (let attempt = 1; ; attempt += 1) {
    const meta = await source.snapshot();
    if (meta === null) {
      throw new BackupFailed('nothing was applied yet: wait until the cluster has a leader');
    }
    if (meta.index < covered) {
      throw new BackupFailed(
        `the state machine was set back from entry ${covered} to ${meta.index} meanwhile; try again`,
      );
    }
    const open = source.open();
    if (open === null || open.clusterId === null) {
      throw new BackupFailed('the storage is being reopened; try again in a moment');
    }
    const { snapshots, clusterId } = open;
    try {
      return { meta, clusterId, snapshots, release: await snapshots.hold(meta) };
    } catch (error) {
      if (!(error instanceof SnapshotMismatch) || attempt === ATTEMPTS_MAX) throw broken(source, error);
    }
  }
}

async function read(
  source: BackupSource,
  snapshots: SnapshotStorage,
  meta: SnapshotMeta,
  offset: number,
): Promise<Uint8Array> {
  let chunk: Uint8Array;
  try {
    chunk = await snapshots.read(meta, { offset, length: CHUNK_BYTES });
  } catch (error) {
    throw broken(source, error);
  }
  if (chunk.length > 0) return chunk;
  throw broken(source, new Error(`it ends at byte ${offset} of ${meta.size}`));
}

/** @throws Closed when that is why. */
function broken(source: BackupSource, cause: unknown): BackupFailed {
  source.open();
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BackupFailed(`the snapshot cannot be read: ${why}. What was written is no backup; begin anew.`, {
    cause,
  });
}
