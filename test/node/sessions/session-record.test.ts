import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeSessionRecord,
  parseSessionRecord,
  type SessionRecord,
  UnknownRecordVersion,
} from '../../../src/node/sessions/session-record.ts';

const count = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const stampMs = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const salt = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((b) => Buffer.from(b).toString('hex'));
const id = fc.record({ index: count, salt });
const records: fc.Arbitrary<SessionRecord> = fc.oneof(
  fc.record({ kind: fc.constant('time' as const), stampMs }),
  fc.record({ kind: fc.constant('close' as const), stampMs, id }),
  fc.record({
    kind: fc.constant('open' as const),
    stampMs,
    salt,
    timeoutMs: count,
    window: count,
    sessionsMax: count,
    resultBytesMax: count,
    timeStepMaxMs: count,
  }),
  fc.record({ stampMs, id, a: count, b: count, command: fc.uint8Array() }).map(({ a, b, ...rest }) => ({
    kind: 'command' as const,
    ...rest,
    sequence: Math.max(a, b),
    lowestUnanswered: Math.min(a, b),
  })),
);

const plain = (record: object): object =>
  'command' in record ? { ...record, command: [...(record.command as Uint8Array)] } : record;

describe('a record of a session', () => {
  it('comes out as it went in, whatever its numbers', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(plain(parseSessionRecord(encodeSessionRecord(record)))).toEqual(plain(record));
      }),
    );
  });

  it("holds the user's command as it is, at its end", () => {
    const command = new Uint8Array([1, 2, 3]);
    const record = { kind: 'command' as const, stampMs: 1, id: { index: 1, salt: '0'.repeat(16) } };
    const bytes = encodeSessionRecord({ ...record, sequence: 1, lowestUnanswered: 1, command });
    expect([...bytes.subarray(-3)]).toEqual([1, 2, 3]);
  });

  it('is malformed, not an error, when bytes are missing, added or senseless', () => {
    fc.assert(
      fc.property(records, fc.nat(), (record, cut) => {
        const bytes = encodeSessionRecord(record);
        const head = record.kind === 'command' ? bytes.length - record.command.length : bytes.length;
        expect(parseSessionRecord(bytes.subarray(0, cut % head)).kind).toBe('malformed');
        if (record.kind === 'command') return;
        expect(parseSessionRecord(Buffer.concat([bytes, Buffer.from([0])])).kind).toBe('malformed');
      }),
    );
  });

  it.each([
    ['nothing', []],
    ['version 0', [0, 0]],
    ['a kind that is none', [1, 9, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a stamp that is no number', [1, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]],
    ['a stamp below zero', [1, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf]],
    ['a stamp with a fraction', [1, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]],
  ])('is malformed: %s', (_what, bytes) => {
    expect(parseSessionRecord(new Uint8Array(bytes)).kind).toBe('malformed');
  });

  it.each([
    { sequence: 0, lowestUnanswered: 0 },
    { sequence: 2, lowestUnanswered: 3 },
    { sequence: 2, lowestUnanswered: 0 },
    { sequence: 1.5, lowestUnanswered: 1 },
    { sequence: 2 ** 53, lowestUnanswered: 1 },
  ])('is malformed with sequence $sequence and lowest unanswered $lowestUnanswered', (numbers) => {
    const record = { kind: 'command' as const, stampMs: 1, id: { index: 1, salt: '0'.repeat(16) } };
    const bytes = encodeSessionRecord({ ...record, ...numbers, command: new Uint8Array(0) });
    expect(parseSessionRecord(bytes).kind).toBe('malformed');
  });

  it('of a later version stops whoever does not know it, for those who do may apply it', () => {
    expect(() => parseSessionRecord(new Uint8Array([2, 0]))).toThrow(UnknownRecordVersion);
  });
});
