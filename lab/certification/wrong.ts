/** A storage did what none may do. */
export class Wrong extends Error {
  readonly expected: string;
  readonly found: string;
  constructor({ expected, found }: { readonly expected: string; readonly found: string }) {
    super(`expected ${expected}; found ${found}`);
    this.expected = expected;
    this.found = found;
  }
}

/** Whatever else a storage throws is wrong where it must open, read and write. */
export function asWrong(error: unknown): Wrong {
  if (error instanceof Wrong) return error;
  const found = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Wrong({ expected: 'a storage that opens, reads and writes', found });
}
