import { expect, it, vi } from 'vitest';
import type { SessionVerdict } from '../../../src/node/sessions/session-table.ts';
import { firstViolation } from './first-violation.ts';
import { writesAreRetried } from './trouble.ts';

// The bug: the result of a command is kept, and its retry is executed nevertheless (dissertation 6.3).
vi.mock('../../../src/node/sessions/session-table.ts', async (original) => {
  const real = await original<typeof import('../../../src/node/sessions/session-table.ts')>();
  class SessionTable extends real.SessionTable {
    override apply(...given: Parameters<typeof real.SessionTable.prototype.apply>): SessionVerdict {
      const verdict = super.apply(...given);
      const [, record] = given;
      if (verdict.kind !== 'repeated' || record.kind !== 'command') return verdict;
      const executed = (result: Uint8Array) => ({ kind: 'executed', result }) as const;
      return { kind: 'execute', command: record.command, executed };
    }
  }
  return { ...real, SessionTable };
});

it('the lab catches a table of sessions that lets a retry be executed again', async () => {
  const found = await firstViolation(writesAreRetried, 3);
  expect(found?.violation?.sentence).toMatch(/(took effect|was applied) twice/);
});
