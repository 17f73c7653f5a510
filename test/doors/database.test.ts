import { describe, expect, test } from 'vitest';
import { isDamagedDatabase } from '../../src/doors/database.ts';

const told = (code: string, message = ''): Error => Object.assign(new Error(message), { code });
const wrapped = (cause: Error): Error =>
  Object.assign(new Error('Database failed to open', { cause }), { code: 'LEVEL_DATABASE_NOT_OPEN' });

const missing = told('LEVEL_IO_ERROR', 'IO error: shard-0/000005.ldb: No such file or directory');
const full = told('LEVEL_IO_ERROR', 'IO error: shard-0/000007.log: No space left on device');

describe('the error of a database', () => {
  test.each<[string, unknown, boolean]>([
    ['corruption', told('LEVEL_CORRUPTION'), true],
    ['corruption, wrapped', wrapped(told('LEVEL_CORRUPTION')), true],
    ['a file that is not there', missing, true],
    ['a file that is not there, wrapped', wrapped(missing), true],
    ['a full disk', full, false],
    ['a full disk, wrapped', wrapped(full), false],
    ['another holder', wrapped(told('LEVEL_LOCKED')), false],
    ['a missing file of the system', told('ENOENT', 'ENOENT: no such file or directory'), false],
    ['no error at all', 'text', false],
  ])('tells of damage or not: %s', (_what, error, isDamaged) => {
    expect(isDamagedDatabase(error)).toBe(isDamaged);
  });
});
