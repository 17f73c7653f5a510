export {
  type Certification,
  type CertificationFailure,
  type CrashCounts,
  type DamageCounts,
  formatCertification,
} from './certification/certification.ts';
export { type CertifyOptions, certify } from './certification/certify.ts';
export type { DamageKind } from './certification/damages.ts';
export type { Verdict } from './certification/judge.ts';
export type { StorageFactory } from './certification/life.ts';
export type { Checker, Violation, WorldObservation } from './checkers/checker.ts';
export type { Injection, RunResult } from './report/run-result.ts';
export { scenarioJsonSchema } from './scenario/json-schema.ts';
export { type Mistake, ScenarioError } from './scenario/mistakes.ts';
export { parseScenario } from './scenario/parse.ts';
export type {
  ClusterSpec,
  DiskSpec,
  DurationRange,
  Expectations,
  Fault,
  MembershipWish,
  NetworkSpec,
  Scenario,
  Selector,
  SnapshotSpec,
  TimelineStep,
  WorkloadSpec,
} from './scenario/scenario.ts';
export type { KvCall, KvResult, Operation, OperationOutcome } from './workload/history.ts';
export { type RunOptions, runScenario } from './world/simulated/run-scenario.ts';
