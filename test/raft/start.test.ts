import { describe, expect, test } from 'vitest';
import { defaultRaftOptions, type RaftOptions, raftOptionMistakes } from '../../src/raft/options.ts';
import { InvariantViolation, Raft, type RaftStart } from '../../src/raft/raft.ts';
import { Cluster } from './cluster.ts';
import { clusterId, command, configurationEntry, logOf, replica, votersOf } from './sample-log.ts';
import { seeded } from './seeded.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
const empty: RaftStart = {
  self: replica('n1'),
  group: 'main',
  clusterId: null,
  options: defaultRaftOptions,
  now: 0,
  recovered: {
    hardState: { term: 0, votedFor: null },
    floor: { index: 0, term: 0, configuration: null },
    lastIndex: 0,
    runs: [],
    configurations: [],
  },
  snapshot: null,
  appliedIndex: 0,
};
const snapshotAt7 = { index: 7, term: 3, configuration: voters, size: 5, digest: 'f00d' };
const startWith =
  (recovered: Partial<RaftStart['recovered']>, snapshot: RaftStart['snapshot'] = null) =>
  () =>
    new Raft(
      {
        ...empty,
        recovered: { ...empty.recovered, ...recovered },
        snapshot,
        appliedIndex: snapshot?.index ?? 0,
      },
      seeded(1),
    );

describe('options', () => {
  test('the defaults are sound', () => {
    expect(raftOptionMistakes(defaultRaftOptions)).toEqual([]);
  });

  test.each<[Partial<RaftOptions>, string[]]>([
    [{ electionTimeoutMaxMs: 500 }, ['electionTimeoutMaxMs (500) must be above electionTimeoutMinMs (500)']],
    [
      { heartbeatIntervalMs: 251 },
      ['heartbeatIntervalMs (251) must be at most half of electionTimeoutMinMs (500)'],
    ],
    [{ inflightMessagesMax: 0 }, ['inflightMessagesMax must be a whole number, at least 1; it is 0']],
    [{ applyEntriesMax: 1.5 }, ['applyEntriesMax must be a whole number, at least 1; it is 1.5']],
    [
      { heartbeatIntervalMs: Number.NaN, electionTimeoutMaxMs: 400 },
      [
        'heartbeatIntervalMs must be a whole number, at least 1; it is NaN',
        'electionTimeoutMaxMs (400) must be above electionTimeoutMinMs (500)',
      ],
    ],
  ])('%j are refused, with all mistakes at once', (change, mistakes) => {
    const found = raftOptionMistakes({ ...defaultRaftOptions, ...change });
    expect(found.length).toBe(mistakes.length);
    for (const [position, mistake] of mistakes.entries()) expect(found[position]).toContain(mistake);
    const start = { ...empty, options: { ...defaultRaftOptions, ...change } };
    expect(() => new Raft(start, seeded(1))).toThrow(RangeError);
  });
});

describe('what was recovered is checked', () => {
  test.each<[string, Partial<RaftStart['recovered']>, string]>([
    [
      'an end below the floor',
      { floor: { index: 5, term: 1, configuration: voters } },
      'it ends at 0, below its floor 5',
    ],
    ['entries without terms', { lastIndex: 3 }, 'no terms for its entries up to 3'],
    [
      'a run that begins too late',
      { lastIndex: 3, runs: [{ term: 1, firstIndex: 2 }] },
      'the run of term 1 from 2',
    ],
    [
      'terms that fall',
      {
        lastIndex: 3,
        runs: [
          { term: 2, firstIndex: 1 },
          { term: 1, firstIndex: 2 },
        ],
      },
      'the run of term 1 from 2 follows term 2 from 1',
    ],
    [
      'a run beyond the end',
      {
        lastIndex: 1,
        runs: [
          { term: 1, firstIndex: 1 },
          { term: 2, firstIndex: 3 },
        ],
      },
      'beyond the end 1',
    ],
    [
      'a term above the saved one',
      { lastIndex: 1, runs: [{ term: 1, firstIndex: 1 }] },
      'an entry of term 1, but the saved term is 0',
    ],
    [
      'a configuration beyond the end',
      { configurations: [configurationEntry(voters)] },
      'a configuration at 1, after 0 in a log that ends at 0',
    ],
  ])('%s', (_what, recovered, message) => {
    expect(startWith(recovered)).toThrow(InvariantViolation);
    expect(startWith(recovered)).toThrow(message);
  });

  test('a log that begins at a snapshot is sound, and the snapshot’s configuration in force', () => {
    const raft = startWith(
      {
        hardState: { term: 4, votedFor: null },
        floor: { index: 7, term: 3, configuration: voters },
        lastIndex: 9,
        runs: [{ term: 3, firstIndex: 8 }],
      },
      snapshotAt7,
    )();
    expect(raft.state).toMatchObject({ commitIndex: 7, appliedIndex: 7, settledIndex: 7 });
    expect(raft.deadline).toBeGreaterThanOrEqual(500);
  });
});

describe('a snapshot that a crash left beside another log', () => {
  const hardState = { term: 3, votedFor: replica('n2') };
  const heldLog = {
    hardState,
    lastIndex: 9,
    runs: [
      { term: 1, firstIndex: 1 },
      { term: 3, firstIndex: 6 },
    ],
  };
  const open = (
    recovered: Partial<RaftStart['recovered']>,
    snapshot: RaftStart['snapshot'],
    appliedIndex = 7,
  ) => {
    const raft = new Raft(
      { ...empty, recovered: { ...empty.recovered, ...recovered }, snapshot, appliedIndex },
      seeded(1),
    );
    return { state: raft.state, writes: raft.takeEffects().filter((effect) => effect.kind === 'write') };
  };
  const floor = { index: 7, term: 3, configuration: voters };

  test('is ahead of it: the log is the snapshot, and the storage is told so first of all', () => {
    const { state, writes } = open(
      { hardState, lastIndex: 6, runs: [{ term: 1, firstIndex: 1 }] },
      snapshotAt7,
    );
    expect(state).toMatchObject({
      log: { floorIndex: 7, floorTerm: 3, lastIndex: 7, runs: [] },
      commitIndex: 7,
      settledIndex: 7,
      appliedIndex: 7,
      durable: { index: 7 },
      hardState,
    });
    expect(state.configurations).toEqual([{ index: 7, configuration: voters }]);
    expect(writes).toMatchObject([{ floor, entries: [] }]);
  });

  test('has another last entry: nothing of the log stays', () => {
    const runs = [
      { term: 1, firstIndex: 1 },
      { term: 2, firstIndex: 7 },
    ];
    const { state, writes } = open({ hardState, lastIndex: 9, runs }, snapshotAt7);
    expect(state.log).toMatchObject({ floorIndex: 7, floorTerm: 3, lastIndex: 7, runs: [] });
    expect(writes).toMatchObject([{ floor, entries: [] }]);
  });

  test('is of a term that the hard state never reached: the term rises, without a vote', () => {
    const old = { term: 2, votedFor: replica('n2') };
    const { state, writes } = open(
      { hardState: old, lastIndex: 6, runs: [{ term: 1, firstIndex: 1 }] },
      snapshotAt7,
    );
    expect(state.hardState).toEqual({ term: 3, votedFor: null });
    expect(state.durable.hardState).toEqual(old);
    expect(writes).toMatchObject([
      { hardState: { term: 3, votedFor: null }, entries: [] },
      { floor, entries: [] },
    ]);
  });

  test('is covered by it: the log stays whole, and what the snapshot covers is committed', () => {
    const { state, writes } = open(heldLog, snapshotAt7);
    expect(state).toMatchObject({
      log: { floorIndex: 0, lastIndex: 9 },
      commitIndex: 7,
      settledIndex: 7,
      keepFrom: 1,
      snapshot: snapshotAt7,
    });
    expect(writes).toEqual([]);
  });

  test('is behind what the running state machine applied, which is not applied again', () => {
    const { state } = open(heldLog, snapshotAt7, 12);
    expect(state).toMatchObject({ commitIndex: 12, settledIndex: 7, appliedIndex: 12 });
  });

  test('stops it when the state machine was not restored from it', () => {
    expect(() => open(heldLog, snapshotAt7, 6)).toThrow('was not restored from the snapshot of 7');
    expect(() => open(heldLog, snapshotAt7, 7)).not.toThrow();
  });

  test.each<[string, RaftStart['snapshot'], string]>([
    ['is missing', null, 'the log begins after 7/3, but the latest snapshot is none'],
    ['ends below the floor', { ...snapshotAt7, index: 6 }, 'the latest snapshot is 6/3'],
    ['is of another term at the floor', { ...snapshotAt7, term: 2 }, 'the latest snapshot is 7/2'],
  ])('stops it when it %s', (_what, snapshot, message) => {
    const recovered = { hardState, floor, lastIndex: 7 };
    expect(startWith(recovered, snapshot)).toThrow(InvariantViolation);
    expect(startWith(recovered, snapshot)).toThrow(message);
    expect(startWith(recovered, snapshotAt7)).not.toThrow();
  });
});

describe('an append against a snapshot’s floor', () => {
  const floored = () => {
    const raft = new Raft(
      {
        ...empty,
        clusterId,
        recovered: {
          hardState: { term: 3, votedFor: null },
          floor: { index: 7, term: 3, configuration: voters },
          lastIndex: 9,
          runs: [{ term: 3, firstIndex: 8 }],
          configurations: [],
        },
        snapshot: snapshotAt7,
        appliedIndex: 7,
      },
      seeded(1),
    );
    return raft;
  };
  const hear = (raft: Raft, prevLogIndex: number, terms: number[]) => {
    raft.receive(0, {
      clusterId,
      group: 'main',
      from: replica('n2'),
      to: { id: 'n1', incarnation: 'n1-incarnation' },
      message: {
        kind: 'AppendEntries',
        term: 3,
        prevLogIndex,
        prevLogTerm: 2,
        entries: terms.map((term, position) => command(prevLogIndex + 1 + position, term)),
        leaderCommit: 0,
      },
    });
    return raft.takeEffects();
  };

  test('that begins below it agrees: everything there is committed', () => {
    const raft = floored();
    hear(raft, 5, [2, 3, 3, 3, 3]);
    expect(raft.state.log.lastIndex).toBe(10);
    expect(raft.state.verifiedIndex).toBe(10);
  });

  test('that ends below it changes nothing', () => {
    const raft = floored();
    hear(raft, 3, [2, 2]);
    expect(raft.state.log.lastIndex).toBe(9);
    expect(raft.state.verifiedIndex).toBe(5);
  });

  test('with another term at it stops the replica', () => {
    expect(() => hear(floored(), 7, [3])).toThrow(
      'has another entry at 7, though the log is committed here up to 7',
    );
  });
});

describe('bootstrap', () => {
  test('writes entry 1 of term 1 with a vote for itself, and campaigns at once', () => {
    const n1 = new Single({ entries: [], cluster: null });
    expect(n1.core.deadline).toBe(null);
    n1.core.bootstrap(0, clusterId, voters);
    n1.drain();
    expect(n1.writes).toEqual([
      {
        kind: 'write',
        writeId: { boot: 1, sequence: 1 },
        hardState: { term: 1, votedFor: { id: 'n1', incarnation: 'n1-incarnation' } },
        entries: [configurationEntry(voters)],
      },
    ]);
    expect(n1.core.deadline).toBe(0);
    n1.at(0);
    expect(n1.state.role).toBe('pre-candidate');
  });

  test('of a single voter ends with its election', () => {
    const n1 = new Single({ entries: [], cluster: null });
    n1.core.bootstrap(0, clusterId, votersOf('n1'));
    n1.drain().persistAll();
    expect(n1.state).toMatchObject({ role: 'leader', commitIndex: 2, hardState: { term: 2 } });
    expect(n1.applies).toMatchObject([{ from: 1, to: 2 }]);
  });

  test('of three, where the others adopt the cluster when they hear of it', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], {
      start: () => ({ entries: [], hardState: { term: 0, votedFor: null } }),
    });
    cluster.core('n1').bootstrap(0, clusterId, voters);
    cluster.drain(cluster.replica('n1'));
    cluster.run(200);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
    for (const { applied } of cluster.replicas)
      expect(applied.map(({ kind }) => kind)).toEqual(['configuration', 'noop']);
  });

  test('is refused on a replica that holds anything, or that is no voter of it, or of another cluster', () => {
    const bootstrap =
      (n1: Single, configuration = voters, id = clusterId) =>
      () =>
        n1.core.bootstrap(0, id, configuration);
    expect(bootstrap(new Single())).toThrow('bootstrap of a replica that is not empty: term 1, last index 1');
    expect(bootstrap(new Single({ entries: [], hardState: { term: 3, votedFor: null } }))).toThrow(
      'not empty: term 3',
    );
    expect(bootstrap(new Single({ entries: [] }), votersOf('n2', 'n3'))).toThrow(
      'n1 (n1-incarnation) is no voter',
    );
    expect(bootstrap(new Single({ entries: [] }), voters, 'another')).toThrow(
      'n1 belongs to cluster c0ffee00c0ffee00, not another',
    );
    expect(() => new Single().core.adoptCluster(0, 'another')).toThrow(InvariantViolation);
  });
});

describe('a storage that was reopened under a running state machine', () => {
  test('what was applied and is not in the log any more is committed, and not applied again', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]), appliedIndex: 5 });
    expect(n1.state).toMatchObject({ commitIndex: 5, appliedIndex: 5, settledIndex: 0 });
    expect(n1.applies).toEqual([]);
    const entries = [command(4, 1), command(5, 1), command(6, 1)];
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 3,
      prevLogTerm: 1,
      entries,
      leaderCommit: 6,
    });
    expect(n1.applies).toEqual([{ kind: 'apply', from: 6, to: 6 }]);
  });

  test('older entries that the disk still holds in place of applied ones are replaced, without alarm', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1, 1]), appliedIndex: 4 });
    const entries = [command(3, 2), command(4, 2)];
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries,
      leaderCommit: 3,
    });
    expect(n1.state.log.runs.at(-1)).toEqual({ term: 2, firstIndex: 3 });
    expect(n1.state).toMatchObject({ commitIndex: 4, settledIndex: 3 });
    expect(n1.applies).toEqual([]);
  });

  test('a replica with less than it applied cannot have been elected', () => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 1]), appliedIndex: 5 });
    expect(() => n1.lead()).toThrow('elected in term 2 with a log that ends at 3, below the commit index 5');
  });
});
