import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import type { InWorld } from '../conformance.ts';
import { heartbeat } from './messages.ts';
import { endOfTurn, type Replica } from './world.ts';

/** Whom a message reaches. */
export function addressingFacts(inWorld: InWorld): void {
  inWorld('drops and counts a message to a peer it does not know', async (world) => {
    const [a, b] = await world.pair();
    a.transport.setPeers([]);
    const before = a.transport.stats();
    a.transport.send(a.envelope(b, heartbeat(1)));
    strictEqual(a.transport.stats().droppedUnknownPeer, before.droppedUnknownPeer + 1);
    strictEqual(a.transport.stats().messagesSent, before.messagesSent);
  });

  inWorld('does not deliver to another replica at the address of the one meant', async (world) => {
    const [a, b] = await world.pair();
    const other = await world.open('other');
    a.know([b, { id: 'astray', incarnation: null, address: other.address }]);
    for (let round = 1; round <= 5; round += 1) {
      a.transport.send(a.envelope({ id: 'astray', incarnation: null }, heartbeat(round)));
      await world.reach(a, b);
    }
    strictEqual(other.received.length, 0);
    a.know([b, other]);
    await world.reach(a, other);
  });

  inWorld('is reached at the address that it tells, in its own notation', async (world) => {
    const [a, b] = await world.pair();
    const at = b.transport.address;
    strictEqual(at === a.transport.address, false);
    a.transport.setPeers([{ id: b.id, incarnation: null, address: at }]);
    await world.reach(a, b);
    strictEqual(b.transport.address, at);
  });

  inWorld('reaches a peer that moved to another address, and no more the one left there', async (world) => {
    const [a, b] = await world.pair();
    const moved = await world.open(b.id);
    a.know([moved]);
    await world.reach(a, moved);
    strictEqual(b.received.length, 0);
    a.know([b]);
    await world.reach(a, b);
    strictEqual(moved.received.length, 0);
  });

  inWorld('brings a message to the pair that it names, of two with one id', async (world) => {
    const a = await world.open('a');
    const [b, double] = [await world.open('b'), await world.open('b', { incarnation: OTHER })];
    a.know([b, double]);
    await world.reach(a, b);
    await world.reach(a, double);
    await sendSome(a, b);
    await world.until(() => b.received.length > 0, 'a message to arrive at the one named');
    strictEqual(double.received.length, 0);
  });

  inWorld('takes the entry of an id without incarnation where none has the one named', async (world) => {
    const a = await world.open('a');
    const [b, double] = [await world.open('b'), await world.open('b', { incarnation: OTHER })];
    a.know([b, { id: 'b', incarnation: null, address: double.address }]);
    await world.reach(a, double, { id: 'b', incarnation: UNLISTED });
    await world.reach(a, b);
    strictEqual(double.received.length, 0);
  });

  inWorld('knows nobody of an id whose entries all have other incarnations', async (world) => {
    const [a, b] = await world.pair();
    const before = a.transport.stats();
    a.transport.send(a.envelope({ id: b.id, incarnation: UNLISTED }, heartbeat(1)));
    strictEqual(a.transport.stats().droppedUnknownPeer, before.droppedUnknownPeer + 1);
    strictEqual(a.transport.stats().messagesSent, before.messagesSent);
    a.know([b, { id: b.id, incarnation: UNLISTED, address: b.address }]);
    await world.reach(a, b, { id: b.id, incarnation: UNLISTED });
  });

  inWorld('takes the first entry of an id when no incarnation is named', async (world) => {
    const a = await world.open('a');
    const [b, double] = [await world.open('b'), await world.open('b', { incarnation: OTHER })];
    const anyB = { id: 'b', incarnation: null };
    a.know([b, double]);
    await world.reach(a, b, anyB);
    strictEqual(double.received.length, 0);
    a.know([double, b]);
    await world.reach(a, double, anyB);
    strictEqual(b.received.length, 0);
  });

  inWorld('reaches one process by both entries that differ in the incarnation alone', async (world) => {
    const [a, b] = await world.pair();
    a.know([{ id: b.id, incarnation: OTHER, address: b.address }, b]);
    for (let round = 0; round < 5; round += 1) {
      await world.reach(a, b);
      await world.reach(a, b, { id: b.id, incarnation: OTHER });
    }
    deepStrictEqual(lossesOf(a), []);
    deepStrictEqual(lossesOf(b), []);
  });

  inWorld('hears two processes with one id, and neither silences the other', async (world) => {
    const c = await world.open('c');
    const [b, double] = [await world.open('b'), await world.open('b', { incarnation: OTHER })];
    for (const one of [b, double]) one.know([c]);
    for (let round = 0; round < 5; round += 1) {
      await world.reach(b, c);
      await world.reach(double, c);
    }
    deepStrictEqual([...lossesOf(b), ...lossesOf(double), ...lossesOf(c)], []);
  });

  inWorld('lets two incarnations of one id reach each other', async (world) => {
    const [b, heir] = [await world.open('b'), await world.open('b', { incarnation: OTHER })];
    for (const one of [b, heir]) one.know([b, heir]);
    await world.reach(b, heir);
    await world.reach(heir, b);
  });

  inWorld('keeps what it has when it is told the same peers again and again', async (world) => {
    const [a, b] = await world.pair();
    for (let round = 1; round <= 100; round += 1) {
      a.know([b]);
      a.transport.send(a.envelope(b, heartbeat(round)));
    }
    await world.until(() => b.received.length >= 100, '100 heartbeats to arrive');
    strictEqual(b.received.length, 100);
    deepStrictEqual(lossesOf(a), []);
  });

  inWorld('is not changed by what becomes of the list that it was told', async (world) => {
    const [a, b] = await world.pair();
    const peers = [{ id: b.id, incarnation: b.incarnation, address: b.address }];
    a.transport.setPeers(peers);
    peers.length = 0;
    await world.reach(a, b);
    a.transport.setPeers(peers);
    const before = a.transport.stats().droppedUnknownPeer;
    a.transport.send(a.envelope(b, heartbeat(1)));
    strictEqual(a.transport.stats().droppedUnknownPeer, before + 1);
  });
}

async function sendSome(from: Replica, to: Replica): Promise<void> {
  for (let round = 1; round <= 20; round += 1) {
    from.transport.send(from.envelope(to, heartbeat(round)));
    await endOfTurn();
  }
}

/** What it was told of connections that ended. */
const lossesOf = ({ events }: Replica): string[] =>
  events.flatMap((event) => (event.kind === 'disconnected' ? [event.reason] : []));

const OTHER = '00000000000000bb';
const UNLISTED = '00000000000000cc';
