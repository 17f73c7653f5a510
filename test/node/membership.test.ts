import { afterEach, describe, expect, it } from 'vitest';
import {
  MembershipAborted,
  type MembershipProgress,
  MembershipRefused,
  OutcomeUnknown,
  ProposalDropped,
  Removed,
} from '../../src/index.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { eventually, type Node, Nodes, next, truth } from './nodes.ts';

let nodes = new Nodes();
afterEach(async () => {
  await nodes.close();
  nodes = new Nodes();
});

const votersOf = (node: Node): string[] =>
  node
    .status()
    .configuration.voters.map(({ id }) => id)
    .sort();
const joinVia = (...ids: string[]) => ({ join: { seeds: ids.map((id) => ({ id, address: id })) } });

describe('a newcomer', () => {
  it('needs its own id and one member to ask, and is let in when the operator says so', async () => {
    const { leader } = await nodes.found(['n1']);
    expect(await leader.propose(5)).toBe(5);
    const answered: string[] = [];
    const told = next(leader, 'newcomer');
    const newcomer = await nodes.open({ id: 'n2', metadata: { zone: 'b' }, ...joinVia('n1') });
    newcomer.on('joining', ({ from, answer }) => answered.push(`${from}: ${answer}`));
    expect(await told).toMatchObject({ member: { id: 'n2' }, address: 'n2', answer: 'waiting-for-operator' });
    expect(leader.status().newcomers).toMatchObject([{ id: 'n2', address: 'n2', metadata: { zone: 'b' } }]);
    expect(newcomer.status()).toMatchObject({ clusterId: null, term: 0 });

    const progress: MembershipProgress[] = [];
    const configuration = await leader.changeMembership(
      { add: [{ id: 'n2' }] },
      { onProgress: (step) => progress.push(step) },
    );
    expect(configuration.voters.map(({ id }) => id)).toEqual(['n1', 'n2']);
    expect(configuration.voters[1]).toMatchObject({ address: 'n2', metadata: { zone: 'b' } });
    expect(progress.map(({ phase }) => phase)).toEqual(
      expect.arrayContaining(['catching-up', 'joint', 'leaving-joint']),
    );
    expect(answered[0]).toBe('n1: waiting-for-operator');
    expect(leader.status()).toMatchObject({ change: null, newcomers: [] });
    expect(newcomer.status().clusterId).toBe(leader.status().clusterId);
    expect(await leader.propose(1)).toBe(6);
  });

  it('may be named before it comes: the change waits for it', async () => {
    const { leader } = await nodes.found(['n1']);
    const change = leader.changeMembership({ add: [{ id: 'n2', role: 'learner' }] });
    await nodes.open({ id: 'n2', ...joinVia('n1') });
    const { voters, learners } = await change;
    expect([voters.map(({ id }) => id), learners.map(({ id }) => id)]).toEqual([['n1'], ['n2']]);
  });

  it('that does not come in time leaves everything as it was', async () => {
    const { leader } = await nodes.found(['n1']);
    const before = leader.status().configuration;
    const change = leader.changeMembership({ add: [{ id: 'n2' }] }, { timeoutMs: 30 });
    await expect(change).rejects.toMatchObject({
      code: 'KONTIKI_MEMBERSHIP_REFUSED',
      reason: 'newcomer-not-heard',
      outcomeKnown: true,
      message: expect.stringMatching(/n2 did not ask to join: not finished within 30 ms/),
    });
    expect(leader.status().configuration).toBe(before);
  });

  it('is told by a follower whom to ask', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3']);
    const follower = followers[0];
    if (follower === undefined) throw new Error('no follower');
    const newcomer = await nodes.open({ id: 'n4', ...joinVia(follower.id) });
    const answers: unknown[] = [];
    newcomer.on('joining', (answer) => answers.push(answer));
    await leader.changeMembership({ add: [{ id: 'n4' }] });
    expect(answers[0]).toEqual({
      from: follower.id,
      answer: 'ask-leader',
      leader: { id: leader.id, address: leader.id },
    });
    expect(votersOf(newcomer)).toEqual(['n1', 'n2', 'n3', 'n4']);
  });

  it('never founds a cluster, even as the head of nobody else’s list', async () => {
    const members = [
      { id: 'n1', address: 'n1' },
      { id: 'n2', address: 'n2' },
    ];
    await nodes.open({ id: 'n2', ...joinVia('n1') });
    const founder = await nodes.open({ id: 'n1', bootstrap: { members } });
    await eventually(() => truth(founder.status().bootstrap?.notEmpty.join() === 'n2'));
    expect(founder.status().clusterId).toBeNull();
  });
});

describe('a change of the membership', () => {
  it('is refused at once, with its reason', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2']);
    await leader.propose(0);
    const reasonOf = async (change: Promise<unknown>): Promise<string> => {
      const error = await change.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(MembershipRefused);
      return (error as MembershipRefused).reason;
    };
    const follower = followers[0];
    if (follower === undefined) throw new Error('no follower');
    expect(await reasonOf(leader.changeMembership({}))).toBe('nothing-to-change');
    expect(await reasonOf(leader.changeMembership({ remove: ['n9'] }))).toBe('unknown-member');
    expect(await reasonOf(leader.changeMembership({ replace: [{ id: 'n9' }] }))).toBe('unknown-member');
    expect(await reasonOf(leader.changeMembership({ add: [{ id: 'n2' }] }))).toBe('already-member');
    expect(await reasonOf(leader.changeMembership({ demote: ['n1', 'n2'] }))).toBe('no-voters-left');
    expect(await reasonOf(leader.changeMembership({ remove: ['n2'] }, { expected: '9.9' }))).toBe(
      'configuration-changed',
    );
    expect(await reasonOf(leader.changeMembership({ add: [{ id: 'n3' }] }, { expected: '9.9' }))).toBe(
      'configuration-changed',
    );
    expect(await reasonOf(leader.abortMembershipChange())).toBe('no-change');
    const elsewhere = follower.changeMembership({ remove: ['n1'] });
    expect(await reasonOf(elsewhere)).toBe('not-leader');
    await expect(elsewhere).rejects.toMatchObject({ leader: { id: leader.id, address: leader.id } });
    expect(votersOf(leader)).toEqual(['n1', 'n2']);
  });

  it('passes the compare-and-set with the id of the configuration in force', async () => {
    const { leader } = await nodes.found(['n1', 'n2']);
    const { id } = leader.status().configuration;
    const other = leader.id === 'n1' ? 'n2' : 'n1';
    await leader.propose(0);
    const configuration = await leader.changeMembership({ demote: [other] }, { expected: id });
    expect(configuration.learners).toMatchObject([{ id: other }]);
    expect(configuration.id).not.toBe(id);
  });

  it('can be aborted while a new member does not catch up', async () => {
    const { leader } = await nodes.found(['n1']);
    await leader.propose(0);
    const stranger = { id: 'n2', address: 'nowhere', incarnation: '0123456789abcdef' };
    const change = leader.changeMembership({ add: [stranger] });
    const settled = expect(change).rejects.toBeInstanceOf(MembershipAborted);
    await eventually(() => truth(leader.status().change?.progress.phase === 'catching-up'));
    expect(leader.status().change?.progress).toMatchObject({ members: [{ id: 'n2', caughtUp: false }] });
    await expect(leader.changeMembership({ remove: ['n2'] })).rejects.toMatchObject({
      reason: 'change-in-progress',
    });
    const configuration = await leader.abortMembershipChange();
    await settled;
    expect(configuration.voters.map(({ id }) => id)).toEqual(['n1']);
    expect(configuration.learners).toEqual([]);
    expect(leader.status().change).toBeNull();
  });

  it('leaves a newcomer that was to join able to come again with its directory, started anew', async () => {
    const { leader } = await nodes.found(['n1']);
    await leader.propose(0);
    const storage = memoryStorage();
    const newcomer = await nodes.open({ id: 'n2', storage, ...joinVia('n1') });
    const stopped = next(newcomer, 'stopped');
    const stranger = { id: 'n3', address: 'nowhere', incarnation: '0123456789abcdef' };
    const change = leader.changeMembership({ add: [{ id: 'n2' }, stranger] });
    const settled = expect(change).rejects.toBeInstanceOf(MembershipAborted);
    await eventually(() => truth(newcomer.status().appliedIndex > 0));
    await leader.abortMembershipChange();
    await settled;
    expect((await stopped).error).toBeInstanceOf(Removed);
    await nodes.open({ id: 'n2', storage, ...joinVia('n1') });
    const configuration = await leader.changeMembership({ add: [{ id: 'n2' }] });
    expect(configuration.voters.map(({ id }) => id)).toEqual(['n1', 'n2']);
  });

  it('is left alone by an abort, and not begun, with a signal that is aborted already or no time to wait', async () => {
    const { leader } = await nodes.found(['n1']);
    await leader.propose(0);
    const signal = AbortSignal.abort(new Error('enough'));
    const waiting = leader.changeMembership({ add: [{ id: 'n2' }] });
    const settled = expect(waiting).rejects.toBeInstanceOf(MembershipAborted);
    await expect(leader.abortMembershipChange({ signal })).rejects.toBeInstanceOf(ProposalDropped);
    await expect(leader.changeMembership({ remove: ['n9'] }, { signal })).rejects.toThrow(
      /nothing was proposed: aborted by the caller/,
    );
    for (const timeoutMs of [Number.NaN, -1, 0, Number.POSITIVE_INFINITY]) {
      await expect(leader.abortMembershipChange({ timeoutMs })).rejects.toBeInstanceOf(RangeError);
      await expect(leader.changeMembership({ remove: ['n9'] }, { timeoutMs })).rejects.toThrow(
        /^timeoutMs: expected a positive number of milliseconds, found/,
      );
    }
    await leader.abortMembershipChange({ timeoutMs: 10_000, signal: new AbortController().signal });
    await settled;
  });

  it('that waits for a newcomer can be aborted too', async () => {
    const { leader } = await nodes.found(['n1']);
    const change = leader.changeMembership({ add: [{ id: 'n2' }] });
    const settled = expect(change).rejects.toBeInstanceOf(MembershipAborted);
    expect((await leader.abortMembershipChange()).voters).toMatchObject([{ id: 'n1' }]);
    await settled;
  });

  it('that the leader gives up for lack of progress ends as aborted', async () => {
    const { leader } = await nodes.found(['n1'], () => ({ raft: { catchUpTimeoutMs: 50 } }));
    await leader.propose(0);
    const stranger = { id: 'n2', address: 'nowhere', incarnation: '0123456789abcdef' };
    await expect(leader.changeMembership({ add: [stranger] })).rejects.toThrow(
      /the membership is as it was: n2 got no further for 50 ms/,
    );
  });

  it('goes on when its caller stops waiting, and says so', async () => {
    const { leader } = await nodes.found(['n1']);
    await leader.propose(0);
    const stranger = { id: 'n2', address: 'nowhere', incarnation: '0123456789abcdef' };
    const controller = new AbortController();
    const change = leader.changeMembership({ add: [stranger] }, { signal: controller.signal });
    await eventually(() => truth(leader.status().change !== null));
    controller.abort(new Error('enough'));
    await expect(change).rejects.toThrow(/the change of the membership goes on: aborted by the caller/);
    await expect(change).rejects.toBeInstanceOf(OutcomeUnknown);
    expect(leader.status().change).not.toBeNull();
    await leader.abortMembershipChange();
  });

  it('is in doubt when its leader is closed', async () => {
    const { leader } = await nodes.found(['n1']);
    await leader.propose(0);
    const stranger = { id: 'n2', address: 'nowhere', incarnation: '0123456789abcdef' };
    const change = leader.changeMembership({ add: [stranger] });
    const settled = expect(change).rejects.toBeInstanceOf(OutcomeUnknown);
    await eventually(() => truth(leader.status().change !== null));
    await leader.close();
    await settled;
  });

  it('replaces every member, one by one, and forgets nothing', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3']);
    let members = [leader, ...followers];
    expect(await leader.propose(5)).toBe(5);
    for (const [old, id] of [
      ['n1', 'n4'],
      ['n2', 'n5'],
      ['n3', 'n6'],
    ] as const) {
      const newcomer = await nodes.open({ id, ...joinVia(...members.map((node) => node.id)) });
      members = [...members, newcomer];
      const leading = await eventually(() => members.find((node) => node.status().role === 'leader'));
      const goes = members.find((node) => node.id === old);
      const stopped = goes === undefined ? Promise.reject(new Error('gone')) : next(goes, 'stopped');
      await eventually(() => truth(leading.status().commitIndex >= 2));
      await retrying(() => leading.changeMembership({ replace: [{ id: old, by: { id } }] }));
      expect((await stopped).error).toBeInstanceOf(Removed);
      members = members.filter((node) => node.id !== old);
    }
    const leading = await eventually(() => members.find((node) => node.status().role === 'leader'));
    expect(votersOf(leading)).toEqual(['n4', 'n5', 'n6']);
    expect(await leading.propose(1)).toBe(6);
  });
});

describe('a member that is removed', () => {
  it('stops by itself, also when it led', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3']);
    await leader.propose(1);
    const events = Promise.all([next(leader, 'removed'), next(leader, 'stopped')]);
    const configuration = await leader.changeMembership({ remove: [leader.id] });
    expect(configuration.voters.map(({ id }) => id)).not.toContain(leader.id);
    const [removed, { error }] = await events;
    expect(removed.configuration.id).toBe(configuration.id);
    expect(error).toBeInstanceOf(Removed);
    await expect(leader.propose(1)).rejects.toThrow(/the cluster does not list this replica any more/);
    const next1 = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(await next1.propose(1)).toBe(2);
  });

  it('while it was away is told when it asks', async () => {
    const storage = memoryStorage();
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], (id) =>
      id === 'n3' ? { storage } : {},
    );
    const away = [leader, ...followers].find(({ id }) => id === 'n3');
    await away?.close();
    const others = [leader, ...followers].filter((node) => node !== away);
    const leading = await eventually(() => others.find((node) => node.status().role === 'leader'));
    await leading.propose(1);
    await retrying(() => leading.changeMembership({ remove: ['n3'] }));
    const members = ['n1', 'n2', 'n3'].map((id) => ({ id, address: id }));
    const back = await nodes.open({ id: 'n3', storage, bootstrap: { members } });
    expect((await next(back, 'stopped')).error).toBeInstanceOf(Removed);
    expect(votersOf(leading)).toEqual(['n1', 'n2']);
  });
});

/** A leader that has just been elected refuses changes for a moment. */
async function retrying<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const { reason } = error as { reason?: string };
      if (reason !== 'term-not-committed' && reason !== 'change-in-progress') throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
