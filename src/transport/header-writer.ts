import { Packr } from 'msgpackr';
import type { RequestId } from '../raft/identity.ts';
import { MalformedFrame } from './errors.ts';

type HeaderValue = string | number | boolean | null | readonly number[] | readonly string[];

/** 1 to 64 characters of `A-Z a-z 0-9 . _ -`: a NodeId or a GroupId. */
export const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
/** 16 lower-case hex digits: an Incarnation or a ClusterId. */
export const hexIdPattern = /^[0-9a-f]{16}$/;
/** 64 lower-case hex digits: a SHA-256. */
export const digestPattern = /^[0-9a-f]{64}$/;

/**
 * Writes a header: one msgpack array of fixed positions. Its methods mirror the reader's and assert the
 * same facts, so nothing leaves that the other side would have to refuse: they throw MalformedFrame.
 */
export class HeaderWriter {
  readonly #values: HeaderValue[] = [];

  integer(what: string, value: number, min = 0): this {
    if (!Number.isSafeInteger(value)) throw new MalformedFrame(`${what} is ${value}, not a safe integer`);
    if (value < min) throw new MalformedFrame(`${what} is ${value}, less than ${min}`);
    return this.#push(value);
  }

  /** Finite, 0 or more; need not be an integer. */
  duration(what: string, value: number): this {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new MalformedFrame(`${what} is ${value}, not 0 or more`);
    }
    return this.#push(value);
  }

  flag(value: boolean): this {
    return this.#push(value);
  }

  /** What is not printable ASCII is replaced by `?`, and what is beyond 255 characters is left out. */
  text(value: string): this {
    return this.#push(value.slice(0, TEXT_BYTES_MAX).replaceAll(/[^ -~]/g, '?'));
  }

  name(what: string, value: string): this {
    if (!namePattern.test(value)) throw new MalformedFrame(`${what} ${JSON.stringify(value)} is no name`);
    return this.#push(value);
  }

  hexId(what: string, value: string): this {
    if (!hexIdPattern.test(value)) {
      throw new MalformedFrame(`${what} ${JSON.stringify(value)} is not 16 lower-case hex digits`);
    }
    return this.#push(value);
  }

  hexIdOrNull(what: string, value: string | null): this {
    return value === null ? this.#push(null) : this.hexId(what, value);
  }

  requestId({ boot, sequence }: RequestId): this {
    return this.integer('boot', boot).integer('sequence', sequence);
  }

  digest(what: string, value: string): this {
    if (!digestPattern.test(value)) {
      throw new MalformedFrame(`${what} ${JSON.stringify(value)} is not 64 lower-case hex digits`);
    }
    return this.#push(value);
  }

  nothing(): this {
    return this.#push(null);
  }

  /** The caller has checked it. */
  checkedText(value: string): this {
    return this.#push(value);
  }

  /** The caller has checked them: Unicode without lone surrogates. */
  texts(values: readonly string[]): this {
    return this.#push(values);
  }

  /** The caller has checked them: integers, 0 or more. */
  integers(values: readonly number[]): this {
    return this.#push(values);
  }

  /** The header's bytes, which stay as they are. */
  pack(): Uint8Array {
    return packr.pack(this.#values);
  }

  #push(value: HeaderValue): this {
    this.#values.push(value);
    return this;
  }
}

const packr = new Packr({ useRecords: false });
const TEXT_BYTES_MAX = 255;
