import { describe, expect, test } from 'vitest';
import { holdsLease } from '../../src/raft/lease.ts';
import type { Envelope } from '../../src/raft/message.ts';
import { defaultRaftOptions, type RaftOptions, raftOptionMistakes } from '../../src/raft/options.ts';
import { Cluster } from './cluster.ts';
import { led } from './led-cluster.ts';
import { Single } from './single.ts';

const leased = (options: Partial<RaftOptions> = {}): Cluster => led({ clockDriftMaxRatio: 0.1, ...options });

const isLeased = (cluster: Cluster): boolean => {
  cluster.core('n1').staleness(cluster.timeOf(cluster.replica('n1')));
  return holdsLease(cluster.core('n1').state);
};

/** n1 leads by a quorum that promised `promiseMs` in answer to round 1, sent at the time of the election. */
function promised(promiseMs: number, options = {}): Single {
  const n1 = new Single({ options: { clockDriftMaxRatio: 0.2, clockGapMs: 1_000_000, ...options } }).lead();
  n1.hear('n2', {
    kind: 'HeartbeatResponse',
    term: 2,
    round: 1,
    matchIndex: 2,
    verifiedIndex: 2,
    promiseMs,
    stamp: 0,
  });
  return n1;
}

const nobody = (): boolean => false;

describe('using clocks to reduce messaging for read-only queries (dissertation 6.4.1)', () => {
  test('the lease is for the promise, less the drift, from when the round was sent', () => {
    const n1 = promised(500);
    const sentAt = n1.state.rounds[0]?.sentAt ?? 0;
    for (const [at, holds] of [
      [sentAt + 399, true],
      [sentAt + 400, false],
    ] as const) {
      n1.core.staleness(at);
      expect(holdsLease(n1.state), `${at - sentAt}`).toBe(holds);
    }
  });

  test('an answer that comes late proves no more than one that came at once', () => {
    const n1 = new Single({ options: { clockDriftMaxRatio: 0, clockGapMs: 1_000_000 } }).lead();
    const sentAt = n1.state.rounds[0]?.sentAt ?? 0;
    n1.now = sentAt + 450;
    n1.hear('n2', {
      kind: 'HeartbeatResponse',
      term: 2,
      round: 1,
      matchIndex: 2,
      verifiedIndex: 2,
      promiseMs: 500,
      stamp: 0,
    });
    expect(holdsLease(n1.state)).toBe(true);
    n1.core.staleness(sentAt + 500);
    expect(holdsLease(n1.state)).toBe(false);
  });

  test('a follower that answered late promises only what is left', () => {
    expect(holdsLease(promised(0).state)).toBe(false);
    expect(holdsLease(promised(1).state)).toBe(true);
  });

  test('a promise without end is not believed', () => {
    const n1 = promised(Number.POSITIVE_INFINITY);
    expect(n1.state.drops).toEqual({ malformed: 1 });
    expect(holdsLease(n1.state)).toBe(false);
  });

  test('with drift that is not bounded there is none', () => {
    const cluster = leased({ clockDriftMaxRatio: null });
    const readId = cluster.read('n1', { lease: true });
    expect(cluster.grantedAt('n1', readId)).toBe(null);
    cluster.settle();
    expect(cluster.grantedAt('n1', readId)).toBe(2);
  });

  test('it stands on what CheckQuorum makes followers promise, so it is refused without', () => {
    const options = { ...defaultRaftOptions, clockDriftMaxRatio: 0.1, checkQuorum: false };
    expect(raftOptionMistakes(options).join()).toMatch(/clockDriftMaxRatio/);
    for (const clockDriftMaxRatio of [1, -0.1, Number.NaN]) {
      expect(raftOptionMistakes({ ...defaultRaftOptions, clockDriftMaxRatio }).join()).toMatch(
        /clockDriftMaxRatio/,
      );
    }
  });

  test('a read by it sends nothing at all', () => {
    const cluster = leased();
    const readId = cluster.read('n1', { lease: true });
    expect(cluster.grantedAt('n1', readId)).toBe(2);
    expect(cluster.network).toEqual([]);
  });

  test('a follower may ask for it too: one message there and one back', () => {
    const cluster = leased();
    const readId = cluster.read('n2', { lease: true });
    expect(cluster.underWay('ReadIndexRequest')).toMatchObject([{ lease: true }]);
    cluster.settle(({ message }) => message.kind.startsWith('ReadIndex'));
    expect(cluster.grantedAt('n2', readId)).toBe(2);
  });

  test('where one of the reads of a question must not go by the lease, none does', () => {
    const cluster = leased();
    const n2 = cluster.core('n2');
    for (const lease of [true, false, true]) n2.requestRead(cluster.now, lease);
    cluster.drain(cluster.replica('n2'));
    expect(cluster.underWay('ReadIndexRequest')).toMatchObject([{ lease: false }]);
    cluster.settle(({ message }) => message.kind.startsWith('ReadIndex'));
    expect(cluster.replica('n2').reads).toEqual([]);
    n2.requestRead(cluster.now, true);
    cluster.run(200);
    expect(cluster.replica('n2').reads).toHaveLength(4);
  });

  test('it is not there before an entry of the own term is committed', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { clockDriftMaxRatio: 0.1 } });
    cluster.elect('n1', ({ message }) => !message.kind.startsWith('Append'));
    cluster.settle(({ message }) => !message.kind.startsWith('Append'));
    expect(isLeased(cluster)).toBe(true);
    const readId = cluster.read('n1', { lease: true });
    expect(cluster.grantedAt('n1', readId)).toBe(null);
  });

  test.each([
    ['a clock that steps back', (cluster: Cluster) => cluster.core('n1').tick(cluster.now - 10)],
    ['a machine that stood still', (cluster: Cluster) => cluster.core('n1').tick(cluster.now + 800)],
    [
      'a wall clock that went another way',
      (cluster: Cluster) => cluster.core('n1').clockAnomaly(cluster.now, 'wall-divergence', 700),
    ],
  ])('%s ends it, until a round sent since is answered', (_which, happen) => {
    const cluster = leased({ clockGapMs: 250 });
    expect(isLeased(cluster)).toBe(true);
    happen(cluster);
    cluster.drain(cluster.replica('n1'));
    expect(holdsLease(cluster.core('n1').state)).toBe(false);
    cluster.now = cluster.core('n1').state.now + cluster.core('n1').state.clockOffsetMs;
    cluster.run(300);
    expect(isLeased(cluster)).toBe(true);
  });

  test('the clock of a follower that steps lengthens its promise, and never ends it', () => {
    const n1 = new Single({ options: { clockGapMs: 250 } });
    n1.at(600);
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null }).said();
    // By this clock the promise is long over.
    n1.at(5000);
    const ask = {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    } as const;
    n1.now = 5499;
    n1.hear('n3', ask).persistAll();
    expect(n1.said()).toEqual([]);
    n1.now = 5500;
    n1.hear('n3', ask).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 2, granted: true }]);
  });

  test('handing over ends it before the TimeoutNow leaves, and for the rest of the term', () => {
    const cluster = leased();
    cluster.transfer('n1', 'n2');
    expect(cluster.underWay('TimeoutNow')).toHaveLength(1);
    expect(isLeased(cluster)).toBe(false);
    cluster.network = [];
    cluster.run(1200, ({ from, to }: Envelope) => from.id !== 'n2' && to.id !== 'n2');
    expect(cluster.core('n1').state.leadershipTransfer).toBe(null);
    expect(isLeased(cluster)).toBe(false);
  });

  test('handing over to one that still lags leaves it for the time being', () => {
    const cluster = leased();
    cluster.propose('n1', 'x');
    cluster.settle(({ from, to }) => from.id !== 'n2' && to.id !== 'n2');
    cluster.transfer('n1', 'n2');
    expect(cluster.underWay('TimeoutNow')).toEqual([]);
    expect(isLeased(cluster)).toBe(true);
  });

  test('the next leader has one again, by promises of its own term', () => {
    const cluster = leased();
    cluster.transfer('n1', 'n2');
    cluster.settle();
    cluster.run(200);
    const readId = cluster.read('n2', { lease: true });
    expect(cluster.grantedAt('n2', readId)).toBe(3);
  });

  test('it needs a quorum of both halves of a joint configuration', () => {
    const cluster = leased();
    const { configurations } = cluster.core('n1').state;
    const latest = configurations.at(-1);
    if (latest === undefined) throw new Error('no configuration');
    const stranger = { id: 'n4', incarnation: 'n4-incarnation', address: 'n4:1' };
    const own = latest.configuration.voters.filter(({ id }) => id === 'n1');
    configurations.push({
      index: latest.index,
      configuration: {
        ...latest.configuration,
        voters: [...own, stranger],
        outgoing: latest.configuration.voters,
      },
    });
    expect(holdsLease(cluster.core('n1').state)).toBe(false);
    configurations.pop();
    expect(holdsLease(cluster.core('n1').state)).toBe(true);
  });

  test('without anybody in reach it ends by itself, before the leader steps down', () => {
    const cluster = leased();
    cluster.run(440, nobody);
    expect(isLeased(cluster)).toBe(true);
    cluster.run(10, nobody);
    expect(isLeased(cluster)).toBe(false);
    expect(cluster.core('n1').state.role).toBe('leader');
  });
});
