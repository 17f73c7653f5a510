import { describe, expect, test } from 'vitest';
import type { JoinOutcome } from '../../src/raft/message.ts';
import { among, ChangingCluster } from './changing-cluster.ts';
import { clusterId, group, memberOf, replica } from './sample-log.ts';

/** What looks right and goes wrong when changes, silence and clocks meet: each was found as a failing schedule. */

/** `id` asks to be let in, as that life and boot of it, and is answered by `to`. */
function ask(
  cluster: ChangingCluster,
  to: string,
  from: { readonly id: string; readonly life: number; readonly boot?: number; readonly address?: string },
): JoinOutcome | undefined {
  const { id, life, boot = 1, address = `${id}:1` } = from;
  cluster.core(to).receive(cluster.now, {
    clusterId,
    group,
    from: replica(id, boot, life),
    to: { id: to, incarnation: null },
    message: { kind: 'JoinRequest', address, metadata: {}, lastLogIndex: 0 },
  });
  cluster.drain(cluster.replica(to));
  return cluster.eventsOf(to, 'newcomer').at(-1)?.answer;
}

/** The second life of a server, which holds the leader's whole log at once. */
function catchUp(cluster: ChangingCluster, leader: string, id: string): void {
  const { state } = cluster.core(leader);
  const { lastIndex } = state.log;
  cluster.core(leader).receive(cluster.now, {
    clusterId,
    group,
    from: replica(id, 1, 2),
    to: { id: leader, incarnation: `${leader}-incarnation` },
    message: {
      kind: 'HeartbeatResponse',
      term: state.hardState.term,
      round: state.lastRound,
      matchIndex: lastIndex,
      verifiedIndex: lastIndex,
      promiseMs: 500,
      stamp: 0,
    },
  });
  cluster.drain(cluster.replica(leader));
}

/** Message by message, until the joint configuration is in force on `leader`. */
function untilJoint(cluster: ChangingCluster, leader: string): void {
  for (let step = 0; cluster.configurationOf(leader).outgoing.length === 0; step += 1) {
    if (step > 2000) throw new Error('it never becomes joint');
    const [envelope] = cluster.network;
    if (envelope === undefined) cluster.fire(leader);
    else cluster.deliver(envelope);
  }
}

describe('the only voter, being replaced', () => {
  const replacing = (): ChangingCluster => {
    const cluster = new ChangingCluster('a', 'b');
    cluster.elect('a');
    cluster.change('a', { replace: [{ id: 'a', by: memberOf('b') }] });
    untilJoint(cluster, 'a');
    return cluster;
  };

  test('does not decide alone in the joint configuration, and campaigns until it is heard', () => {
    const cluster = replacing();
    cluster.network = [];
    cluster.crash('a');
    cluster.start('a');
    cluster.run(3000, () => false);
    expect(cluster.leaders).toEqual([]);
    cluster.run(10_000);
    expect(cluster.leaders).toHaveLength(1);
  });

  test('goes back to itself when its successor is not heard', () => {
    const cluster = replacing();
    cluster.run(10_000, () => false);
    expect(cluster.membersAt('a')).toBe('a||');
    expect(cluster.core('a').state.role).toBe('leader');
    expect(cluster.outcome('a')).toBe('aborted');
  });
});

describe('new voters that are gone in the joint configuration', () => {
  test('are left behind for the old ones, as long as their leader leads', () => {
    const cluster = new ChangingCluster('ab', 'cd');
    cluster.elect('a');
    cluster.run(500);
    cluster.change('a', { add: [memberOf('c'), memberOf('d')] });
    untilJoint(cluster, 'a');
    cluster.run(5000, among('ab'));
    expect(cluster.outcome('a')).toBe('aborted');
    expect(cluster.membersAt('b')).toBe('ab||');
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['a']);
  });

  test('and the leader steps down when the old ones do not answer either', () => {
    const cluster = new ChangingCluster('ab', 'cd');
    cluster.elect('a');
    cluster.run(500);
    cluster.change('a', { add: [memberOf('c'), memberOf('d')] });
    untilJoint(cluster, 'a');
    cluster.run(2000, () => false);
    expect(cluster.core('a').state.role).not.toBe('leader');
    expect(cluster.outcome('a')).toBe('superseded');
  });
});

describe('a member removed and added again as the same pair', () => {
  test('passes its removal while it catches up, and is not out', () => {
    const cluster = new ChangingCluster('abc', '', { messageBytesMax: 64 });
    cluster.elect('a');
    cluster.run(500);
    cluster.change('a', { remove: ['c'] });
    cluster.runUntil(() => cluster.outcome('a') === 'completed', among('ab'));
    cluster.run(6000, among('ab'));
    for (let count = 0; count < 40; count += 1) cluster.propose('a', `x${count}`);
    cluster.run(500, among('ab'));
    cluster.change('a', { add: [memberOf('c')] });
    cluster.runUntil(() => cluster.eventsOf('a', 'membership-ended').length === 2);
    cluster.run(2000);
    expect(cluster.membersAt('c')).toBe('abc||');
    expect(cluster.eventsOf('c', 'removed')).toEqual([]);
  });
});

describe('new members of which one is well and one is not', () => {
  test('are given up in time, however much is written meanwhile', () => {
    const cluster = new ChangingCluster('abc', 'de');
    cluster.elect('a');
    cluster.run(500);
    cluster.change('a', { add: [memberOf('d'), memberOf('e')] });
    const seconds = cluster.options.catchUpTimeoutMs / 1000;
    const write = (count: number): void => {
      for (let second = 0; second < count; second += 1) {
        cluster.propose('a', `w${second}`);
        cluster.run(1000, among('abcd'));
      }
    };
    write(seconds - 2);
    expect(cluster.outcome('a')).toBeUndefined();
    write(5);
    expect(cluster.outcome('a')).toBe('aborted');
  });

  test('are waited for again when they fall behind', () => {
    const cluster = new ChangingCluster('ab', 'de');
    cluster.elect('a');
    cluster.run(500);
    cluster.change('a', { add: [memberOf('d'), memberOf('e')] });
    cluster.run(1000, among('abd'));
    expect(cluster.core('a').state.change?.catchUp.map(({ caughtUp }) => caughtUp)).toEqual([true, false]);
    const starved = ({ to, message }: { to: { id: string }; message: { kind: string } }): boolean =>
      to.id !== 'd' || message.kind !== 'AppendEntries';
    for (let count = 0; count < 200; count += 1) {
      cluster.propose('a', `w${count}`);
      cluster.run(20, (envelope) => starved(envelope) && among('abd')(envelope));
    }
    cluster.run(3000, starved);
    expect(cluster.history('a')).not.toContain('abde|ab|');
  });

  test('are given up when their snapshot never verifies', () => {
    const cluster = new ChangingCluster('abc', 'd', { snapshotChunkBytes: 400 });
    cluster.elect('a');
    cluster.run(500);
    for (let count = 0; count < 20; count += 1) cluster.propose('a', `x${count}`);
    cluster.run(500);
    cluster.compact('a');
    const data = cluster.replica('a').disk.snapshots.at(-1)?.data;
    if (data !== undefined) data[10] = (data[10] ?? 0) ^ 1;
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(3 * cluster.options.catchUpTimeoutMs);
    expect(cluster.outcome('a')).toBe('aborted');
  });
});

describe('a replacement begun for silence', () => {
  const silentFor600Ms = (): ChangingCluster => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(3000);
    cluster.run(600, among('ac'));
    expect(ask(cluster, 'a', { id: 'b', life: 2 })).toBe('replacing');
    return cluster;
  };

  test('ends when the silent member speaks', () => {
    const cluster = silentFor600Ms();
    cluster.run(2000, ({ to }) => to.incarnation !== 'b-incarnation-2');
    expect(cluster.outcome('a')).toBe('aborted');
    expect(cluster.membersAt('a')).toBe('abc||');
    expect(cluster.configurationOf('a').retired).toEqual([]);
  });

  test('retires nobody in words before it is committed', () => {
    const cluster = silentFor600Ms();
    cluster.run(200, among('ac'));
    for (let round = 0; round < 3; round += 1) catchUp(cluster, 'a', 'b');
    expect(cluster.configurationOf('a').outgoing).not.toEqual([]);
    expect(ask(cluster, 'a', { id: 'b', life: 1 })).toBe('listed');
    cluster.abort('a');
    expect(ask(cluster, 'a', { id: 'b', life: 2 })).toBe('waiting-for-change');
  });

  test('is not begun because the leader itself stood still', () => {
    for (const stray of [
      { id: 'b', life: 2 },
      { id: 'b', life: 1, boot: 2, address: 'elsewhere:1' },
    ]) {
      const cluster = new ChangingCluster('abc', '', { clockGapMs: 250 });
      cluster.elect('a');
      cluster.run(3000);
      cluster.now += 700;
      expect(ask(cluster, 'a', stray)).not.toBe('replacing');
      cluster.run(2000);
      expect(cluster.membersAt('a')).toBe('abc||');
      expect(cluster.configurationOf('a').voters.map(({ address }) => address)).toContain('b:1');
    }
  });

  test('goes on with the life that is heard when an earlier one is gone', () => {
    const cluster = new ChangingCluster('abcde');
    cluster.elect('a');
    cluster.run(2000);
    cluster.wipe('b');
    cluster.run(1500, among('acde'));
    expect(ask(cluster, 'a', { id: 'b', life: 2 })).toBe('replacing');
    cluster.run(300, among('acde'));
    cluster.crash('a');
    cluster.run(5000, among('cde'));
    const second = cluster.leaders[0]?.id ?? '';
    cluster.wipe('b');
    expect(ask(cluster, second, { id: 'b', life: 3 })).toBe('replacing');
    cluster.run(300, among('cde'));
    cluster.start('a');
    cluster.crash(second);
    cluster.run(5000, among('acde'));
    cluster.start(second);
    cluster.run(30_000, ({ to }) => to.id !== 'b' || to.incarnation === 'b-incarnation-3');
    const third = cluster.leaders[0]?.id ?? '';
    const { voters, learners } = cluster.configurationOf(third);
    expect(voters.map(({ incarnation }) => incarnation)).toContain('b-incarnation-3');
    expect(learners).toEqual([]);
  });
});

describe('who speaks for the cluster', () => {
  test('is no leader that has not heard a quorum lately', () => {
    const cluster = new ChangingCluster('abc', '', { clockGapMs: 250 });
    cluster.elect('a');
    cluster.run(3000);
    expect(ask(cluster, 'a', { id: 'x', life: 1 })).toBe('waiting-for-operator');
    cluster.now += 700;
    expect(ask(cluster, 'a', { id: 'x', life: 1 })).toBe('waiting-for-change');
  });
});

describe('a directory that went back', () => {
  test('is told so by the leader to whom it acknowledged more', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(500);
    const backup = structuredClone(cluster.replica('b').disk);
    cluster.propose('a', 'precious');
    cluster.settle(among('ab'));
    cluster.crash('b');
    cluster.replica('b').disk = backup;
    cluster.start('b');
    const told: string[] = [];
    cluster.onSend = (_sender, { message }) => {
      if (message.kind === 'JoinAnswer') told.push(message.answer);
    };
    cluster.run(2000, among('ab'));
    expect(told).toContain('boot-went-back');
  });

  test('and one that holds what it acknowledged is not, whatever else it lost', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(500);
    cluster.replica('b').disk.persistsAtOnce = false;
    cluster.propose('a', 'never acknowledged by b');
    cluster.settle();
    cluster.crash('b');
    cluster.start('b');
    const told: string[] = [];
    cluster.onSend = (_sender, { message }) => {
      if (message.kind === 'JoinAnswer') told.push(message.answer);
    };
    cluster.run(2000);
    expect(told).toEqual([]);
  });

  test('and was started elsewhere turns nobody away from the original, also without pre-votes', () => {
    const cluster = new ChangingCluster('abc', '', { preVote: false });
    cluster.elect('a');
    cluster.run(1000);
    cluster.core('a').receive(cluster.now, {
      clusterId,
      group,
      from: replica('b', 2),
      to: { id: 'a', incarnation: 'a-incarnation' },
      message: { kind: 'RequestVote', term: 9, lastLogIndex: 1, lastLogTerm: 1, leadershipTransfer: false },
    });
    cluster.drain(cluster.replica('a'));
    cluster.run(2000);
    expect(cluster.core('a').state.drops['stale-boot'] ?? 0).toBe(0);
  });
});
