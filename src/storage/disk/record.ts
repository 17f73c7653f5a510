import { crc32 } from '../../doors/checksum.ts';
import type { Disk } from '../../doors/disk.ts';
import { bufferOf } from '../buffer-of.ts';

const MAGIC = 0x4b_52_45_43;
export const RECORD_HEAD_BYTES = 12;

/** A small JSON value with magic, length and checksum around it. `seed` begins the checksum. */
export function encodeRecord(value: unknown, seed: number): Buffer {
  return encode(JSON.stringify(value), seed, 0);
}

/** The same at the start of so many bytes, with zeros behind it. @throws RangeError when it does not fit. */
export function encodeRecordWithin(size: number, value: unknown, seed: number): Buffer {
  const bytes = encode(JSON.stringify(value), seed, size);
  if (bytes.length > size) throw new RangeError(`${bytes.length} bytes do not fit into ${size}`);
  return bytes;
}

function encode(text: string, seed: number, sizeMin: number): Buffer {
  const end = RECORD_HEAD_BYTES + Buffer.byteLength(text);
  // Not zeroed as a whole: that takes memory of its own, which the mark of each commit would have to wait for.
  const bytes = Buffer.allocUnsafe(Math.max(end, sizeMin)).fill(0, end);
  bytes.write(text, RECORD_HEAD_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(end - RECORD_HEAD_BYTES, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(RECORD_HEAD_BYTES, end), seed), 8);
  return bytes;
}

export type DecodedRecord =
  | { readonly kind: 'value'; readonly value: unknown }
  /** Nothing was ever written there. */
  | { readonly kind: 'blank' }
  | { readonly kind: 'invalid' };

/** How many bytes the record at the start of `bytes` says it takes. They are at least its head. */
export function recordLength(bytes: Buffer): number {
  return RECORD_HEAD_BYTES + bytes.readUInt32LE(4);
}

/** What stands at the start of `bytes`, which may go on after it. */
export function decodeRecord(bytes: Buffer, seed: number): DecodedRecord {
  if (bytes.every((byte) => byte === 0)) return { kind: 'blank' };
  if (bytes.length < RECORD_HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC) return { kind: 'invalid' };
  const end = recordLength(bytes);
  if (end > bytes.length) return { kind: 'invalid' };
  const text = bytes.subarray(RECORD_HEAD_BYTES, end);
  if (crc32(text, seed) !== bytes.readUInt32LE(8)) return { kind: 'invalid' };
  return { kind: 'value', value: JSON.parse(text.toString('utf8')) };
}

/** Replaces a whole file by one record: written aside, synced, renamed, folder synced. Old or new, never less. */
export async function replaceRecordFile(
  disk: Disk,
  place: { readonly directory: string; readonly name: string },
  value: unknown,
  seed: number,
): Promise<void> {
  const path = `${place.directory}/${place.name}`;
  // No name of a group has this character, so it is no other group's file.
  const aside = `${path}~`;
  const file = await disk.open(aside, { create: true });
  try {
    await file.truncate(0);
    await file.write(0, encodeRecord(value, seed));
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(aside, path);
  await disk.syncDirectory(place.directory);
}

/** The record of a file; `blank` when there is no such file. */
export async function readRecordFile(disk: Disk, path: string, seed: number): Promise<DecodedRecord> {
  const bytes = await readWholeFile(disk, path);
  if (bytes === null) return { kind: 'blank' };
  const record = decodeRecord(bytes, seed);
  // Such a file appears with its record in it, or not at all.
  return record.kind === 'blank' ? { kind: 'invalid' } : record;
}

/** null when there is no such file. */
export async function readWholeFile(disk: Disk, path: string): Promise<Buffer | null> {
  let file: Awaited<ReturnType<Disk['open']>>;
  try {
    file = await disk.open(path);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return bufferOf(await file.read(0, await file.size()));
  } finally {
    await file.close();
  }
}
