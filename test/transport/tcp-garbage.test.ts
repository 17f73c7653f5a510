import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame } from '../../src/transport/frame.ts';
import { encodeHello } from '../../src/transport/handshake.ts';
import { encodeEnvelope } from '../../src/transport/wire.ts';
import { append, envelope, identityOf, type TcpReplica, TcpWorld } from './tcp-world.ts';

const FRAMES = 1_000_000;
const FRAMES_PER_CONNECTION = 500;
const CONNECTIONS_AT_ONCE = 20;
/** Bytes by which the heap and its buffers may be larger after the million frames than before. */
const GROWTH_BYTES_MAX = 4 << 20;

let world: TcpWorld;
beforeEach(() => {
  world = new TcpWorld();
});
afterEach(() => world.close());

/** Mulberry32: the same garbage every time. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const draw = generator(2);
const randomBytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => draw(256));

/** A sender of garbage that, when it shakes hands, is a peer of its own. */
const senders = Array.from({ length: CONNECTIONS_AT_ONCE }, (_, i) => {
  const id = `g${i}`;
  return {
    hello: encodeFrame(encodeHello({ sender: identityOf(id), receiver: 'a' })),
    genuine: [
      encodeEnvelope(envelope(id, 'a', append(30))),
      encodeEnvelope(
        envelope(id, 'a', {
          kind: 'RequestVote',
          term: 9,
          lastLogIndex: 4,
          lastLogTerm: 2,
          leadershipTransfer: false,
        }),
      ),
      encodeEnvelope(
        envelope(id, 'a', { kind: 'Heartbeat', term: 9, round: 1, leaderCommit: 3, freshness: null }),
      ),
      encodeEnvelope(envelope(id, 'a')),
    ],
  };
});
type Sender = (typeof senders)[number];

function oneOf(bodies: readonly Uint8Array[]): Uint8Array {
  return bodies[draw(bodies.length)] ?? new Uint8Array(0);
}

function damaged(body: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(body);
  copy[draw(copy.length)] = draw(256);
  return copy;
}

/** One random frame: noise, framed noise, or a genuine message with one byte changed in it. */
function garbage({ genuine }: Sender): Uint8Array {
  const kind = draw(3);
  if (kind === 0) return randomBytes(1 + draw(40));
  if (kind === 1) return encodeFrame(randomBytes(draw(40)));
  return encodeFrame(damaged(oneOf(genuine)));
}

/**
 * What one connection sends. A connection ends at its first bad frame, so garbage alone would hardly
 * reach beyond it: half of them shake hands and are in order up to a random place.
 */
function stream(sender: Sender): Uint8Array {
  const frames: Uint8Array[] = [];
  const orderly = draw(2) === 0;
  const turnsBadAt = orderly ? draw(2 * FRAMES_PER_CONNECTION) : 0;
  if (orderly) frames.push(sender.hello);
  while (frames.length < FRAMES_PER_CONNECTION) {
    const inOrder = frames.length < turnsBadAt;
    frames.push(inOrder ? encodeFrame(oneOf(sender.genuine)) : garbage(sender));
  }
  return Buffer.concat(frames);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The buffers of what one collection finds are given back behind it, and counted until then. */
async function bytesInUse(): Promise<number> {
  for (let collection = 0; collection < 3; collection += 1) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function throwAt(target: TcpReplica, sender: Sender): Promise<void> {
  const raw = await world.dial(target);
  await new Promise<void>((resolve) => {
    raw.socket.once('close', () => resolve());
    raw.socket.end(stream(sender));
  });
  raw.bodies.length = 0;
}

describe('one million random frames at the port', () => {
  it('crash nothing, leave no memory behind, and do not disturb a good connection', async () => {
    const a = await world.open('a');
    const good = await world.open('good');
    good.know(a);
    let heard = 0;
    const forget = (): void => {
      heard += a.received.length;
      a.received.length = 0;
      a.events.length = 0;
      world.forgetClosed();
    };

    let before = 0;
    const rounds = FRAMES / FRAMES_PER_CONNECTION / CONNECTIONS_AT_ONCE;
    for (let round = 0; round < rounds; round += 1) {
      // What the runtime keeps for itself (code, pools) grows at first; it is not what is measured.
      if (round === rounds / 10) before = await bytesInUse();
      await Promise.all(senders.map((sender) => throwAt(a, sender)));
      await good.reach(a);
      forget();
    }
    const growth = (await bytesInUse()) - before;

    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
    expect(good.events.map(({ kind }) => kind)).toEqual(['connected']);
    const stats = a.transport.stats();
    // The garbage was of both sorts: refused as a handshake, and refused after a good one.
    expect(stats.refusedHandshakes).toBeGreaterThan(100);
    expect(stats.badFrames).toBeGreaterThan(100);
    expect(stats.bytesReceived).toBeGreaterThan(20 * FRAMES);
    expect(heard).toBeGreaterThan(100_000);
  });
});
