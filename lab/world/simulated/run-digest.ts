import { createHash, type Hash } from 'node:crypto';

/**
 * A running SHA-256 over everything that a simulation does. Two runs are the same run exactly when
 * their digests are equal. What is fed is gathered first: hashing each small piece alone costs more
 * than the event it stands for.
 */
export class RunDigest {
  readonly #hash: Hash = createHash('sha256');
  readonly #gathered = Buffer.allocUnsafe(GATHERED_BYTES);
  #length = 0;

  /** One event: its moment and its label. */
  event(atUs: number, label: string): void {
    this.#room(label.length * 3 + 9);
    this.#length = this.#gathered.writeDoubleLE(atUs, this.#length);
    this.#write(label);
  }

  line(text: string): void {
    if (text.length > LONG) this.bytes(Buffer.from(text, 'utf8'));
    else {
      this.#room(text.length * 3 + 1);
      this.#write(text);
    }
  }

  bytes(data: Uint8Array): void {
    this.#room(8);
    this.#length = this.#gathered.writeDoubleLE(data.length, this.#length);
    if (data.length > LONG) {
      this.#flush();
      this.#hash.update(data);
      return;
    }
    this.#room(data.length);
    this.#gathered.set(data, this.#length);
    this.#length += data.length;
  }

  /** Hex digest of everything so far; more may follow. */
  value(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #write(text: string): void {
    this.#length += this.#gathered.write(text, this.#length, 'utf8');
    this.#gathered[this.#length] = NEWLINE;
    this.#length += 1;
  }

  #room(bytes: number): void {
    if (this.#length + bytes > GATHERED_BYTES) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
  }
}

const GATHERED_BYTES = 64 * 1024;
/** Characters or bytes; three bytes a character at most, so anything shorter fits the buffer. */
const LONG = 8 * 1024;
const NEWLINE = 10;
