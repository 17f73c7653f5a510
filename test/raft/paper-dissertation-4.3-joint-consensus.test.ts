import { describe, expect, test } from 'vitest';
import { isJoint } from '../../src/raft/configuration.ts';
import { among, ChangingCluster, namesIn } from './changing-cluster.ts';
import { memberOf } from './sample-log.ts';

function ready(founders: string, newcomers: string): ChangingCluster {
  const cluster = new ChangingCluster(founders, newcomers);
  cluster.elect('a');
  cluster.run(200);
  return cluster;
}

describe('arbitrary changes by joint consensus (dissertation 4.3)', () => {
  test('all servers are replaced by others in one change, the leader too', () => {
    const cluster = ready('abc', 'def');
    cluster.propose('a', 'x');
    cluster.change('a', { add: [...'def'].map(memberOf), remove: [...'abc'] });
    cluster.run(5000);
    expect(cluster.outcome('a')).toBe('completed');
    expect(cluster.history('a').slice(-3)).toEqual(['abc||def', 'def|abc|', 'def||']);
    for (const id of 'abc') cluster.crash(id);
    cluster.run(2000);
    expect(cluster.leaders).toHaveLength(1);
    for (const id of 'def') expect(cluster.replica(id).applied).toHaveLength(cluster.committedBy('d'));
    const payloads = cluster.replica('d').applied.flatMap((entry) => (entry.kind === 'command' ? entry : []));
    expect(payloads.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(['x']);
  });

  test('a swap needs no step between: at no time are there fewer voters than before or after', () => {
    const cluster = ready('abc', 'd');
    const sizes: number[] = [];
    cluster.onStep = () => sizes.push(cluster.configurationOf('a').voters.length);
    cluster.change('a', { replace: [{ id: 'c', by: memberOf('d') }] });
    cluster.run(2000);
    expect(cluster.membersAt('a')).toBe('abd||');
    expect(new Set(sizes)).toEqual(new Set([3]));
  });

  test('add, promote, demote and remove go into one change', () => {
    const cluster = ready('abcd', 'ef');
    cluster.change('a', { add: [{ ...memberOf('e'), role: 'learner' }] });
    cluster.run(500);
    cluster.change('a', { add: [memberOf('f')], promote: ['e'], demote: ['b'], remove: ['c'] });
    cluster.run(3000);
    expect(cluster.history('a').at(-2)).toBe('adef|abcd|b');
    expect(cluster.membersAt('a')).toBe('adef||b');
  });

  test('the cluster goes on serving clients throughout', () => {
    const cluster = ready('abc', 'def');
    cluster.change('a', { add: [...'de'].map(memberOf), remove: [...'bc'] });
    const phases = new Set<string>();
    for (let number = 0; cluster.outcome('a') === undefined; number += 1) {
      phases.add(cluster.membersAt('a'));
      expect(cluster.propose('a', `${number}`), cluster.membersAt('a')).toMatchObject({ accepted: true });
      // One message at a time, so that no phase is passed over.
      const envelope = cluster.network[0];
      if (envelope === undefined) cluster.run(10);
      else cluster.deliver(envelope);
    }
    expect([...phases]).toEqual(['abc||de', 'ade|abc|', 'ade||']);
    cluster.run(300);
    expect(cluster.committedBy('a')).toBe(cluster.core('a').state.log.lastIndex);
  });

  test('C_new follows C_old,new only once that is committed, and both are entries like any other', () => {
    const cluster = ready('abc', 'd');
    cluster.change('a', { add: [{ ...memberOf('d'), role: 'learner' }] });
    cluster.run(500);
    cluster.change('a', { promote: ['d'] });
    const at = (id: string) =>
      cluster.replica(id).disk.entries.filter((entry) => entry.kind === 'configuration');
    expect(at('a').at(-1)).toMatchObject({ index: 4 });
    cluster.settle(among('ab'));
    expect(at('a').at(-1)).toMatchObject({ index: 4 });
    cluster.run(200);
    expect(at('a').map(({ index, configuration }) => `${index} ${namesIn(configuration)}`)).toEqual([
      '1 abc||',
      '3 abc||d',
      '4 abcd|abc|',
      '5 abcd||',
    ]);
    expect(at('d')).toEqual(at('a'));
  });

  test('a leader that finds a committed joint configuration leaves it, whoever began it', () => {
    const cluster = ready('abc', 'd');
    cluster.change('a', { add: [{ ...memberOf('d'), role: 'learner' }] });
    cluster.run(500);
    cluster.change('a', { promote: ['d'], remove: ['c'] });
    cluster.settle(({ message }) => message.kind !== 'AppendEntriesResponse');
    cluster.crash('a');
    cluster.run(5000);
    const [leader] = cluster.leaders;
    expect(cluster.membersAt(leader?.id ?? '')).toBe('abd||');
    expect(isJoint(cluster.configurationOf('b'))).toBe(false);
  });

  test('no joint configuration is entered while a majority of the new voters is not heard', () => {
    const cluster = ready('abc', '');
    cluster.crash('b');
    cluster.run(1000);
    // Two would be left, and one of them is gone.
    cluster.change('a', { remove: ['c'] });
    cluster.run(2000);
    expect(cluster.membersAt('a')).toBe('abc||');
    cluster.start('b');
    cluster.run(2000);
    expect(cluster.membersAt('a')).toBe('ab||');
  });
});
