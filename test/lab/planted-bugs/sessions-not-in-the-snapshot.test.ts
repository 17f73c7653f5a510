import { expect, it, vi } from 'vitest';
import { firstViolation } from './first-violation.ts';
import { writesAreRetried } from './trouble.ts';

// The bugs: a snapshot without the sessions, or with sessions that have forgotten what was executed.
const bug = vi.hoisted(() => ({ planted: 'no sessions' as 'no sessions' | 'no results' }));

vi.mock('../../../src/node/sessions/snapshot-head.ts', async (original) => {
  const real = await original<typeof import('../../../src/node/sessions/snapshot-head.ts')>();
  return {
    ...real,
    withSnapshotHead: (...[content, chunks]: Parameters<typeof real.withSnapshotHead>) => {
      const kept = bug.planted === 'no sessions' ? [] : content.sessions;
      const sessions = kept.map((session) => ({ ...session, results: [] }));
      return real.withSnapshotHead({ ...content, sessions }, chunks);
    },
  };
});

it('the lab catches a snapshot without the sessions', async () => {
  bug.planted = 'no sessions';
  const found = await firstViolation(writesAreRetried, 3);
  expect(found?.violation).toMatchObject({ checker: 'exactly-once' });
  expect(found?.violation?.sentence).toMatch(/refused \(session-gone\)/);
});

it('the lab catches a snapshot whose sessions have forgotten what was executed', async () => {
  bug.planted = 'no results';
  const found = await firstViolation(writesAreRetried, 10);
  expect(found?.violation?.sentence).toMatch(
    /took effect twice|was applied twice|calls it (executed, and n\d repeated|repeated, and n\d executed)/,
  );
});
