import { Gauge, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectMetrics } from '../../src/adapters/prom-client.ts';
import { type MetricSample, type Metrics, metricCatalogue } from '../../src/index.ts';
import { type Node, Nodes } from '../node/nodes.ts';
import { histogramsOf, parsePrometheus } from './prometheus-text.ts';

/** A machine that is busy with other tests must not cost the leader its office. */
const steady = { electionTimeoutMinMs: 1_500, electionTimeoutMaxMs: 3_000 };

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

/** A node as it was: its metrics do not move between the two looks that a test takes. */
function still(node: Node): { id: string; group: string; metrics(): Metrics; asked: number } {
  const metrics = node.metrics();
  return {
    id: node.id,
    group: node.group,
    asked: 0,
    metrics() {
      this.asked += 1;
      return metrics;
    },
  };
}

async function three() {
  const { leader, nodes: all, followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
  for (let i = 0; i < 20; i += 1) await leader.propose(1).catch(() => {});
  await followers[0]?.propose(1).catch(() => {});
  return all.map(still);
}

describe('a registry of prom-client', () => {
  it('has every metric of every node, with the type, help and values of the snapshot', async () => {
    const all = await three();
    const registry = new Registry();
    collectMetrics({ registry, nodes: all });
    const families = parsePrometheus(await registry.metrics());
    expect([...families.keys()]).toEqual(Object.keys(metricCatalogue));
    for (const family of families.values()) {
      const definition = metricCatalogue[family.name as keyof Metrics];
      expect([family.type, family.help]).toEqual([definition.kind, definition.help]);
      if (definition.kind === 'histogram') {
        const expected = all.map((node) => ({
          labels: { replica: node.id, group: 'default' },
          ...wholeOf(node, family.name),
        }));
        expect(histogramsOf(family).map(({ buckets: _, ...rest }) => rest)).toEqual(expected);
        continue;
      }
      const expected = all.flatMap((node) =>
        samplesOf(node.metrics(), family.name).map(({ labels, value }) => ({
          name: family.name,
          labels: { replica: node.id, group: 'default', ...labels },
          value,
        })),
      );
      expect(family.samples).toEqual(expected);
    }
  });

  it('asks each node once for one scrape, and again for the next', async () => {
    const all = await three();
    const registry = new Registry();
    collectMetrics({ registry, nodes: all });
    expect(all.map(({ asked }) => asked)).toEqual([0, 0, 0]);
    await registry.metrics();
    expect(all.map(({ asked }) => asked)).toEqual([1, 1, 1]);
    await registry.metrics();
    expect(all.map(({ asked }) => asked)).toEqual([2, 2, 2]);
  });

  it('follows nodes that come and go', async () => {
    const all = await three();
    const registry = new Registry();
    let present = all.slice(0, 1);
    collectMetrics({ registry, nodes: () => present });
    const replicas = async () => {
      const terms = parsePrometheus(await registry.metrics()).get('raft_term')?.samples ?? [];
      return terms.map(({ labels }) => labels.replica);
    };
    expect(await replicas()).toEqual(['n1']);
    present = all.slice(1);
    expect(await replicas()).toEqual(['n2', 'n3']);
    present = [];
    expect(await replicas()).toEqual([]);
  });

  it('takes default labels, other metrics, a reset and JSON beside', async () => {
    const all = await three();
    const registry = new Registry();
    registry.setDefaultLabels({ zone: 'a' });
    collectMetrics({ registry, nodes: all });
    new Gauge({ name: 'my_gauge', help: 'Mine.', registers: [registry] }).set(5);
    registry.resetMetrics();
    const families = parsePrometheus(await registry.metrics());
    expect(families.get('my_gauge')?.samples[0]?.value).toBe(0);
    expect(families.get('raft_commit_index')?.samples[0]).toMatchObject({
      labels: { zone: 'a', replica: 'n1' },
      value: all[0]?.metrics().raft_commit_index,
    });
    const asJson = await registry.getMetricsAsJSON();
    expect(asJson.map(({ name }) => name)).toEqual([...Object.keys(metricCatalogue), 'my_gauge']);
  });

  it('of the OpenMetrics format gets its names', async () => {
    const all = await three();
    const registry = new Registry();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    collectMetrics({ registry, nodes: all });
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const text = await registry.metrics();
      expect(text).toMatch(/^# TYPE raft_proposals counter$/m);
      expect(text).toMatch(/^raft_proposals_total\{replica="n1",group="default"\} \d+$/m);
      expect(text).toMatch(/^raft_term\{replica="n1",group="default"\} \d+$/m);
      expect(text).toMatch(
        /^raft_commit_latency_seconds_bucket\{replica="n1",group="default",le="\+Inf"\} \d+$/m,
      );
      expect(text.endsWith('# EOF\n')).toBe(true);
    }
  });

  it('is refused when it has one of the names already, and is left as it was', async () => {
    const registry = new Registry();
    new Gauge({ name: 'raft_term', help: 'Not ours.', registers: [registry] });
    expect(() => collectMetrics({ registry, nodes: [] })).toThrow(/the registry has raft_term already/);
    expect(registry.getMetricsAsArray()).toHaveLength(1);
    const own = new Registry();
    collectMetrics({ registry: own, nodes: [] });
    expect(() => collectMetrics({ registry: own, nodes: [] })).toThrow(
      /call collectMetrics once, with all nodes/,
    );
  });
});

function samplesOf(metrics: Metrics, name: string): readonly MetricSample[] {
  const value: unknown = metrics[name as keyof Metrics];
  if (value === null) return [];
  return typeof value === 'number' ? [{ labels: {}, value }] : (value as MetricSample[]);
}

function wholeOf(node: { metrics(): Metrics }, name: string): { count: number; sum: number } {
  const { count, sum } = node.metrics()[name as 'raft_commit_latency_seconds'];
  return { count, sum };
}
