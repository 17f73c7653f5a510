import { expected, type Parsed, parsed } from './parsed.ts';

export const sizeExpected = 'a size with its unit, such as 4096B, 256KiB or 2MiB';
export const sizePattern = '^\\d{1,9}(B|KiB|MiB)$';

/** `256KiB` -> bytes. */
export function parseSize(text: string): Parsed<number> {
  const match = /^(\d{1,9})(B|KiB|MiB)$/.exec(text.trim());
  if (!match) return expected(sizeExpected);
  const [, count = '', unit = ''] = match;
  return parsed(Number(count) * (unit === 'B' ? 1 : unit === 'KiB' ? 1024 : 1024 * 1024));
}
