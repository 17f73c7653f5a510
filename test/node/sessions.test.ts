import { afterEach, describe, expect, it } from 'vitest';
import { InvalidOptions, msgpackCodec, NotLeader, RaftNode, StateMachineFailed } from '../../src/index.ts';
import { Applier } from '../../src/node/applier.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import { AppliedSessions } from '../../src/node/sessions/applied-sessions.ts';
import { encodeSessionRecord } from '../../src/node/sessions/session-record.ts';
import { snapshotPolicy } from '../../src/node/snapshot-policy.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { memoryNetwork } from '../../src/transport/index.ts';
import { eventually, type Node, Nodes, next, Total, truth } from './nodes.ts';

const nodes = new Nodes();
afterEach(() => nodes.close());

const alone = { id: 'n1', bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };
const every = (entries: number, keepEntries = 2) => ({ snapshots: snapshotPolicy({ entries, keepEntries }) });
const ids = ['n1', 'n2', 'n3'];

function add(state: Buffer, amount: number): Buffer {
  state[0] = (state[0] ?? 0) + amount;
  return state;
}

/** The bytes of each snapshot are the whole state, sessions included. */
async function digests(all: readonly Node[]): Promise<Set<string>> {
  const last = Math.max(...all.map((node) => node.status().appliedIndex));
  await eventually(() => truth(all.every((node) => node.status().appliedIndex === last)));
  const metas = await Promise.all(all.map((node) => node.snapshot()));
  return new Set(metas.map((meta) => `${meta?.index} ${meta?.digest}`));
}

describe('a session', () => {
  it('answers a retry with the first result, and counts it', async () => {
    const stateMachine = new Total();
    const node = await nodes.open({ ...alone, stateMachine });
    await node.waitForLeader();
    const session = await node.session();
    expect(await session.propose(5)).toBe(5);
    const aborted = new AbortController();
    const lost = session.propose(7, { signal: aborted.signal });
    await eventually(() =>
      truth(node.status().lastIndex > node.status().commitIndex || stateMachine.total === 12),
    );
    aborted.abort();
    await lost.catch(() => {});
    expect(await node.propose(100)).toBe(112);
    const other = await node.session({ resume: { ...session.token, unanswered: [2] } });
    expect(await other.retry(7)).toBe(12);
    expect([stateMachine.total, stateMachine.applied]).toEqual([112, 3]);
    expect(node.status().sessions).toBe(1);
    expect(node.metrics()).toMatchObject({
      raft_sessions: 1,
      raft_session_retries_answered_total: 1,
      raft_sessions_evicted_total: 0,
      raft_sessions_expired_total: 0,
    });
    await other.close();
    expect(node.status().sessions).toBe(0);
  });

  it('gives the first caller exactly what a retry would get', async () => {
    class Point {
      readonly x = 1;
    }
    const results = [
      new Point(),
      undefined,
      null,
      new Map([['a', [1n, new Date(5)]]]),
      Buffer.from('bytes'),
      -0,
      'text',
    ];
    const node = await RaftNode.open<number, unknown, never, never>({
      ...alone,
      storage: memoryStorage(),
      transport: memoryNetwork().transport('n1'),
      stateMachine: { apply: (which) => results[which], query: (query) => query },
    });
    try {
      await node.waitForLeader();
      const session = await node.session();
      for (const which of results.keys()) {
        const first = await session.propose(which);
        const resume = { ...session.token, unanswered: [session.lastSequence] };
        const again = await (await node.session({ resume })).retry(which);
        expect(again).toStrictEqual(first);
        // And it is the value, as far as its bytes can tell.
        expect(first).toEqual(results[which] instanceof Point ? { x: 1 } : first);
      }
    } finally {
      await node.close();
    }
  });

  it.each(['the default codec', 'a codec that passes bytes through'])(
    'keeps the first result whatever becomes of it elsewhere, with %s',
    async (which) => {
      const state = Buffer.from([0]);
      const through = {
        encode: (result: { bytes: Uint8Array }) => result.bytes,
        decode: (bytes: Uint8Array) => ({ bytes }),
      };
      const node = await RaftNode.open<number, { bytes: Uint8Array }, never, never>({
        ...alone,
        storage: memoryStorage(),
        transport: memoryNetwork().transport('n1'),
        // It goes on with the very bytes that it returned.
        stateMachine: { apply: (amount) => ({ bytes: add(state, amount) }), query: (query) => query },
        ...(which === 'the default codec' ? {} : { resultCodec: through }),
      });
      try {
        await node.waitForLeader();
        const session = await node.session();
        const { token } = session;
        const first = await session.propose(3);
        expect([...first.bytes]).toEqual([3]);
        await node.propose(100);
        first.bytes[0] = 77;
        const again = await (await node.session({ resume: token })).propose(3);
        expect([...again.bytes]).toEqual([3]);
      } finally {
        await node.close();
      }
    },
  );

  it('gives a command a sequence even where the node is closed, so that it is not mistaken for another', async () => {
    const node = await nodes.open(alone);
    await node.waitForLeader();
    const session = await node.session();
    await session.propose(1);
    await node.close();
    await expect(session.propose(2)).rejects.toMatchObject({ code: 'KONTIKI_CLOSED' });
    expect([session.lastSequence, session.unanswered]).toEqual([2, [2]]);
  });

  it('keeps results by the codec it is given', async () => {
    const node = await nodes.open({
      ...alone,
      resultCodec: {
        encode: (sum) => Buffer.from(`sum ${sum}`),
        decode: (bytes) => Number(Buffer.from(bytes).toString().slice(4)),
      },
    });
    await node.waitForLeader();
    const session = await node.session();
    expect(await session.propose(41)).toBe(41);
    expect(node.metrics().raft_session_result_bytes).toBe('sum 41'.length);
  });

  it('lets commands go side by side up to the window, and each is applied once', async () => {
    const stateMachine = new Total();
    const node = await nodes.open({ ...alone, stateMachine, sessionWindow: 10 });
    await node.waitForLeader();
    const session = await node.session();
    const results = await Promise.allSettled(Array.from({ length: 11 }, () => session.propose(1)));
    expect(results.map(({ status }) => status)).toEqual([...Array(10).fill('fulfilled'), 'rejected']);
    expect(results[10]).toMatchObject({ reason: { code: 'KONTIKI_OVERLOADED', reason: 'session-window' } });
    expect(stateMachine.total).toBe(10);
  });

  it('can be opened and used on the leader only', async () => {
    const { leader, followers } = await nodes.found(ids);
    const session = await leader.session();
    const [follower] = followers;
    if (follower === undefined) throw new Error('no follower');
    await expect(follower.session()).rejects.toBeInstanceOf(NotLeader);
    const there = await follower.session({ resume: session.token });
    await expect(there.propose(1)).rejects.toMatchObject({ leader: { id: leader.id } });
    await expect(leader.session({ resume: { id: 'x' } as never })).rejects.toThrow(RangeError);
    await leader.close();
    await expect(leader.session()).rejects.toMatchObject({ code: 'KONTIKI_CLOSED' });
    await expect(session.propose(1)).rejects.toMatchObject({ code: 'KONTIKI_CLOSED' });
  });

  it('of a state machine that fails stops the replica, as any command does', async () => {
    const node = await nodes.open({
      ...alone,
      stateMachine: {
        apply: (amount: number) => {
          if (amount === 13) throw new Error('unlucky');
          return Promise.resolve(amount);
        },
        query: () => 0,
      },
    });
    await node.waitForLeader();
    const session = await node.session();
    expect(await session.propose(12)).toBe(12);
    const stopped = next(node, 'stopped');
    await expect(session.propose(13)).rejects.toMatchObject({ outcomeKnown: false });
    expect((await stopped).error).toBeInstanceOf(StateMachineFailed);
    expect((await stopped).error?.message).toMatch(/unlucky/);
  });
});

describe('entries of sessions that no node writes', () => {
  function applier() {
    const outcomes: unknown[] = [];
    const made = new Applier<number, unknown>(
      { apply: (n) => n },
      msgpackCodec(),
      new PendingRequests(),
      new AppliedSessions(msgpackCodec()),
      (_entry, outcome) => outcomes.push(outcome),
    );
    return { made, outcomes };
  }
  const session = (index: number, payload: Uint8Array) =>
    ({ kind: 'session', index, term: 1, payload }) as const;

  it('are refused when malformed, and what follows is applied', () => {
    const { made, outcomes } = applier();
    made.apply([
      session(1, new Uint8Array(0)),
      session(2, Buffer.from([1, 99])),
      session(3, encodeSessionRecord({ kind: 'time', stampMs: 5 })),
    ]);
    expect(outcomes).toMatchObject([
      { kind: 'refused', reason: 'malformed' },
      { kind: 'refused', reason: 'malformed' },
      { kind: 'timed' },
    ]);
    expect(made.appliedIndex).toBe(3);
  });

  it('of a later version stop the replica before it becomes another', () => {
    const { made } = applier();
    expect(() => made.apply([session(1, Buffer.from([2, 0]))])).toThrow(/entry of version 2.*upgrade/);
    expect(made.appliedIndex).toBe(0);
  });

  it('are not taken for a command that cannot be decoded: that fails as it does outside of a session', () => {
    const { made } = applier();
    const limits = { timeoutMs: 9, window: 1, sessionsMax: 1, resultBytesMax: 9, timeStepMaxMs: 1 };
    const salt = '0'.repeat(16);
    made.apply([session(1, encodeSessionRecord({ kind: 'open', stampMs: 0, salt, ...limits }))]);
    const garbage = encodeSessionRecord({
      kind: 'command',
      stampMs: 0,
      id: { index: 1, salt },
      sequence: 1,
      lowestUnanswered: 1,
      command: new Uint8Array([0xdb, 0x00]),
    });
    expect(() => made.apply([session(2, garbage)])).toThrow(StateMachineFailed);
  });
});

describe('replicas with other options', () => {
  it('come to the same state, byte for byte: what holds travels in the log', async () => {
    const { nodes: all, leader } = await nodes.found(ids, (id) => ({
      sessionsMax: id === 'n1' ? 1 : id === 'n2' ? 2 : 50,
      sessionWindow: id === 'n1' ? 1 : id === 'n2' ? 5 : 50,
      sessionResultBytesMax: id === 'n1' ? 1 : id === 'n2' ? 4 : 1_000,
      sessionTimeoutMs: id === 'n1' ? 400_000 : id === 'n2' ? 4_000_000 : 40_000_000,
      // Long enough that no stamp comes while the states are compared.
      sessionTimeStepMaxMs: id === 'n1' ? 100_000 : id === 'n2' ? 200_000 : 300_000,
    }));
    for (let i = 0; i < 5; i += 1) {
      const session = await leader.session();
      for (let j = 0; j < 5; j += 1) await session.propose(j).catch(() => {});
      await session.close().catch(() => {});
      const left = await leader.session();
      await left.propose(1_000_000).catch(() => {});
      await left.propose(1_000_000).catch(() => {});
    }
    // Wherever the leadership goes, it is so.
    await leader.close();
    const remaining = all.filter((node) => node !== leader);
    const successor = await eventually(() => remaining.find((node) => node.status().role === 'leader'));
    const session = await eventually(() => successor.session().catch(() => undefined) as never);
    await (session as Awaited<ReturnType<Node['session']>>).propose(7).catch(() => {});
    expect((await digests(remaining)).size).toBe(1);
    expect(new Set(remaining.map((node) => node.status().sessions)).size).toBe(1);
  });
});

describe('opening', () => {
  it('refuses settings that make no sense, all of them together', async () => {
    const opening = nodes.open({
      ...alone,
      sessionsMax: 0,
      sessionWindow: -1,
      sessionTimeoutMs: 1.5,
      resultCodec: {} as never,
    });
    const error = await opening.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InvalidOptions);
    expect((error as InvalidOptions).mistakes).toEqual([
      'resultCodec: expected an object with encode(), decode()',
      'sessionTimeoutMs: 1.5 is no positive integer',
      'sessionsMax: 0 is no positive integer',
      'sessionWindow: -1 is no positive integer',
    ]);
  });

  it.each([
    [{ sessionTimeStepMaxMs: 26, sessionTimeoutMs: 100 }, /more than a quarter of sessionTimeoutMs \(100\)/],
    [{ sessionTimeStepMaxMs: 900_001 }, /more than a quarter/],
    [{ sessionTimeoutMs: 3 }, /sessionTimeoutMs: 3 is less than 4/],
    [{ sessionWindow: 65_537 }, /sessionWindow: 65537 is more than 65536/],
  ])('refuses %o', async (settings, why) => {
    await expect(nodes.open({ ...alone, ...settings })).rejects.toThrow(why);
  });

  it('takes the limits themselves', async () => {
    const settings = { sessionTimeStepMaxMs: 25, sessionTimeoutMs: 100, sessionWindow: 65_536 };
    const node = await nodes.open({ ...alone, ...settings });
    await node.waitForLeader();
    expect((await node.session()).window).toBe(65_536);
  });

  it.each([
    [4, 9, 'other-format', /table of sessions of version 9/],
    [0, 0, 'other-format', /does not begin with a table of sessions/],
    [12, 0xff, 'damaged', /its length is said to be/],
  ] as const)('refuses a snapshot whose byte %i is %i', async (at, to, reason, message) => {
    const storage = memoryStorage();
    const before = await nodes.open({ ...alone, storage });
    await before.waitForLeader();
    await before.propose(5);
    const meta = await before.snapshot();
    await before.close();
    if (meta === null) throw new Error('no snapshot');
    const instance = await storage.open({ id: 'n1' });
    const bytes = Buffer.from(
      await instance.snapshots('default').read(meta, { offset: 0, length: meta.size }),
    );
    bytes[at] = to;
    // A later one, whole in itself: its digest is of what it holds.
    await instance.snapshots('default').write({ ...meta, index: meta.index + 1 }, [bytes]);
    await instance.close();
    await expect(nodes.open({ ...alone, storage })).rejects.toMatchObject({
      reason,
      message: expect.stringMatching(message),
    });
  });
});

describe('snapshots', () => {
  it('with sessions are the same bytes on every replica', async () => {
    const { nodes: all, leader } = await nodes.found(ids);
    for (let i = 0; i < 5; i += 1) {
      const session = await leader.session();
      await Promise.all(Array.from({ length: 7 }, (_, n) => session.propose(n)));
    }
    expect((await digests(all)).size).toBe(1);
  });

  it("give the user exactly the user's chunks, with a stream in between that is never held as a whole", async () => {
    // The state is far larger than what may be held of it at once.
    const chunk = Buffer.alloc(64 * 1024, 7);
    let held = 0;
    let most = 0;
    let restored = 0;
    const stateMachine = {
      apply: (n: number) => n,
      query: () => 0,
      *snapshot() {
        for (let i = 0; i < 300; i += 1) yield chunk;
      },
      async restore(chunks: AsyncIterable<Uint8Array>) {
        for await (const one of chunks) {
          held = one.length;
          if (held > most) most = held;
          restored += one.length;
          if (one.some((byte) => byte !== 7)) throw new Error('not what was given');
        }
      },
    };
    const storage = memoryStorage();
    const before = await nodes.open({ ...alone, storage, stateMachine });
    await before.waitForLeader();
    const session = await before.session();
    await session.propose(3);
    await before.snapshot();
    await before.close();
    const after = await nodes.open({ ...alone, storage, stateMachine });
    expect(restored).toBe(300 * chunk.length);
    expect(most).toBeLessThanOrEqual(256 * 1024);
    expect(after.status().sessions).toBe(1);
  });
});

describe('a follower that gets everything by a snapshot', () => {
  it('and then leads, answers a retry with the first result', async () => {
    const storages = new Map(ids.map((id) => [id, memoryStorage()]));
    const machines = new Map(ids.map((id) => [id, new Total()]));
    const options = (id: string) => ({
      ...every(10),
      storage: storages.get(id) ?? memoryStorage(),
      stateMachine: machines.get(id) ?? new Total(),
    });
    const { leader, followers } = await nodes.found(ids, options);
    const [away] = followers;
    if (away === undefined) throw new Error('no follower');
    await away.close();
    const session = await leader.session();
    expect(await session.propose(5)).toBe(5);
    const token = { ...session.token, unanswered: [1] };
    for (let i = 0; i < 40; i += 1) await leader.propose(1);
    await eventually(() => truth(leader.status().floorIndex > 20));

    const members = ids.map((id) => ({ id, address: id }));
    const fresh = new Total();
    const back = await nodes.open({
      id: away.id,
      bootstrap: { members },
      ...options(away.id),
      stateMachine: fresh,
    });
    await eventually(() => truth(back.status().appliedIndex === leader.status().appliedIndex));
    expect([fresh.restored, back.status().sessions]).toEqual([1, 1]);
    await leader.transferLeadership(back.id);
    await eventually(() => truth(back.status().role === 'leader'));
    const resumed = await back.session({ resume: token });
    expect(await resumed.retry(5)).toBe(5);
    expect(await back.read('total')).toBe(45);
  });
});
