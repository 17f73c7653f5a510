import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { ChangingCluster } from './changing-cluster.ts';
import { led, without } from './led-cluster.ts';
import { memberOf } from './sample-log.ts';
import { Single } from './single.ts';

describe('leadership transfer (dissertation 3.10)', () => {
  test('1. the prior leader stops accepting new client requests', () => {
    const cluster = led();
    cluster.transfer('n1', 'n2');
    expect(cluster.propose('n1', 'x')).toEqual({ accepted: false, reason: 'transferring-leadership' });
    expect(cluster.core('n1').state.log.lastIndex).toBe(2);
  });

  test('2. it brings the log of the target up to its own before it sends the TimeoutNow', () => {
    const cluster = led();
    cluster.run(200, without('n2'));
    cluster.propose('n1', 'x', 'y');
    cluster.settle(without('n2'));
    cluster.transfer('n1', 'n2');
    expect(cluster.underWay('TimeoutNow')).toEqual([]);
    cluster.run(200);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
    expect(cluster.replica('n2').applied).toHaveLength(5);
  });

  test('a log that is as long in memory is not enough: it has to be durable', () => {
    const cluster = led();
    cluster.replica('n2').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle();
    cluster.transfer('n1', 'n2');
    cluster.settle();
    expect(cluster.core('n2').state.log.lastIndex).toBe(3);
    expect(cluster.core('n1').state.leadershipTransfer?.sent).toBe(false);
    cluster.replica('n2').disk.persistsAtOnce = true;
    cluster.persist('n2');
    cluster.settle();
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('3. the target starts a new election, without asking first, and the next term begins at once', () => {
    const cluster = led();
    const { now } = cluster;
    cluster.transfer('n1', 'n2');
    cluster.settle();
    expect(cluster.now).toBe(now);
    expect(cluster.leaders.map(({ id, core }) => `${id} in ${core?.state.hardState.term}`)).toEqual([
      'n2 in 3',
    ]);
    expect(cluster.replica('n1').events.at(-1)).toMatchObject({ kind: 'leader-changed' });
  });

  test('it has a special flag: whoever heard a leader just now votes for this one, and for no other', () => {
    const n1 = new Single({ options: { clockGapMs: 1_000_000 } });
    n1.now = 700;
    n1.hear('n2', { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null }).said();
    const ask = { kind: 'RequestVote', term: 2, lastLogIndex: 1, lastLogTerm: 1 } as const;
    n1.hear('n3', { ...ask, leadershipTransfer: false }).persistAll();
    expect(n1.said()).toEqual([]);
    n1.hear('n3', { ...ask, leadershipTransfer: true }).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 2, granted: true }]);
  });

  test('the flag waives promises, and nothing else: not the log (5.4.1), not the one vote of a term (5.2)', () => {
    const n1 = new Single({ hardState: { term: 1, votedFor: null } });
    n1.now = 700;
    const ask = { kind: 'RequestVote', term: 2, leadershipTransfer: true } as const;
    n1.hear('n2', { ...ask, lastLogIndex: 0, lastLogTerm: 0 }).persistAll();
    n1.hear('n3', { ...ask, lastLogIndex: 1, lastLogTerm: 1 }).persistAll();
    n1.hear('n2', { ...ask, lastLogIndex: 1, lastLogTerm: 1 }).persistAll();
    expect(n1.said().map((message) => 'granted' in message && message.granted)).toEqual([false, true, false]);
  });

  test('a campaign that failed is followed by one without the flag', () => {
    const cluster = led({ preVote: false });
    cluster.transfer('n1', 'n2');
    cluster.settle(({ message }) => message.kind === 'TimeoutNow');
    cluster.network = [];
    cluster.fire('n2');
    expect(cluster.underWay('RequestVote').map(({ leadershipTransfer }) => leadershipTransfer)).toEqual([
      false,
      false,
    ]);
  });

  test('if the target fails the prior leader must abort the transfer after about an election timeout', () => {
    const cluster = led();
    cluster.crash('n2');
    cluster.transfer('n1', 'n2');
    cluster.run(cluster.options.electionTimeoutMaxMs - 1);
    expect(cluster.propose('n1', 'x').accepted).toBe(false);
    cluster.run(1);
    expect(cluster.propose('n1', 'x').accepted).toBe(true);
    expect(cluster.replica('n1').events).toContainEqual(
      expect.objectContaining({ kind: 'leadership-transfer-ended', outcome: 'timed-out' }),
    );
  });

  test('if the transfer was mistakenly aborted, at worst there is one more election', () => {
    const cluster = led();
    cluster.transfer('n1', 'n2');
    const [late] = cluster.network.splice(0);
    cluster.run(2000, without('n2'));
    cluster.run(300);
    cluster.propose('n1', 'x');
    cluster.settle();
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
    if (late === undefined) throw new Error('nothing was sent');
    cluster.deliver(late);
    cluster.settle();
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
    expect(cluster.replica('n2').applied.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
  });

  test('a TimeoutNow that is lost is repeated with the heartbeats', () => {
    const cluster = led();
    cluster.transfer('n1', 'n2');
    cluster.network = [];
    cluster.run(100);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('one that comes twice is of an old term the second time', () => {
    const cluster = led();
    cluster.transfer('n1', 'n2');
    const [timeoutNow] = cluster.network;
    cluster.settle();
    if (timeoutNow === undefined) throw new Error('nothing was sent');
    cluster.deliver(timeoutNow);
    expect(cluster.core('n2').state.drops['stale-term']).toBe(1);
    expect(cluster.leaders.map(({ id, core }) => `${id} in ${core?.state.hardState.term}`)).toEqual([
      'n2 in 3',
    ]);
  });

  test('whoever stands still, or may not campaign, does not', () => {
    const cluster = led();
    cluster.stall('n2', 'storage');
    cluster.transfer('n1', 'n2');
    cluster.settle();
    expect(cluster.core('n2').state.drops['not-fit-to-lead']).toBe(1);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
  });

  test('where nobody is named it goes to the longest log of those heard lately', () => {
    const cluster = led({}, ['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.propose('n1', 'x');
    cluster.settle(without('n2', 'n3', 'n4'));
    expect(cluster.transfer('n1')).toMatchObject({ accepted: true, to: 'n5' });
    cluster.network = [];
    // n5 has the longest log still, and is not heard any more.
    const appends = ({ message }: Envelope): boolean => message.kind.startsWith('Append');
    const isHeard = without('n5');
    cluster.run(1000, (envelope) => isHeard(envelope) && !appends(envelope));
    expect(cluster.transfer('n1')).toMatchObject({ accepted: true, to: 'n2' });
  });

  test('the target knows that it is a voter: it holds the configuration that says so (ZOO M6)', () => {
    const cluster = new ChangingCluster('abcd', 'd');
    cluster.elect('a');
    cluster.run(300);
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(3000);
    expect(cluster.membersAt('a')).toBe('abcd||');
    cluster.transfer('a', 'd');
    cluster.settle();
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['d']);
  });

  test('transfers one after the other never leave two leaders of one term, nor lose an entry', () => {
    const cluster = led({}, ['n1', 'n2', 'n3', 'n4', 'n5']);
    for (let time = 0; time < 30; time += 1) {
      const [leader] = cluster.leaders;
      if (leader === undefined) throw new Error('nobody leads');
      cluster.propose(leader.id, `${time}`);
      cluster.transfer(leader.id, `n${((time * 3) % 5) + 1}`);
      cluster.run(120);
      expect(cluster.leaders).toHaveLength(1);
    }
    cluster.run(300);
    const applied = cluster.replicas.map(
      (one) => one.applied.filter(({ kind }) => kind === 'command').length,
    );
    expect(applied).toEqual([30, 30, 30, 30, 30]);
  });
});
