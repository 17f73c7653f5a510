import { expect, it, vi } from 'vitest';
import type { Configuration } from '../../../src/raft/configuration.ts';
import type { MemberId } from '../../../src/raft/identity.ts';
import { firstViolation } from './first-violation.ts';
import { slowOldVoters } from './trouble.ts';

// The bug: of a joint configuration only the incoming half is asked (ZOO: M2; dissertation 4.3).
vi.mock('../../../src/raft/quorum.ts', async (original) => {
  const real = await original<typeof import('../../../src/raft/quorum.ts')>();
  const half = (configuration: Configuration): Configuration => ({ ...configuration, outgoing: [] });
  return {
    quorumValue: (configuration: Configuration, reached: (member: MemberId) => number) =>
      real.quorumValue(half(configuration), reached),
    isQuorum: (configuration: Configuration, agrees: (member: MemberId) => boolean) =>
      real.isQuorum(half(configuration), agrees),
  };
});

it('the lab catches a leader that asks only one half of a joint configuration', async () => {
  const found = await firstViolation(slowOldVoters, 12);
  expect(found?.violation).toMatchObject({ checker: 'commit-quorum' });
  expect(found?.violation?.sentence).toMatch(/of 3 voters only n\d held it durably$/);
});
