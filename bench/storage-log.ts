import type { LogFloor, LogStorage, WriteRequest } from '../src/storage/index.ts';

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
    await log.write({ writeId: begun.#nextId(), hardState, entries: [] });
    return begun;
  }

  /** The next `count` commands; nothing of them is written yet. Requests are written in the order they were made. */
  request(count: number): WriteRequest {
    const next = this.#lastIndex + 1;
    const { length } = this.#commands;
    return this.requestOf(
      Array.from({ length: count }, (_, at) => this.#commands[(next + at) % length] ?? new Uint8Array(0)),
    );
  }

  /** These commands. */
  requestOf(commands: readonly Uint8Array[]): WriteRequest {
    const entries = commands.map((payload) => {
      this.#lastIndex += 1;
      return { kind: 'command', index: this.#lastIndex, term: 1, payload } as const;
    });
    return { writeId: this.#nextId(), entries };
  }

  /** A floor that moved on, which compacts the log. */
  requestFloor(floor: LogFloor): WriteRequest {
    return { writeId: this.#nextId(), entries: [], floor };
  }

  /** Durable when it resolves. */
  write(request: WriteRequest): Promise<void> {
    return this.#log.write(request);
  }

  #nextId(): WriteRequest['writeId'] {
    this.#sequence += 1;
    return { boot: 1, sequence: this.#sequence };
  }
}
