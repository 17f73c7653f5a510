import { StorageRefused } from '../../storage/errors.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { KeptResult, SessionContent, SessionTableContent } from './session-table.ts';

/**
 * Every snapshot begins with a head of the node's own, the table of sessions, and goes on with the chunks of the
 * user's state machine. The content's digest is over both, so the head has no checksum of its own.
 *
 *     magic 4, version 1, length of the table in bytes 8,
 *     the table: time 8, timeStepMax 8, resultBytesMax 8, number of sessions 8, and each session:
 *       index 8, salt 8, timeout 8, window 8, lastActive 8, lowestUnanswered 8, number of results 8, and each:
 *         sequence 8, index 8, length 8 (-1: dropped), bytes
 *
 * Numbers are doubles, little-endian. Sessions and results stand in the table's own order, which is a part of
 * its state: equal tables are equal bytes, so that a broken transfer can go on from another leader.
 */
const MAGIC = 'KTKS';
const VERSION = 1;
const HEAD_BYTES = 13;
const TABLE_BYTES = 32;
const SESSION_BYTES = 56;
const RESULT_BYTES = 24;
const PIECE_BYTES = 64 * 1024;

/** The head, in pieces that are made while they are read, and the user's chunks after it. */
export async function* withSnapshotHead(
  content: SessionTableContent,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* inPieces(encodeHead(content));
  yield* chunks;
}

/**
 * The table of a head; the reader stands at the user's first byte then.
 *
 * @param contentBytes - of the whole snapshot, head included.
 * @throws StorageRefused
 */
export async function readSnapshotHead(
  reader: ChunkReader,
  contentBytes: number,
): Promise<SessionTableContent> {
  const head = await reader.take(HEAD_BYTES);
  if (head === null || head.toString('latin1', 0, 4) !== MAGIC) {
    throw new StorageRefused(
      'other-format',
      'the snapshot does not begin with a table of sessions: it is none of this program, or of another version. ' +
        'Use the version that wrote it, or begin with an empty directory: the replica comes back from the others.',
    );
  }
  const version = head.readUInt8(4);
  if (version !== VERSION) {
    throw new StorageRefused(
      'other-format',
      `the snapshot begins with a table of sessions of version ${version}, and this version reads ${VERSION} only. ` +
        'Use the version that wrote it, or begin with an empty directory: the replica comes back from the others.',
    );
  }
  const length = head.readDoubleLE(5);
  if (!Number.isSafeInteger(length) || length < TABLE_BYTES || length > contentBytes - HEAD_BYTES) {
    throw damaged(`its length is said to be ${length} of ${contentBytes} bytes in all`);
  }
  return new TableReader(reader, length).table();
}

function* encodeHead(content: SessionTableContent): Generator<Uint8Array> {
  const { timeMs, timeStepMaxMs, resultBytesMax, sessions } = content;
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt8(VERSION, 4);
  head.writeDoubleLE(tableLength(sessions), 5);
  yield head;
  yield numbers(timeMs, timeStepMaxMs, resultBytesMax, sessions.length);
  for (const { id, timeoutMs, window, lastActiveMs, lowestUnanswered, results } of sessions) {
    yield numbers(id.index);
    yield Buffer.from(id.salt, 'hex');
    yield numbers(timeoutMs, window, lastActiveMs, lowestUnanswered, results.length);
    for (const { sequence, index, bytes } of results) {
      yield numbers(sequence, index, bytes === null ? -1 : bytes.length);
      if (bytes !== null) yield bytes;
    }
  }
}

function tableLength(sessions: readonly SessionContent[]): number {
  let length = TABLE_BYTES;
  for (const { results } of sessions) {
    length += SESSION_BYTES;
    for (const { bytes } of results) length += RESULT_BYTES + (bytes?.length ?? 0);
  }
  return length;
}

function* inPieces(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  for (const part of parts) {
    gathered.push(part);
    length += part.length;
    if (length < PIECE_BYTES) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered);
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [position, value] of values.entries()) bytes.writeDoubleLE(value, 8 * position);
  return bytes;
}

/** Never reads beyond the length that the head gives, nor makes room for more. */
class TableReader {
  readonly #reader: ChunkReader;
  #left: number;

  constructor(reader: ChunkReader, length: number) {
    this.#reader = reader;
    this.#left = length;
  }

  async table(): Promise<SessionTableContent> {
    const [timeMs = 0, timeStepMaxMs = 0, resultBytesMax = 0, count = 0] = await this.#wholes(4);
    const sessions: SessionContent[] = [];
    const seen = new Set<string>();
    for (let left = count; left > 0; left -= 1) {
      const session = await this.#session();
      const name = `${session.id.index}.${session.id.salt}`;
      if (seen.has(name)) throw damaged(`session ${session.id.index} is there twice`);
      seen.add(name);
      sessions.push(session);
    }
    if (this.#left > 0) throw damaged(`${this.#left} bytes follow its last session`);
    return { timeMs, timeStepMaxMs, resultBytesMax, sessions };
  }

  async #session(): Promise<SessionContent> {
    const [index = 0] = await this.#wholes(1);
    const salt = (await this.#take(8)).toString('hex');
    const [timeoutMs = 0, window = 0, lastActiveMs = 0, lowestUnanswered = 0, count = 0] =
      await this.#wholes(5);
    if (count > window) throw damaged(`${count} results in a window of ${window}`);
    const results = new Map<number, KeptResult>();
    for (let left = count; left > 0; left -= 1) {
      const result = await this.#result();
      const { sequence } = result;
      if (sequence < lowestUnanswered || sequence >= lowestUnanswered + window) {
        throw damaged(`sequence ${sequence} outside of the window from ${lowestUnanswered}`);
      }
      if (results.has(sequence)) throw damaged(`sequence ${sequence} is there twice`);
      results.set(sequence, result);
    }
    return {
      id: { index, salt },
      timeoutMs,
      window,
      lastActiveMs,
      lowestUnanswered,
      results: [...results.values()],
    };
  }

  async #result(): Promise<KeptResult> {
    const [sequence = 0, index = 0] = await this.#wholes(2);
    const length = (await this.#take(8)).readDoubleLE(0);
    if (length === -1) return { sequence, index, bytes: null };
    if (!Number.isSafeInteger(length) || length < 0) throw damaged(`a result of ${length} bytes`);
    return { sequence, index, bytes: await this.#take(length) };
  }

  async #wholes(count: number): Promise<number[]> {
    const bytes = await this.#take(8 * count);
    return Array.from({ length: count }, (_, position) => {
      const value = bytes.readDoubleLE(8 * position);
      if (!Number.isSafeInteger(value) || value < 0) throw damaged(`${value} where a count belongs`);
      return value;
    });
  }

  async #take(length: number): Promise<Buffer> {
    if (length > this.#left) throw damaged('it ends in the middle of a session');
    this.#left -= length;
    const bytes = await this.#reader.take(length);
    if (bytes === null) throw damaged('the snapshot ends within it');
    return bytes;
  }
}

function damaged(how: string): StorageRefused {
  return new StorageRefused(
    'damaged',
    `the table of sessions at the head of the snapshot is damaged: ${how}. ` +
      'Keep a copy, then empty the directory: the replica comes back from the others.',
  );
}
