import { describe, expect, it } from 'vitest';
import type { RequestedChange } from '../../src/node/requested-change.ts';
import { resolveChange } from '../../src/node/requested-change.ts';
import type { Configuration, Member } from '../../src/raft/configuration.ts';
import type { RaftState } from '../../src/raft/state.ts';

const member = (id: string, incarnation = `disk-of-${id}`): Member => ({
  id,
  incarnation,
  address: `${id}:1`,
});
const configuration: Configuration = {
  id: '5.1',
  voters: ['n1', 'n2', 'n3'].map((id) => member(id)),
  outgoing: [],
  learners: [member('n4'), member('n3', 'emptied')],
  retired: [],
};
/** What is looked at: n5 has asked to be let in. */
const state = {
  configurations: [{ index: 5, configuration }],
  newcomers: [
    { member: member('n5'), boot: 1, address: 'n5:1', metadata: {}, heardAt: 0, answer: 'ask-leader' },
  ],
} as unknown as RaftState;
const resolved = (change: RequestedChange): unknown => resolveChange(change, state);

describe('a change that was interrupted and is asked for again', () => {
  it('goes on with the learner that it left behind, which asks no more', () => {
    expect(resolved({ add: [{ id: 'n4' }, { id: 'n5' }] })).toMatchObject({
      change: { add: [member('n4'), member('n5')] },
    });
    expect(resolved({ replace: [{ id: 'n1', by: { id: 'n4' } }] })).toMatchObject({
      change: { replace: [{ id: 'n1', by: member('n4') }] },
    });
    expect(resolved({ replace: [{ id: 'n3' }] })).toMatchObject({
      change: { replace: [{ id: 'n3', by: member('n3', 'emptied') }] },
    });
  });

  it('may say another address, and not another incarnation', () => {
    expect(resolved({ add: [{ id: 'n4', address: 'n4:2' }] })).toMatchObject({
      change: { add: [{ ...member('n4'), address: 'n4:2' }] },
    });
    expect(resolved({ add: [{ id: 'n4', incarnation: 'other' }] })).toEqual({ missing: ['n4'] });
  });

  it.each<[string, RequestedChange]>([
    ['a voter', { add: [{ id: 'n2' }] }],
    ['a voter whose emptied self is a learner', { add: [{ id: 'n3' }] }],
    ['a learner as learner', { add: [{ id: 'n4', role: 'learner' }] }],
  ])('%s is a member already', (_name, change) => {
    expect(resolved(change)).toMatchObject({ refused: 'already-member' });
  });

  it('waits for whoever has not asked', () => {
    expect(resolved({ add: [{ id: 'n6' }, { id: 'n4' }] })).toEqual({ missing: ['n6'] });
  });
});
