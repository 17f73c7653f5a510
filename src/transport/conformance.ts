import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict';
import { nodeClock } from '../doors/node-clock.ts';
import type { NodeId } from '../raft/identity.ts';
import type { Envelope, Message } from '../raft/message.ts';
import type { Peer, Transport, TransportEvent, TransportIdentity } from './contract.ts';
import { TransportFailed } from './errors.ts';

/** The two functions of a test runner that the suite needs; vitest's and node:test's fit. */
export interface ConformanceHooks {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** Makes endpoints that can reach each other. Each test makes one of its own. */
export interface ConformanceFixture {
  /** An endpoint not yet opened; `at` asks for the address of one that was closed. */
  endpoint(at?: string): { readonly transport: Transport; address(): string };
}

/**
 * What every transport must do. Whoever writes one runs this in their own tests:
 * `transportConformance({ describe, it }, 'mine', () => ({ endpoint: (at) => ... }))`.
 */
export function transportConformance(
  hooks: ConformanceHooks,
  name: string,
  makeFixture: () => ConformanceFixture,
): void {
  const { describe, it } = hooks;
  const inWorld = (fact: string, body: (world: World) => Promise<void>): void =>
    it(fact, async () => {
      const world = new World(makeFixture());
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });

  describe(`the ${name} transport`, () => {
    inWorld('delivers every kind of message as it was sent', async (world) => {
      const [a, b] = await world.pair();
      for (const message of oneOfEachKind) {
        const sent = a.envelope(b, message);
        a.transport.send(sent);
        await until(() => b.received.length > 0, `a ${message.kind} to arrive`);
        deepStrictEqual(b.received.shift(), sent);
      }
    });

    inWorld('delivers later, and shares nothing with the sender', async (world) => {
      const [a, b] = await world.pair();
      const payload = new Uint8Array([1, 2, 3]);
      a.transport.send(a.envelope(b, append([payload])));
      strictEqual(b.received.length, 0, 'send called receive');
      payload.fill(9);
      await until(() => b.received.length > 0, 'the append to arrive');
      deepStrictEqual(b.received[0]?.message, append([new Uint8Array([1, 2, 3])]));
    });

    inWorld('carries a null cluster and a null incarnation', async (world) => {
      const [a, b] = await world.pair();
      const sent: Envelope = {
        ...a.envelope(b, { kind: 'BootstrapQuery' }),
        clusterId: null,
        to: { id: b.id, incarnation: null },
      };
      a.transport.send(sent);
      await until(() => b.received.length > 0, 'the query to arrive');
      deepStrictEqual(b.received[0], sent);
    });

    inWorld('delivers a burst, each message once, and counts it', async (world) => {
      const [a, b] = await world.pair();
      const before = {
        sent: a.transport.stats().messagesSent,
        received: b.transport.stats().messagesReceived,
      };
      for (let round = 1; round <= 1000; round += 1) a.transport.send(a.envelope(b, heartbeat(round)));
      await until(() => b.received.length >= 1000, '1000 heartbeats to arrive');
      const rounds = b.received.map(({ message }) => (message.kind === 'Heartbeat' ? message.round : 0));
      deepStrictEqual(
        rounds.sort((x, y) => x - y),
        Array.from({ length: 1000 }, (_, i) => i + 1),
      );
      strictEqual(a.transport.stats().messagesSent - before.sent, 1000);
      strictEqual(b.transport.stats().messagesReceived - before.received, 1000);
      await until(() => a.transport.stats().queuedBytes === 0, 'the queue to empty');
    });

    inWorld('delivers large messages whole, in both directions at once', async (world) => {
      const [a, b] = await world.pair();
      const large = append([pattern(1_000_000), pattern(1), pattern(300_000)]);
      a.transport.send(a.envelope(b, large));
      b.transport.send(b.envelope(a, large));
      await until(() => a.received.length > 0 && b.received.length > 0, 'both appends to arrive');
      deepStrictEqual(a.received[0]?.message, large);
      deepStrictEqual(b.received[0]?.message, large);
    });

    inWorld('drops and counts a message to a peer it does not know', async (world) => {
      const [a, b] = await world.pair();
      a.transport.setPeers([]);
      const before = a.transport.stats();
      a.transport.send(a.envelope(b, heartbeat(1)));
      strictEqual(a.transport.stats().droppedUnknownPeer, before.droppedUnknownPeer + 1);
      strictEqual(a.transport.stats().messagesSent, before.messagesSent);
    });

    inWorld('drops and counts a message to a peer that is not there', async (world) => {
      const [a, b] = await world.pair();
      await b.close();
      const before = a.transport.stats().droppedDisconnected;
      await until(() => {
        a.transport.send(a.envelope(b, heartbeat(1)));
        return a.transport.stats().droppedDisconnected > before;
      }, 'the loss of the peer to show');
    });

    inWorld('drops a message that the wire format forbids, and says why', async (world) => {
      const [a, b] = await world.pair();
      a.transport.send(a.envelope(b, { kind: 'Heartbeat', term: -1, round: 1, leaderCommit: 0 }));
      strictEqual(a.transport.stats().badFrames, 1);
      ok(a.events.some((event) => event.kind === 'bad-frame' && event.reason.startsWith('not sent: ')));
    });

    inWorld('reaches a peer that restarts at its address', async (world) => {
      const [a, b] = await world.pair();
      await b.close();
      const again = await world.open(b.id, b.address);
      again.know([a]);
      await reach(a, again);
      await reach(again, a);
    });

    inWorld('reaches a peer that moved to another address', async (world) => {
      const [a, b] = await world.pair();
      await b.close();
      const moved = await world.open(b.id);
      a.know([moved]);
      await reach(a, moved);
    });

    inWorld('does not deliver to another replica at the address of the one meant', async (world) => {
      const [a, b] = await world.pair();
      const other = await world.open('other');
      a.know([b, { id: 'astray', address: other.address }]);
      a.transport.send({ ...a.envelope(b, heartbeat(1)), to: { id: 'astray', incarnation: null } });
      await reach(a, b);
      a.know([b, other]);
      await reach(a, other);
      ok(other.received.every((envelope) => envelope.to.id === 'other'));
    });

    inWorld('delivers nothing to a closed endpoint', async (world) => {
      const [a, b] = await world.pair();
      a.transport.send(a.envelope(b, heartbeat(1)));
      await b.close();
      const count = b.received.length;
      for (let round = 0; round < 20; round += 1) {
        a.transport.send(a.envelope(b, heartbeat(1)));
        await turn();
      }
      strictEqual(b.received.length, count);
    });

    inWorld('never throws from send: before open, after close, to itself', async (world) => {
      const [a, b] = await world.pair();
      a.know([a, b]);
      a.transport.send(a.envelope(a, heartbeat(1)));
      const unopened = world.fixture.endpoint().transport;
      unopened.setPeers([{ id: b.id, address: b.address }]);
      unopened.send(a.envelope(b, heartbeat(1)));
      strictEqual(unopened.stats().messagesSent, 0);
      await a.close();
      a.transport.send(a.envelope(b, heartbeat(1)));
      strictEqual(b.received.length, 0);
    });

    inWorld('opens once, and closes any number of times', async (world) => {
      const [a] = await world.pair();
      const local = { identity: identityOf('again'), receive: () => {}, observe: () => {} };
      await rejects(a.transport.open(local), TransportFailed);
      await a.close();
      await a.close();
      await rejects(a.transport.open(local), TransportFailed);
    });

    inWorld('refuses to open at an address in use, and says so', async (world) => {
      const [a] = await world.pair();
      const second = world.fixture.endpoint(a.address).transport;
      const local = { identity: identityOf('second'), receive: () => {}, observe: () => {} };
      await rejects(second.open(local), (error) => {
        ok(error instanceof TransportFailed);
        ok(/in use/.test(error.message), error.message);
        return true;
      });
      await second.close();
    });
  });
}

class World {
  readonly fixture: ConformanceFixture;
  readonly #replicas: Replica[] = [];

  constructor(fixture: ConformanceFixture) {
    this.fixture = fixture;
  }

  async open(id: NodeId, at?: string): Promise<Replica> {
    const { transport, address } = this.fixture.endpoint(at);
    const replica = new Replica(id, transport);
    this.#replicas.push(replica);
    await transport.open({
      identity: replica.identity,
      receive: (envelope) => replica.received.push(envelope),
      observe: (event) => replica.events.push(event),
    });
    replica.address = address();
    return replica;
  }

  /** Two replicas that know and reach each other, with nothing received yet. */
  async pair(): Promise<[Replica, Replica]> {
    const a = await this.open('a');
    const b = await this.open('b');
    a.know([b]);
    b.know([a]);
    await reach(a, b);
    await reach(b, a);
    return [a, b];
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas) await replica.close();
  }
}

class Replica implements Peer {
  readonly id: NodeId;
  readonly identity: TransportIdentity;
  readonly transport: Transport;
  address = '';
  received: Envelope[] = [];
  readonly events: TransportEvent[] = [];

  constructor(id: NodeId, transport: Transport) {
    this.id = id;
    this.identity = identityOf(id);
    this.transport = transport;
  }

  know(peers: readonly Peer[]): void {
    this.transport.setPeers(peers.map(({ id, address }) => ({ id, address })));
  }

  envelope(to: Replica, message: Message): Envelope {
    const { clusterId, id, incarnation, boot } = this.identity;
    return {
      clusterId,
      group: 'default',
      from: { id, incarnation, boot },
      to: { id: to.id, incarnation: to.identity.incarnation },
      message,
    };
  }

  async close(): Promise<void> {
    await this.transport.close();
  }
}

function identityOf(id: NodeId): TransportIdentity {
  return { id, incarnation: '00000000000000aa', boot: 1, clusterId: 'c0c0c0c0c0c0c0c0' };
}

/** Sends until one arrives, since a transport may drop; then waits for those under way to arrive too. */
async function reach(from: Replica, to: Replica): Promise<void> {
  const probe = from.envelope(to, { kind: 'BootstrapQuery' });
  await until(() => {
    from.transport.send(probe);
    return to.received.some((envelope) => envelope.from.id === from.id);
  }, `${from.id} to reach ${to.id}`);
  const last = from.envelope(to, { kind: 'BootstrapAnswer', empty: true });
  from.transport.send(last);
  await until(
    () =>
      to.received.some(({ from: { id }, message }) => id === from.id && message.kind === 'BootstrapAnswer'),
    `the last probe of ${from.id} to arrive at ${to.id}`,
  );
  to.received = [];
}

const clock = nodeClock();
const WAIT_MAX_MS = 10_000;

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = clock.now() + WAIT_MAX_MS;
  while (!condition()) {
    ok(clock.now() < deadline, `waited ${WAIT_MAX_MS} ms for ${what}`);
    await new Promise<void>((resolve) => clock.setTimer(1, resolve));
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => clock.endOfTurn(resolve));
}

function heartbeat(round: number): Message {
  return { kind: 'Heartbeat', term: 1, round, leaderCommit: 0 };
}

function append(payloads: readonly Uint8Array[]): Message {
  return {
    kind: 'AppendEntries',
    term: 3,
    prevLogIndex: 7,
    prevLogTerm: 2,
    entries: payloads.map((payload, i) => ({ kind: 'command', index: 8 + i, term: 3, payload })),
    leaderCommit: 6,
  };
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31) % 251);
}

const member = { id: 'a', incarnation: '00000000000000aa', address: 'a:1' };

const oneOfEachKind: readonly Message[] = [
  { kind: 'RequestPreVote', term: 4, lastLogIndex: 9, lastLogTerm: 3 },
  { kind: 'PreVoteResponse', term: 4, granted: true },
  { kind: 'RequestVote', term: 4, lastLogIndex: 0, lastLogTerm: 0 },
  { kind: 'VoteResponse', term: 4, granted: false },
  {
    kind: 'AppendEntries',
    term: 4,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [
      {
        kind: 'configuration',
        index: 1,
        term: 1,
        clusterId: 'c0c0c0c0c0c0c0c0',
        configuration: { id: '1.1', voters: [member], outgoing: [], learners: [], retired: [] },
      },
      { kind: 'noop', index: 2, term: 4 },
      { kind: 'command', index: 3, term: 4, payload: new Uint8Array([0, 255]) },
    ],
    leaderCommit: 2,
  },
  append([]),
  { kind: 'AppendEntriesResponse', accepted: true, term: 4, matchIndex: 2, verifiedIndex: 3 },
  { kind: 'AppendEntriesResponse', accepted: false, term: 5, rejectedIndex: 7, hintIndex: 2, hintTerm: 1 },
  heartbeat(12),
  {
    kind: 'HeartbeatResponse',
    term: 4,
    round: 12,
    matchIndex: 2,
    verifiedIndex: 3,
    promiseMs: 312.5,
  },
  { kind: 'BootstrapQuery' },
  { kind: 'BootstrapAnswer', empty: false },
];
