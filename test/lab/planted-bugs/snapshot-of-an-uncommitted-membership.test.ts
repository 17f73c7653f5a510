import { expect, it, vi } from 'vitest';
import type { RaftState } from '../../../src/raft/state.ts';
import { firstViolation } from './first-violation.ts';
import { twoAtOnce } from './trouble.ts';

// The bug: a snapshot carries the latest configuration of the log, not the one at its index (ZOO: S2).
vi.mock('../../../src/raft/membership.ts', async (original) => {
  const real = await original<typeof import('../../../src/raft/membership.ts')>();
  return { ...real, configurationAt: (state: RaftState) => real.currentConfiguration(state) };
});

it('the lab catches a snapshot with a membership that was not in force there', async () => {
  const found = await firstViolation(twoAtOnce, 10);
  expect(found?.violation).toMatchObject({ checker: 'configuration-overlap' });
  expect(found?.violation?.sentence).toMatch(
    /(stored a snapshot|lets its log begin) after entry \d+ with configuration \d+\.\d+, but/,
  );
});
