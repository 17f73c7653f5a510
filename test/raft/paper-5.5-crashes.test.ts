import { describe, expect, test } from 'vitest';
import { canonical } from '../../src/raft/canonical.ts';
import { Cluster } from './cluster.ts';
import { command } from './sample-log.ts';
import { Single } from './single.ts';

const append = {
  kind: 'AppendEntries',
  term: 2,
  prevLogIndex: 1,
  prevLogTerm: 1,
  entries: [command(2, 2), command(3, 2)],
  leaderCommit: 2,
} as const;

describe('follower and candidate crashes (paper 5.5)', () => {
  test('a leader retries for as long as it takes, and a follower that restarts gets everything', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    cluster.run(200);
    cluster.crash('n3');
    for (let minute = 0; minute < 3; minute += 1) {
      cluster.propose('n1', `minute ${minute}`);
      cluster.run(60_000);
    }
    expect(cluster.core('n1').state.commitIndex).toBe(5);
    cluster.start('n3');
    cluster.run(1000);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n1').applied);
    expect(cluster.core('n1').state.hardState.term).toBe(2);
  });

  test('whoever does not answer is sent heartbeats, and no more entries than one window', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    cluster.run(200);
    cluster.crash('n3');
    cluster.run(1000);
    cluster.propose('n1', 'first');
    cluster.run(5000);
    let appends = 0;
    cluster.onSend = (_replica, { to, message }) => {
      if (to.id === 'n3' && message.kind === 'AppendEntries') appends += 1;
    };
    for (let number = 0; number < 100; number += 1) {
      cluster.propose('n1', `command ${number}`);
      cluster.run(20);
    }
    expect(appends).toBeLessThan(cluster.options.inflightMessagesMax);
    expect(cluster.core('n1').state.commitIndex).toBe(103);
  });

  test('one crash of three is survived, two are not', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    cluster.run(200);
    cluster.crash('n3');
    cluster.propose('n1', 'with two');
    cluster.run(200);
    expect(cluster.core('n1').state.commitIndex).toBe(3);
    cluster.crash('n2');
    cluster.propose('n1', 'alone');
    cluster.run(5000);
    expect(cluster.core('n1').state.commitIndex).toBe(3);
    expect(cluster.leaders).toEqual([]);
    cluster.start('n2');
    cluster.run(5000);
    expect(cluster.leaders.map(({ core }) => core?.state.commitIndex)).toEqual([5]);
  });

  test('a follower that stored entries and crashed before it answered hears them again, and has them once', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.elect('n1');
    cluster.run(200);
    cluster.propose('n1', 'x');
    cluster.settle(({ message }) => message.kind !== 'AppendEntriesResponse');
    expect(cluster.replica('n2').disk.entries).toHaveLength(3);
    for (const id of ['n2', 'n3']) {
      cluster.crash(id);
      cluster.start(id);
    }
    expect(cluster.core('n1').state.commitIndex).toBe(2);
    cluster.run(500);
    expect(cluster.core('n1').state.commitIndex).toBe(3);
    for (const { disk, applied } of cluster.replicas) {
      expect(disk.entries.map(({ index }) => index)).toEqual([1, 2, 3]);
      expect(applied).toHaveLength(3);
    }
  });

  test('a voter that crashed after its vote was durable repeats it, and gives it to nobody else', () => {
    const first = new Single();
    first.now = 600;
    const request = {
      kind: 'RequestVote',
      term: 2,
      lastLogIndex: 1,
      lastLogTerm: 1,
      leadershipTransfer: false,
    } as const;
    first.hear('n2', request).persistAll();
    const n1 = new Single({ hardState: first.state.durable.hardState, boot: 2 });
    n1.now = 600;
    n1.hear('n3', request).hear('n2', request);
    expect(n1.said()).toEqual([
      { kind: 'VoteResponse', term: 2, granted: false },
      { kind: 'VoteResponse', term: 2, granted: true },
    ]);
  });

  test('a candidate that crashed campaigns in a later term when it is back', () => {
    const first = new Single({ options: { preVote: false } });
    first.at(first.core.deadline ?? 0).persistAll();
    expect(first.state.hardState.term).toBe(2);
    const n1 = new Single({
      hardState: first.state.durable.hardState,
      boot: 2,
      options: { preVote: false },
    });
    expect(n1.state.role).toBe('follower');
    n1.hear('n2', { kind: 'VoteResponse', term: 2, granted: true });
    expect(n1.state.role).toBe('follower');
    while (n1.state.role === 'follower') n1.at(n1.core.deadline ?? 0);
    expect(n1.state.hardState.term).toBe(3);
  });

  test('the others elect a leader without a candidate that crashed in its campaign', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { preVote: false } });
    cluster.fire('n1');
    expect(cluster.core('n1').state.role).toBe('candidate');
    cluster.crash('n1');
    cluster.run(5000);
    expect(cluster.leaders).toHaveLength(1);
  });

  test('an append heard twice leaves the same state as one heard once', () => {
    // Hearing a leader draws another timeout, which is no part of what the append says.
    const options = { electionTimeoutMinMs: 500, electionTimeoutMaxMs: 501 };
    const once = new Single({ options }).hear('n2', append).persistAll();
    const twice = new Single({ options }).hear('n2', append).persistAll();
    const answers = twice.said().length;
    twice.hear('n2', append).persistAll();
    expect(canonical(twice.state)).toBe(canonical(once.state));
    expect(twice.writes).toEqual([]);
    expect(answers).toBe(1);
    expect(twice.said()).toHaveLength(1);
  });
});
