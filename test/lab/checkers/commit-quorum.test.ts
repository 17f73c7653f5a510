import { describe, expect, test } from 'vitest';
import { CommitQuorum } from '../../../lab/checkers/commit-quorum.ts';
import { sentence } from './sentence.ts';
import { configured, memberOf, noop, type Stream, threeVoters } from './stream.ts';

describe('commit-quorum', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new CommitQuorum(), tell);
  const log = [configured(1, 1), noop(2, 2)];
  const led = (stream: Stream): Stream =>
    stream
      .opened('n1')
      .opened('n2')
      .opened('n3')
      .wroteDurably('n1', { term: 2, vote: 'n1', entries: log })
      .step('n1', { role: 'leader', term: 2 });
  const commits = { role: 'leader', term: 2, commit: 2 } as const;

  test('a leader that commits what only it holds', () => {
    expect(found((stream) => led(stream).step('n1', commits))).toBe(
      'n1 took entry 2 of term 2 for committed, but of 3 voters only n1 held it durably',
    );
  });

  test('a follower that holds it, but not durably, does not count; once it is durable it does', () => {
    const written = (stream: Stream): Stream => led(stream).wrote('n2', { entries: log });
    expect(found((stream) => written(stream).step('n1', commits))).toMatch(/only n1 held it durably/);
    expect(found((stream) => written(stream).persisted('n2').step('n1', commits))).toBe(null);
  });

  test('a follower that is about to cut it does not count', () => {
    expect(
      found((stream) =>
        led(stream)
          .wroteDurably('n2', { entries: log })
          .wrote('n2', { cutFrom: 2, entries: [noop(2, 3)] })
          .step('n1', commits),
      ),
    ).toMatch(/only n1 held it durably/);
  });

  test('an emptied disk under the same id does not count', () => {
    expect(
      found((stream) =>
        led(stream)
          .opened('n2', { incarnation: 'emptied' })
          .wroteDurably('n2', { entries: log })
          .step('n1', commits),
      ),
    ).toMatch(/only n1 held it durably/);
  });

  test('learners do not count', () => {
    const [n1, n2, n3] = threeVoters.voters;
    if (!n1 || !n2 || !n3) throw new Error('three voters');
    const configuration = { id: '1.1', voters: [n1, n3], outgoing: [], learners: [n2], retired: [] };
    expect(
      found((stream) =>
        led(stream)
          .wroteDurably('n2', { entries: log })
          .step('n1', { ...commits, configuration }),
      ),
    ).toMatch(/of 2 voters only n1 held it durably/);
  });

  test('while membership changes, both sets must agree', () => {
    const old = { ...memberOf('n9'), address: 'n9' };
    const configuration = { ...threeVoters, outgoing: [old] };
    expect(
      found((stream) =>
        led(stream)
          .wroteDurably('n2', { entries: log })
          .step('n1', { ...commits, configuration }),
      ),
    ).toMatch(/of 1 voters only nobody held it durably/);
  });

  test('an entry of an old term is not committed by counting (figure 8)', () => {
    expect(
      found((stream) =>
        led(stream)
          .wroteDurably('n2', { entries: log })
          .wroteDurably('n1', { term: 4, entries: [noop(3, 4)] })
          .step('n1', { role: 'leader', term: 4 })
          .step('n1', { role: 'leader', term: 4, commit: 2 }),
      ),
    ).toBe(
      'n1 took entry 2 of term 2 for committed while it led term 4, by counting replicas of an old term',
    );
  });

  test('a follower ahead of every leader, or with another entry, or without one', () => {
    expect(
      found((stream) => led(stream).wrote('n2', { entries: log }).step('n2', { term: 2, commit: 2 })),
    ).toBe('n2 took entry 2 of term 2 for committed, but no leader has committed beyond 0');
    const committed = (stream: Stream): Stream =>
      led(stream).wroteDurably('n2', { entries: log }).step('n1', commits);
    expect(
      found((stream) =>
        committed(stream)
          .wrote('n3', { entries: [configured(1, 1), noop(2, 1)] })
          .step('n3', { term: 2, commit: 2 }),
      ),
    ).toBe('n3 took entry 2 of term 1 for committed, but the committed one is of term 2');
    expect(found((stream) => committed(stream).step('n3', { term: 2, commit: 2 }))).toBe(
      'n3 took entry 2 for committed, but its log ends at 0',
    );
  });

  test('a leader that commits and steps down in one drain is right', () => {
    expect(
      found((stream) => led(stream).wroteDurably('n2', { entries: log }).step('n1', { term: 3, commit: 2 })),
    ).toBe(null);
  });

  test('a state machine that is ahead of a reopened log is right', () => {
    expect(
      found((stream) =>
        led(stream)
          .wroteDurably('n2', { entries: log })
          .step('n1', commits)
          .opened('n3', { applied: 2 })
          .step('n3', { term: 2, commit: 2, applied: 2 }),
      ),
    ).toBe(null);
  });
});
