import type { Entry, Index, Term } from '../raft/entry.ts';
import { decodeEntryPayload, encodeEntryPayload, MalformedEntry } from '../raft/entry-codec.ts';
import { MalformedFrame } from './errors.ts';
import type { HeaderReader } from './header-reader.ts';
import type { HeaderWriter } from './header-writer.ts';

/**
 * The entries of an AppendEntries or a RepairAnswer. Two arrays of the header: the bytes of each payload, and runs, each
 * three numbers (how many entries, their term, their kind). The payloads follow the header. Indexes are
 * not written: entries are consecutive.
 */

/** Entries of one message; more are refused on both sides. It bounds what one frame grows to. */
export const entriesPerMessageMax = 2 ** 20;

/** What entries follow, and the latest term that they may have. */
export interface EntriesBounds {
  readonly term: Term;
  readonly prevLogIndex: Index;
  readonly prevLogTerm: Term;
}

/**
 * Writes the two arrays.
 *
 * @returns the payloads, in order.
 * @throws MalformedFrame when the entries are not consecutive, or their terms go back or beyond the latest allowed.
 */
export function writeEntries(
  entries: readonly Entry[],
  { term, prevLogIndex, prevLogTerm }: EntriesBounds,
  writer: HeaderWriter,
): Uint8Array[] {
  checkCount(entries.length, prevLogIndex);
  const payloads: Uint8Array[] = [];
  const sizes: number[] = [];
  const runs: number[] = [];
  let run: { readonly term: Term; readonly kind: Entry['kind']; count: number } | null = null;
  let index = prevLogIndex;
  let lastTerm = prevLogTerm;
  for (const entry of entries) {
    index += 1;
    if (entry.index !== index) throw new MalformedFrame(`entry ${entry.index} where ${index} belongs`);
    checkTerm(entry, lastTerm, term);
    lastTerm = entry.term;
    if (run !== null && run.term === entry.term && run.kind === entry.kind) {
      run.count += 1;
    } else {
      if (run !== null) runs.push(run.count, run.term, kinds.indexOf(run.kind));
      run = { term: entry.term, kind: entry.kind, count: 1 };
    }
    const payload = encodeEntryPayload(entry);
    payloads.push(payload);
    sizes.push(payload.length);
  }
  if (run !== null) runs.push(run.count, run.term, kinds.indexOf(run.kind));
  writer.integers(sizes).integers(runs);
  return payloads;
}

/**
 * Reads the two arrays, which end the header, and the payloads, which are all the bytes after it.
 *
 * @throws MalformedFrame
 */
export function readEntries(at: EntriesBounds, reader: HeaderReader, bytes: Uint8Array): Entry[] {
  const count = reader.arrayLength('payload sizes');
  checkCount(count, at.prevLogIndex);
  const sizes: number[] = [];
  let payloadBytes = 0;
  for (let i = 0; i < count; i += 1) {
    const size = reader.integer('payload size');
    sizes.push(size);
    payloadBytes += size;
  }
  const runs = readRuns(count, at, reader);
  const held = bytes.length - reader.position;
  if (payloadBytes !== held) throw new MalformedFrame(`payloads of ${payloadBytes} bytes in ${held}`);

  const entries: Entry[] = [];
  let offset = reader.position;
  let index = at.prevLogIndex;
  for (const run of runs) {
    for (let left = run.count; left > 0; left -= 1) {
      const end = offset + (sizes[entries.length] ?? 0);
      index += 1;
      entries.push(decodePayload(run, index, bytes.subarray(offset, end)));
      offset = end;
    }
  }
  return entries;
}

interface Run {
  readonly count: number;
  readonly term: Term;
  readonly kind: Entry['kind'];
}

/** An entry's kind is written as its place here. A place is never given to another kind. */
const kinds: readonly Entry['kind'][] = ['command', 'noop', 'configuration', 'session'];

function readRuns(
  count: number,
  at: Pick<EntriesBounds, 'term' | 'prevLogTerm'>,
  reader: HeaderReader,
): Run[] {
  const numbers = reader.arrayLength('runs');
  if (numbers % 3 !== 0) throw new MalformedFrame(`runs of ${numbers} numbers, not of 3 each`);
  const runs: Run[] = [];
  let counted = 0;
  let last: Run | null = null;
  for (let i = 0; i < numbers; i += 3) {
    const run: Run = {
      count: reader.integer('run count', 1),
      term: reader.integer('run term', 1),
      kind: readKind(reader),
    };
    checkTerm(run, last?.term ?? at.prevLogTerm, at.term);
    if (last !== null && last.term === run.term && last.kind === run.kind) {
      throw new MalformedFrame('two runs that are one');
    }
    runs.push(run);
    last = run;
    counted += run.count;
  }
  if (counted !== count) throw new MalformedFrame(`runs of ${counted} entries for ${count} payloads`);
  return runs;
}

function readKind(reader: HeaderReader): Entry['kind'] {
  const place = reader.integer('entry kind');
  const kind = kinds[place];
  if (kind === undefined) throw new MalformedFrame(`unknown entry kind ${place}`);
  return kind;
}

function decodePayload(run: Run, index: Index, payload: Uint8Array): Entry {
  try {
    return decodeEntryPayload(run.kind, index, run.term, payload);
  } catch (cause) {
    if (!(cause instanceof MalformedEntry)) throw cause;
    throw new MalformedFrame(`entry ${index}: ${cause.reason}`, { cause });
  }
}

function checkCount(count: number, prevLogIndex: Index): void {
  if (count > entriesPerMessageMax) {
    throw new MalformedFrame(`${count} entries; one message holds at most ${entriesPerMessageMax}`);
  }
  if (!Number.isSafeInteger(prevLogIndex + count)) {
    throw new MalformedFrame(`${count} entries after index ${prevLogIndex}: beyond the safe integers`);
  }
}

/** Terms in a log never go back, and a leader's log holds none beyond its own (paper, 5.3). */
function checkTerm(entry: { readonly term: Term }, lastTerm: Term, messageTerm: Term): void {
  if (!Number.isSafeInteger(entry.term) || entry.term < 1) {
    throw new MalformedFrame(`an entry of term ${entry.term}`);
  }
  if (entry.term < lastTerm)
    throw new MalformedFrame(`an entry of term ${entry.term} after term ${lastTerm}`);
  if (entry.term > messageTerm) {
    throw new MalformedFrame(`an entry of term ${entry.term} in a message of term ${messageTerm}`);
  }
}
