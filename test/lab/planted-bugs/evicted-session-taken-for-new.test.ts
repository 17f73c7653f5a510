import { expect, it, vi } from 'vitest';
import type { SessionVerdict } from '../../../src/node/sessions/session-table.ts';
import { firstViolation } from './first-violation.ts';
import { fewSessions } from './trouble.ts';

// The bug: a retry in a session that was evicted is executed, as if it were the first attempt (dissertation 6.3).
vi.mock('../../../src/node/sessions/session-table.ts', async (original) => {
  const real = await original<typeof import('../../../src/node/sessions/session-table.ts')>();
  class SessionTable extends real.SessionTable {
    override apply(...given: Parameters<typeof real.SessionTable.prototype.apply>): SessionVerdict {
      const verdict = super.apply(...given);
      const [, record] = given;
      const isGone = verdict.kind === 'refused' && verdict.reason === 'session-gone';
      if (!isGone || record.kind !== 'command') return verdict;
      const executed = (result: Uint8Array) => ({ kind: 'executed', result }) as const;
      return { kind: 'execute', command: record.command, executed };
    }
  }
  return { ...real, SessionTable };
});

it('the lab catches a table of sessions that takes a retry in an evicted session for new', async () => {
  const found = await firstViolation(fewSessions, 10);
  expect(found?.violation?.sentence).toMatch(/(took effect|was applied) twice/);
});
