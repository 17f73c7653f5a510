import { describe, expect, it } from 'vitest';
import { formatCommand, formatFoundEntry } from '../../../lab/cli/entry-line.ts';
import { msgpackCodec } from '../../../src/node/command-codec.ts';
import { encodeSessionRecord } from '../../../src/node/sessions/session-record.ts';

const pack = (value: unknown): Uint8Array => msgpackCodec().encode(value);

describe('a command', () => {
  it.each([
    ['a number', pack(49), '49'],
    ['text', pack('two'), '"two"'],
    ['null', pack(null), 'null'],
    ['an object', pack({ put: ['a', 1.5, true, { b: null }] }), '{"put":["a",1.5,true,{"b":null}]}'],
    ['JSON text of another codec', Buffer.from('{ "put": "a" }'), '{"put":"a"}'],
    ['other bytes', Buffer.from([0xff, 0x00, 0xc1]), '0xff00c1'],
    ['text of another codec', Buffer.from('put a 1'), '0x70757420612031'],
    ['no bytes', new Uint8Array(0), '0x'],
    [
      'a value that JSON has no word for',
      pack(new Map([[1, 2]])),
      `0x${Buffer.from(pack(new Map([[1, 2]]))).toString('hex')}`,
    ],
    ['a value and something after it', Buffer.concat([pack('two'), Buffer.from([1])]), '0xa374776f01'],
  ])('that is %s is shown as such', (_, bytes, shown) => {
    expect(formatCommand(bytes)).toBe(shown);
  });

  it('that is long is cut short, as text and as hex', () => {
    expect(formatCommand(pack('x'.repeat(1000)))).toBe(`"${'x'.repeat(199)}... and 802 more`);
    expect(formatCommand(Buffer.alloc(1000, 0xc1))).toBe(`0x${'c1'.repeat(64)}... and 936 bytes more`);
    expect(formatCommand(pack('x'.repeat(100_000)))).toMatch(/^0x.{128}\.\.\. and 99,941 bytes more$/);
    expect(formatCommand(Buffer.alloc(60_000, 0x91))).toMatch(/^0x(91){64}\.\.\. /);
  });
});

it('a command in a session is shown with its place there', () => {
  const payload = encodeSessionRecord({
    kind: 'command',
    stampMs: 5,
    id: { index: 12, salt: '00000000000000aa' },
    sequence: 3,
    lowestUnanswered: 2,
    command: pack({ add: 1 }),
  });
  const line = formatFoundEntry({
    kind: 'entry',
    block: 4,
    entry: { kind: 'session', index: 20, term: 2, payload },
  });
  expect(line).toMatch(
    /^20 {2}term 2 {2}block 4 {2}session {2}\d+ bytes {2}command 3 of session 12: \{"add":1\}$/,
  );
});
