/**
 * Bytes that nothing compresses, the same in each run (xorshift, of 32 bits); they repeat after 17 GB. So they
 * cannot be made smaller by being stored twice, neither by a codec nor by the disk.
 */
export class RandomBytes {
  #word = 0x2545f491;

  take(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4));
    let word = this.#word;
    for (let at = 0; at < words.length; at += 1) {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      words[at] = word;
    }
    this.#word = word;
    return new Uint8Array(words.buffer, 0, length);
  }
}
