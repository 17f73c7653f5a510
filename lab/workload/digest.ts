/**
 * A digest of 64 bits for comparing what replicas did: cheap per step, the same on every machine (32-bit
 * integer arithmetic only), and no protection against someone who wants two inputs to collide.
 */
export interface Digest {
  high: number;
  low: number;
}

export function startDigest(): Digest {
  return { high: 0x2545f491, low: 0x6c078965 };
}

/** Mixes in 32 bits. Each lane is a multiply-rotate round with its own constants, and feeds the other. */
export function mixWord(digest: Digest, word: number): void {
  const low = Math.imul(digest.low ^ word, 0x9e3779b1);
  const high = Math.imul(digest.high ^ rotate(word, 16), 0x85ebca77);
  digest.low = (rotate(low, 13) + high) >>> 0;
  digest.high = (rotate(high, 17) ^ low) >>> 0;
}

/** A safe integer. */
export function mixNumber(digest: Digest, value: number): void {
  mixWord(digest, value | 0);
  mixWord(digest, Math.floor(value / 0x100000000) | 0);
}

export function mixString(digest: Digest, text: string): void {
  mixWord(digest, text.length);
  for (let at = 0; at < text.length; at += 1) mixWord(digest, text.charCodeAt(at));
}

export function mixBytes(digest: Digest, bytes: Uint8Array): void {
  mixWord(digest, bytes.length);
  for (let at = 0; at < bytes.length; at += 4) {
    const word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    mixWord(digest, word);
  }
}

/** A safe integer of 53 bits. */
export function digestValue(digest: Digest): number {
  return digest.high * 0x200000 + (digest.low >>> 11);
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
