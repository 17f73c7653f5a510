import { describe, expect, test } from 'vitest';
import type { Cluster } from './cluster.ts';
import { led, without } from './led-cluster.ts';

const toldOf = (cluster: Cluster, id: string): number =>
  cluster.replica(id).events.filter(({ kind }) => kind === 'no-transfer-target').length;

/** `id` leads, its disk hangs for `forMs` while others make an entry durable, and goes on. */
function stallWhileOthersWrite(cluster: Cluster, id: string, forMs: number): void {
  const replica = cluster.replica(id);
  replica.disk.persistsAtOnce = false;
  cluster.propose(id, 'x');
  cluster.stall(id, 'storage');
  cluster.run(forMs);
  replica.disk.persistsAtOnce = true;
  while (replica.disk.pending.length > 0) cluster.persistOne(replica);
  cluster.answer(id, 'storage');
}

describe('a leader that stands still (ZOO S12)', () => {
  test('with nobody fit says so once, however long it goes on', () => {
    const cluster = led();
    cluster.stall('n1', 'storage');
    cluster.run(20_000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
    expect(toldOf(cluster, 'n1')).toBe(1);
    cluster.answer('n1', 'storage');
    cluster.stall('n1', 'storage');
    cluster.run(100);
    expect(toldOf(cluster, 'n1')).toBe(2);
  });

  test('knows whose disk works though its clock jumped since, and nobody acknowledges anything again', () => {
    const cluster = led();
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle();
    cluster.core('n1').clockAnomaly(cluster.now, 'wall-divergence', 300);
    cluster.stall('n1', 'storage');
    cluster.run(2000);
    expect(cluster.core('n1').state.role).toBe('follower');
    expect(cluster.leaders).toHaveLength(1);
  });

  test('finds a peer although a snapshot is stored meanwhile, and nothing more is taken for want of a disk', () => {
    const cluster = led({ messageBytesMax: 100, inflightBytesMax: 200, diskBacklogBytesMax: 300 });
    cluster.replica('n1').disk.persistsAtOnce = false;
    do cluster.settle();
    while (cluster.propose('n1', 'x'.repeat(40)).accepted);
    const { lastIndex } = cluster.core('n1').state.log;
    cluster.compact('n1', lastIndex, 0);
    expect(cluster.core('n1').state.durable.index).toBe(lastIndex);
    cluster.stall('n1', 'storage');
    cluster.run(1000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('hands over for want of room where nothing can be owed for it', () => {
    const cluster = led();
    for (const id of ['n2', 'n3', 'n1']) {
      cluster.diskSpace(id, 0);
      cluster.run(200);
    }
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.stall('n1', 'storage');
    cluster.run(2000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
    for (const id of ['n2', 'n3']) cluster.diskSpace(id, null);
    cluster.run(2000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('does not take for alive, as its clock jumped, whoever was silent before', () => {
    const cluster = led({}, ['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.replica('n1').disk.persistsAtOnce = false;
    cluster.propose('n1', 'x');
    cluster.settle();
    cluster.run(1500, without('n2'));
    cluster.core('n1').clockAnomaly(cluster.now, 'wall-divergence', 300);
    cluster.stall('n1', 'storage');
    cluster.run(2000, without('n2'));
    const hands = cluster.replica('n1').events.filter(({ kind }) => kind === 'leadership-transfer-begun');
    expect(hands).toMatchObject([{ to: 'n3' }]);
  });

  test('with a state machine that stands still hands over to whoever is heard', () => {
    const cluster = led();
    cluster.stall('n1', 'state-machine');
    cluster.run(100);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('is twice as patient each time, and as impatient as at first after a long time', () => {
    const cluster = led();
    const patience: number[] = [];
    for (let time = 0; time < 4; time += 1) {
      if (cluster.core('n1').state.role !== 'leader') {
        cluster.transfer(cluster.leaders[0]?.id ?? '', 'n1');
        cluster.run(200);
      }
      stallWhileOthersWrite(cluster, 'n1', 10_000);
      patience.push(cluster.core('n1').state.stall.patienceMs);
    }
    expect(patience).toEqual([1000, 2000, 4000, 8000]);
    cluster.run(16 * 8000);
    cluster.transfer(cluster.leaders[0]?.id ?? '', 'n1');
    cluster.run(200);
    stallWhileOthersWrite(cluster, 'n1', 100);
    expect(cluster.core('n1').state.role).toBe('follower');
    expect(cluster.core('n1').state.stall.patienceMs).toBe(1000);
  });

  test('that was answered in time goes on leading', () => {
    const cluster = led();
    stallWhileOthersWrite(cluster, 'n1', 100);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
    cluster.transfer('n2', 'n1');
    cluster.run(200);
    stallWhileOthersWrite(cluster, 'n1', 900);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
  });
});
