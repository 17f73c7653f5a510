import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScenarioError } from '../../../lab/scenario/mistakes.ts';
import { parseScenario } from '../../../lab/scenario/parse.ts';
import type { Fault, Scenario } from '../../../lab/scenario/scenario.ts';

const parse = (text: string, file = 'lab/my-case.yaml'): Scenario => parseScenario({ text, file });
const faultOf = (item: string): Fault | undefined =>
  parse(`duration: 1m\ncluster: {replicas: 5, spares: 3}\ntimeline:\n  - {at: 5s, ${item}}\n`).timeline[0]
    ?.fault;

const noChange = {
  kind: 'membership',
  add: [],
  addLearners: [],
  promote: [],
  demote: null,
  remove: null,
  replace: [],
} as const;

describe('a scenario', () => {
  it('of nothing but a duration has every default', () => {
    expect(parse('duration: 30s')).toEqual({
      name: 'my-case',
      description: '',
      file: 'lab/my-case.yaml',
      cluster: {
        replicas: 3,
        spares: 0,
        backend: 'files',
        codec: 'none',
        shards: 1,
        segmentBytes: 64 * 1024 * 1024,
        scrubIntervalMs: 3_600_000,
        reserveBytes: 64 * 1024,
        electionTimeout: { fromMs: 500, toMs: 1000 },
        heartbeatMs: 100,
        clockDriftPerMille: null,
        snapshots: { entries: 10_000, keepEntries: 1_000, chunkBytes: 262_144, bytesPerSecond: 0 },
        sessions: { max: 10_000, timeoutMs: 3_600_000, resultBytesMax: 64 * 1024 * 1024 },
        limits: {
          messageBytes: 256 * 1024,
          windowMessages: 64,
          windowBytes: 4 * 1024 * 1024,
          uncommittedBytes: 64 * 1024 * 1024,
          diskBacklogBytes: 64 * 1024 * 1024,
          cacheBytes: 16 * 1024 * 1024,
          applyBytes: 1024 * 1024,
          pendingRequests: 65_536,
        },
      },
      network: { latency: { fromMs: 1, toMs: 5 }, lossPerMille: 0, duplicatePerMille: 0 },
      disk: { latency: { fromMs: 1, toMs: 2 } },
      workload: {
        kind: 'kv',
        clients: 5,
        operationsPerSecond: 100,
        keys: 5,
        mix: { read: 4, write: 4, cas: 2 },
        reads: 'linearizable',
        timeoutMs: 2000,
        lostAnswersPerMille: 0,
        sessions: false,
        overload: null,
      },
      durationMs: 30_000,
      timeline: [],
      expect: {
        newLeaderWithinMs: null,
        stepDownWithinMs: null,
        recoveryWithinMs: 10_000,
        unavailableAtMostMs: null,
        settlesWithinMs: null,
        storageReopened: false,
        stepsAside: false,
        damageRepaired: false,
        staleRead: false,
        snapshotResumed: false,
        memoryBounded: false,
        overloadRefused: false,
        membershipWithinMs: null,
        logAtMost: null,
        diskAtMostBytes: null,
      },
    } satisfies Scenario);
  });

  it('says in full what it says', () => {
    const text = `
name: everything
description: All settings at once.
cluster:
  replicas: 5
  spares: 2
  backend: level
  codec: gzip
  shards: 4
  segment: 128KiB
  scrub: 5s
  election-timeout: 150ms..300ms
  heartbeat: 50ms
  snapshots: {entries: 100, keep-entries: 10, chunk: 512B, bytes-per-second: 1000}
  sessions: {max: 9, timeout: 30s, result-bytes: 2KiB}
  limits: {message: 1KiB, window-messages: 2, window: 2KiB, uncommitted: 4KiB, disk-backlog: 8KiB, cache: 0B, apply: 512B, pending-requests: 7}
network: {latency: 0ms..10ms, loss: 0.5%, duplicate: 1%}
disk: {latency: 3ms}
workload:
  kind: kv
  clients: 7
  operations-per-second: 250
  keys: 2
  mix: {write: 1}
  timeout: 1.5s
  lost-answers: 2.5%
  sessions: true
  overload: {at: 3s, for: 2s, operations-per-second: 900}
duration: 2m
timeline:
  - at: 10s
    for: 30s
    partition: leader
  - at: 50s
    disk: {on: leader, fail: sync}
  - at: 60s
    membership: {add: n6, replace: {n1: n7}}
expect:
  new-leader-within: 2s
  step-down-within: 3s
  recovery-within: 4s
  unavailable-at-most: 5s
  settles-within: 4s
  memory-bounded: true
  overload-refused: true
  storage-reopened: true
  membership-within: 6s
  log-at-most: 120
  disk-at-most: 2MiB
`;
    expect(parse(text)).toEqual({
      name: 'everything',
      description: 'All settings at once.',
      file: 'lab/my-case.yaml',
      cluster: {
        replicas: 5,
        spares: 2,
        backend: 'level',
        codec: 'gzip',
        shards: 4,
        segmentBytes: 128 * 1024,
        scrubIntervalMs: 5000,
        reserveBytes: 64 * 1024,
        electionTimeout: { fromMs: 150, toMs: 300 },
        heartbeatMs: 50,
        clockDriftPerMille: null,
        snapshots: { entries: 100, keepEntries: 10, chunkBytes: 512, bytesPerSecond: 1000 },
        sessions: { max: 9, timeoutMs: 30_000, resultBytesMax: 2048 },
        limits: {
          messageBytes: 1024,
          windowMessages: 2,
          windowBytes: 2048,
          uncommittedBytes: 4096,
          diskBacklogBytes: 8192,
          cacheBytes: 0,
          applyBytes: 512,
          pendingRequests: 7,
        },
      },
      network: { latency: { fromMs: 0, toMs: 10 }, lossPerMille: 5, duplicatePerMille: 10 },
      disk: { latency: { fromMs: 3, toMs: 3 } },
      workload: {
        kind: 'kv',
        clients: 7,
        operationsPerSecond: 250,
        keys: 2,
        mix: { read: 0, write: 1, cas: 0 },
        reads: 'linearizable',
        timeoutMs: 1500,
        lostAnswersPerMille: 25,
        sessions: true,
        overload: { atMs: 3000, forMs: 2000, operationsPerSecond: 900 },
      },
      durationMs: 120_000,
      timeline: [
        {
          atMs: 10_000,
          forMs: 30_000,
          fault: {
            kind: 'partition',
            shape: 'cut-off',
            on: { kind: 'leader' },
            from: null,
            direction: 'both',
          },
          line: 31,
        },
        {
          atMs: 50_000,
          forMs: null,
          fault: { kind: 'disk', on: { kind: 'leader' }, how: 'fails', operation: 'sync', times: 1 },
          line: 34,
        },
        {
          atMs: 60_000,
          forMs: null,
          fault: { ...noChange, add: ['n6'], replace: [{ id: 'n1', by: 'n7' }] },
          line: 36,
        },
      ],
      expect: {
        newLeaderWithinMs: 2000,
        stepDownWithinMs: 3000,
        recoveryWithinMs: 4000,
        unavailableAtMostMs: 5000,
        settlesWithinMs: 4000,
        storageReopened: true,
        stepsAside: false,
        damageRepaired: false,
        staleRead: false,
        snapshotResumed: false,
        memoryBounded: true,
        overloadRefused: true,
        membershipWithinMs: 6000,
        logAtMost: 120,
        diskAtMostBytes: 2 * 1024 * 1024,
      },
    } satisfies Scenario);
  });

  it.each<[string, Fault]>([
    [
      'partition: leader',
      { kind: 'partition', shape: 'cut-off', on: { kind: 'leader' }, from: null, direction: 'both' },
    ],
    [
      'partition: [n1, n3]',
      {
        kind: 'partition',
        shape: 'cut-off',
        on: { kind: 'ids', ids: ['n1', 'n3'] },
        from: null,
        direction: 'both',
      },
    ],
    [
      'partition: {on: minority}',
      { kind: 'partition', shape: 'cut-off', on: { kind: 'minority' }, from: null, direction: 'both' },
    ],
    [
      'partition: {on: [n2], direction: outgoing}',
      {
        kind: 'partition',
        shape: 'cut-off',
        on: { kind: 'ids', ids: ['n2'] },
        from: null,
        direction: 'outgoing',
      },
    ],
    [
      'partition: {on: leader, from: one follower, direction: incoming}',
      {
        kind: 'partition',
        shape: 'cut-off',
        on: { kind: 'leader' },
        from: { kind: 'followers', count: 1 },
        direction: 'incoming',
      },
    ],
    ['partition: bridge', { kind: 'partition', shape: 'bridge', on: { kind: 'random', count: 1 } }],
    [
      'partition: {shape: bridge, on: leader}',
      { kind: 'partition', shape: 'bridge', on: { kind: 'leader' } },
    ],
    [
      'network: {on: all, latency: 100ms..200ms}',
      {
        kind: 'network',
        on: { kind: 'all' },
        latency: { fromMs: 100, toMs: 200 },
        lossPerMille: null,
        duplicatePerMille: null,
      },
    ],
    [
      'network: {on: 2 followers, loss: 5%, duplicate: 0.1%}',
      {
        kind: 'network',
        on: { kind: 'followers', count: 2 },
        latency: null,
        lossPerMille: 50,
        duplicatePerMille: 1,
      },
    ],
    [
      'disk: {on: one follower, fail: write, times: 3}',
      { kind: 'disk', on: { kind: 'followers', count: 1 }, how: 'fails', operation: 'write', times: 3 },
    ],
    [
      'disk: {on: n1, fail: read}',
      { kind: 'disk', on: { kind: 'ids', ids: ['n1'] }, how: 'fails', operation: 'read', times: 1 },
    ],
    ['disk: {on: all, full: true}', { kind: 'disk', on: { kind: 'all' }, how: 'fills', bytesLeft: 0 }],
    ['disk: {on: all, full: 2KiB}', { kind: 'disk', on: { kind: 'all' }, how: 'fills', bytesLeft: 2048 }],
    [
      'disk: {on: minority, rot: blocks}',
      { kind: 'disk', on: { kind: 'minority' }, how: 'rots', what: 'blocks', places: 1 },
    ],
    [
      'disk: {on: minority, rot: hard-state, places: 7}',
      { kind: 'disk', on: { kind: 'minority' }, how: 'rots', what: 'hard-state', places: 7 },
    ],
    [
      'disk: {on: n1, rot: identity, places: all}',
      { kind: 'disk', on: { kind: 'ids', ids: ['n1'] }, how: 'rots', what: 'identity', places: 'all' },
    ],
    ['disk: {on: leader, hang: true}', { kind: 'disk', on: { kind: 'leader' }, how: 'hangs' }],
    [
      'disk: {on: n1, latency: 50ms..100ms}',
      {
        kind: 'disk',
        on: { kind: 'ids', ids: ['n1'] },
        how: 'slows',
        latency: { fromMs: 50, toMs: 100 },
      },
    ],
    [
      'clock: {on: n1, offset: -600ms}',
      { kind: 'clock', on: { kind: 'ids', ids: ['n1'] }, offsetMs: -600, ratePerMille: 1000 },
    ],
    [
      'clock: {on: n1, rate: 1.005}',
      { kind: 'clock', on: { kind: 'ids', ids: ['n1'] }, offsetMs: 0, ratePerMille: 1005 },
    ],
    ['crash: 2 random', { kind: 'crash', on: { kind: 'random', count: 2 }, power: false }],
    ['crash: {on: all, power: true}', { kind: 'crash', on: { kind: 'all' }, power: true }],
    ['pause: majority', { kind: 'pause', on: { kind: 'majority' } }],
    ['pause: {on: all followers}', { kind: 'pause', on: { kind: 'followers', count: 'all' } }],
    ['wipe: leader', { kind: 'wipe', on: { kind: 'leader' } }],
    ['wipe: {on: [n1, n2]}', { kind: 'wipe', on: { kind: 'ids', ids: ['n1', 'n2'] } }],
    ['membership: {add: n6}', { ...noChange, add: ['n6'] }],
    ['membership: {add: [n6, n7]}', { ...noChange, add: ['n6', 'n7'] }],
    ['membership: {add-learners: [n6]}', { ...noChange, addLearners: ['n6'] }],
    ['membership: {promote: n1}', { ...noChange, promote: ['n1'] }],
    [
      'membership: {remove: leader, demote: 2 followers}',
      { ...noChange, remove: { kind: 'leader' }, demote: { kind: 'followers', count: 2 } },
    ],
    [
      'membership: {replace: {n1: n6, n3: n7}}',
      {
        ...noChange,
        replace: [
          { id: 'n1', by: 'n6' },
          { id: 'n3', by: 'n7' },
        ],
      },
    ],
  ])('knows the fault %s', (item, fault) => {
    expect(faultOf(item)).toEqual(fault);
  });

  it('has its timeline in order of time, and in file order at one moment', () => {
    const { timeline } = parse(`duration: 1m
timeline:
  - {at: 20s, pause: n1}
  - {at: 5s, pause: n2}
  - {at: 20s, pause: n3}
  - {at: 0s, pause: n1}
`);
    expect(timeline.map(({ atMs, line }) => [atMs, line])).toEqual([
      [0, 6],
      [5000, 4],
      [20_000, 3],
      [20_000, 5],
    ]);
  });

  it('has a fault that comes again and again once for each time, among all others', () => {
    const { timeline } = parse(`duration: 1m
timeline:
  - {at: 5s, for: 1s, every: 3s, times: 3, crash: {on: all, power: true}}
  - {at: 8s, pause: n1}
`);
    expect(timeline.map(({ atMs, forMs, line, fault }) => [atMs, forMs, line, fault.kind])).toEqual([
      [5000, 1000, 3, 'crash'],
      [8000, 1000, 3, 'crash'],
      [8000, null, 4, 'pause'],
      [11_000, 1000, 3, 'crash'],
    ]);
    expect(Object.keys(timeline[0] ?? {}).sort()).toEqual(['atMs', 'fault', 'forMs', 'line']);
  });

  it('may last exactly as long as a fault that comes again and again', () => {
    const repeated = 'duration: 10s\ntimeline: [{at: 1s, for: 1s, every: 4s, times: 3, pause: n1}]';
    expect(parse(repeated).timeline).toHaveLength(3);
  });

  it.each([
    ['scenarios/partition-leader.yaml', 'partition-leader'],
    ['C:\\cases\\one.yml', 'one'],
    ['no-extension', 'no-extension'],
    ['.yaml', 'scenario'],
  ])('in the file %s is called %s when it does not say otherwise', (file, name) => {
    expect(parse('duration: 1s', file).name).toBe(name);
  });

  it('reads the same with Windows line ends, a byte order mark, and as JSON', () => {
    const text = 'name: same\nduration: 10s\ntimeline:\n  - at: 1s\n    crash: n1\n';
    const plain = parse(text);
    expect(parse(text.replaceAll('\n', '\r\n'))).toEqual(plain);
    expect(parse(`\uFEFF${text}`)).toEqual(plain);
    const json = '{"name": "same", "duration": "10s",\n "timeline": [\n\n {"at": "1s", "crash": "n1"}]}';
    expect(parse(json)).toEqual(plain);
  });

  it('may last exactly as long as its last fault', () => {
    expect(parse('duration: 10s\ntimeline: [{at: 4s, for: 6s, pause: n1}]').timeline).toHaveLength(1);
  });

  it('is plain data', () => {
    const scenario = parse('duration: 10s\ntimeline: [{at: 4s, pause: [n1, n2]}]');
    expect(JSON.parse(JSON.stringify(scenario))).toEqual(scenario);
  });
});

describe('whatever the text', () => {
  const refusedOrRead = (text: string): void => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      expect(error.mistakes.length).toBeGreaterThan(0);
      const lines = text.split('\n').length;
      for (const { line, column, found, expected } of error.mistakes) {
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(lines + 1);
        expect(column).toBeGreaterThanOrEqual(1);
        expect(found).not.toBe('');
        expect(expected).not.toBe('');
      }
    }
  };

  it('a scenario is read or its mistakes are told, never anything else', () => {
    const piece = fc.constantFrom(
      ...[
        'duration',
        'timeline',
        'cluster',
        'at',
        'for',
        'partition',
        'on',
        'leader',
        'n1',
        '5s',
        '150ms..1s',
      ],
      ...[
        ': ',
        '\n',
        '  ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        ', ',
        '"',
        "'",
        '&a ',
        '*a',
        '#',
        '---',
        '\t',
        '|',
        '!x ',
        '%',
      ],
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    );
    fc.assert(fc.property(texts, refusedOrRead), { numRuns: 2000 });
  });

  it('values of any kind anywhere are told, never thrown about', () => {
    const keys = fc.constantFrom(
      ...[
        'duration',
        'timeline',
        'cluster',
        'network',
        'disk',
        'workload',
        'expect',
        'at',
        'for',
        'partition',
      ],
      ...[
        'crash',
        'clock',
        'on',
        'replicas',
        'latency',
        'mix',
        'election-timeout',
        '__proto__',
        'constructor',
      ],
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('5s', 'leader', 'n1', '5%', '', null, true, 0, 3, -1, 1.5),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(value, (any) => refusedOrRead(JSON.stringify(any))),
      { numRuns: 1000 },
    );
  });
});
