/** The door of work that would block the event loop for long, were it done there. */
export interface Work {
  readonly gzip: Compressor;
  /** null where the machine's Node has none. */
  readonly zstd: Compressor | null;
}

/** What Node has zstd, for messages to those whose Node has none. */
export const nodesWithZstd = 'Node 22.15, 23.8, or 24 and later';

export interface Compressor {
  compress(data: Uint8Array): Promise<Uint8Array>;
  /** What was compressed, of which the length is known. Rejects when the data is damaged, or of another length. */
  decompress(data: Uint8Array, length: number): Promise<Uint8Array>;
}
