import { expect, it, vi } from 'vitest';
import { MembershipRefused } from '../../../src/node/errors.ts';
import type { MembershipOptions } from '../../../src/node/membership-requests.ts';
import type { RequestedChange } from '../../../src/node/requested-change.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import type { RaftEvent } from '../../../src/raft/event.ts';
import { firstViolation } from './first-violation.ts';
import { twoJoin } from './trouble.ts';

// The bugs: a change is called done at its first step, or refused although it is made. Either way the change
// itself comes about as it should.
const bug = vi.hoisted(() => ({ planted: 'done-at-once' as 'done-at-once' | 'refused-and-made' }));

vi.mock('../../../src/node/membership-requests.ts', async (original) => {
  const real = await original<typeof import('../../../src/node/membership-requests.ts')>();
  class MembershipRequests extends real.MembershipRequests {
    override async change(change: RequestedChange, options: MembershipOptions): Promise<Configuration> {
      const made = await super.change(change, options);
      if (bug.planted === 'refused-and-made') throw new MembershipRefused('retired', 'never comes back');
      return made;
    }

    override onEvent(event: RaftEvent): void {
      const isEarly = bug.planted === 'done-at-once' && event.kind === 'membership-progress';
      const { changeId } = event as Extract<RaftEvent, { kind: 'membership-progress' }>;
      super.onEvent(
        isEarly ? { kind: 'membership-ended', changeId, outcome: 'completed', reason: 'soon' } : event,
      );
    }
  }
  return { ...real, MembershipRequests };
});

it('the lab catches a change of the membership that is called done too early', async () => {
  bug.planted = 'done-at-once';
  const found = await firstViolation(twoJoin, 1);
  expect(found?.violation).toMatchObject({ checker: 'membership' });
  expect(found?.violation?.sentence).toMatch(
    /^asked to add n4, n5, n\d said that it is so, with configuration \d+\.\d+, which is not what was asked for$/,
  );
});

it('the lab catches a change of the membership that is refused and made nevertheless', async () => {
  bug.planted = 'refused-and-made';
  const found = await firstViolation(twoJoin, 1);
  expect(found?.violation).toMatchObject({ checker: 'membership' });
  expect(found?.violation?.sentence).toMatch(/n\d said: the membership is not changed: never comes back$/);
});
