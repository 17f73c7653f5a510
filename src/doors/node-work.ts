import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { Compressor, Work } from './work.ts';

/**
 * Up to this much is done on the calling thread, in about 0.1 ms: the way to another thread and back takes as
 * long, and the syncs of the disk wait for the same threads.
 */
const IN_PLACE_BYTES = 32 * 1024;
/**
 * What comes out fills one buffer after another, and each that is full makes a way to the calling thread and back:
 * with zlib's own 16 KiB a block of 256 takes twice as long to unpack, and a tenth longer to pack.
 */
const PACKED_CHUNK_BYTES = 64 * 1024;
/** The length may be a lie, so no more than this is set aside for it at once. */
const UNPACKED_CHUNK_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES_MIN = 64;

/** Level 1 in both formats: more costs far more time than it saves bytes. */
export function nodeWork(): Work {
  return { gzip: gzipCompressor(), zstd: zstdCompressor() };
}

function gzipCompressor(): Compressor {
  return compressor(
    { level: 1 },
    {
      pack: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip),
      packSync: zlib.gzipSync,
      unpack: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip),
      unpackSync: zlib.gunzipSync,
    },
  );
}

/** What the types of the oldest Node that we run on do not know. */
interface WithZstd {
  zstdCompressSync(data: Uint8Array, options: ZstdOptions): Buffer;
  zstdCompress(data: Uint8Array, options: ZstdOptions, callback: Callback): void;
  zstdDecompressSync(data: Uint8Array, options: zlib.ZlibOptions): Buffer;
  zstdDecompress(data: Uint8Array, options: zlib.ZlibOptions, callback: Callback): void;
  readonly constants: { readonly ZSTD_c_compressionLevel: number; readonly ZSTD_c_checksumFlag: number };
}

interface ZstdOptions {
  readonly params: Readonly<Record<number, number>>;
}

type Callback = (error: Error | null, result: Buffer) => void;

function zstdCompressor(): Compressor | null {
  if (!('zstdCompress' in zlib)) return null;
  const zstd = zlib as unknown as WithZstd;
  const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = zstd.constants;
  return compressor(
    { params: { [ZSTD_c_compressionLevel]: 1, [ZSTD_c_checksumFlag]: 1 } },
    {
      pack: promisify<Uint8Array, ZstdOptions, Buffer>(zstd.zstdCompress),
      packSync: zstd.zstdCompressSync,
      unpack: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zstd.zstdDecompress),
      unpackSync: zstd.zstdDecompressSync,
    },
  );
}

/** What Node has of one format: on another thread, and on the calling one. */
interface Format<Options> {
  pack(data: Uint8Array, options: Options): Promise<Buffer>;
  packSync(data: Uint8Array, options: Options): Buffer;
  unpack(data: Uint8Array, options: zlib.ZlibOptions): Promise<Buffer>;
  unpackSync(data: Uint8Array, options: zlib.ZlibOptions): Buffer;
}

function compressor<Options>(level: Options, format: Format<Options>): Compressor {
  const { pack, packSync, unpack, unpackSync } = format;
  const inChunks = { ...level, chunkSize: PACKED_CHUNK_BYTES };
  return {
    compress: async (data) => (isSmall(data.length) ? packSync(data, level) : pack(data, inChunks)),
    decompress: async (data, length) =>
      whole(isSmall(length) ? unpackSync(data, upTo(length)) : await unpack(data, upTo(length)), length),
  };
}

function isSmall(bytes: number): boolean {
  return bytes <= IN_PLACE_BYTES;
}

/** One byte more than comes out: a buffer that is exactly full makes zlib ask for another. */
function upTo(length: number): zlib.ZlibOptions {
  const chunkSize = Math.max(CHUNK_BYTES_MIN, Math.min(length + 1, UNPACKED_CHUNK_BYTES_MAX));
  return { maxOutputLength: Math.max(1, length), chunkSize };
}

/** Node 22 gives what it has when the end of zstd's data is missing, and says nothing. */
function whole(data: Buffer, length: number): Buffer {
  if (data.length === length) return data;
  throw Object.assign(new Error(`${data.length} bytes came out, not ${length}`), { code: 'Z_DATA_ERROR' });
}
