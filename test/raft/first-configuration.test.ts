import { expect, test } from 'vitest';
import { configurationEntry, votersOf } from './sample-log.ts';
import { Single } from './single.ts';

test('a replica that learns from its first append that it is a voter campaigns when nothing follows', () => {
  const n1 = new Single({ entries: [] });
  expect(n1.core.deadline).toBeNull();
  n1.hear('n2', {
    kind: 'AppendEntries',
    term: 2,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [configurationEntry(votersOf('n1', 'n2'))],
    leaderCommit: 0,
  });
  const deadline = n1.core.deadline ?? 0;
  expect(deadline).toBeGreaterThanOrEqual(n1.now + 500);
  expect(n1.at(deadline).state.role).toBe('pre-candidate');
});
