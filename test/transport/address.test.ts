import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from '../../src/transport/address.ts';

describe('an address', () => {
  const good: readonly [string, string, number][] = [
    ['127.0.0.1:7001', '127.0.0.1', 7001],
    ['node-1.example:1', 'node-1.example', 1],
    ['[::1]:65535', '::1', 65535],
    ['localhost:0', 'localhost', 0],
  ];
  for (const [text, host, port] of good) {
    it(`${text} is read, and written again as it was`, () => {
      const address = parseAddress(text);
      expect(address).toEqual({ host, port });
      if (typeof address !== 'string') expect(formatAddress(address)).toBe(text);
    });
  }

  for (const text of [
    '',
    'host',
    ':7001',
    'host:',
    'host:port',
    'host:65536',
    'host:-1',
    '::1:7001',
    'a b:1',
    '[]:1',
  ]) {
    it(`${JSON.stringify(text)} is refused with the form expected`, () => {
      expect(parseAddress(text)).toMatch(/is no address: expected host:port, such as/);
    });
  }
});
