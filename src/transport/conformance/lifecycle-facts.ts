import { ok, rejects, strictEqual } from 'node:assert/strict';
import type { InWorld } from '../conformance.ts';
import { TransportFailed } from '../errors.ts';
import { heartbeat } from './messages.ts';
import { endOfTurn, identityOf } from './world.ts';

/** Opening and closing. */
export function lifecycleFacts(inWorld: InWorld): void {
  inWorld('reaches a peer that restarts at its address', async (world) => {
    const [a, b] = await world.pair();
    await b.close();
    const again = await world.open(b.id, { at: b.address });
    again.know([a]);
    await world.reach(a, again);
    await world.reach(again, a);
  });

  inWorld('delivers nothing to a closed endpoint', async (world) => {
    const [a, b] = await world.pair();
    a.transport.send(a.envelope(b, heartbeat(1)));
    await b.close();
    const count = b.received.length;
    for (let round = 0; round < 20; round += 1) {
      a.transport.send(a.envelope(b, heartbeat(1)));
      await endOfTurn();
    }
    strictEqual(b.received.length, count);
  });

  inWorld('never throws from send: before open, after close, to itself', async (world) => {
    const [a, b] = await world.pair();
    a.know([a, b]);
    a.transport.send(a.envelope(a, heartbeat(1)));
    const unopened = world.fixture.endpoint();
    unopened.setPeers([{ id: b.id, incarnation: null, address: b.address }]);
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
    const second = world.fixture.endpoint(a.address);
    const local = { identity: identityOf('second'), receive: () => {}, observe: () => {} };
    await rejects(second.open(local), (error) => {
      ok(error instanceof TransportFailed);
      ok(/in use/.test(error.message), error.message);
      return true;
    });
    await second.close();
  });
}
