import type { StateMachine } from 'kontiki';

const BLOCK_BYTES = 256 * 1024;

/**
 * A state of any size that holds nothing: its snapshot is made on the fly, a block at a time, of words that
 * depend on the block's number; restoring one only checks that it is those very words. So whatever memory
 * a snapshot takes is the library's.
 */
export class GeneratedState implements StateMachine<null, null, null, number> {
  readonly #bytes: number;
  readonly #words = randomWords(BLOCK_BYTES / 4);
  readonly #onRestored: () => void;
  #applied = 0;

  constructor(bytes: number, onRestored: () => void) {
    this.#bytes = bytes;
    this.#onRestored = onRestored;
  }

  apply(): null {
    this.#applied += 1;
    return null;
  }

  query(): number {
    return this.#applied;
  }

  *snapshot(): Generator<Uint8Array> {
    for (let offset = 0; offset < this.#bytes; offset += BLOCK_BYTES) {
      const block = new Uint8Array(BLOCK_BYTES);
      this.#fill(block, offset / BLOCK_BYTES);
      yield block.subarray(0, Math.min(BLOCK_BYTES, this.#bytes - offset));
    }
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const block = new Uint8Array(BLOCK_BYTES);
    let offset = 0;
    for await (const chunk of chunks) {
      for (let read = 0; read < chunk.length; ) {
        const inBlock = offset % BLOCK_BYTES;
        if (inBlock === 0) this.#fill(block, offset / BLOCK_BYTES);
        const length = Math.min(chunk.length - read, BLOCK_BYTES - inBlock);
        const expected = block.subarray(inBlock, inBlock + length);
        if (Buffer.compare(chunk.subarray(read, read + length), expected) !== 0) {
          throw new Error(
            `the snapshot differs from what was written, between ${offset} and ${offset + length}`,
          );
        }
        read += length;
        offset += length;
      }
    }
    if (offset !== this.#bytes) throw new Error(`the snapshot has ${offset} bytes, not ${this.#bytes}`);
    this.#onRestored();
  }

  #fill(block: Uint8Array, number: number): void {
    const words = new Uint32Array(block.buffer, block.byteOffset, this.#words.length);
    const mask = Math.imul(number + 1, 0x9e3779b1);
    for (let i = 0; i < words.length; i += 1) words[i] = (this.#words[i] ?? 0) ^ mask;
  }
}

/** Xorshift: the same in every process. */
function randomWords(count: number): Uint32Array {
  let word = 0x2545f491;
  return Uint32Array.from({ length: count }, () => {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    return word;
  });
}
