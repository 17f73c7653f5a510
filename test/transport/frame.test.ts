import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedFrame } from '../../src/transport/errors.ts';
import { encodeFrame, FrameReader, frameHeadBytes, sealFrame } from '../../src/transport/frame.ts';

/** Bodies read from the chunks, and whether the stream was found malformed. */
function readAll(
  chunks: readonly Uint8Array[],
  bodyBytesMax = 1 << 20,
): { bodies: number[][]; bad: boolean } {
  const reader = new FrameReader(bodyBytesMax);
  const bodies: number[][] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    try {
      for (let body = reader.next(); body !== null; body = reader.next()) bodies.push([...body]);
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedFrame);
      return { bodies, bad: true };
    }
  }
  return { bodies, bad: false };
}

const bytesOf = (...frames: Uint8Array[]): Uint8Array =>
  Uint8Array.from(frames.flatMap((frame) => [...frame]));
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7) % 256);

describe('frames', () => {
  it('come back whole however the stream is chunked', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    const cuts = fc.array(fc.nat(2000), { maxLength: 30 });
    fc.assert(
      fc.property(bodies, cuts, fc.boolean(), (sent, at, asBuffer) => {
        const stream = bytesOf(...sent.map(encodeFrame));
        const places = [
          0,
          ...at.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
          stream.length,
        ];
        const chunks = places.slice(1).map((end, i) => {
          const chunk = stream.slice(places[i], end);
          return asBuffer ? Buffer.from(chunk) : chunk;
        });
        expect(readAll(chunks)).toEqual({ bodies: sent.map((body) => [...body]), bad: false });
      }),
      { numRuns: 500 },
    );
  });

  it('come back when every byte arrives alone', () => {
    const stream = bytesOf(
      encodeFrame(pattern(5000)),
      encodeFrame(new Uint8Array(0)),
      encodeFrame(pattern(3)),
    );
    const { bodies } = readAll([...stream].map((byte) => Uint8Array.of(byte)));
    expect(bodies).toEqual([[...pattern(5000)], [], [...pattern(3)]]);
  });

  it('that lie within one chunk are not copied', () => {
    const stream = bytesOf(encodeFrame(pattern(10)), encodeFrame(pattern(20)));
    const reader = new FrameReader(100);
    reader.push(stream);
    for (const body of [reader.next(), reader.next()]) expect(body?.buffer).toBe(stream.buffer);
    expect(reader.next()).toBeNull();
  });

  it('handed out do not change when later bytes arrive', () => {
    const first = encodeFrame(pattern(50));
    const reader = new FrameReader(100);
    reader.push(first.subarray(0, 20));
    expect(reader.next()).toBeNull();
    reader.push(first.subarray(20));
    const body = reader.next();
    reader.push(encodeFrame(new Uint8Array(50).fill(255)).subarray(0, 40));
    expect(reader.next()).toBeNull();
    expect(body).toEqual(pattern(50));
  });

  it('do not depend on the chunk a partial one came in', () => {
    const frame = encodeFrame(pattern(50));
    const reader = new FrameReader(100);
    const reused = Buffer.from(frame.subarray(0, 20));
    reader.push(reused);
    expect(reader.next()).toBeNull();
    reused.fill(0);
    reader.push(frame.subarray(20));
    expect(reader.next()).toEqual(pattern(50));
  });

  it('sealed in place equal those made around a copy', () => {
    const frame = new Uint8Array(frameHeadBytes + 9);
    frame.set(pattern(9), frameHeadBytes);
    sealFrame(frame);
    expect([...frame]).toEqual([...encodeFrame(pattern(9))]);
  });
});

describe('a damaged stream', () => {
  const stream = bytesOf(encodeFrame(pattern(40)), encodeFrame(pattern(7)));
  const intact = [[...pattern(40)], [...pattern(7)]];

  it('with any single byte changed to anything yields no frame that was not sent', () => {
    for (let at = 0; at < stream.length; at += 1) {
      for (let flip = 1; flip < 256; flip += 1) {
        const damaged = stream.slice();
        damaged[at] = (stream[at] ?? 0) ^ flip;
        const { bodies } = readAll([damaged]);
        // The frame before the damage stands; the damaged one and all after it never arrive.
        expect(bodies, `byte ${at} ^ ${flip}`).toEqual(at < 48 ? [] : intact.slice(0, 1));
      }
    }
  });

  it('cut anywhere yields the whole frames before the cut', () => {
    for (let length = 0; length < stream.length; length += 1) {
      expect(readAll([stream.subarray(0, length)]), `first ${length}`).toEqual({
        bodies: intact.slice(0, length >= 48 ? 1 : 0),
        bad: false,
      });
    }
  });

  it('is refused at the head, before the body comes, when a length is beyond the limit', () => {
    const head = encodeFrame(pattern(101)).subarray(0, frameHeadBytes);
    expect(readAll([head], 100).bad).toBe(true);
    expect(readAll([head.subarray(0, 3), head.subarray(3)], 100).bad).toBe(true);
    expect(readAll([encodeFrame(pattern(100))], 100)).toEqual({ bodies: [[...pattern(100)]], bad: false });
  });

  it('that claims a long frame makes no room for it', () => {
    const head = new Uint8Array(frameHeadBytes);
    new DataView(head.buffer).setUint32(0, 2 ** 31 - 1);
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => new FrameReader(2 ** 31 - 1));
    for (const reader of readers) {
      reader.push(head);
      expect(reader.next()).toBeNull();
      reader.push(pattern(1000));
      expect(reader.next()).toBeNull();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  it('gathers a large frame from small chunks in linear time', () => {
    const frame = encodeFrame(pattern(8 << 20));
    const reader = new FrameReader(8 << 20);
    let copies = 0;
    let body: Uint8Array | null = null;
    for (let at = 0; at < frame.length; at += 1000) {
      reader.push(frame.subarray(at, at + 1000));
      body = reader.next();
      copies += 1;
    }
    expect(copies).toBe(Math.ceil(frame.length / 1000));
    expect(body?.length).toBe(8 << 20);
    // Gathered by doubling: the buffer is at most twice what the frame needs.
    expect(body?.buffer.byteLength).toBeLessThanOrEqual(2 * frame.length);
  });
});
