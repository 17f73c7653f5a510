/** The last steps of a run, kept for the reader of a failure; older ones make room. */
export class Trace {
  readonly #lines: string[] = [];
  readonly #moments: number[] = [];
  readonly #kept: number;
  #recorded = 0;

  constructor(kept: number) {
    if (!Number.isSafeInteger(kept) || kept < 1) {
      throw new RangeError(`a trace keeps at least one line, got ${kept}`);
    }
    this.#kept = kept;
  }

  record(atUs: number, line: string): void {
    const slot = this.#recorded % this.#kept;
    this.#lines[slot] = line;
    this.#moments[slot] = atUs;
    this.#recorded += 1;
  }

  /** Oldest first, each with its moment in seconds. */
  lines(): string[] {
    const first = this.#recorded > this.#kept ? this.#recorded - this.#kept : 0;
    const lines: string[] = [];
    for (let i = first; i < this.#recorded; i++) {
      const slot = i % this.#kept;
      lines.push(`${seconds(this.#moments[slot] ?? 0)} ${this.#lines[slot] ?? ''}`);
    }
    return lines;
  }
}

/** Microseconds as seconds with six decimals, in integer arithmetic. */
export function seconds(us: number): string {
  const whole = (us - (us % 1_000_000)) / 1_000_000;
  return `${whole}.${String(us % 1_000_000).padStart(6, '0')}s`;
}
