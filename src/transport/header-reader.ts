import type { RequestId } from '../raft/identity.ts';
import { MalformedFrame } from './errors.ts';
import { digestPattern, hexIdPattern, namePattern } from './header-writer.ts';

/**
 * Reads the header at the start of `bytes`, value by value, by hand: a general decoder makes whatever
 * the bytes ask for (arrays of a claimed length, extension types, nesting without end), and bytes from a
 * peer are parsed, not trusted. This one knows only what a header may hold, and takes only the form of
 * each value that the writer gives it, so equal headers are equal bytes.
 *
 * Every method throws MalformedFrame, and names the value by `what`.
 */
export class HeaderReader {
  /** Where the next value begins; after the last one, where the header ends. */
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Opens an array and returns how many values it says it has. Nothing may be allocated from that. */
  arrayLength(what: string): number {
    const first = this.#byte(what);
    if ((first & 0xf0) === 0x90) return first & 0x0f;
    if (first === 0xdc) return this.#shortest(this.#uint(2, what), 0x10, what);
    if (first === 0xdd) return this.#shortest(this.#uint(4, what), 0x1_0000, what);
    return this.#unexpected(what, 'an array', first);
  }

  /** A safe integer, `min` or more. */
  integer(what: string, min = 0): number {
    const value = this.#number(what, 'an integer');
    if (!Number.isSafeInteger(value)) throw new MalformedFrame(`${what} is ${value}, not a safe integer`);
    if (value < min) throw new MalformedFrame(`${what} is ${value}, less than ${min}`);
    return value;
  }

  /** A finite number, 0 or more. */
  duration(what: string): number {
    const value = this.#number(what, 'a number');
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new MalformedFrame(`${what} is ${value}, not 0 or more`);
    }
    return value;
  }

  flag(what: string): boolean {
    const first = this.#byte(what);
    if (first === 0xc2) return false;
    if (first === 0xc3) return true;
    return this.#unexpected(what, 'true or false', first);
  }

  /** Printable ASCII. */
  text(what: string): string {
    const first = this.#byte(what);
    let length = first & 0x1f;
    if (first === 0xd9) length = this.#shortest(this.#uint(1, what), 0x20, what);
    else if ((first & 0xe0) !== 0xa0) return this.#unexpected(what, 'a string', first);
    const start = this.#take(length, what);
    const value = this.#bytes.toString('latin1', start, this.position);
    if (!printable.test(value)) throw new MalformedFrame(`${what} has characters other than printable ASCII`);
    return value;
  }

  /** A NodeId or GroupId. */
  name(what: string): string {
    const value = this.text(what);
    if (!namePattern.test(value)) throw new MalformedFrame(`${what} ${JSON.stringify(value)} is no name`);
    return value;
  }

  /** An Incarnation or ClusterId. */
  hexId(what: string): string {
    const value = this.text(what);
    if (!hexIdPattern.test(value)) {
      throw new MalformedFrame(`${what} ${JSON.stringify(value)} is not 16 lower-case hex digits`);
    }
    return value;
  }

  hexIdOrNull(what: string): string | null {
    return this.nothing() ? null : this.hexId(what);
  }

  requestId(): RequestId {
    return { boot: this.integer('boot'), sequence: this.integer('sequence') };
  }

  /** A SHA-256. */
  digest(what: string): string {
    const value = this.text(what);
    if (!digestPattern.test(value)) {
      throw new MalformedFrame(`${what} ${JSON.stringify(value)} is not 64 lower-case hex digits`);
    }
    return value;
  }

  /** Any Unicode. */
  unicode(what: string): string {
    const first = this.#byte(what);
    let length = first & 0x1f;
    if (first === 0xd9) length = this.#shortest(this.#uint(1, what), 0x20, what);
    else if (first === 0xda) length = this.#shortest(this.#uint(2, what), 0x100, what);
    else if ((first & 0xe0) !== 0xa0) return this.#unexpected(what, 'a string', first);
    const start = this.#take(length, what);
    try {
      return utf8.decode(this.#bytes.subarray(start, this.position));
    } catch (cause) {
      throw new MalformedFrame(`${what} is not UTF-8`, { cause });
    }
  }

  /** Whether the next value is null; then it is passed. */
  nothing(): boolean {
    if (this.#bytes[this.position] !== 0xc0) return false;
    this.position += 1;
    return true;
  }

  #number(what: string, expected: string): number {
    const first = this.#byte(what);
    if (first < 0x80) return first;
    if (first === 0xcc) return this.#shortest(this.#uint(1, what), 0x80, what);
    if (first === 0xcd) return this.#shortest(this.#uint(2, what), 0x100, what);
    if (first === 0xce) return this.#shortest(this.#uint(4, what), 0x1_0000, what);
    if (first !== 0xcb) return this.#unexpected(what, expected, first);
    const value = this.#bytes.readDoubleBE(this.#take(8, what));
    // msgpackr writes a number as float64 only where 32 bits of integer do not hold it.
    if (Number.isInteger(value) && value < 2 ** 32 && value >= -(2 ** 31)) {
      throw new MalformedFrame(`${what} is not in its shortest form`);
    }
    return value;
  }

  #byte(what: string): number {
    return this.#bytes[this.#take(1, what)] ?? 0;
  }

  #uint(length: number, what: string): number {
    return this.#bytes.readUIntBE(this.#take(length, what), length);
  }

  #take(length: number, what: string): number {
    const start = this.position;
    if (start + length > this.#bytes.length) throw new MalformedFrame(`ends within ${what}`);
    this.position = start + length;
    return start;
  }

  #shortest(value: number, min: number, what: string): number {
    if (value < min) throw new MalformedFrame(`${what} is not in its shortest form`);
    return value;
  }

  #unexpected(what: string, expected: string, first: number): never {
    throw new MalformedFrame(
      `${what}: expected ${expected}, found byte 0x${first.toString(16).padStart(2, '0')}`,
    );
  }
}

const printable = /^[ -~]*$/;
/** A byte-order mark is a character like others: left out, it would make two encodings of one text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
