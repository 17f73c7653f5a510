/** What reading a piece of text gave: its value, or what would have been right in its place. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function expected(what: string): { readonly ok: false; readonly expected: string } {
  return { ok: false, expected: what };
}
