/** Reads pieces of known length from the front of a stream of chunks, and leaves the rest to another. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** A copy, so that what is kept of it does not hold on to the whole chunk. null when the stream ends before. */
  async take(length: number): Promise<Buffer | null> {
    const taken = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      if (this.#held.length === 0) {
        const step = await this.#chunks.next();
        if (step.done === true) return null;
        this.#held = step.value;
      }
      const part = this.#held.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.#held = this.#held.subarray(part.length);
    }
    return taken;
  }

  /** Everything not taken yet. */
  async *rest(): AsyncGenerator<Uint8Array> {
    const chunks = this.#chunks;
    try {
      if (this.#held.length > 0) yield this.#held;
      for (let step = await chunks.next(); step.done !== true; step = await chunks.next()) yield step.value;
    } finally {
      // Whoever stops early stops the stream behind it too.
      await chunks.return?.();
    }
  }
}
