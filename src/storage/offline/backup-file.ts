import type { Disk, DiskFile } from '../../doors/disk.ts';
import {
  BACKUP_PREFIX_BYTES,
  BACKUP_TRAILER_BYTES,
  type BackupHeader,
  backupDigest,
  decodeBackupHead,
  decodeBackupPrefix,
  encodeBackupTrailer,
} from '../backup-format.ts';
import { bufferOf } from '../buffer-of.ts';
import { RecoveryRefused } from '../errors.ts';
import { codeOf } from './folder-tree.ts';

const READ_BYTES = 1024 * 1024;

/** A backup of which every byte was found right. */
export interface VerifiedBackup {
  readonly header: BackupHeader;
  /** Its content, read anew at each call. */
  content(): AsyncGenerator<Uint8Array>;
}

/**
 * Reads a backup from its first byte to its last before anything is made of it.
 *
 * @throws RecoveryRefused: `unreadable`, `not-a-backup`, `other-version`, `damaged` with what is wrong.
 */
export async function withBackup<T>(
  disk: Disk,
  path: string,
  signal: AbortSignal | undefined,
  use: (backup: VerifiedBackup) => Promise<T>,
): Promise<T> {
  const file = await openBackup(disk, path);
  try {
    const { header, contentAt } = await readHead(file, path);
    await verify(file, { path, header, contentAt, signal });
    return await use({
      header,
      content: () => bytesOf(file, { from: contentAt, to: contentAt + header.size, signal }),
    });
  } finally {
    await file.close();
  }
}

async function openBackup(disk: Disk, path: string): Promise<DiskFile> {
  try {
    return await disk.open(path, { readOnly: true });
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : (cause as Error).message;
    throw new RecoveryRefused('unreadable', `${path}: ${why}`, { cause });
  }
}

async function readHead(
  file: DiskFile,
  path: string,
): Promise<{ readonly header: BackupHeader; readonly contentAt: number }> {
  const prefix = await readBuffer(file, path, 0, BACKUP_PREFIX_BYTES);
  const found = decodeBackupPrefix(prefix);
  if (found.kind === 'not-a-backup') {
    throw new RecoveryRefused(
      'not-a-backup',
      `${path} is no backup of Kontiki's: it begins with other bytes`,
    );
  }
  const text = await readBuffer(file, path, BACKUP_PREFIX_BYTES, found.headerBytes);
  const head = decodeBackupHead(prefix, text);
  if (head.kind === 'other-version') {
    throw new RecoveryRefused(
      'other-version',
      `${path} is a backup of format ${head.version}, which this version does not read. Use the version that made it.`,
    );
  }
  if (head.kind === 'damaged') throw damaged(path, head.why);
  return { header: head.header, contentAt: BACKUP_PREFIX_BYTES + text.length };
}

async function verify(
  file: DiskFile,
  backup: {
    readonly path: string;
    readonly header: BackupHeader;
    readonly contentAt: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { path, header, contentAt, signal } = backup;
  const end = contentAt + header.size;
  const size = await file.size();
  if (size < end + BACKUP_TRAILER_BYTES) {
    throw damaged(
      path,
      `it has ${size} bytes of ${end + BACKUP_TRAILER_BYTES}: it was not written to its end`,
    );
  }
  if (size > end + BACKUP_TRAILER_BYTES) {
    throw damaged(path, `it goes on after its end at byte ${end + BACKUP_TRAILER_BYTES}`);
  }
  const whole = backupDigest();
  for await (const bytes of bytesOf(file, { from: 0, to: end, signal })) whole.update(bytes);
  const trailer = await readBuffer(file, path, end, BACKUP_TRAILER_BYTES);
  if (!encodeBackupTrailer(whole).equals(trailer)) throw damaged(path, 'its checksum is wrong');
}

async function* bytesOf(
  file: DiskFile,
  range: { readonly from: number; readonly to: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const { from, to, signal } = range;
  for (let offset = from; offset < to; ) {
    signal?.throwIfAborted();
    const bytes = await file.read(offset, Math.min(READ_BYTES, to - offset));
    // It was as long when its size was asked for; whoever reads compares a digest.
    if (bytes.length === 0) return;
    offset += bytes.length;
    yield bytes;
  }
}

async function readBuffer(file: DiskFile, path: string, offset: number, length: number): Promise<Buffer> {
  try {
    return bufferOf(await file.read(offset, length));
  } catch (cause) {
    throw new RecoveryRefused('unreadable', `${path}: ${(cause as Error).message}`, { cause });
  }
}

function damaged(path: string, why: string): RecoveryRefused {
  return new RecoveryRefused('damaged', `${path} is damaged: ${why}. Use another backup.`);
}
