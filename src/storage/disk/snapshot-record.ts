import { bufferOf } from '../buffer-of.ts';
import type { SnapshotMeta } from '../contract.ts';
import { StorageFailed } from '../errors.ts';
import { decodeRecord, encodeRecord, RECORD_HEAD_BYTES, recordLength } from './record.ts';

const NAME = /^\d{16}-\d{16}\.snapshot$/;
const ROOM_BYTES = 64 * 1024;
/** A record longer than this was never written: it is not read into memory to find out. */
const RECORD_BYTES_MAX = 1024 * 1024;

/** What is known of a snapshot before its content is. */
export type SnapshotPlace = Pick<SnapshotMeta, 'index' | 'term' | 'configuration'>;

/** Sorts by index, then by term. */
export function snapshotName({ index, term }: { readonly index: number; readonly term: number }): string {
  const padded = (value: number): string => String(value).padStart(16, '0');
  return `${padded(index)}-${padded(term)}.snapshot`;
}

/** What a file is of, by its name alone. */
export function placeOfName(name: string): { readonly index: number; readonly term: number } {
  const [index = 0, term = 0] = name.split('-').map((part) => Number.parseInt(part, 10));
  return { index, term };
}

export function isSnapshotName(name: string): boolean {
  return NAME.test(name);
}

/**
 * Where the content begins. Before it stands the record, which is written last, when size and digest are
 * known: so there is room for the longest that it can come to be.
 *
 * @throws StorageFailed when the configuration is too long for any.
 */
export function contentOffset({ index, term, configuration }: SnapshotPlace): number {
  const longest = { index, term, configuration, size: Number.MAX_SAFE_INTEGER, digest: '0'.repeat(64) };
  const { length } = encodeRecord(longest, 0);
  if (length <= RECORD_BYTES_MAX) return Math.ceil(length / ROOM_BYTES) * ROOM_BYTES;
  throw new StorageFailed(
    `the configuration takes ${length} bytes; a snapshot has ${RECORD_BYTES_MAX} for it. Shorten the ` +
      'metadata of the members.',
  );
}

/** The record at the start of a file; null when there is none, or another than was written. */
export async function readSnapshotRecord(
  read: (offset: number, length: number) => Promise<Uint8Array>,
  seed: number,
): Promise<SnapshotMeta | null> {
  const head = bufferOf(await read(0, ROOM_BYTES));
  if (head.length < RECORD_HEAD_BYTES) return null;
  const length = recordLength(head);
  if (length > RECORD_BYTES_MAX) return null;
  const record = decodeRecord(length <= head.length ? head : bufferOf(await read(0, length)), seed);
  return record.kind === 'value' ? (record.value as SnapshotMeta) : null;
}
