import { expect, test } from 'vitest';
import { isJoint } from '../../src/raft/configuration.ts';
import { currentConfiguration } from '../../src/raft/membership.ts';
import type { Envelope } from '../../src/raft/message.ts';
import { ChangingCluster } from './changing-cluster.ts';
import { Cluster } from './cluster.ts';
import { without } from './led-cluster.ts';
import { memberOf } from './sample-log.ts';

/** a removed itself from {a, b}; b holds C_new = {b}, and a does not know that yet. */
function alone(): Cluster {
  const cluster = new Cluster(['a', 'b']);
  cluster.elect('a');
  cluster.run(500);
  cluster.core('a').proposeMembership(cluster.now, { remove: ['a'] }, null);
  cluster.drain(cluster.replica('a'));
  const configuration = () => currentConfiguration(cluster.core('b').state);
  for (let turn = 0; configuration().voters.length > 1 || isJoint(configuration()); turn += 1) {
    const [next] = cluster.network;
    if (next === undefined || turn > 100) throw new Error('b gets no C_new');
    cluster.deliver(next);
  }
  cluster.network = [];
  return cluster;
}

test('the only voter keeps its promise to the leader that removed itself, as long as that may lead', () => {
  const cluster = alone();
  const until = cluster.now + cluster.options.electionTimeoutMinMs;
  for (const act of [() => {}, () => cluster.start('b')]) {
    act();
    cluster.core('b').tick(cluster.now);
    cluster.drain(cluster.replica('b'));
    expect(cluster.core('b').state.role).toBe('follower');
  }
  expect(cluster.core('a').state.role).toBe('leader');
  while (cluster.core('b').state.role !== 'leader') cluster.fire('b');
  expect(cluster.now).toBeGreaterThanOrEqual(until);
});

test('and leads at once when it hears that its configuration is committed', () => {
  const cluster = alone();
  const before = cluster.now;
  cluster.run(cluster.options.heartbeatIntervalMs + 10);
  expect(cluster.core('a').state.role).toBe('follower');
  expect(cluster.core('b').state.role).toBe('leader');
  expect(cluster.now - before).toBeLessThan(cluster.options.electionTimeoutMinMs);
});

test('and at once when it is started again, if nobody else ever counted', () => {
  const cluster = new Cluster(['a']);
  cluster.elect('a');
  const { now } = cluster;
  cluster.start('a');
  expect([cluster.core('a').state.role, cluster.now]).toEqual(['leader', now]);
});

test('that goes back to itself, because whom it added is not heard any more, goes on leading', () => {
  const cluster = new ChangingCluster('a', 'b', { catchUpTimeoutMs: 3_000 });
  cluster.run(50);
  cluster.change('a', { add: [memberOf('b')] });
  // b catches up, and never hears that it counts.
  const isHeard = ({ message }: Envelope): boolean =>
    message.kind !== 'AppendEntries' ||
    !message.entries.some((entry) => entry.kind === 'configuration' && isJoint(entry.configuration));
  for (let turn = 0; turn < 400 && cluster.membersAt('a') !== 'ab|a|'; turn += 1) cluster.run(5, isHeard);
  expect(cluster.membersAt('a')).toBe('ab|a|');
  const { term } = cluster.core('a').state.hardState;
  cluster.run(5_000, without('b'));
  expect(cluster.membersAt('a')).toBe('a||');
  expect(cluster.outcome('a')).toBe('aborted');
  expect(cluster.core('a').state).toMatchObject({ role: 'leader', hardState: { term } });
});
