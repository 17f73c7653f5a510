import { afterEach, describe, expect, it } from 'vitest';
import { Retired } from '../../src/index.ts';
import type { Envelope, JoinOutcome } from '../../src/raft/message.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { eventually, type Node, Nodes, next, truth } from './nodes.ts';

let nodes = new Nodes();
afterEach(async () => {
  await nodes.close();
  nodes = new Nodes();
});

const list = (...ids: string[]) => ids.map((id) => ({ id, address: id }));
const openWith = (id: string, members: { id: string; address: string }[]): Promise<Node> =>
  nodes.open({ id, bootstrap: { members } });

describe('two lists that differ', () => {
  it.each([
    ['in order', list('n1', 'n2', 'n3'), list('n1', 'n3', 'n2')],
    ['in length', list('n1', 'n2', 'n3'), list('n1', 'n2', 'n3', 'n4')],
    ['in an address', list('n1', 'n2', 'n3'), [...list('n1', 'n2'), { id: 'n3', address: 'elsewhere' }]],
  ])('%s found nothing: both sides show both', async (_how, ours, theirs) => {
    const [first, second, third] = await Promise.all([
      openWith('n1', ours),
      openWith('n2', theirs),
      openWith('n3', ours),
    ]);
    await eventually(() => truth(first?.status().bootstrap?.differing.length === 1));
    expect(first?.status().bootstrap).toEqual({
      members: ours,
      unanswered: [],
      notEmpty: [],
      differing: [{ id: 'n2', members: theirs }],
    });
    expect(second?.status().bootstrap).toEqual({
      members: theirs,
      unanswered: [],
      notEmpty: [],
      differing: [{ id: 'n1', members: ours }],
    });
    expect(third?.status().bootstrap).toBeUndefined();
    // It goes on asking, and is told the same.
    const asked = first?.metrics().transport_messages_received_total ?? 0;
    await eventually(() => truth((first?.metrics().transport_messages_received_total ?? 0) > asked + 5));
    expect([first, second, third].map((node) => node?.status().clusterId)).toEqual([null, null, null]);
  });

  it('are no obstacle any more once they are the same', async () => {
    const first = await openWith('n1', list('n1', 'n2'));
    const wrong = await openWith('n2', list('n1', 'n2', 'n3'));
    await eventually(() => truth(first.status().bootstrap?.differing.length === 1));
    await wrong.close();
    const right = await openWith('n2', list('n1', 'n2'));
    await Promise.all([first.waitForLeader(), right.waitForLeader()]);
    expect(first.status().bootstrap).toBeUndefined();
    expect(right.status().clusterId).toBe(first.status().clusterId);
  });

  it('do not hide from a founder that is not on the other list', async () => {
    const stranger = await openWith('n9', list('n9', 'n2'));
    const second = await openWith('n2', list('n1', 'n2'));
    await eventually(() => truth(stranger.status().bootstrap?.differing.length === 1));
    expect(stranger.status().bootstrap?.differing).toEqual([{ id: 'n2', members: list('n1', 'n2') }]);
    expect(second.status().bootstrap?.differing).toEqual([{ id: 'n9', members: list('n9', 'n2') }]);
  });
});

describe('an emptied disk', () => {
  it.each(['n1', 'n2'])(
    'of %s brings it back by itself, with the same flags, as another member',
    async (wiped) => {
      const { leader, followers } = await nodes.found(['n1', 'n2', 'n3']);
      const all = [leader, ...followers];
      expect(await leader.propose(5)).toBe(5);
      const before = all.find(({ id }) => id === wiped);
      const { incarnation, clusterId } = before?.status() ?? {};
      await before?.close();
      const back = await openWith(wiped, list('n1', 'n2', 'n3'));
      const others = all.filter((node) => node !== before);
      await eventually(() =>
        truth(
          others.some(({ id }) => id === back.status().leader?.id) &&
            back
              .status()
              .configuration.voters.some((voter) => voter.incarnation === back.status().incarnation) &&
            back.status().configuration.outgoing.length === 0,
        ),
      );
      const { configuration } = back.status();
      expect(configuration.voters.map(({ id }) => id).sort()).toEqual(['n1', 'n2', 'n3']);
      expect(configuration.retired).toEqual([{ id: wiped, incarnation }]);
      expect(back.status().clusterId).toBe(clusterId);
      await eventually(() => truth(back.status().appliedIndex >= 3));
      const leading = await eventually(() => others.find((node) => node.status().role === 'leader'));
      expect(await leading.propose(1)).toBe(6);
    },
  );

  it('of two of three waits for an operator, who sees who is missing and who asks', async () => {
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3']);
    await leader.propose(5);
    const all = [leader, ...followers];
    const remaining = all.find(({ id }) => id === 'n3');
    await Promise.all(all.filter((node) => node !== remaining).map((node) => node.close()));
    const wiped = await Promise.all(['n1', 'n2'].map((id) => openWith(id, list('n1', 'n2', 'n3'))));
    const status = () => remaining?.status();
    await eventually(() => truth(status()?.newcomers.length === 2 && status()?.quorum.missing.length === 2));
    expect(
      status()
        ?.newcomers.map(({ id, answer }) => `${id} ${answer}`)
        .sort(),
    ).toEqual(['n1 ask-leader', 'n2 ask-leader']);
    expect(status()?.quorum.reachable).toBe(false);
    expect(
      status()
        ?.quorum.missing.map(({ id }) => id)
        .sort(),
    ).toEqual(['n1', 'n2']);
    expect(status()?.leader).toBeNull();
    expect(wiped.map((node) => node.status().clusterId)).toEqual([null, null]);
    expect(wiped[0]?.status().bootstrap?.notEmpty).toEqual(['n3']);
  });
});

describe('a member that moved', () => {
  it('is found at its new address', async () => {
    const storage = memoryStorage();
    const { leader, followers } = await nodes.found(['n1', 'n2', 'n3'], (id) =>
      id === 'n3' ? { storage } : {},
    );
    const all = [leader, ...followers];
    await all.find(({ id }) => id === 'n3')?.close();
    const others = all.filter(({ id }) => id !== 'n3');
    const leading = await eventually(() => others.find((node) => node.status().role === 'leader'));
    await leading.propose(5);
    const moved = await nodes.open({
      id: 'n3',
      at: 'new-place',
      storage,
      bootstrap: { members: list('n1', 'n2', 'n3') },
    });
    await eventually(() => truth(moved.status().appliedIndex === leading.status().appliedIndex));
    const { voters } = leading.status().configuration;
    expect(voters.find(({ id }) => id === 'n3')?.address).toBe('new-place');
  });
});

/** Somebody whom the node asks, and who answers as the test says. */
async function answering(node: { id: string }, outcome: (asked: Envelope) => JoinOutcome | null) {
  const transport = nodes.network.transport('seed');
  await transport.open({
    identity: { id: 'seed', incarnation: 'ffffffffffffffff', boot: 1, clusterId: 'c000000000000000' },
    observe: () => {},
    receive: (envelope) => {
      const answer = envelope.message.kind === 'JoinRequest' ? outcome(envelope) : null;
      if (answer === null) return;
      transport.setPeers([{ id: node.id, incarnation: null, address: node.id }]);
      transport.send({
        clusterId: 'c000000000000000',
        group: 'default',
        from: { id: 'seed', incarnation: 'ffffffffffffffff', boot: 1 },
        to: { id: node.id, incarnation: envelope.from.incarnation },
        message: { kind: 'JoinAnswer', answer, boot: envelope.from.boot, leader: null },
      });
    },
  });
  return transport;
}

describe('the answer to a request to join', () => {
  const join = { seeds: [{ id: 'seed', address: 'seed' }] };

  it('retired stops the replica for good', async () => {
    const transport = await answering({ id: 'n1' }, () => 'retired');
    const node = await nodes.open({ id: 'n1', join });
    const { error } = await next(node, 'stopped');
    expect(error).toBeInstanceOf(Retired);
    expect(error?.message).toMatch(/of n1 was replaced, and never comes back/);
    await transport.close();
  });

  it('boot-went-back empties the storage, and the replica asks as another', async () => {
    const asked: string[] = [];
    const transport = await answering({ id: 'n1' }, ({ from }) => {
      asked.push(`${from.incarnation} ${from.boot}`);
      return asked.length === 1 ? 'boot-went-back' : 'waiting-for-operator';
    });
    const storage = memoryStorage();
    const node = await nodes.open({ id: 'n1', join, storage });
    const { incarnation } = node.status();
    await eventually(() => truth(asked.length >= 2));
    expect(asked[0]).toBe(`${incarnation} 1`);
    expect(node.status().incarnation).not.toBe(incarnation);
    expect(asked[1]).toBe(`${node.status().incarnation} 1`);
    expect(node.status()).toMatchObject({ state: 'running', clusterId: null });
    expect(node.metrics().storage_failures_total).toBe(0);
    await transport.close();
  });

  it('boot-went-back stops a replica whose state machine remembers, its storage emptied', async () => {
    const members = [...list('n1', 'n2'), { id: 'seed', address: 'seed' }];
    const storage = memoryStorage();
    const { leader, followers } = await nodes.found(['n1', 'n2'], (id) => (id === 'n1' ? { storage } : {}));
    await leader.propose(5);
    await eventually(() => truth([leader, ...followers].every((node) => node.status().appliedIndex >= 3)));
    const first = [leader, ...followers].find(({ id }) => id === 'n1');
    const second = [leader, ...followers].find(({ id }) => id === 'n2');
    const { incarnation } = first?.status() ?? {};
    await second?.close();
    await first?.snapshot();
    await first?.close();
    const transport = await answering({ id: 'n1' }, () => 'boot-went-back');
    const back = await nodes.open({ id: 'n1', storage, join: { seeds: members.slice(1) } });
    const { error } = await next(back, 'stopped');
    expect(error).toBeInstanceOf(Retired);
    expect(error?.message).toMatch(
      /was copied or rolled back, so its storage was emptied; restart the process/,
    );
    await transport.close();
    const again = await nodes.open({ id: 'n1', storage });
    expect(again.status()).toMatchObject({ boot: 2, clusterId: null, lastIndex: 0, snapshot: null });
    expect(again.status().incarnation).not.toBe(incarnation);
  });

  it('of another run, or to nobody who asked, is no news', async () => {
    const transport = await answering({ id: 'n1' }, () => null);
    const node = await nodes.open({ id: 'n1', join });
    const answers: unknown[] = [];
    node.on('joining', (answer) => answers.push(answer));
    const { incarnation } = node.status();
    const answer = (boot: number, to: string | null) =>
      transport.send({
        clusterId: 'c000000000000000',
        group: 'default',
        from: { id: 'seed', incarnation: 'ffffffffffffffff', boot: 1 },
        to: { id: 'n1', incarnation: to },
        message: { kind: 'JoinAnswer', answer: 'retired', boot, leader: null },
      });
    transport.setPeers([{ id: 'n1', incarnation: null, address: 'n1' }]);
    answer(1, incarnation);
    await eventually(() => truth(node.metrics().transport_messages_received_total === 1));
    await eventually(() => truth(node.metrics().transport_messages_sent_total > 0));
    answer(2, incarnation);
    answer(1, '0000000000000000');
    await eventually(() => truth(node.metrics().transport_messages_received_total === 3));
    expect(answers).toEqual([]);
    expect(node.status().state).toBe('running');
    answer(1, incarnation);
    expect((await next(node, 'stopped')).error).toBeInstanceOf(Retired);
    await transport.close();
  });
});
