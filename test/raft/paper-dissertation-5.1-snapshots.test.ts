import { describe, expect, test } from 'vitest';
import { among, ChangingCluster, namesIn } from './changing-cluster.ts';
import { memberOf } from './sample-log.ts';

function led(count: number, newcomers = '', options = {}): ChangingCluster {
  const cluster = new ChangingCluster('abc', newcomers, options);
  cluster.elect('a');
  cluster.run(200);
  for (let number = 0; number < count; number += 1) cluster.propose('a', `command ${number}`);
  cluster.run(200);
  return cluster;
}

/** Which kinds of messages brought c what it missed. */
function brought(cluster: ChangingCluster): string[] {
  const kinds = new Set<string>();
  cluster.onSend = (_replica, { to, message }) => {
    const carries =
      message.kind === 'InstallSnapshot' || (message.kind === 'AppendEntries' && message.entries.length > 0);
    if (to.id === 'c' && carries) kinds.add(message.kind);
  };
  cluster.start('c');
  cluster.run(1000);
  return [...kinds].sort();
}

/** c misses the last entries of ten, and a has compacted its log but for `keep` of them. */
function missing(keep: number): ChangingCluster {
  const cluster = led(7);
  cluster.crash('c');
  for (let number = 0; number < 3; number += 1) cluster.propose('a', `missed ${number}`);
  cluster.run(200);
  cluster.compact('a', 12, keep);
  return cluster;
}

describe('snapshotting memory-based state machines (dissertation 5.1)', () => {
  test('the last included index and term and the configuration are kept, the entries are not', () => {
    const cluster = led(5, 'd');
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(2000);
    const { configuration } = cluster.compact('a');
    expect(namesIn(configuration)).toBe('abcd||');
    const { log } = cluster.core('a').state;
    expect(log).toMatchObject({ floorIndex: 10, floorTerm: 2, lastIndex: 10, runs: [], cache: [] });
    expect(cluster.core('a').state.configurations).toEqual([{ index: 10, configuration }]);
  });

  test('a configuration after the snapshot stays in the log, and rolls back to that of the snapshot', () => {
    const cluster = led(2, 'd');
    cluster.compact('a');
    cluster.change('a', { add: [{ ...memberOf('d'), role: 'learner' }] });
    expect(cluster.membersAt('a')).toBe('abc||d');
    cluster.run(3000, among('bc'));
    cluster.run(2000, among('abc'));
    expect(cluster.membersAt('a')).toBe('abc||');
    expect(cluster.eventsOf('a', 'configuration-changed').at(-1)).toMatchObject({
      index: 4,
      rolledBack: true,
    });
  });

  test('a snapshot replaces the one before it', () => {
    const cluster = led(5);
    cluster.compact('a', 4);
    cluster.compact('a', 6);
    expect(cluster.replica('a').disk.snapshots.map(({ meta }) => meta.index)).toEqual([6]);
    expect(cluster.core('a').state.snapshot?.index).toBe(6);
  });

  test('it may be of a while ago: what was applied since then stays in the log (5.1.1)', () => {
    const cluster = led(8);
    cluster.compact('a', 4);
    expect(cluster.core('a').state.log).toMatchObject({ floorIndex: 4, lastIndex: 10 });
    expect(cluster.core('a').state.appliedIndex).toBe(10);
    cluster.crash('a');
    cluster.start('a');
    cluster.run(3000);
    expect(cluster.replica('a').applied).toEqual(cluster.replica('b').applied);
  });

  test('a few entries are kept, so that a slow follower needs no snapshot', () => {
    expect(brought(missing(3))).toEqual(['AppendEntries']);
    expect(brought(missing(2))).toContain('InstallSnapshot');
  });

  test('a new member gets the snapshot, and what came after it', () => {
    const cluster = led(20, 'd');
    cluster.compact('a', 15);
    cluster.change('a', { add: [memberOf('d')] });
    cluster.run(2000);
    expect(cluster.outcome('a')).toBe('completed');
    expect(cluster.core('d').state.log.floorIndex).toBe(15);
    expect(cluster.replica('d').applied).toEqual(cluster.replica('a').applied);
  });

  test('servers compact without asking the leader, which may have no snapshot itself', () => {
    const cluster = led(6);
    cluster.compact('b');
    cluster.compact('c', 5);
    cluster.propose('a', 'x');
    cluster.run(200);
    for (const id of 'abc') expect(cluster.committedBy(id)).toBe(9);
  });

  test('chunks let a follower see that its leader is alive while a large snapshot travels', () => {
    const cluster = led(200, '', { snapshotChunkBytes: 64, snapshotBytesPerSecondMax: 4000 });
    cluster.crash('c');
    cluster.propose('a', 'missed');
    cluster.run(200);
    const { size } = cluster.compact('a');
    cluster.start('c');
    cluster.run(1500);
    expect(cluster.core('c').state.receiving?.writtenOffset).toBeLessThan(size);
    // Several election timeouts pass meanwhile.
    cluster.run((size * 1000) / 4000);
    expect(cluster.replica('c').applied).toEqual(cluster.replica('a').applied);
    expect(cluster.core('a').state).toMatchObject({ role: 'leader', hardState: { term: 2 } });
  });

  test('a snapshot that travels is not begun anew for every one that is taken', () => {
    const cluster = led(50, '', { snapshotChunkBytes: 64, snapshotBytesPerSecondMax: 4000 });
    cluster.crash('c');
    cluster.propose('a', 'missed');
    cluster.run(200);
    const { index } = cluster.compact('a');
    cluster.start('c');
    cluster.run(300);
    for (let number = 0; number < 5; number += 1) {
      cluster.propose('a', `meanwhile ${number}`);
      cluster.run(100);
      cluster.compact('a');
    }
    expect(cluster.core('a').state.log.floorIndex).toBe(index);
    cluster.run(10_000);
    const phases = cluster.eventsOf('a', 'snapshot-transfer').map(({ phase }) => phase);
    expect(phases).toEqual(['begun', 'completed']);
    expect(cluster.replica('c').applied).toEqual(cluster.replica('a').applied);
  });
});
