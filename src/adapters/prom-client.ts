import type { Metric, Registry } from 'prom-client';
import type { MetricDefinition } from '../metrics/catalogue.ts';
import { definitions, type MetricsSources, Snapshot } from './metrics-source.ts';

export type { MetricsSource, MetricsSources } from './metrics-source.ts';

/**
 * Tells the metrics of one or several nodes through a registry of prom-client: everything in docs/metrics.md,
 * labelled by `replica` and `group`. They are asked when the registry is, all at the same moment; between scrapes
 * nothing is done.
 *
 * ```js
 * collectMetrics({ registry, nodes: [node] });
 * response.setHeader('content-type', registry.contentType).end(await registry.metrics());
 * ```
 *
 * @param options.nodes - the nodes, each (id, group) once; or a function that is asked at each scrape, when they
 *   come and go.
 * @throws Error when the registry has metrics of these names already: one call for each registry.
 */
export function collectMetrics(options: {
  readonly registry: Registry;
  readonly nodes: MetricsSources;
}): void {
  const { registry, nodes } = options;
  const taken = definitions.filter(([name]) => registry.getSingleMetric(name) !== undefined);
  if (taken.length > 0) {
    throw new Error(
      `the registry has ${taken.map(([name]) => name).join(', ')} already; call collectMetrics once, with all nodes`,
    );
  }
  const scrape = new Scrape(nodes);
  for (const [name, definition] of definitions) {
    // What a registry asks of a metric is its name, its type and `get`.
    registry.registerMetric(new CollectedMetric(name, definition, scrape) as unknown as Metric);
  }
}

interface Value {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/** One snapshot for all metrics that are asked for in one go. */
class Scrape {
  readonly #nodes: MetricsSources;
  #snapshot: Snapshot | null = null;

  constructor(nodes: MetricsSources) {
    this.#nodes = nodes;
  }

  snapshot(): Snapshot {
    if (this.#snapshot === null) {
      this.#snapshot = new Snapshot(this.#nodes);
      queueMicrotask(() => {
        this.#snapshot = null;
      });
    }
    return this.#snapshot;
  }
}

class CollectedMetric {
  /** A registry of the OpenMetrics format takes `_total` off the name of a counter here, and puts it back itself. */
  name: string;
  readonly help: string;
  readonly type: MetricDefinition['kind'];
  readonly aggregator = 'sum';
  readonly #metric: string;
  readonly #scrape: Scrape;

  constructor(metric: string, { kind, help }: MetricDefinition, scrape: Scrape) {
    this.name = metric;
    this.help = help;
    this.type = kind;
    this.#metric = metric;
    this.#scrape = scrape;
  }

  async get(): Promise<{
    name: string;
    help: string;
    type: string;
    aggregator: string;
    values: Value[];
  }> {
    const { name, help, type, aggregator } = this;
    return {
      name,
      help,
      type,
      aggregator,
      values: type === 'histogram' ? this.#histograms() : this.#samples(),
    };
  }

  /** A registry may be told to set everything back; what a node has counted stays. */
  reset(): void {}

  #samples(): Value[] {
    return this.#scrape
      .snapshot()
      .samples(this.#metric)
      .map(({ labels, value }) => ({ labels: { ...labels }, value }));
  }

  #histograms(): Value[] {
    const bucket = `${this.#metric}_bucket`;
    return this.#scrape
      .snapshot()
      .histograms(this.#metric)
      .flatMap(({ labels, value: { count, sum, buckets } }) => [
        ...buckets.map((one) => ({
          metricName: bucket,
          labels: { ...labels, le: one.le },
          value: one.count,
        })),
        { metricName: bucket, labels: { ...labels, le: '+Inf' }, value: count },
        { metricName: `${this.#metric}_sum`, labels: { ...labels }, value: sum },
        { metricName: `${this.#metric}_count`, labels: { ...labels }, value: count },
      ]);
  }
}
