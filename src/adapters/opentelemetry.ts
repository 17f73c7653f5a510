export type { MetricsSource, MetricsSources } from './metrics-source.ts';
export { observeMetrics } from './opentelemetry-metrics.ts';
export { traceNodes } from './opentelemetry-tracing.ts';
