import { describe, expect, test } from 'vitest';
import type { Heartbeat } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { votersOf } from './sample-log.ts';
import { Single } from './single.ts';

function heartbeat(round: number, freshness: Heartbeat['freshness'] = null): Heartbeat {
  return { kind: 'Heartbeat', term: 1, round, leaderCommit: 0, freshness };
}

describe('how stale a follower may be', () => {
  /** Its clock reads 1000, and it has just stamped an answer. */
  function stamped(): Single {
    const n1 = new Single({ options: { clockGapMs: 1_000_000 } });
    n1.now = 1000;
    n1.hear('n2', heartbeat(1));
    expect(n1.said()).toMatchObject([{ stamp: 1000 }]);
    return n1;
  }

  test('is the age of the stamp that came back, by its own clock', () => {
    const n1 = stamped();
    n1.now = 1200;
    n1.hear('n2', heartbeat(2, { boot: 1, stamp: 1000, index: 0 }));
    expect(n1.core.staleness(1250)).toBe(250);
  });

  test('is unknown after a step back of its clock, also by a stamp of the moment at which it stood still', () => {
    const n1 = stamped();
    // Who knows how long ago it read 1000, and how often.
    n1.at(400);
    n1.hear('n2', heartbeat(2, { boot: 1, stamp: 1000, index: 0 }));
    expect(n1.core.staleness(400)).toBe(null);
    n1.now = 500;
    n1.hear('n2', heartbeat(3));
    expect(n1.said().at(-1)).toMatchObject({ stamp: 1100 });
    n1.hear('n2', heartbeat(4, { boot: 1, stamp: 1100, index: 0 }));
    expect(n1.core.staleness(520)).toBe(20);
  });

  test('is not told by a stamp of another boot, nor by one of a time to come', () => {
    const n1 = stamped();
    n1.hear('n2', heartbeat(2, { boot: 2, stamp: 900, index: 0 }));
    n1.hear('n2', heartbeat(3, { boot: 1, stamp: 1001, index: 0 }));
    expect(n1.core.staleness(1100)).toBe(null);
  });

  test('counts what is applied, not what is known', () => {
    const n1 = stamped();
    n1.now = 1100;
    n1.hear('n2', heartbeat(2, { boot: 1, stamp: 1000, index: 1 }));
    expect(n1.core.staleness(1100)).toBe(null);
    const entries = [] as const;
    n1.hear('n2', {
      kind: 'AppendEntries',
      term: 1,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries,
      leaderCommit: 1,
    });
    n1.core.applied(1150, 1);
    expect(n1.core.staleness(1150)).toBe(150);
  });
});

describe('how stale a leader may be', () => {
  test('nothing is known before an entry of its own term is committed', () => {
    const n1 = new Single().lead();
    n1.hear('n2', {
      kind: 'HeartbeatResponse',
      term: 2,
      round: 1,
      matchIndex: 0,
      verifiedIndex: 0,
      promiseMs: 500,
      stamp: 70,
    });
    expect(n1.core.staleness(n1.now)).toBe(null);
    expect(n1.state.progress.map(({ stamped }) => stamped)).toEqual([null, null]);
  });

  test('the only voter misses nothing, though it sends no heartbeats', () => {
    const cluster = new Cluster(['n1']);
    cluster.run(10);
    expect(cluster.staleness('n1')).toBe(0);
    cluster.run(5000);
    expect(cluster.staleness('n1')).toBe(0);
  });

  test('nor does it while it has not applied', () => {
    const n1 = new Single({ configuration: votersOf('n1') }).persistAll();
    expect(n1.core.staleness(0)).toBe(null);
    n1.core.applied(10, 1);
    n1.drain();
    expect(n1.core.staleness(20)).toBe(null);
    n1.core.applied(20, 2);
    expect(n1.core.staleness(30)).toBe(0);
  });
});
