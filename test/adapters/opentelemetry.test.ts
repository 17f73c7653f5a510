import { context, type Span, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { observeMetrics, traceNodes } from '../../src/adapters/opentelemetry.ts';
import { type MetricSample, metricCatalogue } from '../../src/index.ts';
import { HeldStorage } from '../node/held-storage.ts';
import { eventually, Nodes, truth } from '../node/nodes.ts';

const alone = { id: 'n1', bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };

/** A machine that is busy with other tests must not cost the leader its office. */
const steady = { electionTimeoutMinMs: 1_500, electionTimeoutMaxMs: 3_000 };

let nodes: Nodes;
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => {
  context.disable();
});
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

describe('metrics', () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: 1e9,
    exportTimeoutMillis: 1e8,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  afterAll(() => meterProvider.shutdown());

  async function collected() {
    exporter.reset();
    await reader.forceFlush();
    const [found] = exporter.getMetrics().at(-1)?.scopeMetrics ?? [];
    return found?.metrics ?? [];
  }

  it('are all of the catalogue, with the values of the snapshot, until they are stopped', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    for (let i = 0; i < 10; i += 1) await leader.propose(1).catch(() => {});
    await followers[0]?.propose(1).catch(() => {});
    let asked = 0;
    const all = [leader, ...followers].map((node) => {
      const metrics = node.metrics();
      return {
        id: node.id,
        group: 'default',
        metrics: () => {
          asked += 1;
          return metrics;
        },
      };
    });
    const { stop } = observeMetrics({ nodes: all, meterProvider });
    expect(asked).toBe(0);
    const points = new Map((await collected()).map((one) => [one.descriptor.name, one]));
    expect(asked).toBe(3);
    for (const [name, { kind, help, ...definition }] of Object.entries(metricCatalogue)) {
      if (kind === 'histogram') continue;
      const expected = all.flatMap(({ id, metrics }) => {
        const value: unknown = metrics()[name as 'raft_term'];
        const samples =
          typeof value === 'number' ? [{ labels: {}, value }] : ((value ?? []) as unknown as MetricSample[]);
        return samples.map((sample) => ({
          attributes: { replica: id, group: 'default', ...sample.labels },
          value: sample.value,
        }));
      });
      const found = points.get(name);
      // Without a sample there is nothing to export.
      if (expected.length === 0) continue;
      expect(found?.descriptor.description, name).toBe(help);
      const unit = { seconds: 's', bytes: 'By', entries: '{entry}' }[definition.unit as string] ?? '1';
      expect(found?.descriptor.unit, name).toBe(unit);
      expect(found !== undefined && 'isMonotonic' in found && found.isMonotonic, name).toBe(
        kind === 'counter',
      );
      expect(
        found?.dataPoints.map(({ attributes, value }) => ({ attributes, value })),
        name,
      ).toEqual(expected);
    }
    const commit = leader.metrics().raft_commit_latency_seconds;
    const ofLeader = (name: string, le?: string): unknown =>
      points
        .get(`raft_commit_latency_seconds_${name}`)
        ?.dataPoints.find(({ attributes }) => attributes.replica === leader.id && attributes.le === le)
        ?.value;
    expect([ofLeader('count'), ofLeader('sum'), ofLeader('bucket', '+Inf')]).toEqual([
      commit.count,
      commit.sum,
      commit.count,
    ]);
    for (const { le, count } of commit.buckets) expect(ofLeader('bucket', String(le))).toBe(count);
    stop();
    const askedBefore = asked;
    await collected();
    expect(asked).toBe(askedBefore);
  });
});

describe('traces', () => {
  let exporter: InMemorySpanExporter;
  let provider: BasicTracerProvider;
  let stop: () => void;
  beforeEach(() => {
    exporter = new InMemorySpanExporter();
    provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    stop = traceNodes({ tracerProvider: provider }).stop;
  });
  afterEach(async () => {
    stop();
    await provider.shutdown();
  });

  const named = (name: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name);
  const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId;

  it('go from the caller through propose and commit to apply, and what apply does', async () => {
    const tracer = provider.getTracer('test');
    const seen: (Span | undefined)[] = [];
    const stateMachine = {
      apply: async (amount: number) => {
        seen.push(trace.getActiveSpan());
        await null;
        // The context goes on in what apply waits for.
        tracer.startSpan('own work').end();
        return amount;
      },
      query: () => 0,
    };
    const node = await nodes.open({ ...alone, group: 'orders', stateMachine });
    await node.waitForLeader();
    const caller = tracer.startSpan('caller');
    const result = await context.with(trace.setSpan(context.active(), caller), () => node.propose(5));
    caller.end();
    expect(result).toBe(5);
    await eventually(() => truth(named('raft.propose').length === 1));
    const [propose] = named('raft.propose');
    const [apply] = named('raft.apply');
    const [work] = named('own work');
    const { lastIndex: index, term } = node.status();
    expect(parentOf(propose)).toBe(caller.spanContext().spanId);
    expect(parentOf(apply)).toBe(propose?.spanContext().spanId);
    expect(parentOf(work)).toBe(apply?.spanContext().spanId);
    expect(seen.map((span) => span?.spanContext().spanId)).toEqual([apply?.spanContext().spanId]);
    expect(propose?.events.map(({ name }) => name)).toEqual(['raft.append', 'raft.persist', 'raft.commit']);
    expect(propose?.attributes).toEqual({
      'raft.replica': 'n1',
      'raft.group': 'orders',
      'raft.command.bytes': 1,
    });
    expect(apply?.attributes).toEqual({
      'raft.replica': 'n1',
      'raft.group': 'orders',
      'raft.index': index,
      'raft.term': term,
    });
    expect(propose?.status.code).toBe(0);
    const ended = exporter.getFinishedSpans().map(({ name }) => name);
    expect(ended.indexOf('raft.apply')).toBeLessThan(ended.indexOf('raft.propose'));
  });

  it('keep callers of one batch apart', async () => {
    const node = await nodes.open({ ...alone });
    await node.waitForLeader();
    const tracer = provider.getTracer('test');
    const callers = [1, 2, 3].map(() => tracer.startSpan('caller'));
    await Promise.all(
      callers.map((caller, i) =>
        context.with(trace.setSpan(context.active(), caller), () => node.propose(i)),
      ),
    );
    await eventually(() => truth(named('raft.propose').length === 3));
    const proposals = named('raft.propose');
    expect(proposals.map(parentOf)).toEqual(callers.map((caller) => caller.spanContext().spanId));
    expect(named('raft.apply').map(parentOf)).toEqual(proposals.map((span) => span.spanContext().spanId));
  });

  it('are made by the replica that proposed, and by no other', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    await leader.propose(1);
    const index = leader.status().lastIndex;
    await eventually(() => truth(followers.every((node) => node.status().appliedIndex >= index)));
    expect(named('raft.apply').map(({ attributes }) => attributes['raft.replica'])).toEqual([leader.id]);
  });

  it('tell why a proposal failed', async () => {
    const { followers } = await nodes.found(['n1', 'n2', 'n3'], () => ({ raft: steady }));
    await followers[0]?.propose(1).catch(() => {});
    const [propose] = named('raft.propose');
    expect(propose?.status).toMatchObject({ code: 2, message: expect.stringMatching(/not the leader/) });
    expect(propose?.events.map(({ name }) => name)).toEqual(['exception']);
  });

  it('tell why apply failed', async () => {
    const apply = (): never => {
      throw new Error('no such account');
    };
    const node = await nodes.open({ ...alone, stateMachine: { apply, query: () => 0 } });
    await node.waitForLeader();
    await node.propose(1).catch(() => {});
    expect(named('raft.apply')[0]?.status).toEqual({ code: 2, message: 'no such account' });
    await eventually(() => truth(named('raft.propose').length === 1));
    expect(named('raft.propose')[0]?.status.code).toBe(2);
  });

  it('do not take another entry at its index for the one that was proposed', async () => {
    const applied: (string | undefined)[] = [];
    const options = () => ({
      raft: steady,
      stateMachine: {
        apply: (amount: number) => {
          applied.push(trace.getActiveSpan()?.spanContext().spanId);
          return amount;
        },
        query: () => 0,
      },
    });
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], options);
    await leader.propose(1);
    await eventually(() =>
      truth(followers.every((node) => node.status().appliedIndex === leader.status().appliedIndex)),
    );
    for (const { id } of followers) {
      nodes.network.cut({ from: leader.id, to: id });
      nodes.network.cut({ from: id, to: leader.id });
    }
    exporter.reset();
    applied.length = 0;
    const lost = leader.propose(100).catch((error: { code: string }) => error.code);
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    await eventually(() => truth(next.status().commitIndex === next.status().lastIndex));
    for (const { id } of followers) {
      nodes.network.heal({ from: leader.id, to: id });
      nodes.network.heal({ from: id, to: leader.id });
    }
    expect(await lost).toBe('KONTIKI_PROPOSAL_DROPPED');
    const [propose] = named('raft.propose');
    expect(propose?.attributes['raft.replica']).toBe(leader.id);
    expect(propose?.events.map(({ name }) => name)).toEqual(['raft.append', 'raft.persist', 'exception']);
    expect(named('raft.apply')).toEqual([]);
    expect(applied).toEqual([]);
  });

  it('have a span for each read', async () => {
    const node = await nodes.open({ ...alone });
    await node.waitForLeader();
    expect(await node.read('total')).toBe(0);
    await eventually(() => truth(named('raft.read').length === 1));
    expect(named('raft.read')[0]?.attributes).toEqual({ 'raft.replica': 'n1', 'raft.group': 'default' });
  });

  it('end with what is under way when they are stopped, and nothing is traced after it', async () => {
    const storage = new HeldStorage();
    const node = await nodes.open({ ...alone, storage });
    await node.waitForLeader();
    storage.holding = true;
    const result = node.propose(1);
    await eventually(() => truth(storage.waiting === 1));
    expect(named('raft.propose')).toEqual([]);
    stop();
    expect(named('raft.propose').map(({ events }) => events.map(({ name }) => name))).toEqual([
      ['raft.append'],
    ]);
    storage.releaseAll();
    await result;
    await node.propose(1);
    expect(exporter.getFinishedSpans()).toHaveLength(1);
  });
});
