import { createHash } from 'node:crypto';

/** A SHA-256 under way. */
export interface Digest {
  update(data: Uint8Array): void;
  /** Lower-case hex. Ends the digest. */
  finish(): string;
}

export function sha256(): Digest {
  const hash = createHash('sha256');
  return {
    update: (data) => {
      hash.update(data);
    },
    finish: () => hash.digest('hex'),
  };
}
