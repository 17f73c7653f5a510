import { expect, it, vi } from 'vitest';
import type { RaftStart } from '../../../src/raft/start.ts';
import { firstViolation } from './first-violation.ts';
import { restarts } from './trouble.ts';

// The bug: the vote is forgotten in a restart, so that a second one can be cast (ZOO: V1; paper, figure 2).
vi.mock('../../../src/raft/start.ts', async (original) => {
  const real = await original<typeof import('../../../src/raft/start.ts')>();
  return {
    ...real,
    initialState: (start: RaftStart, random: Parameters<typeof real.initialState>[1]) => {
      const { term } = start.recovered.hardState;
      const recovered = { ...start.recovered, hardState: { term, votedFor: null } };
      return real.initialState({ ...start, recovered }, random);
    },
  };
});

it('the lab catches a replica that forgets its vote in a restart', async () => {
  const found = await firstViolation(restarts, 3);
  expect(found?.violation).toMatchObject({ checker: 'monotone' });
});
