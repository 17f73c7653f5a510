import { Packr } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame } from '../../src/transport/frame.ts';
import { encodeHello, judgeAnswer } from '../../src/transport/handshake.ts';
import { identityOf, type RawPeer, TcpWorld, until } from './tcp-world.ts';

const one = '1111111111111111';
const two = '2222222222222222';
const packr = new Packr({ useRecords: false });

let world: TcpWorld;
beforeEach(() => {
  world = new TcpWorld();
});
afterEach(() => world.close());

describe('a handshake is refused, and both sides hear why,', () => {
  it('between two clusters', async () => {
    const a = await world.open('a', {}, one);
    const b = await world.open('b', {}, two);
    a.know(b);
    const message = expect.stringMatching(/^a belongs to cluster 1{16}, but b to 2{16}: check/);
    expect(await a.hears('refused')).toMatchObject({
      peer: 'b',
      address: b.address,
      reason: 'other-cluster',
      message,
    });
    expect(await b.hears('refused')).toMatchObject({ peer: 'a', reason: 'other-cluster', message });
    expect(a.transport.stats().refusedHandshakes).toBeGreaterThan(0);
    expect(b.transport.stats().refusedHandshakes).toBeGreaterThan(0);
    expect(a.events.some(({ kind }) => kind === 'connected')).toBe(false);
  });

  it('when another replica lives at the address', async () => {
    const a = await world.open('a');
    const b = await world.open('b');
    a.know({ id: 'c', incarnation: null, address: b.address });
    expect(await a.hears('refused')).toMatchObject({ peer: 'c', reason: 'other-receiver' });
    expect(await b.hears('refused')).toMatchObject({
      peer: 'a',
      reason: 'other-receiver',
      message: expect.stringContaining('a looks for c, but this is b'),
    });
  });

  it('when two replicas are one pair', async () => {
    const b = await world.open('b');
    const twin = await world.dialAs('b', b);
    expect(judgeAnswer(twin.bodies[0] ?? new Uint8Array(0), 'b', identityOf('b'))).toMatchObject({
      reason: 'other-receiver',
      message: expect.stringContaining('give every replica a data directory of its own'),
    });
    expect(await b.hears('refused')).toMatchObject({ peer: 'b', reason: 'other-receiver' });
  });

  it('by a replica that speaks a later version', async () => {
    const a = await world.open('a');
    const later = await world.serve('later', (raw) => {
      raw.onBody = () => raw.frame(packr.pack(['kontiki', 3, 'whatever', ['version', 3, 'says']]));
    });
    a.know(later);
    expect(await a.hears('refused')).toMatchObject({ peer: 'later', reason: 'other-version' });
  });

  it('of a replica that speaks a later version', async () => {
    const a = await world.open('a');
    const later = await world.dial(a);
    later.frame(packr.pack(['kontiki', 3, { from: 'later' }]));
    expect(await a.hears('refused')).toMatchObject({
      peer: null,
      reason: 'other-version',
      message: expect.stringContaining('speaks protocol version 3, this one 2'),
    });
    await until(() => later.bodies.length > 0, 'the refusal');
    expect(judgeAnswer(later.bodies[0] ?? new Uint8Array(0), 'a', identityOf('later'))?.reason).toBe(
      'other-version',
    );
    await later.closes();
  });
});

describe('a stranger', () => {
  it('that speaks HTTP is not Kontiki, and is cut off at once', async () => {
    const a = await world.open('a');
    const browser = await world.dial(a);
    browser.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await browser.closes();
    expect(await a.hears('refused')).toMatchObject({
      peer: null,
      address: expect.stringMatching(/^127\.0\.0\.1:[0-9]+$/),
      reason: 'not-kontiki',
    });
  });

  it('that answers a hello with HTTP is not Kontiki', async () => {
    const a = await world.open('a');
    const web = await world.serve('web', (raw) => raw.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    a.know(web);
    expect(await a.hears('refused')).toMatchObject({
      peer: 'web',
      address: web.address,
      reason: 'not-kontiki',
    });
  });

  it('that frames something else is not Kontiki', async () => {
    const a = await world.open('a');
    const other = await world.dial(a);
    other.frame(packr.pack(['postgres', 1]));
    await other.closes();
    expect(await a.hears('refused')).toMatchObject({ peer: null, reason: 'not-kontiki' });
  });

  it('that says nothing is dropped when its time is up', async () => {
    const a = await world.open('a', { handshakeTimeoutMs: 30 });
    const silent = await world.dial(a);
    await silent.closes();
    expect(await a.hears('refused')).toMatchObject({
      peer: null,
      reason: 'timeout',
      message: 'no handshake within 30 ms',
    });
  });

  it('that never answers a hello is given up when its time is up', async () => {
    const a = await world.open('a', { handshakeTimeoutMs: 30 });
    const silent = await world.serve('silent', () => {});
    a.know(silent);
    expect(await a.hears('refused')).toMatchObject({
      peer: 'silent',
      reason: 'timeout',
      message: 'no answer to the handshake within 30 ms',
    });
  });

  it('that only connects and leaves is nothing to tell of', async () => {
    const a = await world.open('a');
    const probe = await world.dial(a);
    probe.socket.end();
    await probe.closes();
    const b = await world.open('b');
    b.know(a);
    await b.reach(a);
    expect(a.events).toEqual([]);
  });

  it('cannot send a body longer than a handshake needs', async () => {
    const a = await world.open('a');
    const greedy = await world.dial(a);
    greedy.write(encodeFrame(new Uint8Array(1025)).subarray(0, 8));
    await greedy.closes();
    expect(await a.hears('refused')).toMatchObject({ reason: 'not-kontiki' });
  });
});

describe('the identity told in handshakes', () => {
  it('is the one last set', async () => {
    const a = await world.open('a');
    const b = await world.open('b', {}, two);
    a.transport.setIdentity(identityOf('a', one));
    a.know(b);
    expect(await b.hears('refused')).toMatchObject({ peer: 'a', reason: 'other-cluster' });
  });

  it('leaves open connections alone when it is set', async () => {
    const a = await world.open('a');
    const b = await world.open('b');
    a.know(b);
    await a.reach(b);
    a.transport.setIdentity(identityOf('a', one));
    b.transport.setIdentity(identityOf('b', one));
    await a.reach(b);
    expect(a.events.map(({ kind }) => kind)).toEqual(['connected']);
  });
});

describe('slow strangers', () => {
  it('do not keep a peer out, and are bounded in number', async () => {
    const a = await world.open('a', { handshakeTimeoutMs: 60_000 });
    const hello = encodeFrame(encodeHello({ sender: identityOf('slow'), receiver: 'a' }));
    const slow: RawPeer[] = [];
    for (let i = 0; i < 200; i += 1) {
      const raw = await world.dial(a);
      raw.write(hello.subarray(0, 1 + (i % (hello.length - 1))));
      slow.push(raw);
    }
    const b = await world.open('b');
    b.know(a);
    await b.reach(a);
    await until(() => slow.filter(({ closed }) => closed).length >= 200 - 64, 'the oldest to be dropped');
    expect(slow.filter(({ closed }) => !closed).length).toBeGreaterThan(0);
    const refused = await a.hears('refused');
    expect(refused).toMatchObject({ reason: 'overloaded', message: '64 handshakes are under way' });
    // Byte by byte is not wrong in itself: one that is let finish is welcome.
    const last = slow.at(-1);
    last?.write(hello.subarray(1 + (199 % (hello.length - 1))));
    await until(() => last?.bodies.length === 1, 'the welcome of the last one');
  });
});
