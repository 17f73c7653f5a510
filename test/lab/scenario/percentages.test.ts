import { describe, expect, it } from 'vitest';
import { parsePercentage, percentageExpected, percentagePattern } from '../../../lab/scenario/percentages.ts';

describe('a percentage', () => {
  it.each([
    ['0%', 0],
    ['0.1%', 1],
    ['5%', 50],
    ['99.9%', 999],
    ['100%', 1000],
    ['100.0%', 1000],
  ])('%s is %d per mille', (text, perMille) => {
    expect(parsePercentage(text)).toEqual({ ok: true, value: perMille });
    expect(text).toMatch(new RegExp(percentagePattern));
  });

  it.each(['', '5', '%', '100.1%', '101%', '-1%', '0.05%', '5 %', '.5%', '5.%', '1e1%', '%5'])(
    '%j is refused',
    (text) => {
      expect(parsePercentage(text)).toEqual({ ok: false, expected: percentageExpected });
    },
  );
});
