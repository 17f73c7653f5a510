import { crc32 } from '../../doors/checksum.ts';

/** Read at once where a part of it is wanted, and 4 bytes of memory: 64 KiB for a snapshot of a gigabyte. */
const PIECE_BYTES = 64 * 1024;

/**
 * Checksums of a content, piece by piece, taken while its digest is found right: so that any range of it can be checked
 * later without the whole, and a part that rotted meanwhile is not sent to a follower, which would notice only at the end.
 */
export class ContentSums {
  readonly #sums: number[] = [];
  #length = 0;

  /** The bytes that follow. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const within = this.#length % PIECE_BYTES;
      const part = bytes.subarray(at, at + PIECE_BYTES - within);
      const before = within === 0 ? 0 : (this.#sums.pop() ?? 0);
      this.#sums.push(crc32(part, before));
      this.#length += part.length;
      at += part.length;
    }
  }

  /** The pieces that have to be read to check a range. */
  around({ offset, length }: { readonly offset: number; readonly length: number }): {
    readonly offset: number;
    readonly length: number;
  } {
    const from = offset - (offset % PIECE_BYTES);
    const to = Math.min(Math.ceil((offset + length) / PIECE_BYTES) * PIECE_BYTES, this.#length);
    return { offset: from, length: to - from };
  }

  /** @param bytes - of whole pieces, the first of which begins at `offset`. */
  match(offset: number, bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const sum = this.#sums[(offset + at) / PIECE_BYTES];
      if (crc32(bytes.subarray(at, at + PIECE_BYTES)) !== sum) return false;
    }
    return true;
  }
}
