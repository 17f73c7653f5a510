import { describe, expect, test } from 'vitest';
import { ChangingCluster } from './changing-cluster.ts';
import { memberOf } from './sample-log.ts';
import { Single } from './single.ts';

describe('system integration (dissertation 4.4)', () => {
  test('a cluster is founded with one server and grows from there, the configuration being in its log', () => {
    const cluster = new ChangingCluster('a', 'bcde');
    cluster.run(100);
    expect(cluster.core('a').state.role).toBe('leader');
    for (const id of 'bcde') {
      cluster.change('a', { add: [memberOf(id)] });
      cluster.runUntil(() => cluster.outcome('a') === 'completed');
      cluster.run(300);
      cluster.replica('a').events.length = 0;
    }
    for (const id of 'abcde') expect(cluster.membersAt(id)).toBe('abcde||');
    cluster.crash('a');
    cluster.crash('b');
    cluster.run(5000);
    expect(cluster.leaders).toHaveLength(1);
  });

  test('a server that holds nothing starts no cluster: it waits until somebody adds it', () => {
    const cluster = new ChangingCluster('abc', 'd');
    cluster.run(60_000);
    expect(cluster.core('d').deadline).toBeNull();
    expect(cluster.core('d').state).toMatchObject({ role: 'follower', hardState: { term: 0 } });
  });

  test('a failed server is replaced without a human: one change, for which the others suffice', () => {
    const cluster = new ChangingCluster('abcde', 'f');
    cluster.elect('a');
    cluster.run(200);
    cluster.crash('e');
    cluster.run(1000);
    cluster.change('a', { replace: [{ id: 'e', by: memberOf('f') }] });
    cluster.run(2000);
    expect(cluster.membersAt('a')).toBe('abcdf||');
  });

  test('a change is refused with a reason, so that whoever asks can ask again or elsewhere', () => {
    const n1 = new Single();
    expect(n1.core.proposeMembership(0, { remove: ['n2'] }, null)).toEqual({
      accepted: false,
      reason: 'not-leader',
      why: 'only the leader changes the membership',
    });
    expect(n1.state.log.lastIndex).toBe(1);
  });

  test('of two operators who change the same configuration one is refused', () => {
    const cluster = new ChangingCluster('abc', 'de');
    cluster.elect('a');
    cluster.run(200);
    const { id } = cluster.configurationOf('a');
    expect(cluster.change('a', { add: [memberOf('d')] }, id)).toMatchObject({ accepted: true });
    cluster.run(2000);
    expect(cluster.change('a', { add: [memberOf('e')] }, id)).toMatchObject({
      reason: 'configuration-changed',
    });
    const now = cluster.configurationOf('a').id;
    expect(cluster.change('a', { add: [memberOf('e')] }, now)).toMatchObject({ accepted: true });
  });

  test('addresses and metadata are in the configuration, and change with it', () => {
    const cluster = new ChangingCluster('abc');
    cluster.elect('a');
    cluster.run(200);
    cluster.change('a', { update: [{ id: 'c', address: 'c:2', metadata: { zone: 'north' } }] });
    cluster.run(200);
    expect(cluster.configurationOf('b').voters.find(({ id }) => id === 'c')).toEqual({
      id: 'c',
      incarnation: 'c-incarnation',
      address: 'c:2',
      metadata: { zone: 'north' },
    });
    // Nobody's vote was concerned, so it took one entry.
    expect(cluster.core('a').state.log.lastIndex).toBe(3);
  });
});
