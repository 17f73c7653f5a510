import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { snapshotOf } from './fake-disk.ts';
import { command, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

const configuration = votersOf('n1', 'n2', 'n3');
/** A snapshot of entries 1 to 5, the last of term 2. */
const { meta: snapshot, data } = snapshotOf([], { index: 5, term: 2, configuration });
const install = { kind: 'InstallSnapshot', term: 3, snapshot, offset: 0, data } as const;

function led(count: number): Cluster {
  const cluster = new Cluster(['n1', 'n2', 'n3']);
  cluster.elect('n1');
  cluster.run(200);
  for (let number = 0; number < count; number += 1) cluster.propose('n1', `command ${number}`);
  cluster.run(200);
  return cluster;
}

/** n1 with entries of the given terms, entry 1 being the configuration. */
function holding(terms: readonly number[]): Single {
  const [first, ...others] = terms;
  return new Single({
    entries: [
      { kind: 'configuration', index: 1, term: first ?? 1, clusterId: 'c0ffee00c0ffee00', configuration },
      ...others.map((term, at) => command(at + 2, term)),
    ],
  });
}

/** It hears the whole snapshot, and its disk does what it is asked. */
function installs(n1: Single): Single {
  n1.hear('n2', install);
  const chunk = n1.chunks.at(-1);
  if (chunk !== undefined) {
    n1.core.snapshotWritten(n1.now, chunk.transferId, chunk.snapshot.size);
    n1.core.snapshotStored(n1.now, chunk.transferId);
    n1.drain();
  }
  return n1.persistAll();
}

describe('taking snapshots (paper 7)', () => {
  test('each server takes its own, when it wants to, of what is committed', () => {
    const cluster = led(10);
    cluster.compact('n2', 8);
    expect(cluster.core('n2').state.log).toMatchObject({ floorIndex: 8, floorTerm: 2, lastIndex: 12 });
    expect(cluster.core('n1').state.log.floorIndex).toBe(0);
    cluster.propose('n1', 'not committed');
    cluster.settle(({ message }) => message.kind !== 'AppendEntriesResponse');
    const { commitIndex } = cluster.core('n2').state;
    expect(cluster.core('n2').state.log.lastIndex).toBe(commitIndex + 1);
    const meta = { ...cluster.snapshotOf('n2', commitIndex).meta, index: commitIndex + 1 };
    expect(() => cluster.core('n2').snapshotTaken(cluster.now, meta, meta.index + 1)).toThrow(
      `a snapshot of entry ${commitIndex + 1}, committed is only ${commitIndex}`,
    );
  });

  test('it holds the last included index and term, and the latest configuration up to there', () => {
    const cluster = led(3);
    expect(cluster.compact('n1')).toMatchObject({ index: 5, term: 2, configuration: { id: '1.1' } });
    expect(cluster.replica('n1').disk).toMatchObject({ floor: { index: 5, term: 2 }, entries: [] });
    expect(cluster.replica('n1').disk.floor.configuration?.id).toBe('1.1');
  });

  test('the first entry after it passes the consistency check, which needs the index and term before it', () => {
    const cluster = led(3);
    for (const id of ['n1', 'n2', 'n3']) cluster.compact(id);
    cluster.propose('n1', 'after');
    expect(cluster.underWay('AppendEntries', 'n2')).toMatchObject([{ prevLogIndex: 5, prevLogTerm: 2 }]);
    cluster.settle();
    expect(cluster.core('n1').state.commitIndex).toBe(6);
    expect(cluster.core('n2').state.log.lastIndex).toBe(6);
  });

  test('a restart restores the state machine from it and applies what comes after it, once', () => {
    const cluster = led(3);
    const before = cluster.replica('n3').applied;
    cluster.compact('n3', 4);
    cluster.crash('n3');
    cluster.start('n3');
    expect(cluster.replica('n3').applied).toEqual(before.slice(0, 4));
    cluster.run(500);
    expect(cluster.replica('n3').applied).toEqual(before);
  });

  test('a log that is a snapshot and nothing else still decides who is up to date', () => {
    const cluster = led(3);
    cluster.crash('n3');
    cluster.propose('n1', 'missed by n3');
    cluster.run(200);
    for (const id of ['n1', 'n2']) cluster.compact(id);
    cluster.crash('n1');
    cluster.start('n3');
    cluster.run(10_000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });
});

describe('InstallSnapshot (paper 7, figure 13)', () => {
  test('is sent to whoever needs what the leader has discarded, and to nobody else', () => {
    const cluster = led(3);
    cluster.crash('n3');
    cluster.propose('n1', 'x');
    cluster.run(200);
    cluster.compact('n1');
    const receivers = new Set<string>();
    cluster.onSend = (_replica, { to, message }) => {
      if (message.kind === 'InstallSnapshot') receivers.add(to.id);
    };
    cluster.start('n3');
    cluster.run(1000);
    expect([...receivers]).toEqual(['n3']);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n1').applied);
  });

  test('of an older term is refused with the present one', () => {
    const n1 = new Single({ hardState: { term: 4, votedFor: null } });
    n1.hear('n2', install);
    expect(n1.said()).toMatchObject([{ kind: 'InstallSnapshotResponse', term: 4 }]);
    expect(n1.chunks).toEqual([]);
  });

  test('keeps a follower from campaigning, as every message of the leader does', () => {
    const n1 = holding([1, 1]);
    n1.at(499);
    n1.hear('n2', install);
    n1.at(998);
    expect(n1.state).toMatchObject({ role: 'follower', leader: { id: 'n2' } });
  });

  test('discards the whole log where it holds nothing of the snapshot\u2019s end', () => {
    for (const terms of [
      [1, 1],
      [1, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 1, 1],
    ]) {
      const n1 = installs(holding(terms));
      expect(n1.state.log).toMatchObject({ floorIndex: 5, floorTerm: 2, lastIndex: 5, runs: [] });
      expect(n1.state.commitIndex).toBe(5);
    }
  });

  test('retains the entries that follow it where the log holds its last entry', () => {
    const n1 = installs(holding([1, 1, 2, 2, 2, 2, 2]));
    expect(n1.state.log).toMatchObject({ floorIndex: 5, floorTerm: 2, lastIndex: 7 });
    expect(n1.core.termAt(7)).toBe(2);
  });

  test('brings the configuration, and resets the state machine', () => {
    const other = { ...snapshot, configuration: { ...votersOf('n1', 'n2'), id: '4.2' } };
    const n1 = holding([1, 1]);
    n1.hear('n2', { ...install, snapshot: other });
    const chunk = n1.chunks.at(-1);
    if (chunk === undefined) throw new Error('nothing is received');
    n1.core.snapshotWritten(n1.now, chunk.transferId, chunk.snapshot.size);
    n1.core.snapshotStored(n1.now, chunk.transferId);
    n1.drain();
    expect(n1.core.configurationAt(5).id).toBe('4.2');
    expect(n1.state.restoring?.index).toBe(5);
    expect(n1.state.appliedIndex).toBe(0);
    n1.core.restored(n1.now, 5);
    n1.drain();
    expect(n1.state.appliedIndex).toBe(5);
  });
});
