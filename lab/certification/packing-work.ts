import type { Work } from '../../src/doors/work.ts';

const MAGIC = 0x70_61_63_6b;
const HEAD_BYTES = 8;

/**
 * The door of work, without threads: it packs runs of equal bytes as a count and the byte. That makes long entries
 * shorter, as gzip does, and gives the same bytes on every version of Node, as gzip does not.
 */
export const packingWork: Work = {
  gzip: async (data) => pack(data),
  gunzip: async (data, max) => unpack(data, max),
};

function pack(data: Uint8Array): Uint8Array {
  const packed: number[] = [];
  for (let at = 0; at < data.length; ) {
    const byte = data[at] ?? 0;
    let length = 1;
    while (length < 255 && data[at + length] === byte) length += 1;
    packed.push(length, byte);
    at += length;
  }
  const bytes = Buffer.alloc(HEAD_BYTES + packed.length);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(data.length, 4);
  bytes.set(packed, HEAD_BYTES);
  return bytes;
}

function unpack(data: Uint8Array, bytesMax: number): Uint8Array {
  const packed = Buffer.from(data.buffer, data.byteOffset, data.length);
  if (packed.length < HEAD_BYTES || packed.readUInt32LE(0) !== MAGIC)
    throw new Error('incorrect header check');
  const length = packed.readUInt32LE(4);
  if (length > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
  const bytes = Buffer.alloc(length);
  let end = 0;
  for (let at = HEAD_BYTES; at + 1 < packed.length; at += 2) {
    const run = packed.readUInt8(at);
    if (run === 0 || end + run > length) throw new Error('incorrect data check');
    bytes.fill(packed.readUInt8(at + 1), end, end + run);
    end += run;
  }
  if (end !== length) throw new Error('unexpected end of file');
  return bytes;
}
