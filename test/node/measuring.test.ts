import { afterEach, describe, expect, it } from 'vitest';
import { nodeRandom } from '../../src/doors/node-random.ts';
import { type HistogramValue, type Metrics, RaftNode } from '../../src/index.ts';
import { memoryNetwork } from '../../src/transport/index.ts';
import { HeldStorage } from './held-storage.ts';
import { ManualClock } from './manual-clock.ts';

let node: RaftNode<string, string, string, string> | null = null;
afterEach(async () => {
  await node?.close();
  node = null;
});

/** Everything that waits for promises, and the drains that follow, until nothing moves any more. */
async function settle(clock: ManualClock): Promise<void> {
  for (let round = 0; round < 30; round += 1) {
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    clock.endTurn();
  }
}

/** One replica that leads itself, whose time and disk the test moves by hand. */
async function alone(apply: (command: string, clock: ManualClock) => string | Promise<string> = (c) => c) {
  const clock = new ManualClock();
  const storage = new HeldStorage();
  const opened = await RaftNode.open<string, string, string, string>({
    id: 'n1',
    group: 'orders',
    storage,
    transport: memoryNetwork().transport('n1'),
    stateMachine: { apply: (command) => apply(command, clock), query: () => 'answer' },
    bootstrap: { members: [{ id: 'n1', address: 'n1' }] },
    doors: { clock, random: nodeRandom() },
    pendingRequestsMax: 5,
    commandBytesMax: 100,
  });
  node = opened;
  await settle(clock);
  expect(opened.status().role).toBe('leader');
  return { clock, storage, node: opened, settled: () => settle(clock) };
}

/** Count and sum of what was observed in between; the sum in milliseconds. */
function between(before: Metrics, after: Metrics, name: keyof Metrics): [count: number, sumMs: number] {
  const [one, other] = [before[name], after[name]] as [HistogramValue, HistogramValue];
  return [other.count - one.count, Math.round((other.sum - one.sum) * 1e6) / 1e3];
}

const reasons = (samples: Metrics['raft_proposals_failed_total']): Record<string, number> =>
  Object.fromEntries(samples.map(({ labels, value }) => [labels.reason, value]));

describe('the latencies of a proposal', () => {
  it('tell the time on the disk, and count every command of a batch', async () => {
    const { clock, storage, node, settled } = await alone();
    const before = node.metrics();
    storage.holding = true;
    const results = Promise.all(['a', 'b', 'c'].map((command) => node.propose(command)));
    await settled();
    expect(node.metrics().storage_writes_pending).toBe(0);
    expect(storage.waiting).toBe(1);
    expect(between(before, node.metrics(), 'raft_commit_latency_seconds')).toEqual([0, 0]);
    clock.advance(30);
    storage.releaseAll();
    await settled();
    await results;
    const after = node.metrics();
    expect(between(before, after, 'storage_write_latency_seconds')).toEqual([1, 30]);
    expect(between(before, after, 'raft_append_latency_seconds')).toEqual([3, 90]);
    expect(between(before, after, 'raft_commit_latency_seconds')).toEqual([3, 90]);
    expect(between(before, after, 'raft_apply_latency_seconds')).toEqual([3, 0]);
    expect(between(before, after, 'raft_proposal_latency_seconds')).toEqual([3, 90]);
    // The memory storage has no disk, and says so.
    expect(between(before, after, 'storage_sync_latency_seconds')).toEqual([1, 0]);
  });

  it('tell the time within apply, and until an entry was applied', async () => {
    const { node, settled } = await alone((command, clock) => {
      clock.advance(7);
      return command;
    });
    const before = node.metrics();
    const results = Promise.all([node.propose('a'), node.propose('b')]);
    await settled();
    await results;
    const after = node.metrics();
    expect(between(before, after, 'raft_state_machine_apply_seconds')).toEqual([2, 14]);
    // Committed together, so measured together, when the second was done.
    expect(between(before, after, 'raft_apply_latency_seconds')).toEqual([2, 28]);
    expect(between(before, after, 'raft_commit_latency_seconds')).toEqual([2, 0]);
  });

  it('tell of an apply that takes its time, and meanwhile of a backlog', async () => {
    const waiting: (() => void)[] = [];
    const { clock, node, settled } = await alone(
      (command) => new Promise((resolve) => waiting.push(() => resolve(command))),
    );
    const before = node.metrics();
    const results = Promise.all([node.propose('a'), node.propose('b')]);
    await settled();
    expect(node.metrics()).toMatchObject({ raft_apply_backlog: 2, raft_proposals_pending: 2 });
    clock.advance(40);
    waiting.shift()?.();
    await settled();
    expect(node.metrics().raft_apply_backlog).toBe(1);
    clock.advance(2);
    waiting.shift()?.();
    await settled();
    await results;
    const after = node.metrics();
    expect(after).toMatchObject({ raft_apply_backlog: 0, raft_proposals_pending: 0 });
    expect(between(before, after, 'raft_state_machine_apply_seconds')).toEqual([2, 42]);
    expect(between(before, after, 'raft_apply_latency_seconds')).toEqual([2, 84]);
  });

  it('are not told of what failed', async () => {
    const { clock, storage, node, settled } = await alone();
    const before = node.metrics();
    storage.holding = true;
    const proposal = node.propose('a', { timeoutMs: 50 }).catch((error: { code: string }) => error.code);
    await settled();
    clock.advance(60);
    expect(await proposal).toBe('KONTIKI_OUTCOME_UNKNOWN');
    expect(between(before, node.metrics(), 'raft_proposal_latency_seconds')).toEqual([0, 0]);
    // It is committed all the same, and that is measured.
    storage.releaseAll();
    await settled();
    expect(between(before, node.metrics(), 'raft_commit_latency_seconds')).toEqual([1, 60]);
  });
});

describe('reads', () => {
  it('are measured and counted apart', async () => {
    const { clock, storage, node, settled } = await alone();
    const before = node.metrics();
    storage.holding = true;
    const answer = node.read('x');
    await settled();
    clock.advance(20);
    storage.releaseAll();
    await settled();
    expect(await answer).toBe('answer');
    const after = node.metrics();
    expect([after.raft_reads_total, after.raft_reads_succeeded_total, after.raft_reads_pending]).toEqual([
      1, 1, 0,
    ]);
    expect(between(before, after, 'raft_read_latency_seconds')[0]).toBe(1);
    expect(between(before, after, 'raft_proposal_latency_seconds')).toEqual([0, 0]);
    expect(after.raft_proposals_total).toBe(0);
  });
});

describe('requests', () => {
  it('that their session refused have failed, and what only tells the time is none', async () => {
    const { clock, node, settled } = await alone();
    const opening = node.session();
    await settled();
    const session = await opening;
    const gone = await node.session({ resume: { ...session.token, id: `999.${'ab'.repeat(8)}` } });
    const refused = gone.propose('too late').catch((error: unknown) => error);
    await settled();
    expect(await refused).toMatchObject({ code: 'KONTIKI_SESSION_EXPIRED' });
    const before = node.metrics();
    expect(before).toMatchObject({ raft_proposals_total: 2, raft_proposals_succeeded_total: 1 });
    expect(reasons(before.raft_proposals_failed_total)).toEqual({ 'session-expired': 1 });
    const { lastIndex } = node.status();
    for (let second = 0; second < 30; second += 1) {
      clock.advance(1000);
      await settled();
    }
    // A stamp every 5 s.
    expect(node.status().lastIndex - lastIndex).toBe(6);
    const after = node.metrics();
    expect(after).toMatchObject({
      raft_proposals_total: 2,
      raft_proposals_pending: 0,
      raft_requests_pending: 0,
    });
    expect(between(before, after, 'raft_proposal_latency_seconds')).toEqual([0, 0]);
  });

  it('are each pending, or have succeeded, or failed for a reason', async () => {
    const { clock, storage, node, settled } = await alone();
    const ends: Promise<unknown>[] = [];
    const propose = (command: string, options = {}): void => {
      ends.push(node.propose(command, options).catch((error: unknown) => error));
    };
    propose('good');
    await settled();
    storage.holding = true;
    propose('x'.repeat(200));
    propose('with no time', { timeoutMs: -1 });
    propose('given up', { timeoutMs: 10 });
    for (let i = 0; i < 5; i += 1) propose(`more ${i}`);
    await settled();
    clock.advance(20);
    const meanwhile = node.metrics();
    expect(meanwhile).toMatchObject({
      raft_proposals_total: 9,
      raft_proposals_succeeded_total: 1,
      raft_proposals_pending: 4,
      raft_requests_pending: 4,
    });
    expect(reasons(meanwhile.raft_proposals_failed_total)).toEqual({
      'proposal-dropped': 1,
      other: 1,
      'outcome-unknown': 1,
      'overloaded-pending-requests': 1,
    });
    storage.releaseAll();
    await settled();
    await node.close();
    propose('too late');
    ends.push(node.read('too late').catch((error: unknown) => error));
    await Promise.all(ends);
    const {
      raft_proposals_failed_total: failed,
      raft_reads_failed_total: failedReads,
      ...last
    } = node.metrics();
    expect(reasons(failed)).toMatchObject({ closed: 1 });
    expect(failedReads).toEqual([{ labels: { reason: 'closed' }, value: 1 }]);
    expect(last).toMatchObject({
      raft_running: 0,
      raft_is_leader: 0,
      raft_proposals_total: 10,
      raft_proposals_succeeded_total: 5,
      raft_proposals_pending: 0,
    });
  });
});

describe('a reopened storage', () => {
  it('does not make counters go back, nor what is said of it vanish', async () => {
    const { clock, storage, node, settled } = await alone();
    for (let i = 0; i < 5; i += 1) {
      const result = node.propose(`${i}`);
      await settled();
      await result;
    }
    const before = node.metrics();
    storage.holding = true;
    const lost = node.propose('lost').catch((error: { code: string }) => error.code);
    await settled();
    storage.failAll();
    for (let i = 0; i < 10; i += 1) await Promise.resolve();
    const during = node.metrics();
    expect(during.storage_failures_total).toBe(1);
    expect(during).toMatchObject({
      raft_running: 0,
      raft_is_leader: 0,
      raft_commit_index: before.raft_commit_index,
    });
    clock.advance(2_000);
    await settled();
    clock.advance(2_000);
    await settled();
    const after = node.metrics();
    expect(node.status()).toMatchObject({ boot: 2, role: 'leader' });
    expect(after.raft_running).toBe(1);
    for (const name of [
      'storage_writes_total',
      'storage_syncs_total',
      'storage_written_bytes_total',
    ] as const) {
      expect(during[name], name).toBeGreaterThanOrEqual(before[name]);
      expect(after[name], name).toBeGreaterThan(before[name]);
    }
    expect(after.storage_sync_latency_seconds.count).toBe(after.storage_syncs_total);
    await node.close();
    expect(await lost).toMatch(/KONTIKI_(PROPOSAL_DROPPED|OUTCOME_UNKNOWN)/);
  });
});
