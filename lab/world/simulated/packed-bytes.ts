/**
 * A format that only shortens runs of equal bytes, in the place of real compression: the same bytes on every version of
 * Node, and it refuses damage and data of another length as the real ones do.
 */

/** One for each format that it stands for. */
export const magics = { gzip: 0x6b7a6970, zstd: 0x6b7a7374 } as const;

/** Magic, length of the data, checksum of all else, then the data packed. */
export function frame(data: Uint8Array, magic: number): Uint8Array {
  const packed = pack(data);
  const framed = new Uint8Array(HEADER_BYTES + packed.length);
  const view = new DataView(framed.buffer);
  view.setUint32(0, magic);
  view.setUint32(4, data.length);
  framed.set(packed, HEADER_BYTES);
  view.setUint32(8, fnv1a(framed));
  return framed;
}

export function unframe(framed: Uint8Array, magic: number, length: number): Uint8Array {
  const copy = new Uint8Array(framed);
  const view = new DataView(copy.buffer);
  if (copy.length < HEADER_BYTES || view.getUint32(0) !== magic) {
    throw workError('Z_DATA_ERROR', 'incorrect header check');
  }
  const checksum = view.getUint32(8);
  view.setUint32(8, 0);
  if (fnv1a(copy) !== checksum) throw workError('Z_DATA_ERROR', 'incorrect data check');
  if (view.getUint32(4) !== length) {
    throw workError('Z_DATA_ERROR', `${view.getUint32(4)} bytes came out, not ${length}`);
  }
  return unpack(copy.subarray(HEADER_BYTES), length);
}

function workError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function fnv1a(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < data.length; i++) hash = Math.imul(hash ^ (data[i] ?? 0), 0x01000193);
  return hash >>> 0;
}

/** Each step is a length, that many bytes as they are, and how often the byte after them comes. */
function pack(data: Uint8Array): Uint8Array {
  const packed: number[] = [];
  for (let at = 0; at < data.length; ) {
    const from = at;
    while (at < data.length && at - from < STEP_MAX && runLength(data, at) < RUN_MIN) at += 1;
    const run = at < data.length ? runLength(data, at) : 0;
    packed.push(at - from, ...data.subarray(from, at), run, data[at] ?? 0);
    at += run;
  }
  return Uint8Array.from(packed);
}

function unpack(packed: Uint8Array, length: number): Uint8Array {
  const data = new Uint8Array(length);
  let filled = 0;
  for (let at = 0; at < packed.length; ) {
    const end = at + 1 + (packed[at] ?? 0);
    data.set(packed.subarray(at + 1, end), filled);
    filled += end - at - 1;
    const run = packed[end] ?? 0;
    data.fill(packed[end + 1] ?? 0, filled, filled + run);
    filled += run;
    at = end + 2;
  }
  return data;
}

/** How often the byte at this place comes in a row, as far as it is counted. */
function runLength(data: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < data.length && end - at < STEP_MAX && data[end] === data[at]) end += 1;
  return end - at;
}

const STEP_MAX = 255;
/** A shorter run costs as much as it saves. */
const RUN_MIN = 4;
const HEADER_BYTES = 12;
