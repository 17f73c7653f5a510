import { channel, tracingChannel } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  ApplyMessage,
  EventMessage,
  ProposeMessage,
  RangeMessage,
  StorageWriteMessage,
} from '../../src/index.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { HeldStorage } from './held-storage.ts';
import { eventually, Nodes, Total, truth } from './nodes.ts';

const alone = { id: 'n1', bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };

let nodes: Nodes;
const ends: (() => void)[] = [];
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(async () => {
  await nodes.close();
  for (const end of ends.splice(0)) end();
});

function listen(name: string, heard: (message: never) => void): void {
  const one = channel(name);
  const listener = (message: unknown): void => heard(message as never);
  one.subscribe(listener);
  ends.push(() => one.unsubscribe(listener));
}

/** Every stage of a tracing channel, in order. */
function listenToAll<Message>(name: string, heard: (stage: string, message: Message) => void): void {
  for (const stage of ['start', 'end', 'asyncStart', 'asyncEnd', 'error']) {
    listen(`tracing:${name}:${stage}`, (message) => heard(stage, message));
  }
}

describe('what a node tells on its channels', () => {
  it('follows a proposal from the call to its result, as one object', async () => {
    const node = await nodes.open({ ...alone, group: 'orders' });
    await node.waitForLeader();
    await node.propose(1);
    const stages: string[] = [];
    const messages = new Set<ProposeMessage>();
    const take = (stage: string) => (message: ProposeMessage) => {
      stages.push(stage);
      messages.add(message);
    };
    listenToAll<ProposeMessage>('kontiki:propose', (stage, message) => take(`propose ${stage}`)(message));
    listen('kontiki:append', take('append'));
    listen('kontiki:persist', ({ from, to }: RangeMessage) => stages.push(`persist ${from}..${to}`));
    listen('kontiki:commit', ({ from, to }: RangeMessage) => stages.push(`commit ${from}..${to}`));
    listenToAll<ApplyMessage>('kontiki:apply', (stage, { index }) => stages.push(`apply ${stage} ${index}`));
    expect(await node.propose(41)).toBe(42);
    const index = node.status().lastIndex;
    expect(stages).toEqual([
      'propose start',
      'propose end',
      'append',
      `persist ${index}..${index}`,
      `commit ${index}..${index}`,
      `apply start ${index}`,
      `apply end ${index}`,
      'propose asyncStart',
      'propose asyncEnd',
    ]);
    const [message, ...others] = messages;
    expect(others).toEqual([]);
    expect(message).toEqual({
      id: 'n1',
      group: 'orders',
      payloadBytes: 1,
      entry: { index, term: node.status().term },
      result: 42,
    });
  });

  it('says why a proposal failed, and of a refused one that it never had a place', async () => {
    const node = await nodes.open({ ...alone, pendingRequestsMax: 1 });
    await node.waitForLeader();
    const told: [string, unknown, unknown][] = [];
    listenToAll<ProposeMessage>('kontiki:propose', (stage, { entry, error }) => {
      if (stage === 'error') told.push([stage, entry, (error as Error).name]);
    });
    const [one, other] = await Promise.allSettled([node.propose(1), node.propose(2)]);
    expect([one?.status, other?.status]).toEqual(['fulfilled', 'rejected']);
    expect(told).toEqual([['error', null, 'Overloaded']]);
  });

  it('tells of entries of each term apart, on every replica, and each entry once', async () => {
    const ranges = new Map<string, RangeMessage[]>();
    listen('kontiki:commit', (message: RangeMessage) => {
      ranges.set(message.id, [...(ranges.get(message.id) ?? []), message]);
    });
    const {
      nodes: all,
      leader,
      followers,
    } = await nodes.found(['n1', 'n2', 'n3'], () => ({
      raft: { electionTimeoutMinMs: 1_500, electionTimeoutMaxMs: 3_000 },
    }));
    await leader.propose(1);
    await leader.close();
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    await next.propose(1);
    const { commitIndex, term } = next.status();
    await eventually(() => truth(followers.every((node) => node.status().commitIndex === commitIndex)));
    for (const { id } of all.filter((node) => node !== leader)) {
      const told = ranges.get(id) ?? [];
      expect(told[0]?.from).toBe(1);
      expect(told.at(-1)).toMatchObject({ to: commitIndex, term });
      for (const [position, { from, to, term: own }] of told.entries()) {
        expect(to).toBeGreaterThanOrEqual(from);
        const before = told[position - 1];
        if (before === undefined) continue;
        expect(from).toBe(before.to + 1);
        expect(own).toBeGreaterThanOrEqual(before.term);
      }
    }
  });

  it('lets a subscriber run apply within something of its own, and wraps those before it', async () => {
    const applied: string[] = [];
    const machine = new (class extends Total {
      override apply(amount: number): number {
        applied.push('apply');
        return super.apply(amount);
      }
    })();
    const node = await nodes.open({ ...alone, stateMachine: machine });
    await node.waitForLeader();
    for (const name of ['inner', 'outer']) {
      listen('tracing:kontiki:apply:start', (message: ApplyMessage) => {
        const { around } = message;
        message.around = (call) => {
          applied.push(name);
          return around === null ? call() : around(call);
        };
      });
    }
    expect(await node.propose(3)).toBe(3);
    expect(applied).toEqual(['outer', 'inner', 'apply']);
  });

  it('tells of an apply that returns a promise when that has settled', async () => {
    const stages: string[] = [];
    listenToAll<ApplyMessage>('kontiki:apply', (stage, message) =>
      stages.push(`${stage} ${'result' in message ? message.result : '-'}`),
    );
    let release: (value: number) => void = () => {};
    const stateMachine = {
      apply: () => new Promise<number>((resolve) => (release = resolve)),
      query: () => 0,
    };
    const node = await nodes.open({ ...alone, stateMachine });
    await node.waitForLeader();
    const result = node.propose(1);
    await eventually(() => truth(stages.length === 2));
    expect(stages).toEqual(['start -', 'end -']);
    release(7);
    expect(await result).toBe(7);
    expect(stages.slice(2)).toEqual(['asyncStart 7', 'asyncEnd 7']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no such account');
      },
      ['start', 'error no such account', 'end no such account'],
    ],
    [
      'rejects',
      () => Promise.reject(new Error('no such account')),
      ['start', 'end', 'error no such account', 'asyncStart no such account', 'asyncEnd no such account'],
    ],
  ])('tells of an apply that %s, which stops the node as ever', async (_how, apply, expected) => {
    const stages: string[] = [];
    listenToAll<ApplyMessage>('kontiki:apply', (stage, { error }) =>
      stages.push(error === undefined ? stage : `${stage} ${(error as Error).message}`),
    );
    const node = await nodes.open({ ...alone, stateMachine: { apply, query: () => 0 } });
    await node.waitForLeader();
    await expect(node.propose(1)).rejects.toMatchObject({ code: 'KONTIKI_OUTCOME_UNKNOWN' });
    await expect(node.propose(1)).rejects.toMatchObject({ code: 'KONTIKI_CLOSED' });
    expect(stages).toEqual(expected);
  });

  it('tells of each write, and of one that failed', async () => {
    const storage = new HeldStorage();
    const node = await nodes.open({ ...alone, storage });
    await node.waitForLeader();
    await node.propose(1);
    const told: [string, number, number, unknown][] = [];
    listenToAll<StorageWriteMessage>('kontiki:storage-write', (stage, { entries, bytes, error }) => {
      if (stage !== 'asyncStart' && stage !== 'end')
        told.push([stage, entries, bytes, (error as Error)?.message]);
    });
    await node.propose(1);
    expect(told).toEqual([
      ['start', 1, 17, undefined],
      ['asyncEnd', 1, 17, undefined],
    ]);
    storage.holding = true;
    const lost = node.propose(1).catch(() => null);
    await eventually(() => truth(storage.waiting === 1));
    storage.failAll();
    await eventually(() => truth(told.some(([stage]) => stage === 'error')));
    expect(told.slice(2, 5)).toEqual([
      ['start', 1, 17, undefined],
      ['error', 1, 17, 'the disk is gone'],
      ['asyncEnd', 1, 17, 'the disk is gone'],
    ]);
    await nodes.close();
    await lost;
  });

  it('tells of the events of all nodes, also of those that nobody listens to', async () => {
    const events: EventMessage[] = [];
    listen('kontiki:event', (message: EventMessage) => events.push(message));
    const node = await nodes.open({ ...alone, storage: memoryStorage() });
    await node.waitForLeader();
    await node.propose(1);
    await node.snapshot();
    await node.close();
    const names = events
      .filter(({ id, group }) => id === 'n1' && group === 'default')
      .map(({ name }) => name);
    expect(names).toContain('snapshot-taken');
    expect(names.at(-1)).toBe('stopped');
    const led = events.find(({ name }) => name === 'leader-changed');
    expect(led?.event).toMatchObject({ leader: 'n1' });
  });

  it('makes nothing while nobody listens', async () => {
    const node = await nodes.open({ ...alone });
    await node.waitForLeader();
    const propose = tracingChannel('kontiki:propose');
    expect(propose.hasSubscribers).toBe(false);
    expect(await node.propose(1)).toBe(1);
    // Whoever comes later hears nothing of what began before.
    const heard: unknown[] = [];
    const result = node.propose(1);
    listen('kontiki:append', (message) => heard.push(message));
    listenToAll('kontiki:propose', (stage) => heard.push(stage));
    await result;
    expect(heard).toEqual([]);
  });
});
