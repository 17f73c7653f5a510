import { crc32 } from '../../doors/checksum.ts';
import type { Work } from '../../doors/work.ts';
import type { Entry, Term, TermRun } from '../../raft/entry.ts';
import { decodeEntryPayload, encodeEntryPayload } from '../../raft/entry-codec.ts';
import { type BlockHeader, type CodecName, headerLength, writeHeader } from './block-header.ts';

/** Below this a body is stored plain: compression would cost more time than it saves bytes. */
const COMPRESS_FROM_BYTES = 512;
const ENTRY_HEAD_BYTES = 5;
/** An entry's kind is written as its place here. A place is never given to another kind. */
const kinds = ['command', 'noop', 'configuration', 'session'] as const;

/** What a block is made of; the rest of its header follows from the entries. */
export type BlockContent = Omit<
  BlockHeader,
  'entryCount' | 'runs' | 'hasConfiguration' | 'codec' | 'bodyLength' | 'rawLength' | 'bodyChecksum'
> & { readonly entries: readonly Entry[] };

/** A block ready to be stored: its bytes, header first. */
export interface SealedBlock {
  readonly header: BlockHeader;
  readonly bytes: Buffer;
}

/** Makes a block without compression, in one buffer and one copy of each payload. */
export function sealPlain(content: BlockContent, seed: number): SealedBlock {
  const payloads = content.entries.map(encodeEntryPayload);
  const runs = runsOf(content.entries);
  const start = headerLength(content.group, runs.length);
  const rawLength = bodyLengthOf(payloads);
  const bytes = Buffer.allocUnsafe(start + rawLength);
  writeBody(bytes, start, content.entries, payloads);
  return seal(content, { runs, codec: 'none', rawLength, bytes, start }, seed);
}

/** Makes a block and compresses it if that pays. */
export async function sealCompressed(content: BlockContent, work: Work, seed: number): Promise<SealedBlock> {
  const payloads = content.entries.map(encodeEntryPayload);
  const rawLength = bodyLengthOf(payloads);
  if (rawLength < COMPRESS_FROM_BYTES) return sealPlain(content, seed);
  const raw = Buffer.allocUnsafe(rawLength);
  writeBody(raw, 0, content.entries, payloads);
  const compressed = await work.gzip(raw);
  const pays = compressed.length < rawLength;
  const runs = runsOf(content.entries);
  const start = headerLength(content.group, runs.length);
  const body = pays ? compressed : raw;
  const bytes = Buffer.allocUnsafe(start + body.length);
  bytes.set(body, start);
  return seal(content, { runs, codec: pays ? 'gzip' : 'none', rawLength, bytes, start }, seed);
}

/** Whether the stored body is what the header says; `block` is the whole block. */
export function bodyIsIntact(header: BlockHeader, headerBytes: number, block: Buffer): boolean {
  const body = block.subarray(headerBytes);
  return body.length === header.bodyLength && crc32(body) === header.bodyChecksum;
}

/**
 * The entries of an intact block.
 *
 * @throws Error when the body, though its checksum is right, is no body: damage that the checksum missed.
 */
export async function readEntries(
  header: BlockHeader,
  headerBytes: number,
  block: Buffer,
  work: Work,
): Promise<Entry[]> {
  const stored = block.subarray(headerBytes);
  const raw = header.codec === 'gzip' ? bufferOf(await work.gunzip(stored, header.rawLength)) : stored;
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

function seal(
  content: BlockContent,
  made: {
    readonly runs: readonly TermRun[];
    readonly codec: CodecName;
    readonly rawLength: number;
    readonly bytes: Buffer;
    readonly start: number;
  },
  seed: number,
): SealedBlock {
  const { entries, ...named } = content;
  const body = made.bytes.subarray(made.start);
  const header: BlockHeader = {
    ...named,
    entryCount: entries.length,
    runs: made.runs,
    hasConfiguration: entries.some(({ kind }) => kind === 'configuration'),
    codec: made.codec,
    bodyLength: body.length,
    rawLength: made.rawLength,
    bodyChecksum: crc32(body),
  };
  writeHeader(made.bytes, header, seed);
  return { header, bytes: made.bytes };
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

function runsOf(entries: readonly Entry[]): TermRun[] {
  const runs: TermRun[] = [];
  for (const { term, index } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ term, firstIndex: index });
  }
  return runs;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
