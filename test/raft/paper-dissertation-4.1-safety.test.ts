import { describe, expect, test } from 'vitest';
import { among, ChangingCluster } from './changing-cluster.ts';
import { command, configurationEntry, memberOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

describe('safety of membership changes (dissertation 4.1)', () => {
  test('a configuration takes effect as soon as it is added to a log, not when it is committed', () => {
    const n1 = new Single();
    const configuration = { ...votersOf('n1', 'n2'), id: '2.3' };
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [{ ...configurationEntry(configuration, 3), index: 2 }],
      leaderCommit: 1,
    });
    expect(n1.state.commitIndex).toBe(1);
    expect(n1.core.configurationAt(2).id).toBe('2.3');
    expect(n1.state.configurations.at(-1)?.configuration.id).toBe('2.3');
  });

  test('it falls back to the one before when the entry is removed from the log', () => {
    const n1 = new Single({ entries: [configurationEntry(votersOf('n1', 'n2', 'n3'))] });
    const configuration = { ...votersOf('n1', 'n2'), id: '2.3' };
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 3,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [{ ...configurationEntry(configuration, 3), index: 2 }],
      leaderCommit: 1,
    });
    n1.hear('n3', {
      kind: 'AppendEntries',
      term: 4,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [command(2, 4)],
      leaderCommit: 1,
    });
    expect(n1.state.configurations.at(-1)?.configuration.id).toBe('1.1');
    const last = n1.events.findLast(({ kind }) => kind === 'configuration-changed');
    expect(last).toMatchObject({ rolledBack: true, configuration: { id: '1.1' } });
  });

  test('a server accepts entries from a leader that its configuration does not list', () => {
    const n1 = new Single({ configuration: votersOf('n1', 'n2') });
    n1.hear('n9', {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [command(2, 2)],
      leaderCommit: 0,
    }).persistAll();
    expect(n1.said().at(-1)).toMatchObject({ kind: 'AppendEntriesResponse', accepted: true, matchIndex: 2 });
  });

  test('a server votes for a candidate that its configuration does not list, if its log is good enough', () => {
    for (const [lastLogIndex, granted] of [
      [1, false],
      [2, true],
    ] as const) {
      const n1 = new Single({
        entries: [configurationEntry(votersOf('n1', 'n2')), command(2, 1)],
      });
      n1.now = 600;
      n1.hear('n9', {
        kind: 'RequestVote',
        term: 2,
        lastLogIndex,
        lastLogTerm: 1,
        leadershipTransfer: false,
      }).persistAll();
      expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 2, granted }]);
    }
  });

  test('who counts, checks: the answers of servers that the own configuration does not list are nothing', () => {
    const n1 = new Single().lead();
    n1.core.propose(n1.now, [{ kind: 'noop' }]);
    n1.drain().persistAll();
    const accepted = {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 3,
      verifiedIndex: 3,
    } as const;
    n1.hear('n8', accepted).hear('n9', accepted);
    expect(n1.state.commitIndex).toBe(0);
    expect(n1.state.drops['not-a-member']).toBe(2);
    n1.hear('n2', accepted);
    expect(n1.state.commitIndex).toBe(3);
  });

  test('the next change has to wait until the last one is committed', () => {
    const cluster = new ChangingCluster('abc', 'de');
    cluster.elect('a');
    cluster.run(200);
    cluster.change('a', { add: [{ ...memberOf('d'), role: 'learner' }] });
    const next = { add: [{ ...memberOf('e'), role: 'learner' }] } as const;
    expect(cluster.change('a', next)).toMatchObject({ reason: 'change-in-progress' });
    cluster.settle(({ message }) => message.kind !== 'AppendEntriesResponse');
    expect(cluster.change('a', next)).toMatchObject({ reason: 'change-in-progress' });
    cluster.run(200);
    expect(cluster.change('a', next)).toMatchObject({ accepted: true });
  });

  test('no change before an entry of the own term is committed (Ongaro, raft-dev 2015)', () => {
    const cluster = new ChangingCluster('abcd', 'e');
    cluster.elect('a', ({ message }) => message.kind !== 'AppendEntries');
    const change = { add: [memberOf('e')] };
    expect(cluster.change('a', change)).toMatchObject({ reason: 'term-not-committed' });
    expect(cluster.core('a').state.log.lastIndex).toBe(2);
    cluster.run(100);
    expect(cluster.change('a', change)).toMatchObject({ accepted: true });
  });

  test('a leader that lost its office does not go on with a change, and its successor begins afresh', () => {
    const cluster = new ChangingCluster('abc', 'd');
    cluster.elect('a');
    cluster.run(200);
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(2000, among('bc'));
    expect(cluster.outcome('a')).toBe('superseded');
    const [leader] = cluster.leaders;
    expect(cluster.change(leader?.id ?? '', { add: [memberOf('d')] })).toMatchObject({ accepted: true });
    cluster.run(3000);
    for (const id of 'abcd') expect(cluster.membersAt(id)).toBe('abcd||');
  });
});
