import { describe, expect, test } from 'vitest';
import type { FakeReplica } from './harness.ts';
import { Cluster } from './harness.ts';

const small = { snapshotChunkBytes: 64, snapshotChunksInflightMax: 3 };

/** n1 leads; n3 missed `count` entries, which n1 and n2 have compacted away. */
function behind(options = {}, count = 10): Cluster {
  const cluster = new Cluster(['n1', 'n2', 'n3'], { options: { ...small, ...options } });
  cluster.elect('n1');
  cluster.run(200);
  cluster.crash('n3');
  for (let number = 0; number < count; number += 1) cluster.propose('n1', `command ${number}`);
  cluster.run(300);
  cluster.compact('n1');
  cluster.compact('n2');
  return cluster;
}

function phases({ events }: FakeReplica): string[] {
  return events.flatMap((event) =>
    event.kind === 'snapshot-transfer' ? [`${event.peer} ${event.phase}`] : [],
  );
}

describe('a follower whose next entries were compacted away', () => {
  test('gets the snapshot, and then the log', () => {
    const cluster = behind();
    expect(cluster.core('n1').state.log.floorIndex).toBe(12);
    cluster.start('n3');
    cluster.run(1000);
    cluster.propose('n1', 'after');
    cluster.run(200);
    expect(cluster.replica('n3').applied).toEqual(cluster.replica('n1').applied);
    expect(cluster.core('n3').state.log).toMatchObject({ floorIndex: 12, lastIndex: 13 });
    expect(phases(cluster.replica('n1'))).toEqual(['n3 begun', 'n3 completed']);
    cluster.checkWholeLogs();
  });
});
