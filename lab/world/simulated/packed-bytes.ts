/**
 * A format that only shortens runs of equal bytes, in the place of real compression: the same bytes on every version of
 * Node, and it refuses damage and data of another length as the real ones do.
 */

/** One for each format that it stands for. */
export const magics = { gzip: 0x6b7a6970, zstd: 0x6b7a7374 } as const;

/** Magic, length of the data, checksum of the data packed, then that. */
export function frame(data: Uint8Array, magic: number): Uint8Array {
  const packed = pack(data);
  const framed = new Uint8Array(HEADER_BYTES + packed.length);
  const view = new DataView(framed.buffer);
  view.setUint32(0, magic);
  view.setUint32(4, data.length);
  view.setUint32(8, fnv1a(packed));
  framed.set(packed, HEADER_BYTES);
  return framed;
}

/** Magic and length are known to the caller, so no checksum has to cover them. */
export function unframe(framed: Uint8Array, magic: number, length: number): Uint8Array {
  const view = new DataView(framed.buffer, framed.byteOffset, framed.byteLength);
  if (framed.length < HEADER_BYTES || view.getUint32(0) !== magic) {
    throw workError('Z_DATA_ERROR', 'incorrect header check');
  }
  const packed = framed.subarray(HEADER_BYTES);
  if (fnv1a(packed) !== view.getUint32(8)) throw workError('Z_DATA_ERROR', 'incorrect data check');
  if (view.getUint32(4) !== length) {
    throw workError('Z_DATA_ERROR', `${view.getUint32(4)} bytes came out, not ${length}`);
  }
  return unpack(packed, length);
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
  // Enough: a step that is not full is the last one, or has a run that saves as much as the step costs.
  const packed = new Uint8Array(data.length + STEP_COST * Math.ceil((data.length + 1) / STEP_MAX));
  let filled = 0;
  for (let at = 0; at < data.length; ) {
    const from = at;
    while (at < data.length && at - from < STEP_MAX && runLength(data, at) < RUN_MIN) at += 1;
    const run = at < data.length ? runLength(data, at) : 0;
    packed[filled] = at - from;
    packed.set(data.subarray(from, at), filled + 1);
    filled += 1 + at - from;
    packed[filled] = run;
    packed[filled + 1] = data[at] ?? 0;
    filled += 2;
    at += run;
  }
  return packed.subarray(0, filled);
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
/** What a step takes besides the bytes as they are. */
const STEP_COST = 3;
/** A shorter run costs as much as it saves. */
const RUN_MIN = 4;
const HEADER_BYTES = 12;
