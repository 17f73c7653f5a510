import { crc32 } from '../../doors/checksum.ts';
import { nodesWithZstd, type Work } from '../../doors/work.ts';
import { type Entry, runsOf, type Term, type TermRun } from '../../raft/entry.ts';
import { decodeEntryPayload, encodeEntryPayload } from '../../raft/entry-codec.ts';
import type { GroupId } from '../../raft/identity.ts';
import { bufferOf } from '../buffer-of.ts';
import { type BlockHeader, type CodecName, headerLength, parseHeader, writeHeader } from './block-header.ts';

const ENTRY_HEAD_BYTES = 5;
/** An entry's kind is written as its place here. A place is never given to another kind. */
const kinds = ['command', 'noop', 'configuration', 'session'] as const;

/** What a block is made of; the rest of its header follows from the entries. */
export type BlockContent = BlockPlace & { readonly entries: readonly Entry[] };

/** What is known of a block only when it is submitted. */
export type BlockPlace = Omit<BlockHeader, keyof PackedFacts>;

type PackedFacts = Pick<
  BlockHeader,
  'entryCount' | 'runs' | 'hasConfiguration' | 'codec' | 'bodyLength' | 'rawLength' | 'bodyChecksum'
>;

/** A block's entries as they will be stored: all the costly parts of a block, and none of its place. */
export interface PackedBody {
  readonly facts: PackedFacts;
  /** Room for the header, then the body. */
  readonly bytes: Buffer;
}

/** A block ready to be stored: its bytes, header first. */
export interface SealedBlock {
  readonly header: BlockHeader;
  readonly bytes: Buffer;
}

/** Compresses a body, or says that it is stored as it is. */
export type CompressBody = (
  raw: Buffer,
) => Promise<{ readonly codec: CodecName; readonly body: Uint8Array } | null>;

/** Entries without compression, in one buffer and one copy of each payload. */
export function packPlain(group: GroupId, entries: readonly Entry[]): PackedBody {
  return packed(entries, 'none', written(group, entries));
}

/** Entries compressed, if that pays. */
export async function packCompressed(
  group: GroupId,
  entries: readonly Entry[],
  compress: CompressBody,
): Promise<PackedBody> {
  const raw = written(group, entries);
  const { runs, rawLength, start } = raw;
  const compressed = await compress(raw.bytes.subarray(start));
  if (compressed === null) return packed(entries, 'none', raw);
  const { codec, body } = compressed;
  const bytes = Buffer.allocUnsafe(start + body.length);
  bytes.set(body, start);
  return packed(entries, codec, { runs, rawLength, start, bytes });
}

/** Makes a packed body the block at this place. Once: the header is written into its buffer. */
export function seal(place: BlockPlace, { facts, bytes }: PackedBody, seed: number): SealedBlock {
  // Field by field: two spread objects make one that takes ten times as long, and is kept as a slow one.
  const header: BlockHeader = {
    group: place.group,
    number: place.number,
    firstIndex: place.firstIndex,
    entryCount: facts.entryCount,
    runs: facts.runs,
    predecessor: place.predecessor,
    hardStateTerm: place.hardStateTerm,
    durableNumber: place.durableNumber,
    voidFrom: place.voidFrom,
    repairs: place.repairs,
    hasConfiguration: facts.hasConfiguration,
    commitOffset: place.commitOffset,
    codec: facts.codec,
    bodyLength: facts.bodyLength,
    rawLength: facts.rawLength,
    bodyChecksum: facts.bodyChecksum,
  };
  writeHeader(bytes, header, seed);
  return { header, bytes };
}

/** Makes a block without compression. */
export function sealPlain({ entries, ...place }: BlockContent, seed: number): SealedBlock {
  return seal(place, packPlain(place.group, entries), seed);
}

/** Whether the stored body is what the header says; `block` is the whole block. */
export function bodyIsIntact(header: BlockHeader, block: Buffer): boolean {
  const body = bodyOf(header, block);
  return body.length === header.bodyLength && crc32(body) === header.bodyChecksum;
}

/** Whether these bytes are the very block that has this header, header and body. */
export function isWhole({ header }: Pick<SealedBlock, 'header'>, bytes: Buffer, seed: number): boolean {
  const found = parseHeader(bytes, seed);
  if (!found.valid || found.header.group !== header.group || found.header.number !== header.number) {
    return false;
  }
  return found.header.bodyChecksum === header.bodyChecksum && bodyIsIntact(header, bytes);
}

/**
 * The entries of an intact block.
 *
 * @throws Error when the body, though its checksum is right, is no body: damage that the checksum missed.
 */
export async function readEntries(header: BlockHeader, block: Buffer, work: Work): Promise<Entry[]> {
  const stored = bodyOf(header, block);
  const raw = header.codec === 'none' ? stored : bufferOf(await decompress(header, stored, work));
  if (raw.length !== header.rawLength) throw new Error('the body has another length than its header says');
  const entries: Entry[] = [];
  let at = 0;
  let run = 0;
  for (let position = 0; position < header.entryCount; position += 1) {
    const index = header.firstIndex + position;
    while ((header.runs[run + 1]?.firstIndex ?? Number.POSITIVE_INFINITY) <= index) run += 1;
    if (at + ENTRY_HEAD_BYTES > raw.length) throw new Error(`the body ends before entry ${index}`);
    const kind = kinds[raw.readUInt8(at)];
    const length = raw.readUInt32LE(at + 1);
    at += ENTRY_HEAD_BYTES;
    if (kind === undefined || at + length > raw.length) throw new Error(`entry ${index} is malformed`);
    const term: Term = header.runs[run]?.term ?? 0;
    entries.push(decodeEntryPayload(kind, index, term, raw.subarray(at, at + length)));
    at += length;
  }
  if (at !== raw.length) throw new Error('the body goes on after its last entry');
  return entries;
}

function bodyOf({ group, runs }: BlockHeader, block: Buffer): Buffer {
  return block.subarray(headerLength(group, runs.length));
}

function decompress({ codec, rawLength }: BlockHeader, stored: Buffer, work: Work): Promise<Uint8Array> {
  const compressor = codec === 'zstd' ? work.zstd : work.gzip;
  if (compressor === null) throw new Error(`it is compressed with zstd, which needs ${nodesWithZstd}`);
  return compressor.decompress(stored, rawLength);
}

interface WrittenBody {
  readonly runs: readonly TermRun[];
  readonly rawLength: number;
  readonly bytes: Buffer;
  /** Where in `bytes` the body begins. */
  readonly start: number;
}

function written(group: GroupId, entries: readonly Entry[]): WrittenBody {
  const payloads = entries.map(encodeEntryPayload);
  const runs = runsOf(entries);
  const start = headerLength(group, runs.length);
  const rawLength = bodyLengthOf(payloads);
  const bytes = Buffer.allocUnsafe(start + rawLength);
  writeBody(bytes, start, entries, payloads);
  return { runs, rawLength, bytes, start };
}

function packed(
  entries: readonly Entry[],
  codec: CodecName,
  { runs, rawLength, bytes, start }: WrittenBody,
): PackedBody {
  const body = bytes.subarray(start);
  const facts = {
    entryCount: entries.length,
    runs,
    hasConfiguration: entries.some(({ kind }) => kind === 'configuration'),
    codec,
    bodyLength: body.length,
    rawLength,
    bodyChecksum: crc32(body),
  };
  return { facts, bytes };
}

function bodyLengthOf(payloads: readonly Uint8Array[]): number {
  let length = 0;
  for (const payload of payloads) length += ENTRY_HEAD_BYTES + payload.length;
  return length;
}

function writeBody(
  target: Buffer,
  start: number,
  entries: readonly Entry[],
  payloads: readonly Uint8Array[],
): void {
  let at = start;
  for (const [position, entry] of entries.entries()) {
    const payload = payloads[position] ?? new Uint8Array(0);
    target.writeUInt8(kinds.indexOf(entry.kind), at);
    target.writeUInt32LE(payload.length, at + 1);
    target.set(payload, at + ENTRY_HEAD_BYTES);
    at += ENTRY_HEAD_BYTES + payload.length;
  }
}
