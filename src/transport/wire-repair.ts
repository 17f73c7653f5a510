import type { RepairEntries, RepairRefusal, RepairRefused, RepairRequest } from '../raft/message.ts';
import { MalformedFrame } from './errors.ts';
import type { HeaderReader } from './header-reader.ts';
import type { HeaderWriter } from './header-writer.ts';
import { type EntriesBounds, readEntries, writeEntries } from './wire-entries.ts';

/** How a damaged log is mended from another. Written are the fields after the kind. */

export function writeRepairRequest(request: RepairRequest, writer: HeaderWriter): void {
  writer
    .requestId(request.requestId)
    .integer('from', request.from, 1)
    .integer('to', request.to, 1)
    .integer('anchor index', request.anchor.index, 1)
    .integer('anchor term', request.anchor.term, 1)
    .integer('bytesMax', request.bytesMax, 1);
}

export function readRepairRequest(reader: HeaderReader): RepairRequest {
  return {
    kind: 'RepairRequest',
    requestId: reader.requestId(),
    from: reader.integer('from', 1),
    to: reader.integer('to', 1),
    anchor: { index: reader.integer('anchor index', 1), term: reader.integer('anchor term', 1) },
    bytesMax: reader.integer('bytesMax', 1),
  };
}

/** An anchor says nothing of what comes after it. */
export function checkRepairRequest({ from, to, anchor }: RepairRequest): void {
  if (to < from) throw new MalformedFrame(`entries ${from} to ${to} are none`);
  if (anchor.index < to) throw new MalformedFrame(`the anchor ${anchor.index} lies before entry ${to}`);
}

/** @returns the payloads, in order. @throws MalformedFrame */
export function writeRepairEntries(
  { requestId, entries }: RepairEntries,
  writer: HeaderWriter,
): Uint8Array[] {
  const first = entries[0];
  if (first === undefined) throw new MalformedFrame('no entries');
  writer.requestId(requestId).integer('first index', first.index, 1);
  return writeEntries(entries, boundsFrom(first.index), writer);
}

/** Reads the fields, which end the header, and the payloads. @throws MalformedFrame */
export function readRepairEntries(reader: HeaderReader, bytes: Uint8Array): RepairEntries {
  const requestId = reader.requestId();
  const firstIndex = reader.integer('first index', 1);
  const entries = readEntries(boundsFrom(firstIndex), reader, bytes);
  if (entries.length === 0) throw new MalformedFrame('no entries');
  return { kind: 'RepairAnswer', requestId, held: true, entries };
}

export function writeRepairRefused({ requestId, reason }: RepairRefused, writer: HeaderWriter): void {
  writer.requestId(requestId).integer('reason', refusals.indexOf(reason));
}

export function readRepairRefused(reader: HeaderReader): RepairRefused {
  const requestId = reader.requestId();
  const place = reader.integer('reason');
  const reason = refusals[place];
  if (reason === undefined) throw new MalformedFrame(`unknown answer ${place} to a RepairRequest`);
  return { kind: 'RepairAnswer', requestId, held: false, reason };
}

/** A refusal is written as its place here. A place is never given to another refusal. */
const refusals: readonly RepairRefusal[] = ['compacted', 'not-held'];

/** What lies before them, and which terms they may have, the asker knows by its own log. */
function boundsFrom(firstIndex: number): EntriesBounds {
  return { prevLogIndex: firstIndex - 1, prevLogTerm: 0, term: Number.MAX_SAFE_INTEGER };
}
