import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 of `data`, continuing from `value`: the checksum of what came before. */
export function crc32(data: Uint8Array, value = 0): number {
  return zlibCrc32(data, value);
}
