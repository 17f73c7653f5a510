import { afterEach, describe, expect, it } from 'vitest';
import {
  Closed,
  InvalidOptions,
  NotLeader,
  StepDownRefused,
  TooStale,
  TransferFailed,
} from '../../src/index.ts';
import { HeldStorage } from './held-storage.ts';
import { eventually, type Node, Nodes, Total } from './nodes.ts';

const nodes = new Nodes();
afterEach(() => nodes.close());

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe('reads', () => {
  it('are served by every replica, and see what was acknowledged before', async () => {
    const { leader, nodes: all } = await nodes.found(['a', 'b', 'c']);
    for (let total = 1; total <= 20; total += 1) {
      await leader.propose(1);
      expect(await Promise.all(all.map((node) => node.read('total')))).toEqual([total, total, total]);
    }
    const { lastIndex } = leader.status();
    await Promise.all(all.map((node) => node.read('total')));
    expect(leader.status().lastIndex).toBe(lastIndex);
  });

  it('by a lease are served by every replica too, where clocks have a bound', async () => {
    const { leader, nodes: all } = await nodes.found(['a', 'b', 'c'], () => ({
      readConsistency: 'lease',
      raft: { clockDriftMaxRatio: 0.1 },
    }));
    for (let total = 1; total <= 20; total += 1) {
      await leader.propose(1);
      expect(await Promise.all(all.map((node) => node.read('total')))).toEqual([total, total, total]);
    }
  });

  it('by a lease are refused where they have none, in open and in the call', async () => {
    const { leader } = await nodes.found(['a', 'b', 'c']);
    expect(await outcome(leader.read('total', { consistency: 'lease' }))).toBeInstanceOf(InvalidOptions);
    expect(await outcome(nodes.open({ id: 'd', readConsistency: 'lease' }))).toMatchObject({
      mistakes: [expect.stringContaining('needs raft.clockDriftMaxRatio')],
    });
  });

  it('that are local prove how stale they may be', async () => {
    const { followers } = await nodes.found(['a', 'b', 'c']);
    const [follower] = followers;
    if (follower === undefined) throw new Error('no follower');
    const proven = await eventually(() => follower.status().stalenessMs ?? undefined);
    expect(proven).toBeGreaterThanOrEqual(0);
    await eventually(() => ((follower.status().stalenessMs ?? 1e9) < 500 ? true : undefined));
    expect(await follower.read('total', { consistency: 'local', maxStalenessMs: 10_000 })).toBe(0);
    expect(await outcome(follower.read('total', { consistency: 'local', maxStalenessMs: 0 }))).toBeInstanceOf(
      TooStale,
    );
  });

  it('on a replica that reaches no leader end in time, and say why', async () => {
    const lonely = await nodes.open({
      id: 'a',
      bootstrap: {
        members: [
          { id: 'a', address: 'a' },
          { id: 'b', address: 'b' },
        ],
      },
    });
    const error = await outcome(lonely.read('total', { timeoutMs: 50 }));
    expect(error).toMatchObject({
      code: 'KONTIKI_READ_FAILED',
      message: expect.stringContaining('no leader is known'),
    });
    expect(await lonely.read('total', { consistency: 'local' })).toBe(0);
  });
});

describe('a proposal while no leader is known', () => {
  it('fails at once, or waits for one, as asked', async () => {
    const members = ['a', 'b'].map((id) => ({ id, address: id }));
    const first = await nodes.open({ id: 'a', bootstrap: { members } });
    expect(await outcome(first.propose(1))).toMatchObject({ code: 'KONTIKI_NOT_LEADER', leader: null });
    const waiting = outcome(first.propose(1, { whenNoLeader: 'wait' }));
    const second = await nodes.open({ id: 'b', bootstrap: { members } });
    const answer = await waiting;
    // Whoever of the two was elected.
    if (answer === 1) expect(first.status().role).toBe('leader');
    else expect(answer).toMatchObject({ code: 'KONTIKI_NOT_LEADER', leader: { id: 'b', address: 'b' } });
    expect(second.status().leader).not.toBeNull();
  });
});

describe('handing over leadership', () => {
  it('goes to whom it was asked for, and proposals made meanwhile are answered', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    const [target] = followers;
    if (target === undefined) throw new Error('no follower');
    await leader.propose(1);
    const asked = leader.transferLeadership(target.id);
    const meanwhile = outcome(leader.propose(1));
    expect(await asked).toEqual({ id: target.id, address: target.id });
    expect(target.status().role).toBe('leader');
    const answer = await meanwhile;
    if (answer !== 2) expect(answer).toBeInstanceOf(NotLeader);
    expect(await target.propose(10)).toBe(answer === 2 ? 12 : 11);
  });

  it('goes to the fittest where nobody is named', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    const next = await leader.transferLeadership();
    expect(followers.map(({ id }) => id)).toContain(next.id);
  });

  it('is refused at once, with the reason', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    const reason = async (node: Node, to?: string): Promise<unknown> => {
      const error = await outcome(node.transferLeadership(to));
      expect(error).toBeInstanceOf(TransferFailed);
      return (error as TransferFailed).reason;
    };
    expect(await reason(leader, leader.id)).toBe('already-leader');
    expect(await reason(leader, 'x')).toBe('not-a-voter');
    for (const follower of followers) expect(await reason(follower, leader.id)).toBe('not-leader');
    expect(leader.status().role).toBe('leader');
  });

  it('to one that is gone ends in time, and the leader goes on', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    const [gone] = followers;
    if (gone === undefined) throw new Error('no follower');
    await gone.close();
    await leader.propose(1);
    const asked = outcome(leader.transferLeadership(gone.id));
    const held = leader.propose(1);
    expect(await asked).toMatchObject({
      code: 'KONTIKI_TRANSFER_FAILED',
      reason: 'timed-out',
      outcomeKnown: false,
    });
    expect(await held).toBe(2);
    expect(leader.status().role).toBe('leader');
  });

  it('comes before the end of a leader that is closed', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    await leader.propose(1);
    const reasons: string[] = [];
    for (const node of followers) node.on('role-changed', ({ reason }) => reasons.push(reason));
    const closing = leader.close();
    expect(await outcome(leader.propose(1))).toBeInstanceOf(Closed);
    await closing;
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(await next.propose(1)).toBe(2);
    expect(reasons).toContain(`${leader.id} hands over`);
  });

  it('that is under way is what a leader that is closed waits for', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    await leader.propose(1);
    // Not whom it would choose by itself.
    const target = followers.at(-1);
    if (target === undefined) throw new Error('no follower');
    const campaigns: string[] = [];
    target.on('role-changed', ({ role, reason }) => campaigns.push(`${role}: ${reason}`));
    const asked = outcome(leader.transferLeadership(target.id));
    await leader.close();
    await asked;
    await eventually(() => (followers.some((node) => node.status().role === 'leader') ? true : undefined));
    expect(campaigns).toContain(`candidate: ${leader.id} hands over`);
  });
});

describe('stepping down', () => {
  it('makes another lead', async () => {
    const { leader, followers } = await nodes.found(['a', 'b', 'c']);
    leader.stepDown();
    expect(leader.status().role).toBe('follower');
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(() => leader.stepDown()).toThrow(NotLeader);
    expect(await next.propose(1)).toBe(1);
  });

  it('is refused by the only voter', async () => {
    const { leader } = await nodes.found(['a']);
    expect(() => leader.stepDown()).toThrow(StepDownRefused);
    expect(await leader.propose(1)).toBe(1);
  });
});

describe('a leader that stands still', () => {
  it('because its disk hangs hands over, and stays away until it is answered', async () => {
    const disks = new Map(['a', 'b', 'c'].map((id) => [id, new HeldStorage()]));
    const { leader, followers } = await nodes.found([...disks.keys()], (id) => ({
      storageStallMs: 300,
      storage: disks.get(id) ?? new HeldStorage(),
    }));
    const disk = disks.get(leader.id) ?? new HeldStorage();
    await leader.propose(1);
    const stalled: unknown[] = [];
    leader.on('stalled', (event) => stalled.push(event.what));
    disk.holding = true;
    // The others commit it without the leader's disk.
    expect(await leader.propose(1)).toBe(2);
    // The process stands still for so long that no core trusts its clock: what was acknowledged stays acknowledged.
    standStill(700);
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(stalled).toEqual(['storage']);
    expect(await next.propose(1)).toBe(3);
    const answered = new Promise((resolve) => leader.once('stall-ended', resolve));
    disk.releaseAll();
    await answered;
    await eventually(() => (leader.status().appliedIndex === next.status().appliedIndex ? true : undefined));
  });

  it('because a command does not end hands over, and the others go on', async () => {
    const release: (() => void)[] = [];
    class Sticky extends Total {
      sticks = false;
      override apply(amount: number): number {
        if (amount !== 7 || !this.sticks) return super.apply(amount);
        // Typed as a number by its parent; the node takes a promise as well.
        return new Promise<number>((resolve) =>
          release.push(() => resolve(super.apply(amount))),
        ) as unknown as number;
      }
    }
    const machines = new Map<string, Sticky>();
    const { leader, followers } = await nodes.found(['a', 'b', 'c'], (id) => {
      const machine = new Sticky();
      machines.set(id, machine);
      return { applyStallMs: 300, stateMachine: machine };
    });
    await leader.propose(1);
    const machine = machines.get(leader.id);
    if (machine === undefined) throw new Error('no machine');
    machine.sticks = true;
    const stuck = outcome(leader.propose(7));
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(await next.propose(1)).toBe(9);
    expect(leader.status().role).toBe('follower');
    for (const resolve of release.splice(0)) resolve();
    expect(await stuck).toBe(8);
    await eventually(() => (leader.status().appliedIndex === next.status().appliedIndex ? true : undefined));
  });
});

function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
