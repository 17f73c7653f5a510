import { describe, expect, test } from 'vitest';
import { isPastMissing, missingAtStart } from '../../src/raft/damage.ts';
import type { MissingEntries } from '../../src/raft/effect.ts';
import type { Message } from '../../src/raft/message.ts';
import type { Cluster } from './cluster.ts';
import { led, without } from './led-cluster.ts';
import { command } from './sample-log.ts';

const kinds = (cluster: Cluster, id: string): string[] => cluster.replica(id).events.map(({ kind }) => kind);
const missingOf = (cluster: Cluster, id: string): MissingEntries | undefined =>
  cluster.core(id).state.hardState.missing;

/** Entries 3 .. 8 on all three, committed; nobody leads any more, and the next term can be campaigned for. */
function threeWithEntries(): Cluster {
  const cluster = led();
  for (let count = 0; count < 6; count += 1) cluster.propose('n1', `${count}`);
  cluster.run(200);
  expect(cluster.replicas.map(({ disk }) => disk.entries.length)).toEqual([8, 8, 8]);
  return cluster;
}

function asks(cluster: Cluster, id: string, lastLogIndex: number, lastLogTerm: number): boolean[] {
  const target = cluster.core(id);
  const term = target.state.hardState.term + 1;
  const said: Message[] = [];
  cluster.onSend = (_replica, { message }) => said.push(message);
  const from = { id: 'n3', incarnation: 'n3-incarnation', boot: 1 };
  cluster.deliver({
    clusterId: target.state.clusterId,
    group: target.state.group,
    from,
    to: target.state.self,
    message: { kind: 'RequestVote', term, lastLogIndex, lastLogTerm, leadershipTransfer: false },
  });
  return said.flatMap((message) => (message.kind === 'VoteResponse' ? [message.granted] : []));
}

describe('what is missing', () => {
  test.each([
    //  by the hard state         found end            in term   missing
    { known: null, end: undefined, term: 5, missing: null },
    { known: null, end: { index: 7, term: 3 }, term: 5, missing: { index: 7, term: 3 } },
    { known: null, end: null, term: 5, missing: { index: null, term: 5 } },
    { known: { index: 7, term: 3 }, end: undefined, term: 5, missing: { index: 7, term: 3 } },
    { known: { index: 7, term: 3 }, end: { index: 9, term: 2 }, term: 5, missing: { index: 7, term: 3 } },
    { known: { index: 7, term: 3 }, end: { index: 9, term: 3 }, term: 5, missing: { index: 9, term: 3 } },
    {
      known: { index: null, term: 3 },
      end: { index: 9, term: 3 },
      term: 5,
      missing: { index: null, term: 3 },
    },
    { known: { index: null, term: 3 }, end: { index: 4, term: 4 }, term: 5, missing: { index: 4, term: 4 } },
    { known: { index: 7, term: 3 }, end: null, term: 5, missing: { index: null, term: 5 } },
  ])('is whatever reaches further: $known and $end make $missing', ({ known, end, term, missing }) => {
    const hardState = { term, votedFor: null, ...(known === null ? {} : { missing: known }) };
    expect(missingAtStart(hardState, end === undefined ? null : { holes: [], end })).toEqual(missing);
  });

  test.each([
    { missing: undefined, index: 1, term: 1, past: true },
    { missing: { index: 7, term: 3 }, index: 7, term: 3, past: true },
    { missing: { index: 7, term: 3 }, index: 6, term: 3, past: false },
    { missing: { index: 7, term: 3 }, index: 1, term: 4, past: true },
    { missing: { index: 7, term: 3 }, index: 99, term: 2, past: false },
    { missing: { index: null, term: 3 }, index: 99, term: 3, past: false },
    { missing: { index: null, term: 3 }, index: 1, term: 4, past: true },
  ])('$missing is passed by $index/$term: $past', ({ missing, index, term, past }) => {
    expect(isPastMissing(missing, { index, term })).toBe(past);
  });
});

describe('a replica whose disk lost entries', () => {
  test('votes by the log that it promised', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 4, 6);
    cluster.start('n2');
    expect(missingOf(cluster, 'n2')).toEqual({ index: 8, term: 2 });
    cluster.now += 10_000;
    // Its log ends at entry 3, and it had acknowledged entry 8.
    expect(asks(cluster, 'n2', 7, 2)).toEqual([false]);
    expect(asks(cluster, 'n2', 8, 2)).toEqual([true]);
  });

  test('with a lost end votes for a log of a later term only', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 7, 8, true);
    cluster.start('n2');
    expect(missingOf(cluster, 'n2')).toEqual({ index: null, term: 2 });
    cluster.now += 10_000;
    expect(asks(cluster, 'n2', 100, 2)).toEqual([false]);
    expect(asks(cluster, 'n2', 3, 3)).toEqual([true]);
  });

  test('leads nobody, however long it hears of no leader, and whoever asks it to', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 4, 6);
    cluster.start('n2');
    cluster.crash('n1');
    cluster.crash('n3');
    cluster.run(20_000);
    expect(cluster.core('n2').deadline).toBeNull();
    expect(cluster.core('n2').state).toMatchObject({ role: 'follower', hardState: { term: 2 } });
    cluster.deliver({
      clusterId: cluster.core('n2').state.clusterId,
      group: cluster.core('n2').state.group,
      from: { id: 'n1', incarnation: 'n1-incarnation', boot: 1 },
      to: cluster.core('n2').state.self,
      message: { kind: 'TimeoutNow', term: 2 },
    });
    expect(cluster.core('n2').state.role).toBe('follower');
    expect(cluster.replica('n2').events).toContainEqual({
      kind: 'message-dropped',
      from: 'n1',
      reason: 'not-fit-to-lead',
    });
  });

  test('remembers that something is missing over crashes, though the hole itself is written over', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 4, 6);
    cluster.start('n2');
    cluster.abandonRepair('n2');
    // The leader's entry 4 takes the place of the hole, and of what stood behind it.
    cluster.run(30, ({ message }) => message.kind !== 'AppendEntries' || message.entries.length === 0);
    cluster.replica('n2').disk.damage = null;
    cluster.crash('n2');
    cluster.start('n2');
    expect(missingOf(cluster, 'n2')).toEqual({ index: 8, term: 2 });
    cluster.run(500);
    expect(missingOf(cluster, 'n2')).toBeUndefined();
    expect(cluster.replica('n2').disk.hardState).not.toHaveProperty('missing');
  });

  test('takes no entries while peers are asked for those in the middle, and answers heartbeats', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 4, 6);
    cluster.start('n2');
    cluster.propose('n1', 'more');
    cluster.run(500, without('n3'));
    expect(cluster.core('n1').state.role).toBe('leader');
    expect(cluster.core('n2').state).toMatchObject({ repairing: true, log: { lastIndex: 3 } });
    expect(cluster.replica('n2').disk.damage?.beyond.map(({ index }) => index)).toEqual([7, 8]);
    expect(kinds(cluster, 'n2')).toContain('message-dropped');

    expect(cluster.repair('n2', 'n1')).toBe(true);
    expect(missingOf(cluster, 'n2')).toBeUndefined();
    cluster.run(500, without('n3'));
    expect(cluster.core('n1').state.commitIndex).toBe(9);
    expect(cluster.replica('n2').disk.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(kinds(cluster, 'n2').filter((kind) => kind.startsWith('log-'))).toEqual([
      'log-repaired',
      'log-whole',
    ]);
  });

  test('and the two others, each with another hole, give back to each other what they lost, and elect', () => {
    const cluster = threeWithEntries();
    for (const [position, id] of ['n1', 'n2', 'n3'].entries()) {
      cluster.crash(id);
      cluster.damage(id, 3 + 2 * position, 4 + 2 * position);
    }
    for (const id of ['n1', 'n2', 'n3']) cluster.start(id);
    cluster.run(5000);
    expect(cluster.leaders).toEqual([]);
    expect(cluster.repair('n1', 'n3')).toBe(true);
    expect(cluster.repair('n2', 'n1')).toBe(true);
    expect(cluster.repair('n3', 'n2')).toBe(true);
    cluster.run(5000);
    expect(cluster.leaders).toHaveLength(1);
    for (const { applied } of cluster.replicas)
      expect(applied.map(({ index }) => index).slice(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('takes the log of the leader where nobody can give back what is missing', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 4, 6);
    cluster.start('n2');
    cluster.abandonRepair('n2');
    cluster.run(500);
    expect(cluster.replica('n2').disk.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(missingOf(cluster, 'n2')).toBeUndefined();
  });

  test('with a lost end is whole once it holds what the leader has committed, in the same term', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 7, 8, true);
    cluster.start('n2');
    cluster.run(500);
    expect(cluster.core('n2').state.hardState).toMatchObject({ term: 2 });
    expect(missingOf(cluster, 'n2')).toBeUndefined();
    expect(cluster.replica('n2').reads).toEqual([]);
    expect(kinds(cluster, 'n2')).toContain('log-whole');
    // It may lead again.
    cluster.crash('n1');
    cluster.elect('n2');
    expect(cluster.core('n2').state.role).toBe('leader');
  });

  test('with a lost end is not whole by an answer alone: the entries have to be durable', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 7, 8, true);
    cluster.start('n2');
    const { disk } = cluster.replica('n2');
    cluster.run(30, ({ to, message }) => to.id !== 'n2' || message.kind !== 'AppendEntries');
    disk.persistsAtOnce = false;
    cluster.run(500);
    expect(cluster.core('n2').state).toMatchObject({ verifiedIndex: 8, durable: { index: 6 } });
    expect(missingOf(cluster, 'n2')).toEqual({ index: 8, term: 2 });
    cluster.persist('n2');
    expect(missingOf(cluster, 'n2')).toBeUndefined();
    // That nothing is missing any more is not durable yet: after a crash it is found out anew.
    cluster.crash('n2');
    cluster.start('n2');
    expect(disk.hardState.missing).toEqual({ index: 8, term: 2 });
    cluster.persist('n2');
    expect(disk.hardState).not.toHaveProperty('missing');
  });

  test('is not told that its boot went back: it knows', () => {
    const cluster = threeWithEntries();
    const told: string[] = [];
    cluster.onSend = (_replica, { message }) => {
      if (message.kind === 'JoinAnswer') told.push(message.answer);
    };
    cluster.crash('n2');
    cluster.damage('n2', 4, 8, true);
    cluster.start('n2');
    cluster.run(500);
    expect(told).toEqual([]);
    // Without a word of it, the same disk is one that was set back.
    cluster.crash('n2');
    cluster.damage('n2', 4, 8, true);
    cluster.replica('n2').disk.damage = null;
    cluster.start('n2');
    cluster.run(500);
    expect(told).toContain('boot-went-back');
  });

  test('notices that its leader is gone', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 4, 6);
    cluster.start('n2');
    cluster.run(500, without('n3'));
    expect(cluster.core('n2').state.leader?.id).toBe('n1');
    cluster.crash('n1');
    cluster.crash('n3');
    cluster.run(cluster.options.electionTimeoutMaxMs + 10);
    expect(cluster.core('n2').state).toMatchObject({ leader: null, role: 'follower' });
    expect(cluster.core('n2').deadline).toBeNull();
  });

  test('with a lost end, and then a hole, forgets neither before the hole is filled', () => {
    const cluster = threeWithEntries();
    cluster.crash('n2');
    cluster.damage('n2', 8, 8, true);
    cluster.start('n2');
    cluster.network = [];
    cluster.crash('n2');
    // The hole lies behind all that the leader will say is committed: the answer alone would make it whole.
    cluster.crash('n3');
    cluster
      .replica('n2')
      .disk.entries.push(command(8, 2, 'not committed'), command(9, 2, 'lost'), command(10, 2));
    cluster.damage('n2', 9, 9);
    cluster.start('n2');
    expect(missingOf(cluster, 'n2')).toEqual({ index: null, term: 2 });
    cluster.run(500);
    expect(cluster.core('n2').state.repairing).toBe(true);
    expect(missingOf(cluster, 'n2')).toEqual({ index: null, term: 2 });
    cluster.abandonRepair('n2');
    // What stands behind the hole is cut off on the disk too before anything is forgotten.
    expect(cluster.replica('n2').disk.damage).toBeNull();
    cluster.run(500);
    expect(missingOf(cluster, 'n2')).toBeUndefined();
    expect(cluster.replica('n2').disk.hardState).not.toHaveProperty('missing');
  });
});
