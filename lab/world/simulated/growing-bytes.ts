/** A byte array that grows. What lies between its end and a write beyond it reads as zeros, as in a file. */
export class GrowingBytes {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  write(offset: number, data: Uint8Array): void {
    const end = offset + data.length;
    this.#reserve(end);
    this.#bytes.set(data, offset);
    if (end > this.#length) this.#length = end;
  }

  /** Cuts, or extends with zeros. */
  resize(length: number): void {
    this.#reserve(length);
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
  }

  /** A copy of what lies there; shorter at the end. */
  slice(from: number, to: number): Uint8Array {
    return this.#bytes.slice(Math.min(from, this.#length), Math.min(to, this.#length));
  }

  copyFrom(other: GrowingBytes): void {
    this.resize(0);
    this.write(0, other.#bytes.subarray(0, other.#length));
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(bytes, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
