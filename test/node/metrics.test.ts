import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MetricSample, type Metrics, metricCatalogue, snapshotPolicy } from '../../src/index.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { HeldStorage } from './held-storage.ts';
import { eventually, type Node, Nodes, next, Total, truth } from './nodes.ts';
import { emptyHead } from './sessions/snapshot-bytes.ts';

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

/** A machine that is busy with other tests must not cost the leader its office. */
const steady = { electionTimeoutMinMs: 1_500, electionTimeoutMaxMs: 3_000 };

const of = (samples: readonly MetricSample[], peer: string): number | undefined =>
  samples.find(({ labels }) => labels.peer === peer)?.value;

/** The link between the two is cut, or healed, both ways. */
function between(one: Node, other: Node, act: 'cut' | 'heal'): void {
  nodes.network[act]({ from: one.id, to: other.id });
  nodes.network[act]({ from: other.id, to: one.id });
}

async function proposeOnes(node: Node, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await node.propose(1);
}

describe('the metrics of a cluster', () => {
  it('are all of the catalogue on every replica, each of its shape', async () => {
    const { nodes: all } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    for (const node of all) {
      const metrics = node.metrics();
      expect(Object.keys(metrics).sort()).toEqual(Object.keys(metricCatalogue).sort());
      for (const [name, definition] of Object.entries(metricCatalogue)) {
        const value = metrics[name as keyof Metrics];
        if ('labels' in definition) {
          const samples = value as readonly MetricSample[];
          for (const sample of samples) expect(Object.keys(sample.labels), name).toEqual(definition.labels);
        } else if (definition.kind === 'histogram')
          expect(value, name).toMatchObject({ count: expect.any(Number) });
        else if (value === null) expect(definition, name).toHaveProperty('sometimes');
        else expect(value, name).toEqual(expect.any(Number));
      }
    }
  });

  it('tell of the peers on the leader alone, and when a quorum last confirmed it', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    await proposeOnes(leader, 3);
    await eventually(() => truth(leader.metrics().raft_peer_match_lag.every(({ value }) => value === 0)));
    const metrics = leader.metrics();
    const ids = followers.map(({ id }) => id).sort();
    for (const name of [
      'raft_peer_match_lag',
      'raft_peer_inflight_messages',
      'raft_peer_inflight_bytes',
      'raft_peer_contact_age_seconds',
      'raft_peer_mode',
    ] as const) {
      expect(metrics[name].map(({ labels }) => labels.peer).sort(), name).toEqual(ids);
    }
    expect(metrics.raft_peer_mode.map(({ labels }) => labels.mode)).toEqual(['replicate', 'replicate']);
    expect(metrics.raft_peer_snapshot_size_bytes).toEqual([]);
    // Once it was older, it would lead no more.
    expect(metrics.raft_quorum_confirmed_age_seconds).toBeLessThan(1.5);
    for (const follower of followers) {
      const told = follower.metrics();
      expect(told).toMatchObject({ raft_is_leader: 0, raft_leader_known: 1, raft_peer_match_lag: [] });
      expect(told.raft_quorum_confirmed_age_seconds).toBeNull();
    }
  });

  it('show which follower lags, by how much, and that it is back', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    const [away, near] = followers;
    if (away === undefined || near === undefined) throw new Error('no followers');
    await proposeOnes(leader, 1);
    await eventually(() => truth(leader.metrics().raft_peer_match_lag.every(({ value }) => value === 0)));
    for (const other of [leader, near]) between(away, other, 'cut');
    await proposeOnes(leader, 40);
    await eventually(() => truth(of(leader.metrics().raft_peer_match_lag, near.id) === 0));
    const cut = leader.metrics();
    expect(of(cut.raft_peer_match_lag, away.id)).toBe(40);
    expect(cut.raft_last_index - away.metrics().raft_durable_index).toBe(40);
    const dropped = cut.transport_messages_dropped_total.find(
      ({ labels }) => labels.reason === 'disconnected',
    );
    expect(dropped?.value).toBeGreaterThan(0);
    await eventually(() => truth((of(leader.metrics().raft_peer_contact_age_seconds, away.id) ?? 0) > 0.2));
    await eventually(() => truth(away.metrics().raft_leader_known === 0));
    for (const other of [leader, near]) between(away, other, 'heal');
    await eventually(() => truth(leader.metrics().raft_peer_match_lag.every(({ value }) => value === 0)));
    expect(of(leader.metrics().raft_peer_inflight_bytes, away.id)).toBe(0);
    await eventually(() => truth((of(leader.metrics().raft_peer_contact_age_seconds, away.id) ?? 9) < 0.2));
    await eventually(() => truth(away.metrics().raft_apply_latency_seconds.count >= 40));
  });

  it('count as lag what is not durable there, committed or not', async () => {
    const storages = new Map(['n1', 'n2', 'n3'].map((id) => [id, new HeldStorage()]));
    const options = (id: string) => ({ raft: steady, storage: storages.get(id) ?? new HeldStorage() });
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], options);
    await leader.propose(1);
    await eventually(() => truth(leader.metrics().raft_peer_match_lag.every(({ value }) => value === 0)));
    const before = leader.metrics();
    for (const { id } of followers) (storages.get(id) ?? new HeldStorage()).holding = true;
    const result = leader.propose(1);
    const { count } = before.raft_append_latency_seconds;
    await eventually(() => truth(leader.metrics().raft_append_latency_seconds.count > count));
    const meanwhile = leader.metrics();
    expect(meanwhile.raft_peer_match_lag.map(({ value }) => value)).toEqual([1, 1]);
    expect(meanwhile.raft_peer_inflight_messages.map(({ value }) => value)).toEqual([1, 1]);
    expect(meanwhile.raft_peer_inflight_bytes.map(({ value }) => value)).toEqual([17, 17]);
    expect(meanwhile).toMatchObject({
      raft_commit_index: before.raft_commit_index,
      raft_uncommitted_bytes: 17,
    });
    const grown = (
      name: 'raft_append_latency_seconds' | 'raft_commit_latency_seconds',
      now: Metrics,
    ): number => now[name].count - before[name].count;
    expect(grown('raft_append_latency_seconds', meanwhile)).toBe(1);
    expect(grown('raft_commit_latency_seconds', meanwhile)).toBe(0);
    for (const { id } of followers) storages.get(id)?.releaseAll();
    expect(await result).toBe(2);
    expect(grown('raft_commit_latency_seconds', leader.metrics())).toBe(1);
  });

  it('show no peers any more once the leader has stopped by itself', async () => {
    const stateMachine = {
      apply: (amount: number): number => {
        if (amount === 13) throw new Error('no such account');
        return amount;
      },
      query: () => 0,
    };
    const { leader } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady, stateMachine }));
    const stopped = next(leader, 'stopped');
    await leader.propose(13).catch(() => {});
    await stopped;
    expect(leader.metrics()).toMatchObject({
      raft_running: 0,
      raft_is_leader: 0,
      raft_leader_known: 0,
      raft_peer_match_lag: [],
      raft_quorum_confirmed_age_seconds: null,
    });
  });

  it('count refused proposals of a follower by their reason, and nothing else of them', async () => {
    const { followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    const [follower] = followers;
    if (follower === undefined) throw new Error('no follower');
    await expect(follower.propose(1)).rejects.toMatchObject({ code: 'KONTIKI_NOT_LEADER' });
    expect(follower.metrics()).toMatchObject({
      raft_proposals_total: 1,
      raft_proposals_pending: 0,
      raft_proposals_failed_total: [{ labels: { reason: 'not-leader' }, value: 1 }],
      raft_append_latency_seconds: { count: 0 },
    });
  });

  it('show a snapshot on its way, on both sides', async () => {
    const storages = new Map(['n1', 'n2', 'n3'].map((id) => [id, memoryStorage()]));
    const options = (id: string) => ({
      snapshots: snapshotPolicy({ entries: 10, keepEntries: 2 }),
      storage: storages.get(id) ?? memoryStorage(),
      // Three digits behind the table of sessions: three chunks, of which one goes every 100 ms.
      raft: {
        ...steady,
        snapshotChunkBytes: 16,
        snapshotChunksInflightMax: 1,
        snapshotBytesPerSecondMax: 160,
      },
    });
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], options);
    const [away] = followers;
    if (away === undefined) throw new Error('no follower');
    await away.close();
    const held = away.status().lastIndex;
    await leader.propose(100);
    await proposeOnes(leader, 30);
    await eventually(() => truth(leader.metrics().raft_floor_index > held));
    const members = ['n1', 'n2', 'n3'].map((id) => ({ id, address: id }));
    const back = await nodes.open({
      ...options(away.id),
      id: away.id,
      bootstrap: { members },
      stateMachine: new Total(),
    });
    const [half, received] = await eventually(() => {
      const sending = leader.metrics();
      const receiving = back.metrics();
      const acknowledged = of(sending.raft_peer_snapshot_acknowledged_bytes, back.id) ?? 0;
      const written = receiving.raft_snapshot_received_bytes ?? 0;
      return acknowledged > 0 && written > 0 ? [sending, receiving] : undefined;
    });
    const size = emptyHead.length + 3;
    expect(half?.raft_snapshot_transfers).toBe(1);
    expect(half?.raft_peer_mode.find(({ labels }) => labels.peer === back.id)?.labels.mode).toBe('snapshot');
    expect(of(half?.raft_peer_snapshot_size_bytes ?? [], back.id)).toBe(size);
    expect(of(half?.raft_peer_snapshot_acknowledged_bytes ?? [], back.id)).toBeLessThan(size);
    expect(received).toMatchObject({ raft_snapshot_receiving: 1, raft_snapshot_receiving_size_bytes: size });
    await eventually(() => truth(back.metrics().raft_snapshots_installed_total === 1));
    await eventually(() => truth(of(leader.metrics().raft_peer_match_lag, back.id) === 0));
    expect(back.metrics()).toMatchObject({
      raft_snapshot_receiving: 0,
      raft_snapshot_received_bytes: null,
      raft_snapshot_receiving_size_bytes: null,
    });
    expect(leader.metrics().raft_peer_snapshot_size_bytes).toEqual([]);
    // What came in the snapshot was not applied here, and is not said to have been.
    const { raft_apply_latency_seconds: applied, raft_snapshot_index, raft_applied_index } = back.metrics();
    expect(applied.count).toBeLessThanOrEqual(raft_applied_index - raft_snapshot_index + held);
  });
});
