/**
 * The door between a command and the machine it runs on, so that commands can be tested without one.
 */
export interface Machine {
  /** What a user of the command wants to keep: verdicts, schemas. */
  print(text: string): void;
  /** Everything else: progress, complaints. */
  complain(text: string): void;
  /** Columns of the terminal on which a live line may be drawn over and over; null when there is none. */
  readonly liveColumns: number | null;
  /** Whether what is printed may be coloured. */
  readonly colour: boolean;
  /** Wall time in milliseconds; only for the eye. */
  now(): number;
  /** @throws FileRefused */
  readText(path: string): string;
  /**
   * Makes sure that a file can be written, before the work whose result goes there is begun. What is
   * there stays as it is until `commit`.
   * @throws FileRefused
   */
  prepareFile(path: string): PreparedFile;
  /** Calls back on the first Ctrl-C; a second one ends the process. Returns how to stop listening. */
  onInterrupt(callback: () => void): () => void;
}

export interface PreparedFile {
  /** Puts the whole text in place, or nothing. @throws FileRefused */
  commit(text: string): void;
  /** Leaves no trace. A no-op after `commit`. */
  abandon(): void;
}

/** A file that cannot be used; the message says which, why, and what to do. */
export class FileRefused extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FileRefused';
  }
}
