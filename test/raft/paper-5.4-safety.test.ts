import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { command, logOf, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const voters = votersOf('n1', 'n2', 'n3');
const among =
  (...ids: string[]) =>
  ({ from, to }: Envelope): boolean =>
    ids.includes(from.id) && ids.includes(to.id);

describe('the election restriction (paper 5.4.1)', () => {
  //  asker's last index and term, against a voter with terms 1 1 2
  test.each([
    { index: 3, term: 2, granted: true },
    { index: 2, term: 2, granted: false },
    { index: 9, term: 1, granted: false },
    { index: 1, term: 3, granted: true },
  ])('a log that ends at $index in term $term gets a vote: $granted', ({ index, term, granted }) => {
    const n1 = new Single({ entries: logOf(voters, [1, 1, 2]) });
    n1.now = 600;
    n1.hear('n2', { kind: 'RequestPreVote', term: 5, lastLogIndex: index, lastLogTerm: term });
    expect(n1.said()).toEqual([{ kind: 'PreVoteResponse', term: granted ? 5 : 2, granted }]);
    n1.hear('n2', {
      kind: 'RequestVote',
      term: 5,
      lastLogIndex: index,
      lastLogTerm: term,
      leadershipTransfer: false,
    }).persistAll();
    expect(n1.said()).toEqual([{ kind: 'VoteResponse', term: 5, granted }]);
    expect(n1.state.hardState.term).toBe(5);
  });

  test('a replica that misses a committed entry cannot win', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { preVote: false } });
    cluster.elect('n1', among('n1', 'n2'));
    cluster.propose('n1', 'committed on n1 and n2');
    cluster.settle(among('n1', 'n2'));
    expect(cluster.core('n1').state.commitIndex).toBe(3);
    cluster.crash('n1');
    for (let time = 0; time < 5; time += 1) {
      cluster.fire('n3');
      cluster.settle();
    }
    expect(cluster.core('n3').state.role).not.toBe('leader');
    cluster.elect('n2');
    cluster.run(200);
    expect(cluster.replica('n3').disk.entries[2]).toEqual(cluster.replica('n2').disk.entries[2]);
  });
});

describe('committing entries of earlier terms (paper 5.4.2, figure 8)', () => {
  test('an entry of an old term is not committed by counting, but with one of the own term', () => {
    const ids = ['n1', 'n2', 'n3', 'n4', 'n5'];
    const cluster = new Cluster(ids, { options: { preVote: false, checkQuorum: false } });
    // (a) n1 leads, and its entry of this term reaches n2 only.
    cluster.elect('n1', ({ message }) => message.kind !== 'AppendEntries');
    cluster.settle(({ to, message }) => to.id === 'n2' || message.kind !== 'AppendEntries');
    const first = cluster.core('n1').state.hardState.term;
    cluster.replica('n1').core?.tick(cluster.now);
    cluster.fire('n1');
    cluster.settle(among('n1', 'n2'));
    expect(cluster.replica('n2').disk.entries[1]?.term).toBe(first);
    expect(cluster.core('n1').state.commitIndex).toBe(0);
    // (b) n1 crashes; n5 is elected by n3 and n4 and has another entry 2, which reaches nobody.
    cluster.crash('n1');
    cluster.elect('n5', (e) => among('n3', 'n4', 'n5')(e) && e.message.kind !== 'AppendEntries');
    const second = cluster.core('n5').state.hardState.term;
    expect(cluster.replica('n5').disk.entries[1]?.term).toBe(second);
    // (c) n5 crashes; n1 is back, leads again, and puts its old entry 2 on a majority, but not its new 3.
    cluster.crash('n5');
    cluster.start('n1');
    cluster.elect('n1', (e) => among('n1', 'n2', 'n3', 'n4')(e) && e.message.kind !== 'AppendEntries');
    const leader = cluster.core('n1');
    const old = cluster.replica('n1').disk.entries[1];
    if (old === undefined) throw new Error('n1 lost entry 2');
    const truncating = (envelope: Envelope): Envelope =>
      envelope.message.kind === 'AppendEntries'
        ? {
            ...envelope,
            message: {
              ...envelope.message,
              entries: envelope.message.entries.filter(({ index }) => index < 3),
            },
          }
        : envelope;
    for (let round = 0; round < 8; round += 1) {
      cluster.fire('n1');
      while (cluster.network.length > 0) {
        const envelope = cluster.network.shift();
        if (envelope !== undefined && among('n1', 'n2', 'n3')(envelope))
          cluster.deliver(truncating(envelope));
      }
    }
    for (const id of ['n1', 'n2', 'n3']) expect(cluster.replica(id).disk.entries[1]).toEqual(old);
    expect(
      leader.state.progress.filter(({ matchIndex }) => matchIndex >= 2).map(({ member }) => member.id),
    ).toEqual(['n2', 'n3']);
    // Three of five hold entry 2, and it is not committed: (d) could still overwrite it.
    expect(leader.state.commitIndex).toBe(0);
    // (e) Once entry 3, of its own term, is on a majority, everything up to it is.
    for (let round = 0; round < 3; round += 1) {
      cluster.fire('n1');
      cluster.settle(among('n1', 'n2', 'n3'));
    }
    expect(leader.state.commitIndex).toBe(3);
    // Now n5 cannot win any more.
    cluster.start('n5');
    for (let time = 0; time < 4; time += 1) {
      cluster.fire('n5');
      cluster.settle(among('n2', 'n3', 'n4', 'n5'));
    }
    expect(cluster.core('n5').state.role).not.toBe('leader');
  });

  test('an entry of the own term is committed when a majority holds it durably, the leader among them or not', () => {
    const n1 = new Single().lead();
    n1.core.propose(n1.now, [{ kind: 'noop' }]);
    n1.drain();
    const answer = (from: string, matchIndex: number) =>
      n1.hear(from, { kind: 'AppendEntriesResponse', accepted: true, term: 2, matchIndex, verifiedIndex: 3 });
    answer('n2', 2);
    expect(n1.state.commitIndex).toBe(2);
    // Its own entry 3 is not durable: two others are needed.
    answer('n2', 3);
    expect(n1.state.commitIndex).toBe(2);
    answer('n3', 3);
    expect(n1.state.commitIndex).toBe(3);
    expect(n1.state.durable.index).toBe(2);
  });

  test('a new leader does not know what is committed until its own entry is', () => {
    const n1 = new Single({ entries: [...logOf(voters, [1, 1]), command(3, 1)] }).lead();
    n1.hear('n2', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 3,
      verifiedIndex: 3,
    });
    expect(n1.state.commitIndex).toBe(0);
    n1.hear('n2', {
      kind: 'AppendEntriesResponse',
      accepted: true,
      term: 2,
      matchIndex: 4,
      verifiedIndex: 4,
    });
    expect(n1.state.commitIndex).toBe(4);
  });
});
