import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Peer } from '../../src/transport/contract.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';
import { envelope, identityOf, OTHER_INCARNATION, type RawPeer, TcpWorld, until, wait } from './tcp-world.ts';

let world: TcpWorld;
beforeEach(() => {
  world = new TcpWorld();
});
afterEach(() => world.close());

/** A peer, and the connections that it welcomed. */
async function counted(id: string): Promise<{ readonly peer: Peer; readonly connections: RawPeer[] }> {
  const connections: RawPeer[] = [];
  const peer = await world.welcome(id, (raw) => connections.push(raw));
  return { peer, connections };
}

describe('the links of an endpoint', () => {
  it('are one for all entries of one id at one address, until the last of them goes', async () => {
    const a = await world.open('a');
    const { peer, connections } = await counted('b');
    const emptied = { ...peer, incarnation: OTHER_INCARNATION };
    a.know(peer, emptied);
    await a.hears('connected');
    a.transport.send(envelope('a', 'b'));
    a.transport.send({ ...envelope('a', 'b'), to: emptied });
    await until(() => (connections[0]?.bodies.length ?? 0) >= 3, 'the hello and two messages');
    a.know(emptied);
    a.transport.send({ ...envelope('a', 'b'), to: emptied });
    await until(() => (connections[0]?.bodies.length ?? 0) >= 4, 'a message after the other entry went');
    expect(connections.length).toBe(1);
    a.know();
    await connections[0]?.closes();
  });

  it('stay as they are when the same peers are told, in whatever order', async () => {
    const a = await world.open('a');
    const b = await counted('b');
    const c = await counted('c');
    a.know(b.peer, c.peer);
    await until(() => a.events.length === 2, 'both connections');
    for (let i = 0; i < 20; i += 1) {
      a.know(b.peer, c.peer);
      a.know(c.peer, b.peer);
      await wait(1);
    }
    a.transport.setIdentity(identityOf('a', '1111111111111111'));
    a.transport.send(envelope('a', 'b'));
    await until(() => (b.connections[0]?.bodies.length ?? 0) >= 2, 'the hello and a message');
    expect([b.connections.length, c.connections.length]).toEqual([1, 1]);
    expect(a.events.map(({ kind }) => kind)).toEqual(['connected', 'connected']);
  });

  it('are dialled anew when the address changes, and no other with them', async () => {
    const a = await world.open('a');
    const b = await counted('b');
    const moved = await counted('b');
    const c = await counted('c');
    a.know(b.peer, c.peer);
    await until(() => a.events.length === 2, 'both connections');
    a.know(moved.peer, c.peer);
    await b.connections[0]?.closes();
    await until(() => moved.connections.length === 1, 'the connection to the new address');
    expect(b.connections.length).toBe(1);
    expect(c.connections.map(({ closed }) => closed)).toEqual([false]);
  });
});

describe('an endpoint among its own peers', () => {
  it('dials neither itself nor what it was before it was emptied, and dials its double elsewhere', async () => {
    const a = await world.open('a');
    const double = await counted('a');
    a.know(
      a,
      { id: 'a', incarnation: OTHER_INCARNATION, address: a.address },
      { id: 'a', incarnation: null, address: a.address },
    );
    await wait(20);
    expect(a.events).toEqual([]);
    a.know(a, { ...double.peer, incarnation: OTHER_INCARNATION });
    expect(await a.hears('connected')).toEqual({ kind: 'connected', peer: 'a' });
    // It becomes that double: then the entry means itself.
    a.transport.setIdentity(identityOf('a', null, OTHER_INCARNATION));
    await double.connections[0]?.closes();
  });
});

describe('an observer', () => {
  it('that sets other peers while these are being set has the last word', async () => {
    const transport = tcpTransport({ listen: '127.0.0.1:0', reconnect: { fromMs: 1, toMs: 1 } });
    const told: string[] = [];
    await transport.open({
      identity: identityOf('a'),
      receive: () => {},
      observe: (event) => {
        told.push(event.kind);
        transport.setPeers([]);
      },
    });
    transport.setPeers([
      { id: 'lost', incarnation: null, address: 'nowhere' },
      { id: 'lost', incarnation: null, address: 'nowhere either' },
    ]);
    await wait(20);
    expect(told).toEqual(['disconnected']);
    await transport.close();
  });
});
