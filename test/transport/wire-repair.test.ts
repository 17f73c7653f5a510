import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/raft/entry.ts';
import type { Message, RepairRefusal, RepairRequest } from '../../src/raft/message.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/transport/wire.ts';
import { entriesPerMessageMax } from '../../src/transport/wire-entries.ts';
import { envelope, packed, reasonOf, withPayloads } from './wire-fixtures.ts';

const requestId = { boot: 3, sequence: 7 };
const request = (rest: Partial<RepairRequest> = {}): Message => ({
  kind: 'RepairRequest',
  requestId,
  from: 5,
  to: 8,
  anchor: { index: 9, term: 2 },
  bytesMax: 64,
  ...rest,
});
const answer = (...entries: Entry[]): Message => ({ kind: 'RepairAnswer', requestId, held: true, entries });
const refused = (reason: string): Message => ({
  kind: 'RepairAnswer',
  requestId,
  held: false,
  reason: reason as RepairRefusal,
});
const noop = (index: number, term: number): Entry => ({ kind: 'noop', index, term });
const holding = (count: number): Message => ({
  kind: 'RepairAnswer',
  requestId,
  held: true,
  entries: Array.from({ length: count }, (_, i) => noop(1 + i, 1)),
});

const sent = (message: Message): string => reasonOf(() => encodeEnvelope(envelope(message)));
const heard = (bytes: Uint8Array): string => reasonOf(() => decodeEnvelope(bytes));

describe('what is missing of a log is asked for and given within bounds, by the writer and the reader alike:', () => {
  const asked = (from: number, to: number, anchor: number, term = 2, bytesMax = 64) => ({
    written: sent(request({ from, to, anchor: { index: anchor, term }, bytesMax })),
    read: heard(packed(19, 3, 7, from, to, anchor, term, bytesMax)),
  });
  const given = (first: number, sizes: number[], runs: number[], ...entries: Entry[]) => ({
    written: sent(answer(...entries)),
    read: heard(packed(20, 3, 7, first, sizes, runs)),
  });
  const table: readonly (readonly [string, { readonly written: string; readonly read: string }, RegExp])[] = [
    ['one entry that is its own anchor', asked(5, 5, 5), /^accepted$/],
    ['four before the anchor', asked(5, 8, 9), /^accepted$/],
    ['no entries', asked(5, 4, 9), /entries 5 to 4 are none/],
    ['an anchor before the end', asked(5, 8, 7), /the anchor 7 lies before entry 8/],
    ['entry 0', asked(0, 8, 9), /from is 0, less than 1/],
    ['an anchor of term 0', asked(5, 8, 9, 0), /anchor term is 0, less than 1/],
    ['an answer of no bytes', asked(5, 8, 9, 2, 0), /bytesMax is 0, less than 1/],
    ['two entries', given(5, [0, 0], [1, 1, 1, 1, 2, 1], noop(5, 1), noop(6, 2)), /^accepted$/],
    [
      'terms that go back',
      given(5, [0, 0], [1, 2, 1, 1, 1, 1], noop(5, 2), noop(6, 1)),
      /term 1 after term 2/,
    ],
    ['an entry of term 0', given(5, [0], [1, 0, 1], noop(5, 0)), /an entry of term 0|run term is 0/],
    ['an index beyond the safe ones', given(2 ** 53, [0], [1, 1, 1], noop(2 ** 53, 1)), /not a safe integer/],
    ['entry 0 as the first', given(0, [0], [1, 1, 1], noop(0, 1)), /first index is 0, less than 1/],
  ];
  for (const [what, { written, read }, why] of table) {
    it(`${what}${why.test('accepted') ? ' is fine' : ' is refused'}`, () => {
      expect(written, 'writing').toMatch(why);
      expect(read, 'reading').toMatch(why);
    });
  }

  it('an answer has one entry at least, and at most as many as any message', () => {
    expect(sent(answer())).toBe('no entries');
    expect(heard(packed(20, 3, 7, 5, [], []))).toBe('no entries');
    expect(sent(holding(1))).toBe('accepted');
    expect(sent(holding(entriesPerMessageMax))).toBe('accepted');
    expect(sent(holding(entriesPerMessageMax + 1))).toMatch(
      /1048577 entries; one message holds at most 1048576/,
    );
  });

  it('entries that do not follow one another are not written, and cannot be', () => {
    expect(sent(answer(noop(5, 1), noop(7, 1)))).toBe('entry 7 where 6 belongs');
  });

  it('a reason that there is not is neither written nor read', () => {
    expect([sent(refused('compacted')), sent(refused('not-held'))]).toEqual(['accepted', 'accepted']);
    expect(sent(refused('tired'))).toBe('reason is -1, less than 0');
    expect(heard(packed(21, 3, 7, 1))).toBe('accepted');
    expect(heard(packed(21, 3, 7, 2))).toBe('unknown answer 2 to a RepairRequest');
  });
});

describe('decoding refuses, and says why,', () => {
  /** The bytes in place of the two empty arrays that end the header. */
  const arrays = (...bytes: number[]): Uint8Array =>
    withPayloads(packed(20, 3, 7, 5, 0, 0).subarray(0, -2), ...bytes);
  const claim = [0xdd, 0x7f, 0xff, 0xff, 0xff];
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['entries of a claimed number', arrays(...claim), /2147483647 entries; one message holds at most/],
    ['runs of a claimed number', arrays(0x91, 0, ...claim), /runs of 2147483647 numbers, not of 3 each/],
    ['sizes beyond the payloads', packed(20, 3, 7, 5, [3], [1, 1, 0]), /payloads of 3 bytes in 0/],
    ['payloads beyond the sizes', withPayloads(packed(20, 3, 7, 5, [0], [1, 1, 1]), 1), /of 0 bytes in 1/],
    ['runs of too many', packed(20, 3, 7, 5, [0], [9, 1, 1]), /runs of 9 entries for 1 payloads/],
    ['a configuration that is none', withPayloads(packed(20, 3, 7, 5, [1], [1, 1, 2]), 1), /entry 5: /],
    ['bytes after a request', withPayloads(packed(19, 3, 7, 5, 8, 9, 2, 64), 0), /1 bytes after a Repair/],
    ['bytes after a refusal', withPayloads(packed(21, 3, 7, 0), 0), /1 bytes after a RepairAnswer/],
    ['a request without its bound', packed(19, 3, 7, 5, 8, 9, 2), /kind 19 with 7 values, not 8/],
  ];
  for (const [what, bytes, why] of cases) {
    it(what, () => {
      expect(heard(bytes)).toMatch(why);
    });
  }

  it('an answer that was cut anywhere', () => {
    const bytes = encodeEnvelope(
      envelope(answer({ kind: 'command', index: 5, term: 1, payload: Uint8Array.of(1, 2) }, noop(6, 1))),
    );
    for (let length = 0; length < bytes.length; length += 1) {
      expect(heard(bytes.subarray(0, length)), `first ${length}`).not.toBe('accepted');
    }
    expect(heard(bytes)).toBe('accepted');
  });
});
