import { type BatchObservableResult, type MeterProvider, metrics, type Observable } from '@opentelemetry/api';
import type { MetricDefinition } from '../metrics/catalogue.ts';
import { definitions, type MetricsSources, Snapshot } from './metrics-source.ts';

const UNITS: Readonly<Record<MetricDefinition['unit'], string>> = {
  seconds: 's',
  bytes: 'By',
  entries: '{entry}',
  index: '1',
  term: '1',
  'yes=1': '1',
  count: '1',
};

/**
 * Tells the metrics of one or several nodes through OpenTelemetry: everything in docs/metrics.md, with the attributes
 * `replica` and `group`. They are observed when a reader collects, all at the same moment. The API knows no
 * histogram that is observed, so each of ours becomes three counters, `_bucket` (attribute `le`, cumulative), `_sum`
 * and `_count`.
 *
 * @param options.nodes - the nodes; or a function that is asked at each collection, when they come and go.
 * @param options.meterProvider - default: the global one.
 * @returns what ends it.
 */
export function observeMetrics(options: {
  readonly nodes: MetricsSources;
  readonly meterProvider?: MeterProvider;
}): { stop(): void } {
  const meter = (options.meterProvider ?? metrics).getMeter('kontiki');
  const observed: Observable[] = [];
  const tellers: ((result: BatchObservableResult, snapshot: Snapshot) => void)[] = [];
  const counter = (name: string, description: string, unit: string): Observable => {
    const instrument = meter.createObservableCounter(name, { description, unit });
    observed.push(instrument);
    return instrument;
  };

  for (const [name, { kind, help, unit }] of definitions) {
    if (kind === 'histogram') {
      const bucket = counter(`${name}_bucket`, help, '1');
      const sum = counter(`${name}_sum`, help, UNITS[unit]);
      const count = counter(`${name}_count`, help, '1');
      tellers.push((result, snapshot) => {
        for (const { labels, value } of snapshot.histograms(name)) {
          for (const { le, count } of value.buckets)
            result.observe(bucket, count, { ...labels, le: String(le) });
          result.observe(bucket, value.count, { ...labels, le: '+Inf' });
          result.observe(sum, value.sum, labels);
          result.observe(count, value.count, labels);
        }
      });
      continue;
    }
    let instrument: Observable;
    if (kind === 'counter') instrument = counter(name, help, UNITS[unit]);
    else {
      instrument = meter.createObservableGauge(name, { description: help, unit: UNITS[unit] });
      observed.push(instrument);
    }
    tellers.push((result, snapshot) => {
      for (const { labels, value } of snapshot.samples(name)) result.observe(instrument, value, labels);
    });
  }

  const observe = (result: BatchObservableResult): void => {
    const snapshot = new Snapshot(options.nodes);
    for (const tell of tellers) tell(result, snapshot);
  };
  meter.addBatchObservableCallback(observe, observed);
  return { stop: () => meter.removeBatchObservableCallback(observe, observed) };
}
