import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import type { Cluster } from './cluster.ts';
import { led, without } from './led-cluster.ts';

const lastOf = (cluster: Cluster, id: string): number => cluster.core(id).state.log.lastIndex;
const commitOf = (cluster: Cluster, id: string): number => cluster.core(id).state.commitIndex;
const ids = (cluster: Cluster): string[] => cluster.leaders.map(({ id }) => id);

describe('a follower whose disk is nearly full', () => {
  test('takes no entries, and is sent none, until it has space', () => {
    const cluster = led();
    cluster.diskSpace('n3', 0);
    cluster.run(200);
    const before = lastOf(cluster, 'n3');
    const sent: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      cluster.propose('n1', `x${round}`);
      cluster.run(100, ({ to, message }) => {
        if (to.id === 'n3' && message.kind === 'AppendEntries') sent.push(message.kind);
        return true;
      });
    }
    expect([lastOf(cluster, 'n3'), sent]).toEqual([before, []]);
    expect([commitOf(cluster, 'n1'), commitOf(cluster, 'n2')]).toEqual([before + 5, before + 5]);
    expect(ids(cluster)).toEqual(['n1']);
    cluster.diskSpace('n3', null);
    cluster.run(300);
    expect(lastOf(cluster, 'n3')).toBe(before + 5);
  });

  test('counts what comes before its leader knows, drops it, and acknowledges what it holds', () => {
    const cluster = led();
    cluster.diskSpace('n3', 0);
    const before = lastOf(cluster, 'n3');
    cluster.propose('n1', 'x');
    cluster.settle();
    expect(lastOf(cluster, 'n3')).toBe(before);
    expect(cluster.core('n3').state.drops).toEqual({ 'disk-nearly-full': 1 });
    expect(cluster.core('n1').state.progress.find(({ member }) => member.id === 'n3')?.matchIndex).toBe(
      before,
    );
  });

  test('cuts nothing for entries that it does not take', () => {
    const cluster = led({}, ['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.propose('n1', 'lost');
    cluster.run(5, without('n2', 'n3', 'n4'));
    const left = lastOf(cluster, 'n5');
    const term = cluster.core('n5').termAt(left);
    cluster.diskSpace('n5', 0);
    cluster.run(3_000, without('n1'));
    expect(ids(cluster)).not.toEqual(['n1']);
    expect(cluster.core('n5').state.drops['disk-nearly-full']).toBeGreaterThan(0);
    expect([lastOf(cluster, 'n5'), cluster.core('n5').termAt(left)]).toEqual([left, term]);
    cluster.diskSpace('n5', null);
    cluster.run(500, without('n1'));
    expect(cluster.core('n5').termAt(left)).not.toBe(term);
  });

  test('takes no snapshot, and is sent none, until it has space', () => {
    const cluster = led();
    cluster.diskSpace('n3', 0);
    cluster.run(200);
    for (let count = 0; count < 5; count += 1) {
      cluster.propose('n1', `x${count}`);
      cluster.run(50);
    }
    cluster.compact('n1');
    cluster.run(500);
    expect(cluster.core('n3').state.receiving).toBeNull();
    expect(cluster.core('n3').state.snapshot).toBeNull();
    cluster.diskSpace('n3', null);
    cluster.run(1_000);
    expect(lastOf(cluster, 'n3')).toBe(lastOf(cluster, 'n1'));
  });

  test('votes, and campaigns only after everybody else could have', () => {
    const cluster = led();
    for (const id of ['n2', 'n3']) cluster.diskSpace(id, 0);
    cluster.run(200);
    cluster.crash('n1');
    const { electionTimeoutMaxMs } = cluster.core('n2').state.options;
    cluster.run(electionTimeoutMaxMs);
    expect(ids(cluster)).toEqual([]);
    cluster.run(3 * electionTimeoutMaxMs);
    expect(ids(cluster)).toHaveLength(1);
  });

  test('does not take over', () => {
    const cluster = led();
    cluster.diskSpace('n2', 0);
    cluster.transfer('n1', 'n2');
    cluster.run(200);
    expect(ids(cluster)).toEqual(['n1']);
    expect(cluster.core('n2').state.drops['not-fit-to-lead']).toBeGreaterThan(0);
    // Once its leader knows, it is not tried: a hand-over in vain costs proposals meanwhile, and the lease for good.
    cluster.run(2_000);
    expect(cluster.transfer('n1', 'n2')).toMatchObject({ accepted: false, reason: 'nobody-fit' });
    expect(cluster.transfer('n1', 'n3')).toMatchObject({ accepted: true });
  });
});

describe('a leader whose disk is nearly full', () => {
  test('hands over to one that has room, takes nothing meanwhile, and follows', () => {
    const cluster = led();
    cluster.diskSpace('n1', 0);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: false, bound: 'disk-nearly-full' });
    cluster.run(100);
    expect(ids(cluster)).toEqual(['n2']);
    const before = lastOf(cluster, 'n1');
    cluster.propose('n2', 'x');
    cluster.run(300);
    expect([commitOf(cluster, 'n3'), lastOf(cluster, 'n1')]).toEqual([lastOf(cluster, 'n2'), before]);
  });

  test('leads on, and says so once, where the others with room are no quorum', () => {
    const cluster = led();
    cluster.diskSpace('n3', 0);
    cluster.run(200);
    cluster.diskSpace('n1', 0);
    cluster.run(5_000);
    expect(ids(cluster)).toEqual(['n1']);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: false, bound: 'disk-nearly-full' });
    const read = cluster.read('n1');
    cluster.run(100);
    expect(cluster.grantedAt('n1', read)).toBe(commitOf(cluster, 'n1'));
    const told = cluster.replica('n1').events.filter(({ kind }) => kind === 'no-transfer-target');
    expect(told).toEqual([{ kind: 'no-transfer-target', stalled: 'disk-space' }]);
    cluster.diskSpace('n3', null);
    cluster.run(2_000);
    expect(ids(cluster)).toEqual(['n2']);
  });

  test('leads on where one of those with room is gone, since the others could commit nothing', () => {
    const cluster = led();
    cluster.crash('n3');
    cluster.run(2_000);
    cluster.diskSpace('n1', 1_000);
    cluster.run(3_000);
    expect(ids(cluster)).toEqual(['n1']);
    cluster.start('n3');
    cluster.run(3_000);
    expect(ids(cluster)).not.toEqual(['n1']);
  });

  test('says that nobody is fit only once the others could have answered', () => {
    const cluster = led();
    cluster.diskSpace('n3', 1_000);
    cluster.run(200);
    const unanswered = ({ message }: Envelope): boolean => message.kind !== 'HeartbeatResponse';
    cluster.elect('n3', unanswered);
    cluster.run(1, unanswered);
    cluster.run(3_000);
    expect(ids(cluster)).not.toEqual(['n3']);
    expect(cluster.replica('n3').events.filter(({ kind }) => kind === 'no-transfer-target')).toEqual([]);
  });

  test('and is the only voter refuses proposals, answers reads, and goes on with space', () => {
    const cluster = led({}, ['n1']);
    const before = lastOf(cluster, 'n1');
    cluster.diskSpace('n1', 0);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: false, reason: 'overloaded' });
    const read = cluster.read('n1');
    cluster.run(1_000);
    expect(cluster.grantedAt('n1', read)).toBe(before);
    expect(ids(cluster)).toEqual(['n1']);
    cluster.diskSpace('n1', null);
    cluster.propose('n1', 'x');
    cluster.run(100);
    expect(commitOf(cluster, 'n1')).toBe(before + 1);
  });
});

describe('a leader without a quorum that has room', () => {
  test('refuses proposals, and takes them again when one has', () => {
    const cluster = led();
    for (const id of ['n2', 'n3']) cluster.diskSpace(id, 0);
    cluster.run(200);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: false, bound: 'disk-nearly-full' });
    cluster.diskSpace('n2', null);
    cluster.run(200);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: true });
  });

  test('refuses proposals where one that had room is gone', () => {
    const cluster = led();
    cluster.diskSpace('n2', 1_000);
    cluster.run(200);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: true });
    cluster.run(200);
    cluster.crash('n3');
    cluster.run(2_000);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: false, bound: 'disk-nearly-full' });
    cluster.start('n3');
    cluster.run(500);
    expect(cluster.propose('n1', 'x')).toMatchObject({ accepted: true });
  });

  test('changes the membership by what the others can spare', () => {
    const cluster = led();
    for (const id of ['n2', 'n3']) cluster.diskSpace(id, 1_000);
    cluster.run(200);
    const changed = cluster.core('n1').proposeMembership(cluster.now, { remove: ['n3'] }, null);
    expect(changed).toMatchObject({ accepted: true });
    cluster.drain(cluster.replica('n1'));
    cluster.run(1_000);
    expect(cluster.core('n1').state.change).toBeNull();
    expect(
      cluster
        .core('n1')
        .state.configurations.at(-1)
        ?.configuration.voters.map(({ id }) => id),
    ).toEqual(['n1', 'n2']);
  });

  test('commits the first entry of its term by what the others can spare, and no more', () => {
    const cluster = led();
    for (const id of ['n1', 'n2', 'n3']) cluster.diskSpace(id, 1_000);
    cluster.run(200);
    cluster.crash('n1');
    cluster.run(5_000);
    const [leader = ''] = ids(cluster);
    expect(commitOf(cluster, leader)).toBe(lastOf(cluster, leader));
    const read = cluster.read(leader);
    cluster.run(200);
    expect(cluster.grantedAt(leader, read)).toBe(commitOf(cluster, leader));
    expect(cluster.propose(leader, 'x')).toMatchObject({ accepted: false, bound: 'disk-nearly-full' });
  });

  test('commits nothing where the others can spare nothing', () => {
    const cluster = led();
    for (const id of ['n1', 'n2', 'n3']) cluster.diskSpace(id, 10);
    cluster.run(200);
    cluster.crash('n1');
    cluster.run(5_000);
    const [leader = ''] = ids(cluster);
    expect(commitOf(cluster, leader)).toBeLessThan(lastOf(cluster, leader));
  });
});
