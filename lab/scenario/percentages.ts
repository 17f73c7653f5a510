import { expected, type Parsed, parsed } from './parsed.ts';

export const percentageExpected =
  'a percentage from 0% to 100%, with one decimal at most, such as 5% or 0.1%';
export const percentagePattern = '^\\d{1,3}(\\.\\d)?%$';

/** `5%` -> 50, `0.1%` -> 1: thousandths, the finest that the simulation draws. */
export function parsePercentage(text: string): Parsed<number> {
  const match = /^(\d{1,3})(?:\.(\d))?%$/.exec(text.trim());
  if (!match) return expected(percentageExpected);
  const perMille = Number(match[1]) * 10 + Number(match[2] ?? '0');
  return perMille <= 1000 ? parsed(perMille) : expected(percentageExpected);
}
