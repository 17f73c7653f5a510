import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { Work } from './work.ts';

const gzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip);
const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip);

/** Compression on the thread pool. Level 1: more costs far more time than it saves bytes. */
export function nodeWork(): Work {
  return {
    gzip: (data) => gzip(data, { level: 1 }),
    gunzip: (data, bytesMax) => gunzip(data, { maxOutputLength: Math.max(1, bytesMax) }),
  };
}
