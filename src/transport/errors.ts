/** The endpoint could not be opened. The message says what to do. */
export class TransportFailed extends Error {
  readonly code = 'KONTIKI_TRANSPORT_FAILED';
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TransportFailed';
  }
}

/** Bytes that are no frame, handshake or envelope of ours, or an envelope that may not become bytes. */
export class MalformedFrame extends Error {
  readonly code = 'KONTIKI_MALFORMED_FRAME';
  readonly reason: string;
  constructor(reason: string, options?: { cause?: unknown }) {
    super(`malformed frame: ${reason}`, options);
    this.name = 'MalformedFrame';
    this.reason = reason;
  }
}
