import { expect, it } from 'vitest';
import { metricCatalogue } from '../../src/index.ts';
import { type Family, histogramsOf, parsePrometheus } from '../adapters/prometheus-text.ts';
import { eventually, KvCluster } from './kv-cluster.ts';
import { oneClusterATest } from './one-cluster.ts';

const WRITES = 200;

const startCluster = oneClusterATest();

/** What one replica answers to a scrape, checked against the format and the catalogue. */
class Scraped {
  readonly #families: ReadonlyMap<string, Family>;

  private constructor(families: ReadonlyMap<string, Family>) {
    this.#families = families;
  }

  static async of(running: KvCluster, id: string): Promise<Scraped> {
    const http = running.members.find((member) => member.id === id)?.http;
    const response = await fetch(`http://${http}/metrics`, { signal: AbortSignal.timeout(10_000) });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = parsePrometheus(await response.text());
    expect([...families.keys()].sort()).toEqual(Object.keys(metricCatalogue).sort());
    for (const { name, type, help, samples } of families.values()) {
      const { kind, help: expected } = metricCatalogue[name as keyof typeof metricCatalogue];
      expect([name, type, help]).toEqual([name, kind, expected]);
      for (const { labels, value } of samples) {
        expect(labels, name).toMatchObject({ replica: id, group: 'default' });
        expect(value, name).toBeGreaterThanOrEqual(0);
      }
    }
    return new Scraped(families);
  }

  /** The one value of a metric without labels. */
  value(name: string): number {
    const samples = this.#family(name).samples;
    expect(samples, name).toHaveLength(1);
    return samples[0]?.value ?? Number.NaN;
  }

  ofPeer(name: string, peer: string): number | undefined {
    return this.#family(name).samples.find(({ labels }) => labels.peer === peer)?.value;
  }

  sumOf(name: string): number {
    return this.#family(name).samples.reduce((sum, { value }) => sum + value, 0);
  }

  /** Count and sum; that its buckets agree with them was checked on the way. */
  histogram(name: string): { readonly count: number; readonly sum: number } {
    const [histogram, ...others] = histogramsOf(this.#family(name));
    if (histogram === undefined || others.length > 0) throw new Error(`${name} is not one histogram`);
    return histogram;
  }

  get counters(): Map<string, number> {
    const found = new Map<string, number>();
    for (const { name, type, samples } of this.#families.values()) {
      if (type === 'counter')
        for (const { labels, value } of samples) found.set(`${name} ${labels.reason ?? ''}`, value);
      if (type === 'histogram') found.set(name, this.histogram(name).count);
    }
    return found;
  }

  #family(name: string): Family {
    const family = this.#families.get(name);
    if (family === undefined) throw new Error(`no ${name}`);
    return family;
  }
}

/** Its own disk may be slower than those that made a quorum: waits until all of its log is durable and applied. */
function settled(running: KvCluster, id: string): Promise<Scraped> {
  return eventually('everything is durable and applied', 20_000, async () => {
    const seen = await Scraped.of(running, id);
    const last = seen.value('raft_last_index');
    const isSettled = seen.value('raft_durable_index') === last && seen.value('raft_applied_index') === last;
    // What the turn of the event loop has not looked at yet is counted with the next.
    return isSettled &&
      seen.histogram('raft_append_latency_seconds').count === seen.value('raft_proposals_total')
      ? seen
      : null;
  });
}

async function put(running: KvCluster, id: string, key: string): Promise<number> {
  const http = running.members.find((member) => member.id === id)?.http;
  const options = {
    method: 'PUT',
    body: key,
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
  } as const;
  return (await fetch(`http://${http}/keys/${key}`, options)).status;
}

it('GET /metrics of real processes tells what they do, under load and without one of them', {
  timeout: 120_000,
}, async () => {
  const running = await startCluster((directory) => KvCluster.start(directory, 'files'));
  const leader = await running.leader();
  const [follower, victim] = running.members.map(({ id }) => id).filter((id) => id !== leader);
  if (follower === undefined || victim === undefined) throw new Error('no followers');
  // Publishing the HTTP addresses changes the membership once; afterwards only this test writes.
  await eventually('the addresses are published', 20_000, async () => {
    const status = await running.status(leader);
    const published = status?.configuration.voters.every(({ metadata }) => metadata?.http !== undefined);
    return published && status?.change === null ? true : null;
  });
  await put(running, leader, 'first');
  const before = await settled(running, leader);
  const followerBefore = await Scraped.of(running, follower);

  for (let written = 0; written < WRITES; written += 20) {
    const puts = Array.from({ length: 20 }, (_, i) => put(running, leader, `k${written + i}`));
    expect(new Set(await Promise.all(puts))).toEqual(new Set([200]));
  }
  expect(await put(running, follower, 'elsewhere')).toBe(307);
  const http = running.members.find(({ id }) => id === leader)?.http;
  expect(await (await fetch(`http://${http}/keys/k0`)).text()).toBe('k0');

  const after = await settled(running, leader);
  const grown = (name: string): number => after.value(name) - before.value(name);
  const observed = (name: string): number => after.histogram(name).count - before.histogram(name).count;
  expect([
    after.value('raft_is_leader'),
    after.value('raft_running'),
    after.value('raft_leader_known'),
  ]).toEqual([1, 1, 1]);
  expect(after.value('raft_term')).toBeGreaterThan(0);
  expect(after.value('raft_leader_changes')).toBeGreaterThan(0);
  for (const name of ['raft_proposals_total', 'raft_proposals_succeeded_total'])
    expect(grown(name), name).toBe(WRITES);
  for (const name of ['raft_reads_total', 'raft_reads_succeeded_total']) expect(grown(name), name).toBe(1);
  for (const name of ['raft_commit_index', 'raft_applied_index', 'raft_last_index']) {
    expect(grown(name), name).toBeGreaterThanOrEqual(WRITES);
  }
  for (const name of [
    'raft_proposal_latency_seconds',
    'raft_append_latency_seconds',
    'raft_commit_latency_seconds',
    'raft_state_machine_apply_seconds',
  ]) {
    expect(observed(name), name).toBe(WRITES);
  }
  expect(observed('raft_apply_latency_seconds')).toBe(grown('raft_applied_index'));
  expect(observed('raft_read_latency_seconds')).toBe(1);
  expect(observed('storage_write_latency_seconds')).toBe(grown('storage_writes_total'));
  expect(observed('storage_sync_latency_seconds')).toBe(grown('storage_syncs_total'));
  // Twenty at once share their syncs.
  expect(grown('storage_syncs_total')).toBeGreaterThan(0);
  expect(grown('storage_syncs_total')).toBeLessThan(WRITES);
  // A commit contains a sync of a majority, so it takes longer than nothing, and a proposal longer than its commit.
  const meanOf = (name: string): number => {
    const [one, other] = [before.histogram(name), after.histogram(name)];
    return (other.sum - one.sum) / (other.count - one.count);
  };
  expect(meanOf('raft_commit_latency_seconds')).toBeGreaterThan(0);
  expect(meanOf('raft_proposal_latency_seconds')).toBeGreaterThan(meanOf('raft_commit_latency_seconds'));
  expect(meanOf('storage_write_latency_seconds')).toBeGreaterThanOrEqual(
    meanOf('storage_sync_latency_seconds'),
  );
  expect(after.value('raft_quorum_confirmed_age_seconds')).toBeLessThan(1);
  for (const name of [
    'raft_proposals_pending',
    'raft_requests_pending',
    'raft_apply_backlog',
    'raft_uncommitted_bytes',
  ]) {
    expect(after.value(name), name).toBe(0);
  }

  // A counter never goes back, whatever it counts.
  for (const [name, value] of before.counters)
    expect(after.counters.get(name), name).toBeGreaterThanOrEqual(value);

  // The follower applied the same, and refused what it was asked, for a reason.
  const applied = after.value('raft_applied_index');
  await eventually('the follower has applied it', 20_000, async () =>
    (await Scraped.of(running, follower)).value('raft_applied_index') >= applied ? true : null,
  );
  const told = await Scraped.of(running, follower);
  expect(told.value('raft_is_leader')).toBe(0);
  expect(told.histogram('raft_apply_latency_seconds').count).toBeGreaterThanOrEqual(
    followerBefore.histogram('raft_apply_latency_seconds').count + WRITES,
  );
  expect(told.histogram('raft_commit_latency_seconds').count).toBe(0);
  expect(
    told.sumOf('raft_proposals_failed_total') - followerBefore.sumOf('raft_proposals_failed_total'),
  ).toBe(1);
  expect(told.sumOf('raft_peer_match_lag')).toBe(0);

  // Without one of them: which one, since when, and how much it lacks.
  await running.kill(victim);
  for (let i = 0; i < 10; i += 1) expect(await put(running, leader, `later${i}`)).toBe(200);
  await eventually('the leader tells who is away', 20_000, async () => {
    const seen = await Scraped.of(running, leader);
    const lag = seen.ofPeer('raft_peer_match_lag', victim) ?? 0;
    const age = seen.ofPeer('raft_peer_contact_age_seconds', victim) ?? 0;
    return lag >= 10 && age > 0.5 && seen.ofPeer('raft_peer_match_lag', follower) === 0 ? true : null;
  });
  const away = await Scraped.of(running, leader);
  expect(away.sumOf('transport_messages_dropped_total')).toBeGreaterThan(
    after.sumOf('transport_messages_dropped_total'),
  );
  running.spawn(victim);
  await eventually('it catches up', 20_000, async () => {
    const seen = await Scraped.of(running, leader);
    return seen.ofPeer('raft_peer_match_lag', victim) === 0 ? true : null;
  });
});
