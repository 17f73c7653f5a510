import { describe, expect, it } from 'vitest';
import type { BootstrapMember, JoinRequest, Message } from '../../src/raft/message.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/transport/wire.ts';
import { envelope, packed, packr, reasonOf, withPayloads } from './wire-fixtures.ts';

const join = (rest: Partial<JoinRequest> = {}): JoinRequest => ({
  kind: 'JoinRequest',
  address: 'a:1',
  metadata: {},
  lastLogIndex: 0,
  ...rest,
});
const query = (members: readonly BootstrapMember[]): Message => ({ kind: 'BootstrapQuery', members });
const listOf = (count: number): BootstrapMember[] =>
  Array.from({ length: count }, (_, i) => ({ id: `n${i}`, address: `a:${i}` }));
const keys = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, '']));

const sent = (message: Message): string => reasonOf(() => encodeEnvelope(envelope(message)));
const heard = (...fields: unknown[]): string => reasonOf(() => decodeEnvelope(packed(...fields)));
const flat = (members: readonly BootstrapMember[]): string[] =>
  members.flatMap(({ id, address }) => [id, address]);

describe('what is said before membership is bounded, by the writer and the reader alike:', () => {
  const x = 'x'.repeat(256);
  const ue = 'ü'.repeat(256);
  const most = x.slice(1);
  type Case = readonly [string, verdict: { readonly written: string; readonly read: string }, RegExp];
  const address = (of: string) => ({
    written: sent(join({ address: of })),
    read: heard(14, of, [], 0),
  });
  const metadata = (of: Record<string, string>) => ({
    written: sent(join({ metadata: of })),
    read: heard(
      14,
      'a',
      Object.entries(of)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flat(),
      0,
    ),
  });
  const founders = (of: readonly BootstrapMember[]) => ({
    written: sent(query(of)),
    read: heard(10, flat(of)),
  });
  const others = (of: readonly BootstrapMember[]) => ({
    written: sent({ kind: 'BootstrapAnswer', empty: true, otherMembers: of }),
    read: heard(11, true, flat(of)),
  });
  const leader = (of: BootstrapMember) => ({
    written: sent({ kind: 'JoinAnswer', answer: 'ask-leader', boot: 1, leader: of }),
    read: heard(15, 0, 1, flat([of])),
  });
  const table: readonly Case[] = [
    ['an address of 255 characters', address(most), /^accepted$/],
    ['an address of 256', address(x), /is not 1 to 255|expected a string, found byte 0xda/],
    ['an empty address', address(''), /the address "" is not 1 to 255 characters/],
    ['an address beyond ASCII', address('zürich:1'), /printable ASCII/],
    ['an address with a line break', address('a\n:1'), /printable ASCII/],
    ['32 keys of metadata', metadata(keys(32)), /^accepted$/],
    ['33 keys', metadata(keys(33)), /metadata: 33; at most 32/],
    ['a key and a value of 255 characters', metadata({ [most]: ue.slice(1) }), /^accepted$/],
    ['a key of 256', metadata({ [x]: '' }), /metadata of 256 characters; at most 255/],
    ['a value of 256', metadata({ k: ue }), /metadata of 256 characters; at most 255/],
    ['64 founders', founders(listOf(64)), /^accepted$/],
    ['65 founders', founders(listOf(65)), /members: 65; at most 64/],
    ['64 other founders', others(listOf(64)), /^accepted$/],
    ['65 other founders', others(listOf(65)), /members: 65; at most 64/],
    ['a founder without a name', founders([{ id: 'a b', address: 'a' }]), /member id "a b" is no name/],
    ['a founder without an address', founders([{ id: 'a', address: '' }]), /the address ""/],
    ['a leader whose address is too long', leader({ id: 'a', address: x }), /255|found byte 0xda/],
  ];
  for (const [what, { written, read }, why] of table) {
    it(`${what}${why.test('accepted') ? ' is fine' : ' is refused'}`, () => {
      expect(written, 'writing').toMatch(why);
      expect(read, 'reading').toMatch(why);
    });
  }

  it('a lone surrogate, which no reader could see, is not written', () => {
    expect(sent(join({ metadata: { k: 'a\uD800' } }))).toMatch(/metadata that is no Unicode/);
    expect(sent(join({ metadata: { k: 'a\u{1F600}' } }))).toBe('accepted');
  });

  it('boot 0 in an answer to a JoinRequest is refused', () => {
    const answer = { kind: 'JoinAnswer', answer: 'listed', leader: null } as const;
    expect(sent({ ...answer, boot: 0 })).toMatch(/boot is 0, less than 1/);
    expect(heard(15, 1, 0, null)).toMatch(/boot is 0, less than 1/);
    expect([sent({ ...answer, boot: 1 }), heard(15, 1, 1, null)]).toEqual(['accepted', 'accepted']);
  });
});

describe('metadata', () => {
  it('is the same bytes in whatever order it was put together', () => {
    const bytesOf = (metadata: Record<string, string>) => [...encodeEnvelope(envelope(join({ metadata })))];
    expect(bytesOf({ b: '1', a: '2', 10: '3', 9: '4' })).toEqual(
      bytesOf({ 9: '4', 10: '3', a: '2', b: '1' }),
    );
  });

  it('keeps keys that mean something to the language', () => {
    const metadata = Object.fromEntries([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    const { message } = decodeEnvelope(encodeEnvelope(envelope(join({ metadata }))));
    expect(message.kind === 'JoinRequest' && Object.entries(message.metadata)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

describe('decoding refuses, and says why,', () => {
  const bytes = (...values: number[]): Uint8Array =>
    withPayloads(packed(14, 'a', 0, 0).subarray(0, -2), ...values);
  const huge = [0xdd, 0x7f, 0xff, 0xff, 0xff];
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['half a member', packed(10, ['a']), /members of 1 texts, not of 2 each/],
    ['no list of founders', packed(10, null), /members: expected an array, found byte 0xc0/],
    ['half a pair of metadata', packed(14, 'a', ['k'], 0), /metadata of 1 texts, not of 2 each/],
    ['metadata out of order', packed(14, 'a', ['b', '', 'a', ''], 0), /metadata keys that are not in order/],
    ['a key twice', packed(14, 'a', ['a', '1', 'a', '2'], 0), /metadata keys that are not in order/],
    ['metadata that is no text', packed(14, 'a', ['a', 1], 0), /metadata value: expected a string/],
    ['metadata that is not UTF-8', bytes(0x92, 0xa1, 0xff, 0xa0, 0), /metadata key is not UTF-8/],
    ['a surrogate in UTF-8', bytes(0x92, 0xa3, 0xed, 0xa0, 0x80, 0xa0, 0), /metadata key is not UTF-8/],
    [
      'a long form of a short text',
      bytes(0x92, 0xda, 0, 1, 0x61, 0xa0, 0),
      /key is not in its shortest form/,
    ],
    ['a text beyond its end', bytes(0x92, 0xda, 0xff, 0xff, 0x61), /ends within metadata key/],
    ['metadata of a claimed length', bytes(...huge), /not of 2 each|at most 32/],
    ['an unknown outcome', packed(15, 9, 1, null), /unknown answer 9 to a JoinRequest/],
    ['two leaders', packed(15, 0, 1, ['a', 'a:1', 'b', 'b:1']), /2 leaders/],
    ['an empty list of leaders', packed(15, 0, 1, []), /0 leaders/],
    ['a byte more', withPayloads(packed(14, 'a', [], 0), 0), /1 bytes after a JoinRequest/],
    ['a map for a list', packr.pack([2, 'g', { a: 1 }]), /clusterId: expected a string/],
  ];
  for (const [what, from, why] of cases) {
    it(what, () => {
      expect(reasonOf(() => decodeEnvelope(from))).toMatch(why);
    });
  }
});
