import { crc32 } from '../doors/checksum.ts';
import { MalformedFrame } from './errors.ts';

/**
 * A frame is what a byte stream carries: the body's length (uint32), a CRC-32 over that length and the
 * body (uint32), both big-endian, and the body. An empty body is a sign of life.
 */
export const frameHeadBytes = 8;

/** Bytes of the largest body, unless told otherwise: 64 MiB. */
export const defaultFrameBytesMax = 64 * 1024 * 1024;

/** A frame around a copy of `body`. */
export function encodeFrame(body: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(frameHeadBytes + body.length);
  frame.set(body, frameHeadBytes);
  sealFrame(frame);
  return frame;
}

/** Fills in the head of a frame whose body already stands behind `frameHeadBytes` unset bytes. */
export function sealFrame(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frameHeadBytes);
  view.setUint32(0, frame.length - frameHeadBytes);
  view.setUint32(4, checksum(frame));
}

/**
 * Cuts a byte stream into frames, however it was chunked: `push` a chunk, then call `next` until null.
 * A frame that lies within one chunk is not copied; one that spans chunks is gathered in a buffer that
 * doubles as bytes arrive (each byte is copied a bounded number of times, and a claimed length alone
 * never allocates), so it holds at most one chunk and twice what has arrived of one frame.
 */
export class FrameReader {
  /** Longest body accepted. May change between two frames. */
  bodyBytesMax: number;
  #chunk: Uint8Array = nothing;
  /** The beginning of a frame that the chunk before did not end. */
  #partial: Uint8Array = nothing;
  #partialBytes = 0;

  constructor(bodyBytesMax: number) {
    this.bodyBytesMax = bodyBytesMax;
  }

  /** Adds bytes. Those of the chunk before must have been taken by `next`. They must not change. */
  push(chunk: Uint8Array): void {
    // Not a Buffer: its `slice` is a view, and payloads, which are views of bodies, are to be plain.
    this.#chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
  }

  /**
   * The body of the next whole frame, or null when more bytes are needed.
   *
   * @throws MalformedFrame when the stream is not one of frames; it cannot be read on.
   */
  next(): Uint8Array | null {
    if (this.#partialBytes > 0) return this.#completePartial();
    if (this.#chunk.length < frameHeadBytes) return this.#keep();
    const length = this.#frameLength(this.#chunk);
    if (this.#chunk.length < length) return this.#keep();
    const frame = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return bodyOf(frame);
  }

  #completePartial(): Uint8Array | null {
    if (!this.#fill(frameHeadBytes)) return null;
    const length = this.#frameLength(this.#partial);
    if (!this.#fill(length)) return null;
    const frame = this.#partial.subarray(0, length);
    // The body's owner keeps views of this buffer; it is not ours to fill again.
    this.#partial = nothing;
    this.#partialBytes = 0;
    return bodyOf(frame);
  }

  /** Moves bytes from the chunk until the partial frame has `length`; false when the chunk is too short. */
  #fill(length: number): boolean {
    const wanted = length - this.#partialBytes;
    if (wanted <= 0) return true;
    const taken = this.#chunk.subarray(0, wanted);
    this.#chunk = this.#chunk.subarray(taken.length);
    const filled = this.#partialBytes + taken.length;
    if (filled > this.#partial.length) {
      const grown = new Uint8Array(Math.max(filled, Math.min(length, 2 * this.#partial.length)));
      grown.set(this.#partial.subarray(0, this.#partialBytes));
      this.#partial = grown;
    }
    this.#partial.set(taken, this.#partialBytes);
    this.#partialBytes = filled;
    return taken.length === wanted;
  }

  #keep(): null {
    if (this.#chunk.length === 0) return null;
    // Refuse a length beyond the limit as soon as it is known, not once that many bytes have come.
    if (this.#chunk.length >= frameHeadBytes) this.#frameLength(this.#chunk);
    this.#partial = this.#chunk.slice();
    this.#partialBytes = this.#chunk.length;
    this.#chunk = nothing;
    return null;
  }

  #frameLength(bytes: Uint8Array): number {
    const length = readUint32(bytes, 0);
    if (length > this.bodyBytesMax) {
      throw new MalformedFrame(`a frame of ${length} bytes; at most ${this.bodyBytesMax} are accepted`);
    }
    return frameHeadBytes + length;
  }
}

const nothing = new Uint8Array(0);

function bodyOf(frame: Uint8Array): Uint8Array {
  if (readUint32(frame, 4) !== checksum(frame)) throw new MalformedFrame('the checksum does not match');
  return frame.subarray(frameHeadBytes);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
}

function checksum(frame: Uint8Array): number {
  return crc32(frame.subarray(frameHeadBytes), crc32(frame.subarray(0, 4)));
}
