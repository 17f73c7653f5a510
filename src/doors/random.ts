/** The door of randomness. */
export interface Random {
  /** A uniform integer in `from` (inclusive) .. `to` (exclusive); both are safe integers, `from < to`. */
  integer(from: number, to: number): number;
  /** `length` random bytes. Used for identities (incarnations, cluster ids); never for keys. */
  bytes(length: number): Uint8Array;
}
