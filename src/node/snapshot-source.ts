/**
 * The chunks of a user's snapshot on their way to the storage. It tells a failure of the user's iterator from
 * one of the disk, and ends when nobody wants the snapshot any more, however long the next chunk takes.
 */
export class SnapshotSource implements AsyncIterable<Uint8Array> {
  readonly #chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  #failure: { readonly error: unknown } | null = null;
  #cut: Error | null = null;
  #rejectNext: (error: Error) => void = () => {};

  constructor(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    this.#chunks = chunks;
  }

  /** What the user's iterator threw, or gave that is no chunk; null when it did neither. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  /** Nothing more is read; whoever waits for the next chunk gets an error. */
  cut(): void {
    this.#cut = new Error('the snapshot is not wanted any more');
    this.#rejectNext(this.#cut);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const iterator = this.#iterator();
    try {
      for (;;) {
        const step = await this.#next(iterator);
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      // Not awaited: a generator that hangs would hang here too.
      Promise.resolve(iterator.return?.()).catch(() => {});
    }
  }

  #iterator(): Iterator<Uint8Array> | AsyncIterator<Uint8Array> {
    try {
      const chunks = this.#chunks;
      return Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** A promise of its own for each step: a race with one long promise would hold every chunk until the end. */
  async #next(
    iterator: Iterator<Uint8Array> | AsyncIterator<Uint8Array>,
  ): Promise<IteratorResult<Uint8Array>> {
    if (this.#cut !== null) throw this.#cut;
    let step: IteratorResult<Uint8Array>;
    try {
      step = await new Promise((resolve, reject) => {
        this.#rejectNext = reject;
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
    } catch (error) {
      throw this.#cut ?? this.#fail(error);
    }
    if (step.done !== true && !(step.value instanceof Uint8Array)) {
      throw this.#fail(new TypeError(`a snapshot's chunks are Uint8Arrays; found ${String(step.value)}`));
    }
    return step;
  }

  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    return error;
  }
}
