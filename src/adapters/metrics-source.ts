import {
  type MetricDefinition,
  type MetricSample,
  type Metrics,
  metricCatalogue,
} from '../metrics/catalogue.ts';
import type { HistogramValue } from '../metrics/histogram.ts';

/** Where metrics come from: any RaftNode. */
export interface MetricsSource {
  readonly id: string;
  readonly group: string;
  metrics(): Metrics;
}

/** The nodes whose metrics are told, or how to ask for those of the moment. */
export type MetricsSources = Iterable<MetricsSource> | (() => Iterable<MetricsSource>);

/** Every metric that there is. */
export const definitions: readonly (readonly [name: string, definition: MetricDefinition])[] =
  Object.entries(metricCatalogue);

/** The metrics of several nodes as of one moment, each with its node's labels `replica` and `group`. */
export class Snapshot {
  readonly #nodes: readonly { readonly labels: MetricSample['labels']; readonly metrics: object }[];

  constructor(sources: MetricsSources) {
    const nodes = typeof sources === 'function' ? sources() : sources;
    this.#nodes = [...nodes].map((node) => ({
      labels: { replica: node.id, group: node.group },
      metrics: node.metrics(),
    }));
  }

  samples(name: string): MetricSample[] {
    return this.#nodes.flatMap(({ labels, metrics }) => {
      const value: unknown = Reflect.get(metrics, name);
      if (typeof value === 'number') return [{ labels, value }];
      if (!Array.isArray(value)) return [];
      return (value as readonly MetricSample[]).map((sample) => ({
        labels: { ...labels, ...sample.labels },
        value: sample.value,
      }));
    });
  }

  histograms(name: string): { readonly labels: MetricSample['labels']; readonly value: HistogramValue }[] {
    return this.#nodes.map(({ labels, metrics }) => ({ labels, value: Reflect.get(metrics, name) }));
  }
}
