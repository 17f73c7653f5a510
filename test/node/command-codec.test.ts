import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../src/node/command-codec.ts';

describe('the default codec', () => {
  it.each([
    [new Float32Array([1, 2.5])],
    [new Uint16Array([500, 1])],
    [new BigInt64Array([-1n])],
    [new Set([1, 'a'])],
    [2n ** 200n],
    [{ at: new Date(5), deep: [undefined, null, Number.NaN] }],
  ])('packs and unpacks %o, into the same bytes whatever was packed before', (value) => {
    const codec = msgpackCodec<unknown>();
    const bytes = codec.encode(value);
    expect(codec.decode(bytes)).toStrictEqual(value);
    codec.encode(new Uint8Array(4000).fill(0xff));
    const others = msgpackCodec<unknown>();
    for (let round = 0; round < 10; round += 1) {
      others.encode(new Uint8Array(1000 + round).fill(round));
      expect(Buffer.from(others.encode(value)).equals(bytes)).toBe(true);
    }
  });

  it('gives what may be changed: the bytes it was read from stay as they are', () => {
    const codec = msgpackCodec<{ value: Uint8Array }>();
    const bytes = codec.encode({ value: new Uint8Array([1, 2, 3]) });
    codec.decode(bytes).value[0] = 99;
    expect([...codec.decode(bytes).value]).toEqual([1, 2, 3]);
  });
});
