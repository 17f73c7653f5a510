import { describe, expect, it } from 'vitest';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import type { InstallSnapshot, Message } from '../../src/raft/message.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/transport/wire.ts';
import { envelope, packed, reasonOf } from './wire-fixtures.ts';

const DIGEST = '0a'.repeat(32);

const chunk = (rest: Partial<InstallSnapshot> = {}, meta: Partial<SnapshotMeta> = {}): InstallSnapshot => ({
  kind: 'InstallSnapshot',
  term: 5,
  snapshot: { index: 9, term: 4, configuration: emptyConfiguration, size: 10, digest: DIGEST, ...meta },
  offset: 7,
  data: new Uint8Array([1, 2, 3]),
  ...rest,
});

const sent = (message: Message): string => reasonOf(() => encodeEnvelope(envelope(message)));

/** Header values by name, in the order in which they are written. */
const plain = { term: 5, index: 9, ofTerm: 4, size: 10, digest: DIGEST, offset: 7 };
const json = (text: string): number[] => [...new TextEncoder().encode(text)];
const configuration = json(JSON.stringify(emptyConfiguration));

function heard(
  change: { readonly [K in keyof typeof plain]?: unknown } & { readonly configurationBytes?: number } = {},
  text: readonly number[] = configuration,
): string {
  const { configurationBytes = text.length, ...fields } = { ...plain, ...change };
  const header = packed(12, ...Object.values(fields), configurationBytes);
  return reasonOf(() =>
    decodeEnvelope(Buffer.concat([header, Uint8Array.from(text), Uint8Array.of(1, 2, 3)])),
  );
}

describe("a snapshot's chunk", () => {
  it('ends with its configuration as JSON and its data as it is', () => {
    const bytes = encodeEnvelope(envelope(chunk()));
    expect([...bytes.subarray(-configuration.length - 3)]).toEqual([...configuration, 1, 2, 3]);
  });

  it('is decoded without copying its data, and encoded without keeping it', () => {
    const message = chunk();
    const bytes = encodeEnvelope(envelope(message));
    message.data.fill(0);
    const decoded = decodeEnvelope(bytes).message;
    if (decoded.kind !== 'InstallSnapshot') throw new Error('expected a chunk');
    expect([...decoded.data]).toEqual([1, 2, 3]);
    expect(decoded.data.buffer).toBe(bytes.buffer);
  });

  it('cut anywhere before its data is refused', () => {
    const bytes = encodeEnvelope(envelope(chunk()));
    for (let length = 0; length < bytes.length - 3; length += 1) {
      expect(
        reasonOf(() => decodeEnvelope(bytes.subarray(0, length))),
        `first ${length}`,
      ).not.toBe('accepted');
    }
  });
});

describe('what a chunk may say is asserted by the writer and the reader alike:', () => {
  const table: readonly [string, written: string, read: string, RegExp][] = [
    ['data up to the end', sent(chunk()), heard(), /^accepted$/],
    [
      'data beyond the end',
      sent(chunk({}, { size: 9 })),
      heard({ size: 9 }),
      /bytes 7 to 10 of a snapshot of 9/,
    ],
    [
      'nothing at the end',
      sent(chunk({ offset: 10, data: new Uint8Array(0) })),
      reasonOf(() =>
        decodeEnvelope(encodeEnvelope(envelope(chunk({ offset: 10, data: new Uint8Array(0) })))),
      ),
      /^accepted$/,
    ],
    ['its own term', sent(chunk({}, { term: 5 })), heard({ ofTerm: 5 }), /^accepted$/],
    [
      'a later term',
      sent(chunk({}, { term: 6 })),
      heard({ ofTerm: 6 }),
      /a snapshot of term 6 in a message of term 5/,
    ],
    ['index 0', sent(chunk({}, { index: 0 })), heard({ index: 0 }), /snapshot index is 0, less than 1/],
    ['term 0', sent(chunk({}, { term: 0 })), heard({ ofTerm: 0 }), /snapshot term is 0, less than 1/],
    [
      'a negative size',
      sent(chunk({}, { size: -1 })),
      heard({ size: -1 }),
      /snapshot size: expected an integer|size is -1|of a snapshot of -1/,
    ],
    ['a fractional offset', sent(chunk({ offset: 6.5 })), heard({ offset: 6.5 }), /offset is 6.5/],
    [
      'a digest of 63 digits',
      sent(chunk({}, { digest: DIGEST.slice(1) })),
      heard({ digest: DIGEST.slice(1) }),
      /is not 64 lower-case hex digits/,
    ],
    [
      'an upper-case digest',
      sent(chunk({}, { digest: DIGEST.toUpperCase() })),
      heard({ digest: DIGEST.toUpperCase() }),
      /is not 64 lower-case hex digits/,
    ],
    [
      'a configuration without an id',
      sent(chunk({}, { configuration: { ...emptyConfiguration, id: 'x' } })),
      heard({}, json(JSON.stringify({ ...emptyConfiguration, id: 'x' }))),
      /configuration: configuration.id is "x"/,
    ],
  ];
  for (const [what, written, read, why] of table) {
    it(`${what}${why.test('accepted') ? ' is fine' : ' is refused'}`, () => {
      expect(written, 'writing').toMatch(why);
      expect(read, 'reading').toMatch(why);
    });
  }

  it('an answer names a snapshot of no later term than its own', () => {
    const answer = { kind: 'InstallSnapshotResponse', term: 3, snapshotIndex: 1, offset: 0 } as const;
    const read = (snapshotTerm: number): string =>
      reasonOf(() => decodeEnvelope(packed(13, 3, 1, snapshotTerm, 0)));
    expect([sent({ ...answer, snapshotTerm: 3 }), read(3)]).toEqual(['accepted', 'accepted']);
    expect(sent({ ...answer, snapshotTerm: 4 })).toMatch(/snapshotTerm 4 is beyond term 3/);
    expect(read(4)).toMatch(/snapshotTerm 4 is beyond term 3/);
  });
});

describe('decoding refuses, and says why, a chunk with', () => {
  const deep = json(`{"id":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
  const cases: readonly [string, string, RegExp][] = [
    ['a configuration of garbage', heard({}, [0xff, 0xfe]), /configuration: no JSON in UTF-8/],
    ['no configuration', heard({}, []), /configuration: no JSON in UTF-8/],
    ['a configuration that is a list', heard({}, json('[]')), /configuration is not an object/],
    ['unknown keys in it', heard({}, json('{"more":1}')), /configuration has unknown more/],
    ['a configuration nested without end', heard({}, deep), /configuration.id is an object/],
    ['a configuration longer than the frame', heard({ configurationBytes: 10_000 }), /of 10000 bytes in/],
    [
      'a configuration that ends in the data',
      heard({ configurationBytes: configuration.length + 1 }),
      /no JSON in UTF-8/,
    ],
    ['a field missing', reasonOf(() => decodeEnvelope(packed(12, 5))), /kind 12 with 2 values, not 8/],
  ];
  for (const [what, reason, why] of cases) {
    it(what, () => {
      expect(reason).toMatch(why);
    });
  }
});
