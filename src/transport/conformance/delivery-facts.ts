import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import type { Envelope } from '../../raft/message.ts';
import type { InWorld } from '../conformance.ts';
import { append, heartbeat, oneOfEachKind, pattern, query } from './messages.ts';

/** What is sent arrives as it was, or is dropped and counted. */
export function deliveryFacts(inWorld: InWorld): void {
  inWorld('delivers every kind of message as it was sent', async (world) => {
    const [a, b] = await world.pair();
    for (const message of oneOfEachKind) {
      const sent = a.envelope(b, message);
      a.transport.send(sent);
      await world.until(() => b.received.length > 0, `a ${message.kind} to arrive`);
      deepStrictEqual(b.received.shift(), sent);
    }
  });

  inWorld('delivers later, and shares nothing with the sender', async (world) => {
    const [a, b] = await world.pair();
    const payload = new Uint8Array([1, 2, 3]);
    a.transport.send(a.envelope(b, append([payload])));
    strictEqual(b.received.length, 0, 'send called receive');
    payload.fill(9);
    await world.until(() => b.received.length > 0, 'the append to arrive');
    deepStrictEqual(b.received[0]?.message, append([new Uint8Array([1, 2, 3])]));
  });

  inWorld('carries a null cluster and a null incarnation', async (world) => {
    const [a, b] = await world.pair();
    const sent: Envelope = {
      ...a.envelope(b, query),
      clusterId: null,
      to: { id: b.id, incarnation: null },
    };
    a.transport.send(sent);
    await world.until(() => b.received.length > 0, 'the query to arrive');
    deepStrictEqual(b.received[0], sent);
  });

  inWorld('delivers a burst, each message once, and counts it', async (world) => {
    const [a, b] = await world.pair();
    const before = {
      sent: a.transport.stats().messagesSent,
      received: b.transport.stats().messagesReceived,
    };
    for (let round = 1; round <= 1000; round += 1) a.transport.send(a.envelope(b, heartbeat(round)));
    await world.until(() => b.received.length >= 1000, '1000 heartbeats to arrive');
    const rounds = b.received.map(({ message }) => (message.kind === 'Heartbeat' ? message.round : 0));
    deepStrictEqual(
      rounds.sort((x, y) => x - y),
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    strictEqual(a.transport.stats().messagesSent - before.sent, 1000);
    strictEqual(b.transport.stats().messagesReceived - before.received, 1000);
    await world.until(() => a.transport.stats().queuedBytes === 0, 'the queue to empty');
  });

  inWorld('delivers large messages whole, in both directions at once', async (world) => {
    const [a, b] = await world.pair();
    const large = append([pattern(1_000_000), pattern(1), pattern(300_000)]);
    a.transport.send(a.envelope(b, large));
    b.transport.send(b.envelope(a, large));
    await world.until(() => a.received.length > 0 && b.received.length > 0, 'both appends to arrive');
    deepStrictEqual(a.received[0]?.message, large);
    deepStrictEqual(b.received[0]?.message, large);
  });

  inWorld('drops and counts a message to a peer that is not there', async (world) => {
    const [a, b] = await world.pair();
    await b.close();
    const before = a.transport.stats().droppedDisconnected;
    await world.until(() => {
      a.transport.send(a.envelope(b, heartbeat(1)));
      return a.transport.stats().droppedDisconnected > before;
    }, 'the loss of the peer to show');
  });

  inWorld('drops a message that the wire format forbids, and says why', async (world) => {
    const [a, b] = await world.pair();
    a.transport.send(
      a.envelope(b, { kind: 'Heartbeat', term: -1, round: 1, leaderCommit: 0, freshness: null }),
    );
    strictEqual(a.transport.stats().badFrames, 1);
    ok(a.events.some((event) => event.kind === 'bad-frame' && event.reason.startsWith('not sent: ')));
  });
}
