import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { led, without } from './led-cluster.ts';
import { logOf, votersOf } from './sample-log.ts';

const ids = ['n1', 'n2', 'n3'];

const terms = (cluster: Cluster): number[] =>
  cluster.replicas.map(({ core }) => core?.state.hardState.term ?? -1);

describe('preventing disruptions when a server rejoins the cluster (dissertation 9.6)', () => {
  test('without pre-votes one that was cut off comes back with a later term, and deposes a leader that was well', () => {
    const cluster = led({ preVote: false, checkQuorum: false }, ids);
    cluster.run(5000, without('n3'));
    expect(cluster.core('n3').state.hardState.term).toBeGreaterThan(3);
    cluster.run(2000);
    expect(Math.max(...terms(cluster))).toBeGreaterThan(3);
    expect(cluster.core('n1').state.hardState.term).toBeGreaterThan(2);
  });

  test('with them it keeps its term, however long it is away, and comes back as if nothing had been (ZOO V10)', () => {
    const cluster = led({ checkQuorum: false }, ids);
    cluster.run(60_000, without('n3'));
    expect(terms(cluster)).toEqual([2, 2, 2]);
    cluster.run(2000);
    expect(terms(cluster)).toEqual([2, 2, 2]);
    expect(cluster.core('n3').state.leader?.id).toBe('n1');
  });

  test('a campaign begins only with the pre-votes of a majority', () => {
    const cluster = led({}, ids);
    cluster.crash('n1');
    cluster.now += 1000;
    cluster.fire('n3');
    expect(cluster.core('n3').state.role).toBe('pre-candidate');
    expect(terms(cluster).slice(1)).toEqual([2, 2]);
    cluster.settle();
    expect(cluster.core('n3').state.role).toBe('leader');
    expect(terms(cluster).slice(1)).toEqual([3, 3]);
  });

  test('one whose log is behind gets none, and disturbs nobody', () => {
    const cluster = led({}, ids);
    cluster.run(500, without('n3'));
    cluster.propose('n1', 'x');
    cluster.run(500, without('n3'));
    cluster.crash('n1');
    cluster.now += 1000;
    for (let time = 0; time < 5; time += 1) {
      cluster.fire('n3');
      cluster.settle();
    }
    expect(cluster.core('n3').state.role).toBe('pre-candidate');
    expect(terms(cluster).slice(1)).toEqual([2, 2]);
    cluster.run(3000);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
  });

  test('one that hears its leader grants none: the leader is well, whatever another thinks (ZOO V9)', () => {
    const cluster = led({}, ids);
    // n3 hears nobody, and is heard.
    cluster.run(20_000, ({ to }) => to.id !== 'n3');
    expect(terms(cluster)).toEqual([2, 2, 2]);
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n1']);
  });

  test('granting one is no contact with a leader: whoever grants campaigns no later for it (ZOO V9)', () => {
    const cluster = led({}, ids);
    cluster.crash('n1');
    cluster.now += 500;
    const before = cluster.core('n2').deadline;
    for (let time = 0; time < 3; time += 1) {
      cluster.deliver({
        ...envelopeFrom(cluster, 'n3', 'n2'),
        message: { kind: 'RequestPreVote', term: 3, lastLogIndex: 2, lastLogTerm: 2 },
      });
    }
    expect(cluster.underWay('PreVoteResponse').every(({ granted }) => granted)).toBe(true);
    expect(cluster.core('n2').deadline).toBe(before);
  });

  test('the best log in an old term and a poor one in a late term still agree on a leader (ZOO V8)', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const cluster = new Cluster(ids, {
        seed,
        start: (id) => ({
          entries: logOf(votersOf(...ids), id === 'n3' ? [1] : [1, 1, 2]),
          hardState: { term: id === 'n3' ? 9 : 2, votedFor: null },
        }),
      });
      // n1 is away: the one with the better log needs the vote of the other.
      cluster.crash('n1');
      cluster.run(10_000);
      expect(
        cluster.leaders.map(({ id }) => id),
        `seed ${seed}`,
      ).toEqual(['n2']);
    }
  });

  test('a leader that hands over spares its target the question', () => {
    const cluster = led({}, ids);
    const sent: string[] = [];
    cluster.onSend = (_sender, { message }) => sent.push(message.kind);
    cluster.transfer('n1', 'n2');
    cluster.settle();
    expect(cluster.leaders.map(({ id }) => id)).toEqual(['n2']);
    expect(sent.filter((kind) => kind.includes('PreVote'))).toEqual([]);
  });
});

function envelopeFrom(cluster: Cluster, from: string, to: string): Omit<Envelope, 'message'> {
  const { clusterId, group, self } = cluster.core(from).state;
  return { clusterId, group, from: self, to: cluster.core(to).state.self };
}
