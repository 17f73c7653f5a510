/** The endpoint could not be opened. The message says what to do. */
export class TransportFailed extends Error {
  readonly code = 'KONTIKI_TRANSPORT_FAILED';
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TransportFailed';
  }
}
