import type { LogStorage, WriteRequest } from '../src/storage/index.ts';

/** The log of one group, written with commands of term 1. */
export class StorageLog {
  readonly #log: LogStorage;
  readonly #commands: readonly Uint8Array[];
  #sequence = 0;
  #lastIndex = 0;

  private constructor(log: LogStorage, commands: readonly Uint8Array[]) {
    this.#log = log;
    this.#commands = commands;
  }

  static async begin(log: LogStorage, commands: readonly Uint8Array[]): Promise<StorageLog> {
    const begun = new StorageLog(log, commands);
    const hardState = { term: 1, votedFor: null };
    begun.#sequence += 1;
    await log.write({ writeId: { boot: 1, sequence: begun.#sequence }, hardState, entries: [] });
    return begun;
  }

  /** The next `count` commands; nothing of them is written yet. Requests are written in the order they were made. */
  request(count: number): WriteRequest {
    this.#sequence += 1;
    const entries = Array.from({ length: count }, () => {
      this.#lastIndex += 1;
      const payload = this.#commands[this.#lastIndex % this.#commands.length] ?? new Uint8Array(0);
      return { kind: 'command', index: this.#lastIndex, term: 1, payload } as const;
    });
    return { writeId: { boot: 1, sequence: this.#sequence }, entries };
  }

  /** Durable when it resolves. */
  write(request: WriteRequest): Promise<void> {
    return this.#log.write(request);
  }
}
