import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { TransportIdentity } from '../../src/transport/contract.ts';
import { MalformedFrame } from '../../src/transport/errors.ts';
import {
  decodeHello,
  encodeHello,
  encodeRefusal,
  encodeWelcome,
  handshakeBytesMax,
  judgeAnswer,
  judgeHello,
  type Refusal,
} from '../../src/transport/handshake.ts';

const identity = (id: string, clusterId: string | null = null): TransportIdentity => ({
  id,
  incarnation: '00000000000000aa',
  boot: 2,
  clusterId,
});
const reborn = (id: string, clusterId: string): TransportIdentity => ({
  ...identity(id, clusterId),
  incarnation: '00000000000000bb',
});
const one = '1111111111111111';
const two = '2222222222222222';

const hear = (sender: TransportIdentity, receiver: string, local: TransportIdentity): Refusal | null =>
  judgeHello(decodeHello(encodeHello({ sender, receiver })), local);
const answered = (other: TransportIdentity, receiver: string, local: TransportIdentity): Refusal | null =>
  judgeAnswer(encodeWelcome(other), receiver, local);

describe('a hello', () => {
  const table: readonly [string, Refusal | null, Refusal['reason'] | 'welcome'][] = [
    // what                              verdict                                             expected
    ['of the same cluster', hear(identity('a', one), 'b', identity('b', one)), 'welcome'],
    ['of no cluster yet', hear(identity('a'), 'b', identity('b', one)), 'welcome'],
    ['to a replica of no cluster yet', hear(identity('a', one), 'b', identity('b')), 'welcome'],
    ['of neither a cluster', hear(identity('a'), 'b', identity('b')), 'welcome'],
    ['of another cluster', hear(identity('a', one), 'b', identity('b', two)), 'other-cluster'],
    ['for another replica', hear(identity('a', one), 'c', identity('b', one)), 'other-receiver'],
    ['of the very pair that it reaches', hear(identity('b', one), 'b', identity('b', one)), 'other-receiver'],
    [
      "of another incarnation of the receiver's id",
      hear(reborn('b', one), 'b', identity('b', one)),
      'welcome',
    ],
  ];
  for (const [what, verdict, expected] of table) {
    it(`${what}: ${expected}`, () => {
      expect(verdict?.reason ?? 'welcome').toBe(expected);
    });
  }

  it('of another version is told so, whatever follows the version', () => {
    const body = new Packr({ useRecords: false }).pack(['kontiki', 7, { anything: [1, 2] }]);
    expect(judgeHello(decodeHello(body), identity('b'))).toMatchObject({
      reason: 'other-version',
      message: expect.stringContaining('speaks protocol version 7, this one 2'),
    });
  });

  it('fits the limit of a handshake with the longest names', () => {
    const id = 'x'.repeat(64);
    expect(encodeHello({ sender: identity(id, one), receiver: id }).length).toBeLessThan(handshakeBytesMax);
  });
});

describe('an answer', () => {
  const table: readonly [string, Refusal | null, Refusal['reason'] | 'welcome'][] = [
    ['from whom was meant', answered(identity('b', one), 'b', identity('a', one)), 'welcome'],
    ['from someone else', answered(identity('c', one), 'b', identity('a', one)), 'other-receiver'],
    ['from another cluster', answered(identity('b', two), 'b', identity('a', one)), 'other-cluster'],
    ['from one of no cluster yet', answered(identity('b'), 'b', identity('a', one)), 'welcome'],
  ];
  for (const [what, verdict, expected] of table) {
    it(`${what}: ${expected}`, () => {
      expect(verdict?.reason ?? 'welcome').toBe(expected);
    });
  }

  it('that refuses carries its reason and words', () => {
    const refusal: Refusal = { reason: 'other-cluster', message: 'check the data directory' };
    expect(judgeAnswer(encodeRefusal(refusal), 'b', identity('a'))).toEqual(refusal);
  });

  it('that refuses in many or strange words still fits and arrives', () => {
    const refusal: Refusal = { reason: 'timeout', message: `naïve ${'long '.repeat(500)}` };
    const body = encodeRefusal(refusal);
    expect(body.length).toBeLessThan(handshakeBytesMax);
    expect(judgeAnswer(body, 'b', identity('a'))?.message).toMatch(/^na\?ve long/);
  });

  it('of another version is told so', () => {
    const body = new Packr({ useRecords: false }).pack(['kontiki', 1, 'refused', 'other-version', 'x']);
    expect(judgeAnswer(body, 'b', identity('a'))?.reason).toBe('other-version');
  });
});

describe('bytes that are no handshake', () => {
  const hello = encodeHello({ sender: identity('a', one), receiver: 'b' });
  const welcome = encodeWelcome(identity('b', one));

  it('are refused as malformed, and as nothing else', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.tuple(fc.constantFrom(hello, welcome), fc.nat(), fc.nat(255)).map(([body, at, to]) => {
        const changed = Uint8Array.from(body);
        changed[at % changed.length] = to;
        return changed;
      }),
    );
    const onlyMalformed = (read: () => unknown): void => {
      try {
        read();
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedFrame);
      }
    };
    fc.assert(
      fc.property(bodies, (body) => {
        onlyMalformed(() => decodeHello(body));
        onlyMalformed(() => judgeAnswer(body, 'b', identity('a', one)));
      }),
      { numRuns: 2000 },
    );
  });

  it('are refused when cut or lengthened', () => {
    for (let length = 0; length < hello.length; length += 1) {
      expect(() => decodeHello(hello.subarray(0, length)), `first ${length}`).toThrow(MalformedFrame);
    }
    expect(() => decodeHello(Uint8Array.from([...hello, 0]))).toThrow(/1 bytes after a handshake/);
    expect(() => judgeAnswer(Uint8Array.from([...welcome, 0]), 'b', identity('a'))).toThrow(/1 bytes after/);
  });

  it('are refused when they are the wrong way round', () => {
    expect(() => decodeHello(welcome)).toThrow(MalformedFrame);
    expect(() => judgeAnswer(hello, 'b', identity('a'))).toThrow(MalformedFrame);
  });
});
