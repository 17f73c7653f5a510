import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { AppendEntries, Envelope } from '../../src/raft/message.ts';
import { MalformedFrame } from '../../src/transport/errors.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/transport/wire.ts';
import { entriesPerMessageMax } from '../../src/transport/wire-entries.ts';
import { anyEnvelope, envelopeWith, messages } from './arbitraries.ts';
import { envelope, packed, packr, query, reasonOf, withPayloads } from './wire-fixtures.ts';

const command = (index: number, term: number, ...bytes: number[]) =>
  ({ kind: 'command', index, term, payload: new Uint8Array(bytes) }) as const;

const append = (rest: Partial<AppendEntries> = {}): AppendEntries => ({
  kind: 'AppendEntries',
  term: 5,
  prevLogIndex: 10,
  prevLogTerm: 3,
  entries: [command(11, 4, 1, 2), command(12, 5, 3)],
  leaderCommit: 9,
  ...rest,
});

describe('an envelope', () => {
  for (const [kind, message] of Object.entries(messages)) {
    it(`with a ${kind} comes back as it was`, () => {
      fc.assert(
        fc.property(envelopeWith(message), (sent) => {
          expect(decodeEnvelope(encodeEnvelope(sent))).toStrictEqual(sent);
        }),
        { numRuns: 300 },
      );
    });
  }

  it('leaves the asked headroom before its first byte', () => {
    const sent = envelope(append());
    const bytes = encodeEnvelope(sent, 8);
    expect(bytes.length).toBe(encodeEnvelope(sent).length + 8);
    expect(decodeEnvelope(bytes.subarray(8))).toStrictEqual(sent);
  });

  it('has a header that msgpackr reads, followed by the raw payloads', () => {
    const bytes = encodeEnvelope(envelope(append()));
    const header = [2, 'default', '00000000000000cc', 'n1', '00000000000000aa', 3, 'n2', '00000000000000bb'];
    const fields = [5, 5, 10, 3, 9, [2, 1], [1, 4, 0, 1, 5, 0]];
    expect(new Unpackr().unpack(bytes.subarray(0, bytes.length - 3))).toEqual([...header, ...fields]);
    expect([...bytes.subarray(bytes.length - 3)]).toEqual([1, 2, 3]);
  });

  it('is decoded without copying payloads', () => {
    const bytes = encodeEnvelope(envelope(append()));
    const { message } = decodeEnvelope(bytes);
    const entry = message.kind === 'AppendEntries' ? message.entries[0] : undefined;
    if (entry?.kind !== 'command') throw new Error('expected a command');
    expect(entry.payload.buffer).toBe(bytes.buffer);
  });

  it('is encoded without keeping anything of the original', () => {
    const payload = new Uint8Array([1, 2, 3]);
    const entries = [{ kind: 'command', index: 11, term: 4, payload }] as const;
    const bytes = encodeEnvelope(envelope(append({ entries })));
    const before = [...bytes];
    payload.fill(0);
    encodeEnvelope(envelope(query));
    expect([...bytes]).toEqual(before);
  });
});

describe('bytes that were changed', () => {
  it('are refused, or are the one encoding of another envelope', () => {
    const mutation = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat(3) });
    fc.assert(
      fc.property(anyEnvelope, fc.array(mutation, { minLength: 1, maxLength: 3 }), (sent, mutations) => {
        let bytes = Uint8Array.from(encodeEnvelope(sent));
        for (const { at, to, cut } of mutations) {
          bytes[at % bytes.length] = to;
          if (cut === 1) bytes = bytes.slice(0, at % bytes.length);
          if (bytes.length === 0) return;
        }
        let decoded: Envelope;
        try {
          decoded = decodeEnvelope(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedFrame);
          return;
        }
        const { message } = decoded;
        const entries = 'entries' in message ? message.entries : [];
        const holdsJson =
          message.kind === 'InstallSnapshot' || entries.some((entry) => entry.kind === 'configuration');
        // JSON has spaces to spare: there the envelope is compared, elsewhere every byte.
        if (holdsJson) expect(decodeEnvelope(encodeEnvelope(decoded))).toStrictEqual(decoded);
        else expect([...encodeEnvelope(decoded)]).toEqual([...bytes]);
      }),
      { numRuns: 5000 },
    );
  });

  it('by a cut anywhere are refused', () => {
    const bytes = encodeEnvelope(envelope(append()));
    for (let length = 0; length < bytes.length; length += 1) {
      expect(
        reasonOf(() => decodeEnvelope(bytes.subarray(0, length))),
        `first ${length}`,
      ).not.toBe('accepted');
    }
  });

  it('by a byte more are refused', () => {
    for (const message of [append(), query]) {
      const bytes = Uint8Array.from([...encodeEnvelope(envelope(message)), 0]);
      expect(reasonOf(() => decodeEnvelope(bytes))).toMatch(/bytes/);
    }
  });

  it('at random never make anything but a refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(reasonOf(() => decodeEnvelope(bytes))).not.toBe('accepted');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('decoding refuses, and says why,', () => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /ends within header/],
    ['no array', packr.pack('hello'), /header: expected an array, found byte 0xa5/],
    ['another wire version', packr.pack([1, 'g']), /wire version 1; this side speaks 2/],
    ['an unknown kind', packed(99), /unknown message kind 99/],
    ['a missing field', packed(8, 1, 1), /kind 8 with 3 values, not 7/],
    ['a field too many', packed(10, [], 1), /kind 10 with 3 values, not 2/],
    ['text for a number', packed(8, '1', 1, 0, 0, 0, 0), /term: expected an integer, found byte 0xa1/],
    ['a number for a flag', packed(11, 1, null), /empty: expected true or false, found byte 0x01/],
    ['a negative number', packed(8, 1, 1, -1, 0, 0, 0), /leaderCommit: expected an integer, found byte 0xff/],
    ['a fraction for an index', packed(8, 1, 1, 0.5, 0, 0, 0), /leaderCommit is 0.5, not a safe integer/],
    [
      'an unsafe integer',
      packed(8, 1, 1, 2 ** 53, 0, 0, 0),
      /leaderCommit is 9007199254740992, not a safe integer/,
    ],
    [
      'an infinite promise',
      packed(9, 1, 1, 0, 0, Number.POSITIVE_INFINITY, 0, false),
      /promiseMs is Infinity/,
    ],
    ['a promise that is no number', packed(9, 1, 1, 0, 0, Number.NaN, 0, false), /promiseMs is NaN/],
    ['round 0 of a heartbeat', packed(8, 1, 0, 0, 0, 0, 0), /round is 0, less than 1/],
    ['freshness of no boot', packed(8, 1, 1, 0, 0, 7, 0), /freshness of boot 0/],
    ['a read without an id', packed(17, 1, 1), /kind 17 with 3 values, not 5/],
    ['a transfer that is no flag', packed(3, 4, 0, 0, 1), /leadershipTransfer: expected true or false/],
    ['term 0 of a TimeoutNow', packed(16, 0), /term is 0, less than 1/],
    ['a match beyond the verified', packed(6, 1, 5, 4), /matchIndex 5 is beyond verifiedIndex 4/],
    ['an index without a term', packed(3, 4, 7, 0, false), /lastLogIndex 7 with lastLogTerm 0/],
    ['a term without an index', packed(3, 4, 0, 2, false), /lastLogIndex 0 with lastLogTerm 2/],
    ['a log ahead of its term', packed(3, 4, 7, 5, false), /lastLogTerm 5 is beyond term 4/],
    [
      'sizes beyond the payloads',
      withPayloads(packed(5, 5, 1, 1, 0, [3], [1, 5, 0]), 1, 2),
      /payloads of 3 bytes in 2/,
    ],
    [
      'payloads beyond the sizes',
      withPayloads(packed(5, 5, 1, 1, 0, [1], [1, 5, 0]), 1, 2),
      /payloads of 1 bytes in 2/,
    ],
    [
      'runs of too few',
      withPayloads(packed(5, 5, 1, 1, 0, [1, 1], [1, 5, 0]), 1, 2),
      /runs of 1 entries for 2 payloads/,
    ],
    [
      'runs of too many',
      withPayloads(packed(5, 5, 1, 1, 0, [1], [9, 5, 0]), 1),
      /runs of 9 entries for 1 payloads/,
    ],
    ['half a run', packed(5, 5, 1, 1, 0, [], [1, 5]), /runs of 2 numbers/],
    ['a run of none', packed(5, 5, 1, 1, 0, [], [0, 5, 0]), /run count is 0, less than 1/],
    [
      'a run in two',
      withPayloads(packed(5, 5, 1, 1, 0, [1, 1], [1, 5, 0, 1, 5, 0]), 1, 2),
      /two runs that are one/,
    ],
    [
      'an unknown kind of entry',
      withPayloads(packed(5, 5, 1, 1, 0, [1], [1, 5, 7]), 1),
      /unknown entry kind 7/,
    ],
    [
      'a no-op with a payload',
      withPayloads(packed(5, 5, 1, 1, 0, [1], [1, 5, 1]), 1),
      /entry 2: a no-op with 1 bytes/,
    ],
    ['a configuration of garbage', withPayloads(packed(5, 5, 1, 1, 0, [1], [1, 5, 2]), 1), /entry 2: .*JSON/],
    [
      'terms that go back',
      withPayloads(packed(5, 5, 1, 4, 0, [1], [1, 3, 0]), 1),
      /an entry of term 3 after term 4/,
    ],
    [
      'a term beyond the leader',
      withPayloads(packed(5, 5, 1, 4, 0, [1], [1, 6, 0]), 1),
      /term 6 in a message of term 5/,
    ],
    [
      'an entry of term 0',
      withPayloads(packed(5, 5, 0, 0, 0, [1], [1, 0, 0]), 1),
      /run term is 0, less than 1/,
    ],
    [
      'indexes past the safe ones',
      withPayloads(packed(5, 5, 2 ** 53 - 1, 4, 0, [1], [1, 5, 0]), 1),
      /beyond the safe integers/,
    ],
    [
      'a long form of a short number',
      Uint8Array.from([0x99, 0xcc, 0x01]),
      /wire version is not in its shortest form/,
    ],
    [
      'a float for a small integer',
      Uint8Array.from([0x99, 0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
      /shortest form/,
    ],
    ['an empty name', packr.pack([2, '', null]), /group "" is no name/],
    ['a name of 65', packr.pack([2, 'x'.repeat(65), null]), /is no name/],
    ['a name with a space', packr.pack([2, 'a b', null]), /group "a b" is no name/],
    ['a name beyond ASCII', packr.pack([2, 'é', null]), /group has characters other than printable ASCII/],
    [
      'an upper-case cluster id',
      packr.pack([2, 'g', 'AAAAAAAAAAAAAAAA']),
      /clusterId .* is not 16 lower-case hex/,
    ],
    ['boot 0', packr.pack([2, 'g', null, 'n1', '00000000000000aa', 0]), /from.boot is 0, less than 1/],
  ];
  for (const [what, bytes, why] of cases) {
    it(what, () => {
      expect(reasonOf(() => decodeEnvelope(bytes))).toMatch(why);
    });
  }

  it('a configuration nested deeper than the stack', () => {
    const nested = `{"clusterId":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const header = packed(5, 5, 1, 1, 0, [nested.length], [1, 5, 2]);
    const bytes = Buffer.concat([header, Buffer.from(nested)]);
    expect(reasonOf(() => decodeEnvelope(bytes))).toMatch(/entry 2: clusterId is an object/);
  });

  it('an array that claims a length it does not have, without making room for it', () => {
    const claimed = [0xdd, 0x7f, 0xff, 0xff, 0xff];
    const fields = packed(5, 5, 1, 1, 0, 0, 0);
    const lie = (claim: readonly number[]) =>
      reasonOf(() => decodeEnvelope(Uint8Array.from([...fields.subarray(0, -2), ...claim])));
    expect(reasonOf(() => decodeEnvelope(Uint8Array.from(claimed)))).toMatch(/ends within wire version/);
    expect(lie(claimed)).toMatch(/2147483647 entries; one message holds at most/);
    expect(lie([0xdd, 0x00, 0x0f, 0xff, 0xff])).toMatch(/ends within payload size/);
  });
});

describe('encoding refuses, and says why,', () => {
  const heartbeat = { kind: 'Heartbeat', term: 1, round: 1, leaderCommit: 0, freshness: null } as const;
  const cases: readonly [string, Envelope, RegExp][] = [
    ['a hole in the entries', envelope(append({ entries: [command(12, 4)] })), /entry 12 where 11 belongs/],
    [
      'terms that go back',
      envelope(append({ entries: [command(11, 2)] })),
      /an entry of term 2 after term 3/,
    ],
    [
      'a term beyond its own',
      envelope(append({ entries: [command(11, 6)] })),
      /term 6 in a message of term 5/,
    ],
    ['an entry of term 0', envelope(append({ entries: [command(11, 0)] })), /an entry of term 0/],
    ['a fractional term', envelope(append({ entries: [command(11, 4.5)] })), /an entry of term 4.5/],
    ['a negative commit index', envelope(append({ leaderCommit: -1 })), /leaderCommit is -1, less than 0/],
    ['a prevLogTerm of no entry', envelope(append({ prevLogTerm: 0 })), /prevLogIndex 10 with prevLogTerm 0/],
    ['term 0 of a leader', envelope({ ...heartbeat, term: 0 }), /term is 0, less than 1/],
    ['a round that is no number', envelope({ ...heartbeat, round: Number.NaN }), /round is NaN/],
    [
      'a negative promise',
      envelope({
        kind: 'HeartbeatResponse',
        term: 1,
        round: 1,
        matchIndex: 0,
        verifiedIndex: 0,
        promiseMs: -1,
        stamp: 0,
      }),
      /promiseMs is -1/,
    ],
    [
      'a match beyond the verified',
      envelope({ kind: 'AppendEntriesResponse', accepted: true, term: 1, matchIndex: 2, verifiedIndex: 1 }),
      /matchIndex 2 is beyond verifiedIndex 1/,
    ],
    [
      'freshness of boot 0',
      envelope({ ...heartbeat, freshness: { boot: 0, stamp: 1, index: 1 } }),
      /boot is 0, less than 1/,
    ],
    ['a bad group', envelope(heartbeat, { group: 'a/b' }), /group "a\/b" is no name/],
    ['a bad cluster id', envelope(heartbeat, { clusterId: 'c' }), /clusterId "c" is not 16 lower-case hex/],
    ['a bad receiver', envelope(heartbeat, { to: { id: '', incarnation: null } }), /to.id "" is no name/],
    [
      'boot 0',
      envelope(heartbeat, { from: { id: 'n1', incarnation: '00000000000000aa', boot: 0 } }),
      /from.boot is 0, less than 1/,
    ],
  ];
  for (const [what, sent, why] of cases) {
    it(what, () => {
      expect(reasonOf(() => encodeEnvelope(sent))).toMatch(why);
    });
  }

  it('more entries than one message holds, and takes as many as it does', () => {
    const noops = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ kind: 'noop', index: 11 + i, term: 5 }) as const);
    const most = envelope(append({ entries: noops(entriesPerMessageMax) }));
    const { message } = decodeEnvelope(encodeEnvelope(most));
    expect(message.kind === 'AppendEntries' && message.entries.length).toBe(entriesPerMessageMax);
    const more = envelope(append({ entries: noops(entriesPerMessageMax + 1) }));
    expect(reasonOf(() => encodeEnvelope(more))).toMatch(
      /1048577 entries; one message holds at most 1048576/,
    );
  });
});
