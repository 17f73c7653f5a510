import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../src/doors/node-clock.ts';
import { MembershipRefused, OutcomeUnknown } from '../../src/node/errors.ts';
import { MembershipRequests } from '../../src/node/membership-requests.ts';

describe('a change of the membership that nobody answers', () => {
  it('was not begun while there is no core', async () => {
    const requests = new MembershipRequests(nodeClock(), () => null);
    await expect(requests.change({ remove: ['n2'] }, {})).rejects.toBeInstanceOf(MembershipRefused);
    await expect(requests.abort({})).rejects.toMatchObject({ reason: 'not-leader' });
  });

  it('is in doubt when the core failed over it, with the reason', async () => {
    const broken = new Error('something Raft rules out');
    // As the replica does: it stops, which is told before the call returns.
    const requestsOf = (): MembershipRequests => {
      const requests: MembershipRequests = new MembershipRequests(nodeClock(), () => {
        requests.stop(broken);
        return null;
      });
      return requests;
    };
    for (const outcome of [requestsOf().change({ remove: ['n2'] }, {}), requestsOf().abort({})]) {
      const error = await outcome.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(OutcomeUnknown);
      expect(error).toMatchObject({ cause: broken });
    }
  });
});
