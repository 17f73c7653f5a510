import { expect, it } from 'vitest';
import { parseSize, sizeExpected, sizePattern } from '../../../lab/scenario/sizes.ts';

it.each([
  ['0B', 0],
  ['4096B', 4096],
  ['256KiB', 262_144],
  [' 2MiB ', 2_097_152],
])('%s is %i bytes', (text, bytes) => {
  expect(parseSize(text)).toEqual({ ok: true, value: bytes });
  expect(new RegExp(sizePattern).test(text.trim())).toBe(true);
});

it.each(['', '4096', '1.5MiB', '1 MiB', '1MB', '1kib', '-1B', '9999999999B'])('%j is no size', (text) => {
  expect(parseSize(text)).toEqual({ ok: false, expected: sizeExpected });
  expect(new RegExp(sizePattern).test(text)).toBe(false);
});
