import type { z } from 'zod';
import type { FlatIssue } from './explain-issues.ts';
import { step as stepSchema } from './fault-settings.ts';
import type {
  DurationRange,
  Expectations,
  LimitSpec,
  OverloadSpec,
  TimelineStep,
  WorkloadSpec,
} from './scenario.ts';
import { clusterSettings, networkSettings, sections, workloadSettings } from './schema.ts';
import type { Path } from './yaml-document.ts';

/** A step as it is written: it comes `times` times, `everyMs` apart. */
export type RepeatedStep = TimelineStep & { readonly everyMs: number; readonly times: number };

/**
 * What of a scenario is sound, setting by setting: a mistake in one must not hide the contradictions
 * between others. null where a setting is wrong in itself.
 */
export interface PartialScenario {
  readonly replicas: number | null;
  readonly spares: number | null;
  readonly electionTimeout: DurationRange | null;
  readonly heartbeatMs: number | null;
  readonly latency: DurationRange | null;
  /** undefined: none is declared. */
  readonly clockDriftPerMille: number | null | undefined;
  readonly reads: WorkloadSpec['reads'] | null;
  readonly limits: LimitSpec | null;
  /** undefined: there is none. */
  readonly overload: OverloadSpec | null | undefined;
  readonly durationMs: number | null;
  /** With its place in the file; items that are wrong in themselves are missing. */
  readonly timeline: readonly { readonly path: Path; readonly step: RepeatedStep }[];
  readonly timelineComplete: boolean;
  readonly expect: Expectations | null;
}

export function readPartially(value: unknown, issues: readonly FlatIssue[]): PartialScenario {
  const root = mapping(withoutUnknownKeys(value, issues));
  const cluster = mapping(root.cluster);
  const items: unknown[] = Array.isArray(root.timeline) ? root.timeline : [];
  const timeline = items.flatMap((item, index) => {
    const step = read(stepSchema, item);
    return step === null ? [] : [{ path: ['timeline', index], step: { ...step, line: 0 } }];
  });
  return {
    replicas: read(clusterSettings.replicas, cluster.replicas),
    spares: read(clusterSettings.spares, cluster.spares),
    electionTimeout: read(clusterSettings['election-timeout'], cluster['election-timeout']),
    heartbeatMs: read(clusterSettings.heartbeat, cluster.heartbeat),
    latency: read(networkSettings.latency, mapping(root.network).latency),
    clockDriftPerMille: read(clusterSettings['clock-drift'], cluster['clock-drift']),
    reads: read(workloadSettings.reads, mapping(root.workload).reads),
    limits: read(clusterSettings.limits, cluster.limits),
    overload: read(workloadSettings.overload, mapping(root.workload).overload),
    durationMs: read(sections.duration, root.duration),
    timeline,
    timelineComplete: timeline.length === items.length,
    expect: read(sections.expect, root.expect),
  };
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | null {
  const result = schema.safeParse(value);
  return result.success ? result.data : null;
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function withoutUnknownKeys(value: unknown, issues: readonly FlatIssue[]): unknown {
  const copy: unknown = structuredClone(value);
  for (const { path, issue } of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    let at: unknown = copy;
    for (const part of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, part) : undefined;
    if (typeof at !== 'object' || at === null) continue;
    for (const key of issue.keys) Reflect.deleteProperty(at, key);
  }
  return copy;
}
