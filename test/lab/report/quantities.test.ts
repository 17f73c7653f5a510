import { describe, expect, it } from 'vitest';
import { formatCount, formatCounted, formatMoment, formatWall } from '../../../lab/report/quantities.ts';

describe('quantities', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [123_456, '123,456'],
    [1_234_567, '1,234,567'],
  ])('count %d is %s', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });

  it('are plural unless they are one', () => {
    expect([0, 1, 2000].map((count) => formatCounted(count, 'seed'))).toEqual([
      '0 seeds',
      '1 seed',
      '2,000 seeds',
    ]);
  });

  it.each([
    [0, '0.000 s'],
    [7, '0.007 s'],
    [65_432, '65.432 s'],
  ])('moment %d is %s', (ms, text) => {
    expect(formatMoment(ms)).toBe(text);
  });

  it.each([
    [0.4, '0 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [61_250, '61.3 s'],
  ])('wall time %d is %s', (ms, text) => {
    expect(formatWall(ms)).toBe(text);
  });
});
