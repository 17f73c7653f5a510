import { crc32 } from '../../../doors/checksum.ts';
import { isWhole } from '../block.ts';
import { type BlockHeader, parseHeader } from '../block-header.ts';
import type { SegmentBlock, SegmentScan } from './segment-scan.ts';

/** `KIDX`, then the version, the checksum of all that follows it, and the segment's length; then the headers. */
const MAGIC = 0x58_44_49_4b;
const VERSION = 1;
const CHECKSUM_AT = 8;
const SIZE_AT = 12;
const HEAD_BYTES = 20;

/** Where a block of a whole segment was when it was written. */
export interface IndexedBlock {
  readonly header: BlockHeader;
  readonly offset: number;
  readonly length: number;
}

export interface DecodedIndex {
  readonly blocks: readonly IndexedBlock[];
  /** The segment is shorter than it was. */
  readonly isCutShort: boolean;
}

/** @param headers - of all blocks of a segment, in order, nothing between or after them. */
export function encodeIndex(headers: Buffer, segmentSize: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + headers.length);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 4);
  bytes.writeDoubleLE(segmentSize, SIZE_AT);
  bytes.set(headers, HEAD_BYTES);
  bytes.writeUInt32LE(crc32(bytes.subarray(SIZE_AT), seed), CHECKSUM_AT);
  return bytes;
}

/**
 * @param segmentSize - as it is now. A segment that is shorter than it was has lost its end, and the index tells what.
 * @returns null where it is no index of a segment of this storage, or not one of all of it: torn, damaged, of another.
 */
export function decodeIndex(bytes: Buffer, segmentSize: number, seed: number): DecodedIndex | null {
  if (bytes.length < HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) {
    return null;
  }
  const indexedSize = bytes.readDoubleLE(SIZE_AT);
  if (indexedSize < segmentSize) return null;
  if (crc32(bytes.subarray(SIZE_AT), seed) !== bytes.readUInt32LE(CHECKSUM_AT)) return null;
  const blocks: IndexedBlock[] = [];
  let offset = 0;
  for (let at = HEAD_BYTES; at < bytes.length; ) {
    const parsed = parseHeader(bytes.subarray(at), seed);
    if (!parsed.valid) return null;
    const length = parsed.length + parsed.header.bodyLength;
    blocks.push({ header: parsed.header, offset, length });
    at += parsed.length;
    offset += length;
  }
  return offset === indexedSize ? { blocks, isCutShort: segmentSize < indexedSize } : null;
}

/** What the index says, without a look at the segment. */
export function asIndexed(blocks: readonly IndexedBlock[]): SegmentScan {
  return { blocks: blocks.map((block) => ({ intact: true, ...block })), strays: [], endsClean: true };
}

/**
 * What of an indexed segment is still there. Each block is known by name, whatever became of its bytes; and as all
 * of it was synced before it was indexed, whatever is not whole was changed.
 */
export function checkIndexed(blocks: readonly IndexedBlock[], bytes: Buffer, seed: number): SegmentScan {
  const checked = blocks.map((block): SegmentBlock => {
    const { header, offset, length } = block;
    if (isWhole(block, bytes.subarray(offset, offset + length), seed)) return { intact: true, ...block };
    return asLost(header);
  });
  return { blocks: checked, strays: [], endsClean: true };
}

/** Whatever became of its bytes: it was whole once. */
export function asLost({ group, number }: BlockHeader): Extract<SegmentBlock, { intact: false }> {
  return { intact: false, group, number, torn: false };
}
