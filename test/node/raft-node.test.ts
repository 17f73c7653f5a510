import { afterEach, describe, expect, it } from 'vitest';
import {
  Closed,
  NotLeader,
  OutcomeUnknown,
  RaftNode,
  type RaftNodeOptions,
  ReadFailed,
  type StateMachine,
  StateMachineFailed,
} from '../../src/index.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { memoryNetwork } from '../../src/transport/index.ts';
import { Nodes, truth } from './nodes.ts';

type Node = RaftNode<number, number, string, number>;

class Total implements StateMachine<number, number, string, number> {
  total = 0;
  apply(amount: number): number {
    if (amount === 13) throw new Error('thirteen is not applied here');
    this.total += amount;
    return this.total;
  }
  query(): number {
    return this.total;
  }
}

const open: Node[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

const fast = { electionTimeoutMinMs: 200, electionTimeoutMaxMs: 400, heartbeatIntervalMs: 20 };

async function openNode(
  options: Partial<RaftNodeOptions<number, number, string, number>> & { id: string },
): Promise<Node> {
  const network = memoryNetwork();
  const node = await RaftNode.open<number, number, string, number>({
    storage: memoryStorage(),
    transport: network.transport(options.id),
    stateMachine: new Total(),
    raft: fast,
    ...options,
  });
  open.push(node);
  return node;
}

async function openThree(): Promise<{
  nodes: Node[];
  leader: Node;
  followers: Node[];
  network: ReturnType<typeof memoryNetwork>;
}> {
  const network = memoryNetwork();
  const members = ['n1', 'n2', 'n3'].map((id) => ({ id, address: id }));
  const nodes = await Promise.all(
    members.map(({ id, address }) =>
      openNode({ id, transport: network.transport(address), bootstrap: { members } }),
    ),
  );
  const [first] = nodes;
  if (first === undefined) throw new Error('no nodes');
  const { id } = await first.waitForLeader();
  const leader = nodes.find((node) => node.id === id);
  if (leader === undefined) throw new Error(`${id} is none of the nodes`);
  return { nodes, leader, followers: nodes.filter((node) => node !== leader), network };
}

const alone = { bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };

describe('a single replica', () => {
  it('elects itself at once and answers', async () => {
    const node = await openNode({ id: 'n1', ...alone });
    expect(await node.waitForLeader()).toEqual({ id: 'n1', address: 'n1' });
    expect(await node.propose(5)).toBe(5);
    expect(await node.read('total')).toBe(5);
    expect(node.metrics().raft_leader_changes).toBe(1);
    expect(node.status()).toMatchObject({ id: 'n1', boot: 1, state: 'running', role: 'leader' });
  });

  it('finds its log again after a restart, as a later boot of the same incarnation', async () => {
    const storage = memoryStorage();
    const before = await openNode({ id: 'n1', storage, ...alone });
    await before.waitForLeader();
    await before.propose(5);
    const { incarnation, clusterId } = before.status();
    await before.close();
    const after = await openNode({ id: 'n1', storage, ...alone });
    await after.waitForLeader();
    expect(await after.read('total')).toBe(5);
    expect(after.status()).toMatchObject({ boot: 2, incarnation, clusterId });
  });

  it('does not propose a command that is too large', async () => {
    const node = await openNode({ id: 'n1', ...alone, commandBytesMax: 4 });
    await node.waitForLeader();
    const refused = node.propose(2 ** 40);
    await expect(refused).rejects.toMatchObject({ code: 'KONTIKI_PROPOSAL_DROPPED', outcomeKnown: true });
    await expect(refused).rejects.toThrow(/the command has 9 bytes, more than commandBytesMax \(4\)/);
    expect(await node.propose(1)).toBe(1);
  });

  it('waits for a bootstrap when it is not given one', async () => {
    const node = await openNode({ id: 'n1' });
    await expect(node.propose(1)).rejects.toBeInstanceOf(NotLeader);
    await expect(node.waitForLeader({ timeoutMs: 50 })).rejects.toBeInstanceOf(ReadFailed);
    expect(node.status()).toMatchObject({ clusterId: null, role: 'follower', leader: null });
  });

  it('stops with the reason when its state machine throws', async () => {
    const node = await openNode({ id: 'n1', ...alone });
    await node.waitForLeader();
    const stopped = new Promise<{ error: Error | null }>((resolve) => node.once('stopped', resolve));
    await expect(node.propose(13)).rejects.toMatchObject({ code: 'KONTIKI_OUTCOME_UNKNOWN' });
    expect((await stopped).error).toBeInstanceOf(StateMachineFailed);
    await expect(node.propose(1)).rejects.toThrow(/the node was stopped: .*thirteen is not applied here/);
    expect(node.status().state).toBe('stopped');
  });

  it('whose state machine throws stops alone: the others elect one of themselves and serve', async () => {
    const cluster = new Nodes();
    const broken = { id: '' };
    try {
      const { nodes, leader } = await cluster.found(['n1', 'n2', 'n3'], (id) => ({
        stateMachine: {
          apply: (amount) => {
            if (amount === 13 && id === broken.id) throw new Error('thirteen');
            return amount;
          },
          query: () => 0,
        },
      }));
      broken.id = leader.id;
      await expect(leader.propose(13)).rejects.toMatchObject({ code: 'KONTIKI_OUTCOME_UNKNOWN' });
      const others = nodes.filter((node) => node !== leader);
      const next = await eventually(() => others.find((node) => node.status().role === 'leader'));
      expect(await next.propose(7)).toBe(7);
      await eventually(() =>
        truth(others.every((node) => node.status().appliedIndex === next.status().appliedIndex)),
      );
      expect(nodes.map((node) => node.status().state).sort()).toEqual(['running', 'running', 'stopped']);
    } finally {
      await cluster.close();
    }
  });

  it('tells those who wait when it is closed', async () => {
    const node = await openNode({
      id: 'n1',
      ...alone,
      stateMachine: { apply: () => new Promise(() => {}), query: () => 0 },
    });
    await node.waitForLeader();
    const proposal = node.propose(1, { timeoutMs: 60_000 });
    const settled = expect(proposal).rejects.toBeInstanceOf(OutcomeUnknown);
    await new Promise((resolve) => setImmediate(resolve));
    await node.close();
    await settled;
    await expect(node.read('total')).rejects.toBeInstanceOf(Closed);
  });

  it("survives a listener's exception, which is the listener's owner's", async () => {
    const uncaught: unknown[] = [];
    const listeners = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error));
    try {
      const node = await openNode({ id: 'n1' });
      node.on('bootstrap-waiting', () => {});
      node.on('role-changed', () => {
        throw new Error('my own mistake');
      });
      await node.close();
      const second = await openNode({ id: 'n1', ...alone });
      second.on('leader-changed', () => {
        throw new Error('my own mistake');
      });
      await second.waitForLeader();
      expect(await second.propose(2)).toBe(2);
    } finally {
      await new Promise((resolve) => setImmediate(resolve));
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener as (error: Error) => void);
    }
    expect(uncaught.every((error) => error instanceof Error && error.message === 'my own mistake')).toBe(
      true,
    );
  });
});

describe('three replicas', () => {
  it('agree, and a follower names the leader', async () => {
    const { leader, followers } = await openThree();
    expect(await leader.propose(5)).toBe(5);
    expect(await leader.propose(37)).toBe(42);
    expect(await leader.read('total')).toBe(42);
    for (const follower of followers) {
      await follower.waitForLeader();
      const refused = await follower.propose(1).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(NotLeader);
      expect((refused as NotLeader).leader).toEqual({ id: leader.id, address: leader.id });
    }
  });

  it('go on without their leader, and forget nothing', async () => {
    const { leader, followers } = await openThree();
    expect(await leader.propose(5)).toBe(5);
    await leader.close();
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(await next.propose(1)).toBe(6);
    expect(next.metrics().raft_leader_changes).toBeGreaterThanOrEqual(2);
  });

  it('put all proposals of one turn into one write', async () => {
    const { leader } = await openThree();
    await leader.propose(0);
    const before = leader.metrics().storage_writes_total;
    await Promise.all(Array.from({ length: 50 }, () => leader.propose(1)));
    expect(leader.metrics().storage_writes_total - before).toBe(1);
  });

  it('count what they do', async () => {
    const { leader } = await openThree();
    await leader.propose(1);
    const metrics = leader.metrics();
    expect(metrics.raft_applied_index).toBe(metrics.raft_commit_index);
    expect(metrics.raft_term).toBe(leader.status().term);
    expect(metrics.raft_is_leader).toBe(1);
    expect(metrics.raft_proposals_total).toBe(1);
  });
});

describe('a bootstrap', () => {
  it('waits for every listed member and says for whom', async () => {
    const network = memoryNetwork();
    const members = ['n1', 'n2', 'n3'].map((id) => ({ id, address: id }));
    const told: unknown[] = [];
    const first = await openNode({ id: 'n1', transport: network.transport('n1'), bootstrap: { members } });
    first.on('bootstrap-waiting', (waiting) => told.push(waiting));
    await openNode({ id: 'n2', transport: network.transport('n2'), bootstrap: { members } });
    await eventually(() => (first.status().bootstrap?.unanswered.join() === 'n3' ? true : undefined));
    expect(first.status().clusterId).toBeNull();
    await openNode({ id: 'n3', transport: network.transport('n3'), bootstrap: { members } });
    await first.waitForLeader();
    expect(first.status().clusterId).toMatch(/^[0-9a-f]{16}$/);
    expect(told.length).toBeGreaterThan(0);
  });

  it('by two lists with different heads founds nothing: each waits for the other', async () => {
    const network = memoryNetwork();
    const members = ['n1', 'n2'].map((id) => ({ id, address: id }));
    const [one, two] = await Promise.all([
      openNode({ id: 'n1', transport: network.transport('n1'), bootstrap: { members } }),
      openNode({
        id: 'n2',
        transport: network.transport('n2'),
        bootstrap: { members: [...members].reverse() },
      }),
    ]);
    await eventually(() => (one?.status().bootstrap?.notEmpty.join() === 'n2' ? true : undefined));
    await eventually(() => (two?.status().bootstrap?.notEmpty.join() === 'n1' ? true : undefined));
    expect([one?.status().clusterId, two?.status().clusterId]).toEqual([null, null]);
  });

  it('with an emptied disk meets someone who is not empty, and founds nothing', async () => {
    const network = memoryNetwork();
    const members = ['n1', 'n2'].map((id) => ({ id, address: id }));
    const second = await openNode({ id: 'n2', transport: network.transport('n2'), bootstrap: { members } });
    const first = await openNode({ id: 'n1', transport: network.transport('n1'), bootstrap: { members } });
    await first.waitForLeader();
    await second.waitForLeader();
    await first.close();
    const emptied = await openNode({ id: 'n1', transport: network.transport('n1'), bootstrap: { members } });
    await eventually(() => (emptied.status().bootstrap?.notEmpty.join() === 'n2' ? true : undefined));
    expect(emptied.status()).toMatchObject({ clusterId: null, term: 0 });
  });
});

async function eventually<T>(look: () => T | undefined): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > until) throw new Error('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
