import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/doors/clock.ts';
import { nodeClock } from '../../src/doors/node-clock.ts';
import { encodeFrame } from '../../src/transport/frame.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';
import { encodeEnvelope } from '../../src/transport/wire.ts';
import {
  append,
  envelope,
  identityOf,
  OTHER_INCARNATION,
  type RawPeer,
  TcpWorld,
  until,
  wait,
} from './tcp-world.ts';

let world: TcpWorld;
beforeEach(() => {
  world = new TcpWorld();
});
afterEach(() => world.close());

const lifeFrame = encodeFrame(new Uint8Array(0));

describe('a lost connection', () => {
  it('is told, dialled again when the peer restarts, and told again', async () => {
    const a = await world.open('a');
    const b = await world.open('b');
    a.know(b);
    await a.reach(b);
    await b.transport.close();
    expect(await a.hears('disconnected')).toMatchObject({ peer: 'b' });
    const again = await world.open('b', { listen: b.address });
    await a.reach(again);
    expect(a.events[0]).toEqual({ kind: 'connected', peer: 'b' });
    expect(a.events.at(-1)).toEqual({ kind: 'connected', peer: 'b' });
    expect(a.events.filter(({ kind }) => kind === 'connected').length).toBe(2);
  });

  it('that lasts is told once per reason, not at every attempt', async () => {
    const a = await world.open('a', { reconnect: { fromMs: 1, toMs: 2 } });
    const b = await world.open('b');
    await b.transport.close();
    a.know(b);
    const first = await a.hears('disconnected');
    expect(first.reason).toMatch(/^cannot connect to 127\.0\.0\.1:[0-9]+: .*ECONNREFUSED/);
    await wait(50);
    expect(a.events).toEqual([first]);
  });

  it('is dialled again after waits that double, each drawn from its upper half', async () => {
    const waits: number[] = [];
    const real = nodeClock();
    const clock: Clock = {
      ...real,
      setTimer(delayMs, callback) {
        if (delayMs <= 64) waits.push(delayMs);
        return real.setTimer(delayMs, callback);
      },
    };
    const a = await world.open('a', { doors: { clock }, reconnect: { fromMs: 4, toMs: 64 } });
    const b = await world.open('b');
    await b.transport.close();
    a.know(b);
    await until(() => waits.length >= 7, 'seven attempts');
    for (const [i, most] of [4, 8, 16, 32, 64, 64, 64].entries()) {
      expect(waits[i], `wait ${i}`).toBeGreaterThanOrEqual(most / 2);
      expect(waits[i], `wait ${i}`).toBeLessThanOrEqual(most);
    }
  });

  it('is dialled at once when the peer is heard, however long the wait was to be', async () => {
    const a = await world.open('a', { reconnect: { fromMs: 60_000, toMs: 60_000 } });
    const b = await world.open('b');
    await b.transport.close();
    a.know(b);
    await a.hears('disconnected');
    const again = await world.open('b', { listen: b.address });
    again.know(a);
    await a.reach(again);
  });

  it('drops what was queued for it', async () => {
    const a = await world.open('a');
    const mute = await world.welcome('mute', (raw) => raw.socket.pause());
    a.know(mute);
    await a.hears('connected');
    for (let i = 0; i < 200; i += 1) a.transport.send(envelope('a', 'mute', append(64 * 1024)));
    await wait(20);
    expect(a.transport.stats().queuedBytes).toBeGreaterThan(0);
    a.know();
    expect(a.transport.stats().queuedBytes).toBe(0);
  });
});

describe('an observer', () => {
  it('may drop the peer it hears of: nothing dials it any more', async () => {
    let dialled = 0;
    const rude = await world.serve('rude', (raw) => {
      dialled += 1;
      raw.socket.destroy();
    });
    const transport = tcpTransport({ listen: '127.0.0.1:0', reconnect: { fromMs: 1, toMs: 1 } });
    let told = 0;
    await transport.open({
      identity: identityOf('a'),
      receive: () => {},
      observe: () => {
        told += 1;
        transport.setPeers([]);
      },
    });
    transport.setPeers([rude]);
    await until(() => told > 0, 'the failure to be told');
    await wait(30);
    expect({ told, dialled }).toEqual({ told: 1, dialled: 1 });
    await transport.close();
  });
});

describe('a peer whose address makes no sense', () => {
  it('is told of, and harms nobody else', async () => {
    const a = await world.open('a');
    const b = await world.open('b');
    a.know({ id: 'lost', incarnation: null, address: 'somewhere' }, b);
    expect(await a.hears('disconnected')).toMatchObject({
      peer: 'lost',
      reason: expect.stringContaining('"somewhere" is no address: expected host:port'),
    });
    await a.reach(b);
  });
});

describe('a peer that never reads', () => {
  it('fills its own queue and no more: the newest messages are dropped and counted', async () => {
    const queueBytesMax = 1 << 20;
    const a = await world.open('a', { queueBytesMax, keepAliveMs: 60_000 });
    const b = await world.open('b');
    const mute = await world.welcome('mute', (raw) => raw.socket.pause());
    a.know(mute, b);
    await a.hears('connected');
    const bytes = 60_000;
    let most = 0;
    await until(() => {
      for (let i = 0; i < 20; i += 1) a.transport.send(envelope('a', 'mute', append(bytes)));
      most = Math.max(most, a.transport.stats().queuedBytes);
      return a.transport.stats().droppedQueueFull > 1000;
    }, 'the queue to fill');
    expect(most).toBeLessThanOrEqual(queueBytesMax);
    expect(most).toBeGreaterThan(queueBytesMax - 2 * bytes);
    await a.reach(b);
  });

  it('is given up after three signs of life asked for in vain', async () => {
    const a = await world.open('a', { keepAliveMs: 20 });
    const mute = await world.welcome('mute', (raw) => raw.socket.pause());
    a.know(mute);
    await a.hears('connected');
    a.transport.send(envelope('a', 'mute'));
    expect(await a.hears('disconnected')).toEqual({
      kind: 'disconnected',
      peer: 'mute',
      reason: 'no sign of life for 60 ms',
    });
  });

  it('and asks for signs of life without end does not pile up the answers', async () => {
    const a = await world.open('a');
    const b = await world.open('b');
    b.know(a);
    const deaf = await world.dialAs('deaf', a);
    deaf.socket.pause();
    const many = Buffer.concat(Array.from({ length: 50_000 }, () => lifeFrame));
    // The close of a paused socket does not show, so look at what is written to it.
    let broken = false;
    deaf.socket.on('error', () => {
      broken = true;
    });
    for (let i = 0; i < 60 && !broken; i += 1) {
      await new Promise<void>((resolve) => deaf.socket.write(many, () => resolve()));
    }
    expect(broken).toBe(true);
    await b.reach(a);
  });
});

describe('a half-open peer', () => {
  it('that takes everything and answers nothing is given up, and dialled again', async () => {
    let connections = 0;
    const a = await world.open('a', { keepAliveMs: 20 });
    const gone = await world.welcome('gone', () => {
      connections += 1;
    });
    a.know(gone);
    await until(() => {
      a.transport.send(envelope('a', 'gone'));
      return connections >= 2;
    }, 'a second connection');
    expect(await a.hears('disconnected')).toMatchObject({ reason: 'no sign of life for 60 ms' });
  });

  it('is asked nothing while nothing is sent to it', async () => {
    const a = await world.open('a', { keepAliveMs: 5 });
    let raw: RawPeer | undefined;
    const idle = await world.welcome('idle', (accepted) => {
      raw = accepted;
    });
    a.know(idle);
    await a.hears('connected');
    await wait(60);
    expect(raw?.bodies.length).toBe(1);
    expect(a.events.map(({ kind }) => kind)).toEqual(['connected']);
  });

  it('is not what a live one is taken for', async () => {
    const a = await world.open('a', { keepAliveMs: 10 });
    const b = await world.open('b');
    a.know(b);
    await a.reach(b);
    for (let i = 0; i < 30; i += 1) {
      a.transport.send(envelope('a', 'b'));
      await wait(5);
    }
    await a.reach(b);
    expect(a.events.map(({ kind }) => kind)).toEqual(['connected']);
  });

  it('that dials anew replaces its older connection', async () => {
    const a = await world.open('a');
    const older = await world.dialAs('b', a);
    const newer = await world.dialAs('b', a);
    await older.closes();
    newer.message(envelope('b', 'a'));
    await until(() => a.received.length === 1, 'a message on the newer connection');
    expect(newer.closed).toBe(false);
  });

  for (const [whose, run] of [
    ['of another incarnation', { incarnation: OTHER_INCARNATION }],
    ['of a copy of its directory, at a later boot', { boot: 2 }],
  ] as const) {
    it(`under a member's id, but ${whose}, leaves the member its connection`, async () => {
      const a = await world.open('a');
      const member = await world.dialAs('b', a);
      const stray = await world.dialAs('b', a, run);
      const strayAnew = await world.dialAs('b', a, run);
      await stray.closes();
      member.message(envelope('b', 'a'));
      await until(() => a.received.length === 1, 'a message of the member');
      strayAnew.message(envelope('b', 'a'));
      await until(() => a.received.length === 2, 'a message of the stray process');
      expect([member.closed, strayAnew.closed]).toEqual([false, false]);
    });
  }
});

describe('a slow peer', () => {
  it('is not given up while the queue moves, though its answers are late', async () => {
    const bytes = 32 << 20;
    const a = await world.open('a', { keepAliveMs: 100, queueBytesMax: 2 * bytes });
    let raw: RawPeer | undefined;
    // It never answers; and it reads about 16 MB/s, so that it needs far longer than the 300 ms of silence.
    const slow = await world.welcome('slow', (accepted) => {
      raw = accepted;
      accepted.socket.on('data', () => {
        accepted.socket.pause();
        void wait(3).then(() => accepted.socket.resume());
      });
    });
    a.know(slow);
    await a.hears('connected');
    for (let sent = 0; sent < bytes; sent += 1 << 20)
      a.transport.send(envelope('a', 'slow', append(1 << 20)));
    await until(() => (raw?.bytes ?? 0) >= bytes, 'everything to be read');
    expect(a.transport.stats().droppedQueueFull).toBe(0);
  });
});

describe('a frame that breaks the format after the handshake', () => {
  const frame = encodeFrame(encodeEnvelope(envelope('b', 'a')));
  const flipped = Uint8Array.from(frame, (byte, at) => (at === 20 ? byte ^ 1 : byte));
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['a wrong checksum', flipped, /the checksum does not match/],
    ['a body that is no envelope', encodeFrame(Uint8Array.of(1, 2, 3)), /header: expected an array/],
    [
      'an envelope in the name of another',
      encodeFrame(encodeEnvelope(envelope('c', 'a'))),
      /from c on the connection of b/,
    ],
    ['an envelope to another', encodeFrame(encodeEnvelope(envelope('b', 'c'))), /to c on a connection to a/],
    ['a length beyond the limit', encodeFrame(new Uint8Array(5001)), /a frame of 5001 bytes; at most 5000/],
  ];
  for (const [what, bytes, reason] of cases) {
    it(`${what} ends the connection, and only that`, async () => {
      const a = await world.open('a', { frameBytesMax: 5000 });
      const bad = await world.dialAs('b', a);
      bad.message(envelope('b', 'a'));
      bad.write(bytes);
      bad.message(envelope('b', 'a'));
      await bad.closes();
      expect(await a.hears('bad-frame')).toMatchObject({ peer: 'b', reason: expect.stringMatching(reason) });
      expect(a.transport.stats().badFrames).toBe(1);
      // What came before it was delivered, and nothing after it.
      expect(a.received.length).toBe(1);
      const good = await world.dialAs('b', a);
      good.message(envelope('b', 'a'));
      await until(() => a.received.length === 2, 'a message on the next connection');
    });
  }

  it('from the side that was dialled ends the connection too', async () => {
    const a = await world.open('a');
    const odd = await world.welcome('odd', (raw) => raw.frame(Uint8Array.of(1)));
    a.know(odd);
    expect(await a.hears('bad-frame')).toMatchObject({
      peer: 'odd',
      reason: expect.stringContaining('signs of life'),
    });
  });
});

describe('a message of our own', () => {
  it('larger than a frame may be is not sent, and said so; one that just fits is', async () => {
    const a = await world.open('a', { frameBytesMax: 5000 });
    const b = await world.open('b', { frameBytesMax: 5000 });
    a.know(b);
    await a.reach(b);
    const overhead = encodeEnvelope(envelope('a', 'b', append(4000))).length - 4000;
    a.transport.send(envelope('a', 'b', append(5000 - overhead)));
    a.transport.send(envelope('a', 'b', append(5001 - overhead)));
    expect(await a.hears('bad-frame')).toMatchObject({
      peer: 'b',
      reason: 'not sent: malformed frame: 5001 bytes, and frameBytesMax is 5000'.replace(
        'malformed frame: ',
        '',
      ),
    });
    await until(
      () => b.received.some(({ message }) => message.kind === 'AppendEntries'),
      'the one that fits',
    );
    await a.reach(b);
    expect(b.received.filter(({ message }) => message.kind === 'AppendEntries').length).toBe(1);
    expect(b.events).toEqual([]);
  });

  it('larger than the queue may hold leaves when the queue is empty', async () => {
    const a = await world.open('a', { queueBytesMax: 1000 });
    const b = await world.open('b');
    a.know(b);
    await a.reach(b);
    await until(() => a.transport.stats().queuedBytes === 0, 'the queue to empty');
    a.transport.send(envelope('a', 'b', append(1 << 20)));
    a.transport.send(envelope('a', 'b', append(1 << 20)));
    expect(a.transport.stats().droppedQueueFull).toBe(1);
    await until(() => b.received.some(({ message }) => message.kind === 'AppendEntries'), 'the large one');
  });
});

describe('messages of one turn', () => {
  it('leave together', async () => {
    const a = await world.open('a');
    let raw: RawPeer | undefined;
    const counting = await world.welcome('counting', (accepted) => {
      raw = accepted;
    });
    a.know(counting);
    await a.hears('connected');
    const before = raw?.chunks ?? 0;
    for (let i = 0; i < 100; i += 1) a.transport.send(envelope('a', 'counting'));
    await until(() => (raw?.bodies.length ?? 0) > 100, '100 messages');
    expect((raw?.chunks ?? 0) - before).toBe(1);
  });
});
