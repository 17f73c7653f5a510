import { expect, it, vi } from 'vitest';
import { firstViolation } from './first-violation.ts';
import { noTrouble } from './trouble.ts';

// The bug: a follower acknowledges what it has in memory (ZOO: S7; paper, figure 2).
vi.mock('../../../src/raft/promises.ts', async (original) => ({
  ...(await original<typeof import('../../../src/raft/promises.ts')>()),
  matchIndexToSay: (state: { verifiedIndex: number }) => state.verifiedIndex,
}));

it('the lab catches a follower that acknowledges before its disk has it', async () => {
  const found = await firstViolation(noTrouble, 3);
  expect(found?.violation).toMatchObject({ checker: 'durable-before-send' });
  expect(found?.trace.length).toBeGreaterThan(10);
});
