import { expect, it, vi } from 'vitest';
import { firstViolation } from './first-violation.ts';
import { twoAtOnce } from './trouble.ts';

// The bug: voters change in one step, whatever their number (ZOO: M1; dissertation 4.1, figure 4.2).
vi.mock('../../../src/raft/membership-plan.ts', async (original) => {
  const real = await original<typeof import('../../../src/raft/membership-plan.ts')>();
  return {
    ...real,
    planMembership: (...given: Parameters<typeof real.planMembership>) => {
      const plan = real.planMembership(...given);
      return plan.accepted ? { ...plan, needsJoint: false } : plan;
    },
  };
});

it('the lab catches voters that change without a joint configuration', async () => {
  const found = await firstViolation(twoAtOnce, 3);
  expect(found?.violation).toMatchObject({ checker: 'configuration-overlap' });
  expect(found?.violation?.sentence).toMatch(/could decide apart$|may not follow/);
});
