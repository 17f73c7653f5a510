import type { Index } from '../../raft/entry.ts';

/**
 * Names a session for ever: the index of the entry that opened it, which no other entry of this log will ever
 * have, and a random salt, which a cluster made from another's backup does not have at that index.
 */
export interface SessionId {
  readonly index: Index;
  /** 16 hex digits. */
  readonly salt: string;
}

/**
 * Everything that decides what `apply` makes of sessions, besides the log. It travels in the entry that opens a
 * session, and from there into the table: no replica ever goes by its own options when it applies, so replicas
 * with differing options cannot come to different states. Those of the leader hold, for what it opens.
 */
export interface SessionLimits {
  /** A session that sends nothing for longer, in replicated time, is expired. */
  readonly timeoutMs: number;
  /** Commands of the session that may be without an answer at the same time. */
  readonly window: number;
  /** Sessions kept; one more evicts the one least recently active. */
  readonly sessionsMax: number;
  /** Bytes of results kept for all sessions together. */
  readonly resultBytesMax: number;
  /** One entry moves replicated time by so much at most. */
  readonly timeStepMaxMs: number;
}

/** What one session entry says. `stampMs` is the replicated time that its leader reckoned. */
export type SessionRecord =
  | ({ readonly kind: 'open'; readonly stampMs: number; readonly salt: string } & SessionLimits)
  | SessionCommand
  | { readonly kind: 'close'; readonly stampMs: number; readonly id: SessionId }
  /** Nothing but time, for an idle cluster with sessions. */
  | { readonly kind: 'time'; readonly stampMs: number };

export interface SessionCommand {
  readonly kind: 'command';
  readonly stampMs: number;
  readonly id: SessionId;
  /** 1, 2, 3, ... in each session; the same for every attempt at one command. */
  readonly sequence: number;
  /** The lowest sequence whose result the client may still want; at most `sequence`. */
  readonly lowestUnanswered: number;
  /** The user's command, as the codec made it. */
  readonly command: Uint8Array;
}

/** Why bytes are no session record of any version; every replica finds the same. */
export interface MalformedRecord {
  readonly kind: 'malformed';
  readonly reason: string;
}

/**
 * Layout, all numbers little-endian: version (1 byte), kind (1), stamp (8, as a double, which holds every safe
 * integer), then by kind
 *
 *     open     salt 8, timeout 8, window 8, sessionsMax 8, resultBytesMax 8, timeStepMax 8
 *     command  index 8, salt 8, sequence 8, lowestUnanswered 8, and the command to the end
 *     close    index 8, salt 8
 *     time     nothing
 */
const VERSION = 1;
const HEAD_BYTES = 10;
const kinds = ['time', 'open', 'command', 'close'] as const;
const lengths = { time: HEAD_BYTES, open: HEAD_BYTES + 48, command: HEAD_BYTES + 32, close: HEAD_BYTES + 16 };

export function encodeSessionRecord(record: SessionRecord): Uint8Array {
  const tail = record.kind === 'command' ? record.command.length : 0;
  const bytes = Buffer.alloc(lengths[record.kind] + tail);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt8(kinds.indexOf(record.kind), 1);
  bytes.writeDoubleLE(record.stampMs, 2);
  switch (record.kind) {
    case 'time':
      break;
    case 'open': {
      const { salt, timeoutMs, window, sessionsMax, resultBytesMax, timeStepMaxMs } = record;
      bytes.write(salt, HEAD_BYTES, 'hex');
      writeNumbers(bytes, HEAD_BYTES + 8, [timeoutMs, window, sessionsMax, resultBytesMax, timeStepMaxMs]);
      break;
    }
    case 'command':
      writeId(bytes, record.id);
      writeNumbers(bytes, HEAD_BYTES + 16, [record.sequence, record.lowestUnanswered]);
      bytes.set(record.command, lengths.command);
      break;
    case 'close':
      writeId(bytes, record.id);
  }
  return bytes;
}

/**
 * What the bytes of a committed entry say. Whatever they are, every replica of this version finds the same, so
 * what is malformed can be refused by all of them alike, and need not stop any.
 *
 * @throws UnknownRecordVersion for a record of a later version: what that version makes of it is not known here,
 *   so to refuse it could make this replica another than those that know.
 */
export function parseSessionRecord(payload: Uint8Array): SessionRecord | MalformedRecord {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const version = bytes[0] ?? 0;
  if (version > VERSION) throw new UnknownRecordVersion(version);
  if (version !== VERSION) return malformed(`version ${version}`);
  const kind = kinds[bytes[1] ?? kinds.length];
  if (kind === undefined) return malformed(`kind ${bytes[1] ?? 'missing'}`);
  const expected = lengths[kind];
  if (bytes.length < expected || (kind !== 'command' && bytes.length > expected)) {
    return malformed(`${kind} of ${bytes.length} bytes`);
  }
  const stampMs = bytes.readDoubleLE(2);
  if (!isWhole(stampMs, 0)) return malformed(`stamp ${stampMs}`);
  switch (kind) {
    case 'time':
      return { kind, stampMs };
    case 'open':
      return parseOpen(bytes, stampMs);
    case 'command':
      return parseCommand(bytes, stampMs);
    case 'close': {
      const id = readId(bytes);
      return isWhole(id.index, 1) ? { kind, stampMs, id } : malformed(`session ${id.index}`);
    }
  }
}

/** Written by a later version than this. */
export class UnknownRecordVersion extends Error {
  constructor(version: number) {
    super(
      `it is a session entry of version ${version}, and this release knows up to ${VERSION}; upgrade this replica`,
    );
    this.name = 'UnknownRecordVersion';
  }
}

function parseOpen(bytes: Buffer, stampMs: number): SessionRecord | MalformedRecord {
  const salt = bytes.toString('hex', HEAD_BYTES, HEAD_BYTES + 8);
  const [timeoutMs = 0, window = 0, sessionsMax = 0, resultBytesMax = 0, timeStepMaxMs = 0] = readNumbers(
    bytes,
    HEAD_BYTES + 8,
    5,
  );
  const limits = { timeoutMs, window, sessionsMax, resultBytesMax, timeStepMaxMs };
  for (const [name, value] of Object.entries(limits)) {
    if (!isWhole(value, 1)) return malformed(`${name} ${value}`);
  }
  return { kind: 'open', stampMs, salt, ...limits };
}

function parseCommand(bytes: Buffer, stampMs: number): SessionRecord | MalformedRecord {
  const id = readId(bytes);
  const [sequence = 0, lowestUnanswered = 0] = readNumbers(bytes, HEAD_BYTES + 16, 2);
  if (!isWhole(id.index, 1)) return malformed(`session ${id.index}`);
  if (!isWhole(sequence, 1)) return malformed(`sequence ${sequence}`);
  if (!isWhole(lowestUnanswered, 1) || lowestUnanswered > sequence) {
    return malformed(`lowest unanswered ${lowestUnanswered} of sequence ${sequence}`);
  }
  const command = bytes.subarray(lengths.command);
  return { kind: 'command', stampMs, id, sequence, lowestUnanswered, command };
}

function writeId(bytes: Buffer, { index, salt }: SessionId): void {
  bytes.writeDoubleLE(index, HEAD_BYTES);
  bytes.write(salt, HEAD_BYTES + 8, 'hex');
}

function readId(bytes: Buffer): SessionId {
  const salt = bytes.toString('hex', HEAD_BYTES + 8, HEAD_BYTES + 16);
  return { index: bytes.readDoubleLE(HEAD_BYTES), salt };
}

function writeNumbers(bytes: Buffer, offset: number, numbers: readonly number[]): void {
  for (const [position, number] of numbers.entries()) bytes.writeDoubleLE(number, offset + 8 * position);
}

function readNumbers(bytes: Buffer, offset: number, count: number): number[] {
  return Array.from({ length: count }, (_, position) => bytes.readDoubleLE(offset + 8 * position));
}

function isWhole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

function malformed(reason: string): MalformedRecord {
  return { kind: 'malformed', reason };
}
