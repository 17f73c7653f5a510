/** The door of off-thread work: what would block the event loop for long. */
export interface Work {
  gzip(data: Uint8Array): Promise<Uint8Array>;
  /** Rejects when the data is damaged or would grow beyond `bytesMax`. */
  gunzip(data: Uint8Array, bytesMax: number): Promise<Uint8Array>;
}
