import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { OutcomeUnknown, SessionExpired } from '../../src/index.ts';
import { fileStorage, memoryStorage } from '../../src/storage/index.ts';
import { eventually, type Node, Nodes, Total, truth } from './nodes.ts';

const nodes = new Nodes();
afterEach(() => nodes.close());

const ids = ['n1', 'n2', 'n3'];
const members = ids.map((id) => ({ id, address: id }));
const alone = { id: 'n1', bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };

async function isolate(one: Node, others: readonly Node[], how: 'cut' | 'heal'): Promise<void> {
  for (const { id } of others) {
    nodes.network[how]({ from: one.id, to: id });
    nodes.network[how]({ from: id, to: one.id });
  }
}

describe('6.3: "a command may be executed multiple times" when its client retries at a new leader', () => {
  it('without a session it is: the leader lost its office after it had replicated the command', async () => {
    const machines = new Map(ids.map((id) => [id, new Total()]));
    const { leader, followers } = await nodes.found(ids, (id) => ({
      stateMachine: machines.get(id) as Total,
    }));
    const aborted = new AbortController();
    const lost = leader.propose(10, { signal: aborted.signal });
    await eventually(() => truth(followers.every(({ id }) => machines.get(id)?.total === 10)));
    aborted.abort();
    await lost.catch(() => {});
    await leader.close();
    const successor = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(await successor.propose(10)).toBe(20);
  });

  it('in a session it is executed once, and the retry is answered with the first result', async () => {
    const machines = new Map(ids.map((id) => [id, new Total()]));
    const { leader, followers } = await nodes.found(ids, (id) => ({
      stateMachine: machines.get(id) as Total,
    }));
    const session = await leader.session();
    const { token } = session;
    await session.propose(10);
    await eventually(() => truth(followers.every(({ id }) => machines.get(id)?.total === 10)));
    // The answer never reached the client: it goes by what it knew before.
    await leader.close();
    const successor = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    await successor.propose(1_000);
    const resumed = await successor.session({ resume: { ...token, nextSequence: 2, unanswered: [1] } });
    expect(await resumed.retry(10)).toBe(10);
    expect(machines.get(successor.id)?.total).toBe(1_010);
  });

  it('in a session it is executed by the retry when the first attempt was lost, and the first is overwritten', async () => {
    const machines = new Map(ids.map((id) => [id, new Total()]));
    const { leader, followers } = await nodes.found(ids, (id) => ({
      stateMachine: machines.get(id) as Total,
    }));
    const session = await leader.session();
    await isolate(leader, followers, 'cut');
    const first = session.propose(10, { timeoutMs: 100 });
    await expect(first).rejects.toBeInstanceOf(OutcomeUnknown);
    const successor = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    const resumed = await successor.session({ resume: session.token });
    expect(await resumed.retry(10)).toBe(10);
    await isolate(leader, followers, 'heal');
    // And once more at whoever leads: every answer is the first result.
    await eventually(() => truth(leader.status().appliedIndex === successor.status().appliedIndex));
    const again = await successor.session({ resume: session.token });
    expect(await again.retry(10)).toBe(10);
    await eventually(() => truth(leader.status().appliedIndex === successor.status().appliedIndex));
    expect([...machines.values()].map(({ total }) => total)).toEqual([10, 10, 10]);
  });
});

describe('6.3: "each client is given a unique identifier"', () => {
  it('by the entry that opens its session; an identifier is never given again', async () => {
    const node = await nodes.open(alone);
    await node.waitForLeader();
    const opened = new Set<string>();
    for (let i = 0; i < 5; i += 1) {
      const session = await node.session();
      opened.add(session.id);
      await session.close();
    }
    expect(opened.size).toBe(5);
  });
});

describe('6.3: "the server tracks the latest serial number processed, along with the response"', () => {
  it('and does so again after a restart of everything, from the log and from a snapshot alike', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kontiki-sessions-'));
    try {
      const open = () =>
        Promise.all(
          ids.map((id) =>
            nodes.open({
              id,
              bootstrap: { members },
              storage: fileStorage({ directory: join(directory, id) }),
              stateMachine: new Total(),
            }),
          ),
        );
      const leading = (all: readonly Node[]) =>
        eventually(() => all.find((node) => node.status().role === 'leader'));
      let all = await open();
      let leader = await leading(all);
      const session = await leader.session();
      expect(await session.propose(10)).toBe(10);
      const token = { ...session.token, unanswered: [1] };
      await leader.propose(1_000);
      for (const withSnapshot of [false, true]) {
        if (withSnapshot) await Promise.all(all.map((node) => node.snapshot()));
        await nodes.close();
        all = await open();
        leader = await leading(all);
        const resumed = await leader.session({ resume: token });
        expect(await resumed.retry(10)).toBe(10);
        expect(await leader.read('total')).toBe(1_010);
      }
    } finally {
      await nodes.close();
      await rm(directory, { recursive: true });
    }
  });
});

describe('6.3: "concurrent requests from a single client"', () => {
  it('are told apart by their numbers; the lowest without a response lets go of the results below it', async () => {
    const node = await nodes.open(alone);
    await node.waitForLeader();
    const session = await node.session();
    const before = session.token;
    await Promise.all([session.propose(1), session.propose(2), session.propose(3)]);
    const kept = node.metrics().raft_session_result_bytes ?? 0;
    expect(kept).toBeGreaterThan(0);
    const resumed = await node.session({ resume: { ...before, nextSequence: 4, unanswered: [1, 2, 3] } });
    const results = await Promise.all([3, 1, 2].map((n) => resumed.retry(n, { sequence: n })));
    expect(results).toEqual([6, 1, 3]);
    await resumed.propose(4);
    expect(node.metrics().raft_session_result_bytes).toBeLessThan(kept);
    const late = await node.session({ resume: { ...before, nextSequence: 4, unanswered: [1, 2, 3] } });
    await expect(late.retry(1, { sequence: 1 })).rejects.toMatchObject({ reason: 'acknowledged' });
    expect(await node.read('total')).toBe(10);
  });
});

describe('6.3: "servers must agree on when to expire a client\'s session"', () => {
  it('by number: the least recently active is evicted by the entry that opens one too many', async () => {
    const node = await nodes.open({ ...alone, sessionsMax: 2 });
    await node.waitForLeader();
    const first = await node.session();
    const second = await node.session();
    await first.propose(1);
    await node.session();
    await expect(second.propose(1)).rejects.toMatchObject({ reason: 'session-gone', outcomeKnown: true });
    expect(await first.propose(1)).toBe(2);
    expect(node.metrics()).toMatchObject({ raft_sessions: 2, raft_sessions_evicted_total: 1 });
  });

  it('by time, which the leader writes into the log also when nobody sends anything', async () => {
    const { nodes: all, leader } = await nodes.found(ids, () => ({ sessionTimeoutMs: 300 }));
    const from = performance.now();
    await leader.session();
    await eventually(() => truth(all.every((node) => node.status().sessions === 0)));
    expect(performance.now() - from).toBeGreaterThanOrEqual(300);
    for (const node of all) expect(node.metrics().raft_sessions_expired_total).toBe(1);
    // Without sessions nothing more is written, whoever looks and however often.
    const { lastIndex } = leader.status();
    await leader.read('total');
    expect(leader.status().lastIndex).toBe(lastIndex);
  });
});

describe('6.3: "an active client whose session was expired" must not have its retry taken for new', () => {
  it('it gets an error that says what is not known, and the command is not executed', async () => {
    const stateMachine = new Total();
    const node = await nodes.open({ ...alone, stateMachine, sessionsMax: 1, storage: memoryStorage() });
    await node.waitForLeader();
    const session = await node.session();
    await session.propose(1);
    const { token } = session;
    await node.session();
    const doubtful = await node.session({ resume: { ...token, unanswered: [1] } });
    const error = await doubtful.retry(1).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SessionExpired);
    expect(error).toMatchObject({ reason: 'session-gone', outcomeKnown: false });
    expect(String(error)).toMatch(/not applied by this attempt, and an earlier one may have been/);
    expect(stateMachine.applied).toBe(1);
  });
});
