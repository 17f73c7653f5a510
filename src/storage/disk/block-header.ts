import { crc32 } from '../../doors/checksum.ts';
import type { Index, Term, TermRun } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';

/** How a block's body is stored. The numbers stand on disk. */
export const codecs = { none: 0, gzip: 1, zstd: 2 } as const;
export type CodecName = keyof typeof codecs;
const codecNames = ['none', 'gzip', 'zstd'] as const;

/** The end of a log at one moment: which block wrote it, and its last entry. All zero for an empty log. */
export interface LogEnd {
  readonly number: number;
  readonly index: Index;
  readonly term: Term;
}

/**
 * What a block says of itself. Blocks of a group are numbered 1, 2, 3, ... and no number is used twice.
 * The log is the replay of its blocks in the order of their numbers: each cuts the log at its first
 * index and appends its entries. Only a repair does not: its entries were missing, and take their place.
 */
export interface BlockHeader {
  readonly group: GroupId;
  readonly number: number;
  /** Where it cuts; its first entry, if it has entries. */
  readonly firstIndex: Index;
  readonly entryCount: number;
  /** Terms of its entries. */
  readonly runs: readonly TermRun[];
  /** The log's end that it was written upon, before its cut. */
  readonly predecessor: LogEnd;
  /** The term of the hard state that was durable when it was submitted. */
  readonly hardStateTerm: Term;
  /** The highest block of the group known to be durable when it was submitted. */
  readonly durableNumber: number;
  /** An open record: blocks `voidFrom` .. `number - 1` never were part of the log. 0 in all others. */
  readonly voidFrom: number;
  /** Its entries fill a part of a hole; what stands after them stays. */
  readonly repairs: boolean;
  readonly hasConfiguration: boolean;
  /** How far into the buffer that was written with one sync this block begins. */
  readonly commitOffset: number;
  readonly codec: CodecName;
  /** Of the body as stored, and as it is without compression. */
  readonly bodyLength: number;
  readonly rawLength: number;
  readonly bodyChecksum: number;
}

export const headerLengthMin = 104;
const MAGIC = 0x4b_42_4c_4b;
/**
 * Version 2 has repairs, and is written for them only: whoever reads just version 1 would take one for a cut, and so
 * counts it as damage. All other blocks are of version 1, and those of either are read.
 */
const VERSION = 1;
const VERSION_REPAIRS = 2;
const FLAG_CONFIGURATION = 1;
const FLAG_REPAIRS = 2;
const CHECKSUM_AT = 28;
const RUN_BYTES = 16;

/** The first four bytes of every block. */
export const blockMagic = Uint8Array.of(0x4b, 0x4c, 0x42, 0x4b);

/** Bytes of the header of a block with this group and this many runs. */
export function headerLength(group: GroupId, runCount: number): number {
  return headerLengthMin + runCount * RUN_BYTES + group.length;
}

/**
 * Writes a header at the start of `target`. The checksum covers the storage's id too (`seed`), so that
 * a block of another storage is none of ours however whole it is.
 */
export function writeHeader(target: Buffer, header: BlockHeader, seed: number): void {
  const length = headerLength(header.group, header.runs.length);
  target.writeUInt32LE(MAGIC, 0);
  target.writeUInt8(header.repairs ? VERSION_REPAIRS : VERSION, 4);
  target.writeUInt8(codecs[header.codec], 5);
  target.writeUInt8(flagsOf(header), 6);
  target.writeUInt8(header.group.length, 7);
  target.writeUInt32LE(length, 8);
  target.writeUInt32LE(header.bodyLength, 12);
  target.writeUInt32LE(header.rawLength, 16);
  target.writeUInt32LE(header.entryCount, 20);
  target.writeUInt32LE(header.runs.length, 24);
  target.writeUInt32LE(0, CHECKSUM_AT);
  target.writeUInt32LE(header.bodyChecksum, 32);
  target.writeUInt32LE(header.commitOffset, 36);
  target.writeDoubleLE(header.number, 40);
  target.writeDoubleLE(header.firstIndex, 48);
  target.writeDoubleLE(header.predecessor.number, 56);
  target.writeDoubleLE(header.predecessor.index, 64);
  target.writeDoubleLE(header.predecessor.term, 72);
  target.writeDoubleLE(header.hardStateTerm, 80);
  target.writeDoubleLE(header.durableNumber, 88);
  target.writeDoubleLE(header.voidFrom, 96);
  let at = headerLengthMin;
  for (const { term, firstIndex } of header.runs) {
    target.writeDoubleLE(term, at);
    target.writeDoubleLE(firstIndex, at + 8);
    at += RUN_BYTES;
  }
  target.write(header.group, at, 'latin1');
  target.writeUInt32LE(crc32(target.subarray(0, length), seed), CHECKSUM_AT);
}

function flagsOf({ hasConfiguration, repairs }: BlockHeader): number {
  return (hasConfiguration ? FLAG_CONFIGURATION : 0) | (repairs ? FLAG_REPAIRS : 0);
}

/** What the start of some bytes says: a header, or why they hold none. */
export type ParsedHeader =
  | { readonly valid: true; readonly header: BlockHeader; readonly length: number }
  | { readonly valid: false; readonly reason: string };

/** Parses the header at the start of `bytes`, which may go on after it. */
export function parseHeader(bytes: Buffer, seed: number): ParsedHeader {
  const invalid = (reason: string): ParsedHeader => ({ valid: false, reason });
  if (bytes.length < headerLengthMin) return invalid(`${bytes.length} bytes are too few for a header`);
  if (bytes.readUInt32LE(0) !== MAGIC) return invalid('no block begins here');
  const version = bytes.readUInt8(4);
  const length = bytes.readUInt32LE(8);
  const runCount = bytes.readUInt32LE(24);
  const groupLength = bytes.readUInt8(7);
  if (length !== headerLengthMin + runCount * RUN_BYTES + groupLength) return invalid('the lengths disagree');
  if (bytes.length < length) return invalid('the header is cut off');
  const checksum = bytes.readUInt32LE(CHECKSUM_AT);
  const copy = Buffer.from(bytes.subarray(0, length));
  copy.writeUInt32LE(0, CHECKSUM_AT);
  if (crc32(copy, seed) !== checksum) return invalid("the header's checksum is wrong");
  if (version !== VERSION && version !== VERSION_REPAIRS) {
    return invalid(`it has format version ${version}; this one reads ${VERSION} and ${VERSION_REPAIRS}`);
  }
  const codec = codecNames[bytes.readUInt8(5)];
  if (codec === undefined)
    return invalid(`it has codec ${bytes.readUInt8(5)}, which this version does not know`);
  const number = (position: number): number => bytes.readDoubleLE(40 + 8 * position);
  const runs: TermRun[] = [];
  for (let run = 0; run < runCount; run += 1) {
    const at = headerLengthMin + run * RUN_BYTES;
    runs.push({ term: bytes.readDoubleLE(at), firstIndex: bytes.readDoubleLE(at + 8) });
  }
  return {
    valid: true,
    length,
    header: {
      group: bytes.toString('latin1', length - groupLength, length),
      number: number(0),
      firstIndex: number(1),
      entryCount: bytes.readUInt32LE(20),
      runs,
      predecessor: { number: number(2), index: number(3), term: number(4) },
      hardStateTerm: number(5),
      durableNumber: number(6),
      voidFrom: number(7),
      repairs: version === VERSION_REPAIRS && (bytes.readUInt8(6) & FLAG_REPAIRS) !== 0,
      hasConfiguration: (bytes.readUInt8(6) & FLAG_CONFIGURATION) !== 0,
      commitOffset: bytes.readUInt32LE(36),
      codec,
      bodyLength: bytes.readUInt32LE(12),
      rawLength: bytes.readUInt32LE(16),
      bodyChecksum: bytes.readUInt32LE(32),
    },
  };
}
