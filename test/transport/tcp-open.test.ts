import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TransportFailed } from '../../src/transport/errors.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';
import type { TcpTransportOptions } from '../../src/transport/tcp-settings.ts';
import { identityOf, TcpWorld } from './tcp-world.ts';

let world: TcpWorld;
beforeEach(() => {
  world = new TcpWorld();
});
afterEach(() => world.close());

async function failureOf(options: Partial<TcpTransportOptions>): Promise<TransportFailed> {
  try {
    await world.open('x', options);
  } catch (error) {
    if (error instanceof TransportFailed) return error;
    throw error;
  }
  throw new Error('it opened');
}

describe('opening fails with advice when', () => {
  it('the port is in use', async () => {
    const a = await world.open('a');
    const failure = await failureOf({ listen: a.address });
    expect(failure.code).toBe('KONTIKI_TRANSPORT_FAILED');
    expect(failure.message).toBe(
      `cannot listen on ${a.address}: port ${a.address.split(':')[1]} is in use: stop whatever listens there, or choose another port`,
    );
    expect(failure.cause).toMatchObject({ code: 'EADDRINUSE' });
  });

  it('the host does not resolve', async () => {
    const failure = await failureOf({ listen: 'no-such-host.invalid:7001' });
    expect(failure.message).toMatch(
      /cannot listen on no-such-host.invalid:7001: the host name .* does not resolve/,
    );
  });

  it('the address is not of this machine', async () => {
    const failure = await failureOf({ listen: '192.0.2.1:7001' });
    expect(failure.message).toMatch(/no network interface of this machine has the address 192.0.2.1/);
  });
});

describe('the options', () => {
  it('are refused with every mistake at once', () => {
    const options: TcpTransportOptions = {
      listen: '7001',
      advertise: 'here',
      queueBytesMax: 0,
      frameBytesMax: 2 ** 31,
      handshakeTimeoutMs: 1.5,
      keepAliveMs: Number.NaN,
      reconnect: { fromMs: 100, toMs: 10 },
    };
    expect(() => tcpTransport(options)).toThrow(TransportFailed);
    let lines: string[] = [];
    try {
      tcpTransport(options);
    } catch (error) {
      lines = String((error as Error).message).split('\n');
    }
    expect(lines.map((line) => line.trim().replace(/^- /, '').split(':')[0])).toEqual([
      'invalid options for tcpTransport',
      'listen',
      'advertise',
      'queueBytesMax',
      'frameBytesMax',
      'handshakeTimeoutMs',
      'keepAliveMs',
      'reconnect',
    ]);
  });

  it('are taken at both ends of their ranges', () => {
    for (const value of [1, 2 ** 31 - 1]) {
      expect(() =>
        tcpTransport({ listen: '[::1]:0', frameBytesMax: value, queueBytesMax: value }),
      ).not.toThrow();
    }
  });
});

describe('the address', () => {
  it('has the port the system chose', async () => {
    const a = await world.open('a');
    expect(a.address).toMatch(/^127\.0\.0\.1:[1-9][0-9]*$/);
  });

  it('is the advertised one, with port 0 filled in', async () => {
    const a = await world.open('a', { advertise: 'node-a.example:0' });
    expect(a.address).toMatch(/^node-a\.example:[1-9][0-9]*$/);
    const b = await world.open('b', { advertise: 'node-b.example:443' });
    expect(b.address).toBe('node-b.example:443');
  });
});

describe('closing', () => {
  it('while it opens rejects the open and leaves the port free', async () => {
    const first = await world.open('first');
    const { address } = first;
    await first.transport.close();
    const transport = tcpTransport({ listen: address });
    const opening = transport.open({ identity: identityOf('x'), receive: () => {}, observe: () => {} });
    await transport.close();
    await expect(opening).rejects.toThrow('this transport was closed while it opened');
    const again = await world.open('again', { listen: address });
    expect(again.address).toBe(address);
  });

  it('while it dials leaves nothing behind that dials on', async () => {
    const a = await world.open('a');
    const nobody = await world.open('nobody');
    await nobody.transport.close();
    a.know(nobody);
    await a.transport.close();
    const events = a.events.length;
    let dialled = 0;
    const late = await world.serve('late', () => {
      dialled += 1;
    });
    a.know(late);
    const b = await world.open('b');
    const c = await world.open('c');
    b.know(c);
    await b.reach(c);
    expect(dialled).toBe(0);
    expect(a.events.length).toBe(events);
  });
});
