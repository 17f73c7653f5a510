import { msgpackCodec } from '../../src/node/command-codec.ts';
import { parseSessionRecord } from '../../src/node/sessions/session-record.ts';
import type { Entry } from '../../src/raft/entry.ts';
import { encodeEntryPayload } from '../../src/raft/entry-codec.ts';
import type { FoundEntry } from '../../src/storage/offline/found-entries.ts';
import { formatCount, formatCounted } from '../report/quantities.ts';

const TEXT_SHOWN = 200;
const HEX_BYTES_SHOWN = 64;
/** A longer command is not unpacked for the sake of its beginning. */
const DECODE_BYTES_MAX = 64 * 1024;

const codec = msgpackCodec();

/** One entry on one line, or what stands in the place of some. */
export function formatFoundEntry(found: FoundEntry): string {
  if (found.kind === 'missing') {
    const { from, to } = found.range;
    return `${from === to ? from : `${from} to ${to}`}  not here: ${found.why}`;
  }
  const { entry, block } = found;
  const size = formatCounted(encodeEntryPayload(entry).length, 'byte');
  return `${entry.index}  term ${entry.term}  block ${block}  ${entry.kind}  ${size}${formatContent(entry)}`;
}

function formatContent(entry: Entry): string {
  switch (entry.kind) {
    case 'noop':
      return '';
    case 'configuration':
      return `  ${cut(JSON.stringify(entry.configuration))}`;
    case 'command':
      return `  ${formatCommand(entry.payload)}`;
    case 'session':
      return `  ${formatSession(entry.payload)}`;
  }
}

function formatSession(payload: Uint8Array): string {
  const record = parseSessionRecord(payload);
  if (record.kind === 'malformed') return `${record.reason}: ${formatHex(payload)}`;
  if (record.kind !== 'command') return cut(JSON.stringify(record));
  return `command ${record.sequence} of session ${record.id.index}: ${formatCommand(record.command)}`;
}

/** What the default codec packed; or JSON text, as other codecs like to write; or else the bytes. */
export function formatCommand(bytes: Uint8Array): string {
  if (bytes.length > DECODE_BYTES_MAX) return formatHex(bytes);
  return unpacked(bytes) ?? jsonText(bytes) ?? formatHex(bytes);
}

function unpacked(bytes: Uint8Array): string | null {
  try {
    const value = codec.decode(bytes);
    // Many bytes can be unpacked somehow: only what packs to the same again was packed.
    return isPlain(value) && Buffer.compare(codec.encode(value), bytes) === 0
      ? cut(JSON.stringify(value))
      : null;
  } catch {
    return null;
  }
}

function jsonText(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return cut(JSON.stringify(JSON.parse(text)));
  } catch {
    return null;
  }
}

/** JSON says all of it. */
function isPlain(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isPlain);
}

function formatHex(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, HEX_BYTES_SHOWN)).toString('hex');
  const left = bytes.length - HEX_BYTES_SHOWN;
  return left > 0 ? `0x${hex}... and ${formatCount(left)} bytes more` : `0x${hex}`;
}

function cut(text: string): string {
  return text.length <= TEXT_SHOWN
    ? text
    : `${text.slice(0, TEXT_SHOWN)}... and ${formatCount(text.length - TEXT_SHOWN)} more`;
}
