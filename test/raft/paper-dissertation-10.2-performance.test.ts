import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { led, without } from './led-cluster.ts';

describe("writing to the leader's disk in parallel (dissertation 10.2.1)", () => {
  test('entries leave for the followers before they are durable on the leader', () => {
    const cluster = led();
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    expect(cluster.replica('n1').disk.pending).toHaveLength(1);
    expect(cluster.underWay('AppendEntries')).toHaveLength(2);
  });

  test('a majority of followers commits what the leader has not written yet', () => {
    const cluster = led();
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle();
    expect(cluster.core('n1').state.durable.index).toBe(2);
    expect(cluster.core('n1').state.commitIndex).toBe(3);
    expect(cluster.replica('n1').applied).toHaveLength(3);
  });

  test('with one follower the leader counts itself only once its own disk is done', () => {
    const cluster = led();
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle(without('n3'));
    expect(cluster.core('n1').state.commitIndex).toBe(2);
    cluster.persist('n1');
    expect(cluster.core('n1').state.commitIndex).toBe(3);
  });

  test('a leader that crashes before its write is done has lost nothing that was committed', () => {
    const cluster = led();
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle();
    cluster.crash('n1');
    expect(cluster.replica('n1').disk.entries).toHaveLength(2);
    cluster.replica('n1').disk.persistsAtOnce = true;
    cluster.now += 1000;
    cluster.elect('n2');
    cluster.start('n1');
    cluster.run(1000);
    expect(cluster.replica('n1').applied.map(({ kind }) => kind)).toEqual([
      'configuration',
      'noop',
      'command',
      'noop',
    ]);
  });

  test('a vote for itself is not counted that way: it is durable first (5.2)', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3']);
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.fire('n1');
    cluster.settle();
    expect(cluster.core('n1').state.role).toBe('candidate');
    expect(cluster.underWay('RequestVote')).toEqual([]);
    cluster.persist('n1');
    expect(cluster.underWay('RequestVote')).toHaveLength(2);
  });
});

describe('batching and pipelining (dissertation 10.2.2)', () => {
  test('what is proposed between two drains is one message to each follower, and one write', () => {
    const cluster = led();
    const target = cluster.replica('n1');
    target.disk.persistsAtOnce = false;
    for (let count = 0; count < 50; count += 1) {
      cluster.core('n1').propose(cluster.now, [{ kind: 'command', payload: new Uint8Array(8) }]);
    }
    cluster.drain(target);
    expect(cluster.underWay('AppendEntries').map(({ entries }) => entries.length)).toEqual([50, 50]);
    expect(target.disk.pending.map(({ entries }) => entries.length)).toEqual([50]);
  });

  test('a batch is bounded by bytes, and what does not fit follows at once', () => {
    const cluster = led({ messageBytesMax: 100, inflightBytesMax: 10_000 });
    cluster.propose('n1', ...Array.from({ length: 20 }, () => 'twenty bytes of text'));
    const appends = cluster.underWay('AppendEntries', 'n2');
    expect(appends.length).toBeGreaterThan(4);
    expect(appends.flatMap(({ entries }) => entries)).toHaveLength(20);
  });

  test('pipelining: the next batch does not wait for the answer to the last', () => {
    const cluster = led();
    for (const text of ['x', 'y', 'z']) cluster.propose('n1', text);
    expect(cluster.underWay('AppendEntries', 'n2').map(({ prevLogIndex }) => prevLogIndex)).toEqual([
      2, 3, 4,
    ]);
  });

  test('the answer to the last of a pipeline stands for all before it', () => {
    const cluster = led();
    for (const text of ['x', 'y', 'z']) cluster.propose('n1', text);
    cluster.settle(({ from, to, message }) => {
      if (to.id === 'n3' || from.id === 'n3') return false;
      return (
        message.kind !== 'AppendEntriesResponse' || ('matchIndex' in message && message.matchIndex === 5)
      );
    });
    expect(cluster.core('n1').state.commitIndex).toBe(5);
  });

  test('a message that overtakes another is refused, and the pipeline goes back and starts again (5.3)', () => {
    const cluster = led();
    for (const text of ['x', 'y', 'z']) cluster.propose('n1', text);
    cluster.network.reverse();
    cluster.settle();
    cluster.run(300);
    expect(cluster.replicas.map(({ applied }) => applied.length)).toEqual([5, 5, 5]);
  });

  test('no reordering, repetition or loss in a pipeline makes two logs differ', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const cluster = new Cluster(['n1', 'n2', 'n3'], { seed, options: { inflightMessagesMax: 3 } });
      cluster.elect('n1');
      cluster.run(300);
      for (let count = 0; count < 60; count += 1) {
        cluster.propose('n1', `${count}`);
        const { network } = cluster;
        const envelope = network[(count * 7 + seed * 3) % network.length];
        if (envelope === undefined) continue;
        if (count % 5 === 0) network.push({ ...envelope });
        if (count % 7 === 0) network.splice(network.indexOf(envelope), 1);
        else cluster.deliver(envelope);
      }
      cluster.run(3000);
      const texts = cluster.replicas.map(({ applied }) =>
        applied.map(({ index, term }) => `${index}/${term}`).join(),
      );
      expect(new Set(texts).size, `seed ${seed}`).toBe(1);
      expect(cluster.replica('n1').applied).toHaveLength(62);
    }
  });
});
