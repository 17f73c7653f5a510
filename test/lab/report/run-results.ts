import type { RunResult } from '../../../lab/report/run-result.ts';

/** A run in which nothing went wrong, to be changed where a test needs it. */
export function passedRun(changes: Partial<RunResult> = {}): RunResult {
  return {
    scenario: 'partition-leader',
    file: 'scenarios/partition-leader.yaml',
    seed: 7,
    verdict: 'passed',
    digest: '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
    events: 123_456,
    virtualMs: 65_432,
    wallMs: 412,
    injections: [
      { atMs: 10_250, healedAtMs: 40_250, what: 'partition: n2 cut off from n1, n3', on: ['n2'] },
      { atMs: 50_000, healedAtMs: null, what: 'disk: the next write fails', on: ['n1', 'n3'] },
    ],
    leaders: [
      { atMs: 812, replica: 'n2', term: 1 },
      { atMs: 11_301, replica: 'n3', term: 2 },
    ],
    operations: { attempted: 6000, acknowledged: 5871, failed: 17, unknown: 112 },
    longestUnavailableMs: 1203,
    checkers: [
      {
        name: 'election-safety',
        property: 'At most one leader can be elected in a given term (paper, 5.2).',
        passed: true,
      },
      { name: 'linearizability', property: 'Operations on a key can be ordered.', passed: true },
    ],
    violation: null,
    shown: null,
    trace: [],
    ...changes,
  };
}

/** The same run, found in violation of election safety. */
export function violatedRun(changes: Partial<RunResult> = {}): RunResult {
  const { checkers } = passedRun();
  return passedRun({
    verdict: 'violated',
    checkers: checkers.map((checker) => ({ ...checker, passed: checker.name !== 'election-safety' })),
    violation: {
      checker: 'election-safety',
      sentence: 'Two leaders in term 2: n1 since 11.301 s and n3 since 11.305 s.',
      atMs: 11_305,
    },
    trace: [
      '  11.299 n1 received VoteResponse from n3: term 2, granted',
      '  11.301 n1 became leader of term 2',
      '  11.305 n3 became leader of term 2',
    ],
    ...changes,
  });
}
