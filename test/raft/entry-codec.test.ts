import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/raft/entry.ts';
import { decodeEntryPayload, encodeEntryPayload, MalformedEntry } from '../../src/raft/entry-codec.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 16, maxLength: 16 });
const memberFields = {
  id: fc.string({ unit: fc.constantFrom(...'abcXYZ019._-'), minLength: 1, maxLength: 64 }),
  incarnation: hex,
  address: fc.string(),
};
const member = fc.record(memberFields);
/** A member without metadata has no such key at all. */
const listed = fc.oneof(
  member,
  fc.record({
    ...memberFields,
    metadata: fc.dictionary(fc.string({ maxLength: 8 }), fc.string(), { maxKeys: 3 }),
  }),
);
const configuration = fc.record({
  id: fc.tuple(fc.nat(), fc.nat()).map(([index, term]) => `${index}.${term}`),
  voters: fc.array(listed, { maxLength: 3 }),
  outgoing: fc.array(listed, { maxLength: 2 }),
  learners: fc.array(listed, { maxLength: 2 }),
  retired: fc.array(fc.record({ id: memberFields.id, incarnation: hex }), { maxLength: 2 }),
});
const position = { index: fc.integer({ min: 1 }), term: fc.integer({ min: 1 }) };
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    kind: fc.constantFrom<'command' | 'session'>('command', 'session'),
    ...position,
    payload: fc.uint8Array({ maxLength: 40 }),
  }),
  fc.record({ kind: fc.constant<'noop'>('noop'), ...position }),
  fc.record({
    kind: fc.constant<'configuration'>('configuration'),
    ...position,
    clusterId: hex,
    configuration,
  }),
);

describe('the entry payload codec', () => {
  it('gives back every entry', () => {
    fc.assert(
      fc.property(entry, (e) => {
        expect(decodeEntryPayload(e.kind, e.index, e.term, encodeEntryPayload(e))).toEqual(e);
      }),
    );
  });

  it('never copies a command', () => {
    const payload = bytes('put x 1');
    expect(encodeEntryPayload({ kind: 'command', index: 1, term: 1, payload })).toBe(payload);
    expect(decodeEntryPayload('command', 1, 1, payload)).toMatchObject({ payload });
  });

  it('encodes equal configurations as equal bytes, whatever the order of their keys', () => {
    const id = '0123456789abcdef';
    const one = { id: 'n1', incarnation: id, address: 'a:1' };
    const other = { address: 'a:1', incarnation: id, id: 'n1' };
    const encode = (voter: typeof one) =>
      encodeEntryPayload({
        kind: 'configuration',
        index: 1,
        term: 1,
        clusterId: id,
        configuration: { id: '1.1', voters: [voter], outgoing: [], learners: [], retired: [] },
      });
    expect(encode(other)).toEqual(encode(one));
  });

  const good = '{"id":"1.1","voters":[],"outgoing":[],"learners":[],"retired":[]}';
  it.each([
    ['not JSON', '{', /not JSON/],
    ['not an object', '[]', /not an object/],
    ['an unknown key', `{"clusterId":"0123456789abcdef","configuration":${good},"more":1}`, /unknown more/],
    ['no cluster id', `{"configuration":${good}}`, /clusterId is missing/],
    ['a wrong cluster id', `{"clusterId":"xyz","configuration":${good}}`, /clusterId is "xyz"/],
    [
      'members that are no list',
      '{"clusterId":"0123456789abcdef","configuration":{"id":"1.1","voters":1,"outgoing":[],"learners":[]}}',
      /voters is not a list/,
    ],
    [
      'a member with an impossible id',
      '{"clusterId":"0123456789abcdef","configuration":{"id":"1.1","voters":[{"id":"a b","incarnation":"0123456789abcdef","address":""}],"outgoing":[],"learners":[]}}',
      /voters\[0\]\.id is "a b"/,
    ],
  ])('refuses a configuration with %s and says why', (_, text, reason) => {
    const decode = () => decodeEntryPayload('configuration', 1, 1, bytes(text));
    expect(decode).toThrow(MalformedEntry);
    expect(decode).toThrow(reason);
  });

  it('refuses invalid UTF-8, a no-op with bytes, and impossible positions', () => {
    expect(() => decodeEntryPayload('configuration', 1, 1, new Uint8Array([0xff]))).toThrow(/UTF-8/);
    expect(() => decodeEntryPayload('noop', 1, 1, bytes('x'))).toThrow(/no-op/);
    expect(() => decodeEntryPayload('noop', 0, 1, bytes(''))).toThrow(/index 0/);
    expect(() => decodeEntryPayload('noop', 1, 0.5, bytes(''))).toThrow(/term 0.5/);
  });
});
