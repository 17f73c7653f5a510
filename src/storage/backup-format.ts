import { crc32 } from '../doors/checksum.ts';
import { type Digest, sha256 } from '../doors/digest.ts';
import { parseConfigurationValue, plainConfiguration } from '../raft/entry-codec.ts';
import type { ClusterId, GroupId } from '../raft/identity.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';

/**
 * The bytes of a backup, in order:
 *
 *     16  magic
 *      4  version       \
 *      4  header length  |  little-endian; the checksum is over all of the head but itself
 *      4  head checksum /
 *         header        JSON
 *         content       of the snapshot, `size` bytes of it
 *     32  SHA-256       over everything before
 *
 * A backup without its end is none: what breaks off never looks whole. Magic, version, length and checksum stand
 * there in every version, so that one which is not understood is told from one that is damaged.
 */
const MAGIC = Buffer.from('kontiki backup\r\n', 'latin1');
const VERSION = 1;
export const BACKUP_PREFIX_BYTES = MAGIC.length + 12;
export const BACKUP_TRAILER_BYTES = 32;
/** Longer than any header is: a damaged length must not make anyone reserve gigabytes. */
const HEADER_BYTES_MAX = 16 * 1024 * 1024;

/** What a backup is of. */
export interface BackupHeader extends SnapshotMeta {
  /** The cluster it was taken of. */
  readonly clusterId: ClusterId;
  readonly group: GroupId;
}

/** What a backup begins with. */
export function encodeBackupHead(header: BackupHeader): Buffer {
  const { clusterId, group, index, term, configuration, size, digest } = header;
  const plain = {
    clusterId,
    group,
    index,
    term,
    configuration: plainConfiguration(configuration),
    size,
    digest,
  };
  const text = Buffer.from(JSON.stringify(plain), 'utf8');
  const prefix = Buffer.alloc(BACKUP_PREFIX_BYTES);
  prefix.set(MAGIC);
  prefix.writeUInt32LE(VERSION, MAGIC.length);
  prefix.writeUInt32LE(text.length, MAGIC.length + 4);
  prefix.writeUInt32LE(headChecksum(prefix, text), MAGIC.length + 8);
  return Buffer.concat([prefix, text]);
}

/** Its digest under way, over everything from the first byte on. */
export function backupDigest(): Digest {
  return sha256();
}

/** What a backup ends with. Ends the digest. */
export function encodeBackupTrailer(digest: Digest): Buffer {
  return Buffer.from(digest.finish(), 'hex');
}

export type BackupPrefix =
  | { readonly kind: 'not-a-backup' }
  | { readonly kind: 'found'; readonly headerBytes: number };

/** How long the header is that follows the first bytes of a file; what they say is not checked yet. */
export function decodeBackupPrefix(prefix: Buffer): BackupPrefix {
  const isMagic = prefix.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, prefix.length));
  if (!isMagic || prefix.length === 0) return { kind: 'not-a-backup' };
  if (prefix.length < BACKUP_PREFIX_BYTES) return { kind: 'found', headerBytes: 0 };
  return { kind: 'found', headerBytes: Math.min(prefix.readUInt32LE(MAGIC.length + 4), HEADER_BYTES_MAX) };
}

export type DecodedHead =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  | { readonly kind: 'other-version'; readonly version: number }
  | { readonly kind: 'damaged'; readonly why: string };

/** What a backup's first bytes say. `text` is as long as the prefix told, or as long as the file had it. */
export function decodeBackupHead(prefix: Buffer, text: Buffer): DecodedHead {
  if (prefix.length < BACKUP_PREFIX_BYTES) return { kind: 'damaged', why: 'it ends within its first bytes' };
  if (text.length !== prefix.readUInt32LE(MAGIC.length + 4)) {
    return { kind: 'damaged', why: 'it ends within its header, or the length of that was changed' };
  }
  if (headChecksum(prefix, text) !== prefix.readUInt32LE(MAGIC.length + 8)) {
    return { kind: 'damaged', why: "its header's checksum is wrong" };
  }
  const version = prefix.readUInt32LE(MAGIC.length);
  if (version !== VERSION) return { kind: 'other-version', version };
  try {
    return { kind: 'header', header: parseHeader(JSON.parse(text.toString('utf8'))) };
  } catch (error) {
    return { kind: 'damaged', why: `its header is none: ${(error as Error).message}` };
  }
}

function headChecksum(prefix: Buffer, text: Buffer): number {
  return crc32(text, crc32(prefix.subarray(0, MAGIC.length + 8)));
}

function parseHeader(value: unknown): BackupHeader {
  const fields = value as Record<keyof BackupHeader, unknown>;
  return {
    clusterId: stringOf(fields, 'clusterId', /^[0-9a-f]{16}$/),
    group: stringOf(fields, 'group', /^[A-Za-z0-9._-]{1,64}$/),
    index: countOf(fields, 'index', 1),
    term: countOf(fields, 'term', 1),
    configuration: parseConfigurationValue(fields.configuration, 'configuration'),
    size: countOf(fields, 'size', 0),
    digest: stringOf(fields, 'digest', /^[0-9a-f]{64}$/),
  };
}

function stringOf(
  fields: Record<keyof BackupHeader, unknown>,
  name: keyof BackupHeader,
  pattern: RegExp,
): string {
  const value = fields[name];
  if (typeof value !== 'string' || !pattern.test(value)) throw new Error(`${name} is ${String(value)}`);
  return value;
}

function countOf(
  fields: Record<keyof BackupHeader, unknown>,
  name: keyof BackupHeader,
  least: number,
): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value) || (value as number) < least)
    throw new Error(`${name} is ${String(value)}`);
  return value as number;
}
