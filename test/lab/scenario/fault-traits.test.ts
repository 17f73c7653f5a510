import { expect, test } from 'vitest';
import { holdPromises } from '../../../lab/scenario/fault-traits.ts';

test.each([
  ['hard-state', true],
  ['identity', true],
  ['floor', true],
  ['mark', false],
  ['blocks', false],
  ['snapshots', false],
] as const)('whether a replica is another server without its %s: %s', (files, expected) => {
  expect(holdPromises(files)).toBe(expected);
});
