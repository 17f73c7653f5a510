/** One run of a program over a medium. What it has under way when it dies never settles. */
export class Process {
  alive = true;
  /** Syncs that it waits for. */
  syncs = 0;
  readonly #locks = new Set<string>();

  /** @returns false when it holds that folder already. */
  lock(path: string): boolean {
    if (this.#locks.has(path)) return false;
    this.#locks.add(path);
    return true;
  }

  unlock(path: string): void {
    this.#locks.delete(path);
  }

  async answer<T>(body: () => T): Promise<T> {
    return this.alive ? body() : never();
  }

  /**
   * What makes something durable. While `takesTime`, all that the program does without waiting for it comes first,
   * so that whatever it should have waited for is not there yet.
   */
  async sync<T>(takesTime: boolean, body: () => T): Promise<T> {
    if (!this.alive) return never();
    if (!takesTime) return body();
    this.syncs += 1;
    await new Turn().come;
    this.syncs -= 1;
    return this.answer(body);
  }
}

/** The next turn of the event loop: by then all that waits for nothing but other promises has run to its end. */
export class Turn {
  readonly come: Promise<void>;
  #immediate: NodeJS.Immediate | null = null;

  constructor() {
    this.come = new Promise((resolve) => {
      this.#immediate = setImmediate(resolve);
    });
  }

  /** Nobody waits for it. One for each answer that came at once would pile up: no turn ends meanwhile. */
  cancel(): void {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
  }
}

export function never(): Promise<never> {
  return new Promise(() => {});
}
