/** One change of a file that no sync covered yet. */
export type FileChange = { readonly number: number } & (
  | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly length: number }
);

/**
 * The bytes of one file: as programs see them, as they surely are on the medium, and the changes between. No
 * array of bytes is ever changed, so images share them.
 */
export class MediumFile {
  /** Where it was made, for descriptions. */
  readonly path: string;
  cached: Uint8Array;
  durable: Uint8Array;
  unsynced: FileChange[] = [];

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.cached = bytes;
    this.durable = bytes;
  }

  change(change: FileChange): void {
    this.cached = changed(this.cached, change);
    this.unsynced.push(change);
  }

  /** Makes durable every change up to this one. */
  sync(upTo: number): void {
    const later: FileChange[] = [];
    for (const change of this.unsynced) {
      if (change.number <= upTo) this.durable = changed(this.durable, change);
      else later.push(change);
    }
    this.unsynced = later;
    // The same bytes are one array again.
    if (later.length === 0) this.durable = this.cached;
  }
}

export function changed(bytes: Uint8Array, change: FileChange): Uint8Array {
  if (change.kind === 'write') return written(bytes, change.offset, change.data);
  return grown(bytes.subarray(0, change.length), change.length);
}

/** What lies between the end and a write beyond it reads as zeros. */
export function written(bytes: Uint8Array, offset: number, data: Uint8Array): Uint8Array {
  const now = grown(bytes, Math.max(bytes.length, offset + data.length));
  now.set(data, offset);
  return now;
}

/** From the pool of small buffers: arrays of their own cost more than all that is done with them. */
function grown(bytes: Uint8Array, length: number): Uint8Array {
  const now = Buffer.allocUnsafe(length);
  now.set(bytes);
  return now.fill(0, bytes.length);
}
