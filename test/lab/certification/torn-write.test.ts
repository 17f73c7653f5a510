import { describe, expect, it } from 'vitest';
import { outcomesOf } from '../../../lab/certification/torn-write.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').replaceAll('\0', '0');
const write = (offset: number, data: string) =>
  ({ kind: 'write', number: 1, offset, data: Buffer.from(data) }) as const;
const outcomes = (...request: Parameters<typeof outcomesOf>): string[] => [
  ...new Set(outcomesOf(...request).map(text)),
];

describe('a write that the power cut', () => {
  it('within one sector is there or is not', () => {
    expect(outcomes(Buffer.from('abcd'), write(1, 'XY'))).toEqual(['abcd', 'aXYd']);
  });

  it('at the end may have grown the file before its bytes came, or end anywhere in them', () => {
    expect(outcomes(Buffer.from('ab'), write(2, 'WXYZ'))).toEqual([
      'ab',
      'ab0000',
      'abWXYZ',
      'abW',
      'abWX',
      'abWXY',
    ]);
  });

  it('across three sectors leaves any of them', () => {
    const old = Buffer.alloc(1536, 'o');
    const found = outcomes(old, write(0, 'n'.repeat(1536)));
    const sectors = found.map((one) => [one.at(0), one.at(512), one.at(1024)].join(''));
    expect(sectors.sort()).toEqual(['nnn', 'nno', 'non', 'noo', 'onn', 'ono', 'oon', 'ooo']);
  });

  it('across many leaves a beginning, one alone, or all but one', () => {
    const found = outcomes(Buffer.alloc(5 * 512, 'o'), write(0, 'n'.repeat(5 * 512)));
    const sectors = found.map((one) => [0, 1, 2, 3, 4].map((sector) => one.at(sector * 512)).join(''));
    expect(sectors).toContain('nnnoo');
    expect(sectors).toContain('ooono');
    expect(sectors).toContain('nnonn');
    expect(sectors[0]).toBe('ooooo');
    expect(new Set(sectors).size).toBe(1 + 5 + 4 + 4);
  });

  it('that cuts the file happened or did not', () => {
    expect(outcomes(Buffer.from('abcd'), { kind: 'resize', number: 1, length: 1 })).toEqual(['abcd', 'a']);
  });
});
