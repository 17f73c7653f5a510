import { expect, it, vi } from 'vitest';
import type { RaftState } from '../../../src/raft/state.ts';
import { firstViolation } from './first-violation.ts';
import { leadersComeAndGo } from './trouble.ts';

// The bug: a leader commits entries of older terms by counting replicas (ZOO: R1; paper 5.4.2, figure 8).
vi.mock('../../../src/raft/commitment.ts', async (original) => {
  const real = await original<typeof import('../../../src/raft/commitment.ts')>();
  return {
    ...real,
    quorumCommitIndex: (state: RaftState) => real.quorumCommitIndex({ ...state, termStartIndex: 0 }),
  };
});

it('the lab catches a leader that commits an old term by counting replicas', async () => {
  const found = await firstViolation(leadersComeAndGo, 10);
  expect(found?.violation).toMatchObject({ checker: 'commit-quorum' });
});
