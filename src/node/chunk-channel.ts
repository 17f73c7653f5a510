/**
 * Chunks that come one by one, as an iterable. Whoever reads asks for the next once it is done with the last,
 * and that is told: it is how a sender learns that it may send more. It holds what was pushed and not yet
 * read, so whoever pushes waits for `onTaken`.
 */
export class ChunkChannel implements AsyncIterable<Uint8Array> {
  readonly #queue: { readonly chunk: Uint8Array; readonly onTaken: () => void }[] = [];
  #ended = false;
  #error: Error | null = null;
  #wake: () => void = () => {};

  /** @param onTaken - called once the reader is done with it. */
  push(chunk: Uint8Array, onTaken: () => void): void {
    this.#queue.push({ chunk, onTaken });
    this.#wake();
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The reader gets `error` in place of whatever it has not read. */
  abort(error: Error): void {
    this.#error = error;
    this.#queue.length = 0;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const next = this.#queue.shift();
      if (next !== undefined) {
        yield next.chunk;
        next.onTaken();
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
