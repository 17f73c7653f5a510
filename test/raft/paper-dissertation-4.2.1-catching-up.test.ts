import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { ChangingCluster } from './changing-cluster.ts';
import { memberOf } from './sample-log.ts';

/** d is being added to a, b, c, and is reached when the test says so. */
function adding(options = {}): ChangingCluster {
  const cluster = new ChangingCluster('abc', 'd', options);
  cluster.elect('a');
  for (let number = 0; number < 20; number += 1) cluster.propose('a', `command ${number}`);
  cluster.run(200);
  cluster.change('a', { add: [memberOf('d')] });
  return cluster;
}

const withoutD = ({ from, to }: Envelope): boolean => from.id !== 'd' && to.id !== 'd';
/** Heartbeats reach d, entries do not. */
const withoutEntries = ({ to, message }: Envelope): boolean => to.id !== 'd' || message.kind === 'Heartbeat';

describe('catching up new servers (dissertation 4.2.1)', () => {
  test('a new server is a learner at first, and the cluster commits without it', () => {
    const cluster = adding();
    cluster.propose('a', 'x');
    cluster.run(300, withoutD);
    expect(cluster.membersAt('a')).toBe('abc||d');
    expect(cluster.committedBy('a')).toBe(cluster.core('a').state.log.lastIndex);
  });

  test('a server that is far behind begins to count only once it has the log', () => {
    const cluster = adding();
    cluster.runUntil(() => cluster.membersAt('a') !== 'abc||d');
    const { log } = cluster.core('d').state;
    expect(cluster.membersAt('a')).toMatch(/^abcd\|/);
    expect(log.lastIndex).toBeGreaterThanOrEqual(cluster.core('a').state.log.lastIndex - 1);
  });

  test('a round that takes longer than an election timeout is followed by another', () => {
    const cluster = adding();
    cluster.run(600, withoutD);
    // The first round ends too late; meanwhile more came.
    cluster.propose('a', 'x');
    const arrived: string[] = [];
    cluster.onStep = () => {
      const one = cluster.core('a').state.change?.catchUp[0];
      if (one !== undefined) arrived.push(`${one.roundTarget} ${one.caughtUp}`);
    };
    cluster.runUntil(() => cluster.outcome('a') === 'completed');
    expect([...new Set(arrived)]).toEqual(['22 false', '24 true']);
  });

  test('a round that is quick enough is the last', () => {
    const cluster = adding();
    cluster.run(400, withoutD);
    const rounds = new Set<number>();
    cluster.onStep = () => {
      const one = cluster.core('a').state.change?.catchUp[0];
      if (one?.caughtUp === false) rounds.add(one.roundTarget);
    };
    cluster.runUntil(() => cluster.outcome('a') === 'completed');
    expect([...rounds]).toEqual([22]);
  });

  test('a server that makes no progress is given up, and the change is aborted', () => {
    const cluster = adding({ catchUpTimeoutMs: 5000 });
    cluster.run(4990, withoutEntries);
    expect(cluster.outcome('a')).toBeUndefined();
    cluster.run(500, withoutEntries);
    expect(cluster.outcome('a')).toBe('aborted');
    expect(cluster.membersAt('b')).toBe('abc||');
    expect(cluster.eventsOf('a', 'membership-ended').at(-1)?.reason).toBe('d got no further for 5000 ms');
  });

  test('one that makes slow progress is not given up', () => {
    const cluster = adding({ catchUpTimeoutMs: 5000, messageBytesMax: 1 });
    // One entry arrives every three seconds.
    let appends = 0;
    for (let second = 0; second < 60; second += 3) {
      appends = 0;
      cluster.run(3000, ({ to, message }) => {
        if (to.id !== 'd' || message.kind !== 'AppendEntries') return true;
        appends += 1;
        return appends <= 1;
      });
    }
    expect(cluster.outcome('a')).toBeUndefined();
    cluster.run(3000);
    expect(cluster.outcome('a')).toBe('completed');
  });

  test('where an empty log begins is found at once, however long the leader\u2019s is', () => {
    const cluster = adding();
    let probes = 0;
    cluster.onSend = (_replica, { message }) => {
      if (message.kind === 'AppendEntriesResponse' && !message.accepted) probes += 1;
    };
    cluster.run(1000);
    expect(cluster.outcome('a')).toBe('completed');
    expect(probes).toBe(1);
  });
});
