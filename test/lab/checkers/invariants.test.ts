import { describe, expect, test } from 'vitest';
import { standardCheckers } from '../../../lab/checkers/all.ts';
import type { Checker } from '../../../lab/checkers/checker.ts';
import { ElectionSafety } from '../../../lab/checkers/election-safety.ts';
import { LeaderAppendOnly } from '../../../lab/checkers/leader-append-only.ts';
import { LeaderCompleteness } from '../../../lab/checkers/leader-completeness.ts';
import { LogMatching } from '../../../lab/checkers/log-matching.ts';
import { Monotone } from '../../../lab/checkers/monotone.ts';
import { StateMachineSafety } from '../../../lab/checkers/state-machine-safety.ts';
import { History } from '../../../lab/workload/history.ts';
import { knownGood } from './known-good.ts';
import { knownGoodChanges } from './known-good-changes.ts';
import { requestVote, vote } from './messages.ts';
import { sentence } from './sentence.ts';
import { command, configured, noop, Stream } from './stream.ts';

const standard = (): Checker[] =>
  standardCheckers({
    history: new History(),
    decodeCommand: (payload) => ({ kind: 'write', key: 'k', value: payload[0] }),
    decodeResult: null,
    digestOf: () => null,
  });

describe('a correct cluster', () => {
  test.each(standard().map(({ name }, at) => [name, at] as const))('passes %s', (_name, at) => {
    for (const story of [knownGood, knownGoodChanges]) {
      const checker = standard()[at];
      if (!checker) throw new Error('no such checker');
      expect(story(new Stream(checker)).violation).toBe(null);
    }
  });

  test.each(standard().map(({ name }, at) => [name, at] as const))(
    'passes %s while disks rot where nobody reads: whose disk rots runs on',
    (_name, at) => {
      for (const story of [knownGood, knownGoodChanges]) {
        const checker = standard()[at];
        if (!checker) throw new Error('no such checker');
        expect(story(new Stream(checker, { rots: true })).violation).toBe(null);
      }
    },
  );
});

describe('election-safety', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new ElectionSafety(), tell);

  test('two leaders of one term', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .step('n1', { role: 'leader', term: 4 })
          .step('n1', { role: 'leader', term: 4 })
          .step('n2', { role: 'leader', term: 4 }),
      ),
    ).toBe(
      'two leaders in term 4: n2 (incarnation disk-of-n2, boot 1) leads, and n1 (incarnation disk-of-n1, boot 1) has led since 3 ms',
    );
  });

  test('a leader between two steps', () => {
    expect(
      found((stream) => stream.opened('n1').opened('n2').becameLeader('n1', 4).becameLeader('n2', 4)),
    ).toMatch(/two leaders in term 4/);
  });

  test('a replica that leads the same term again after a restart', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .step('n1', { role: 'leader', term: 4 })
          .crashed('n1')
          .opened('n1')
          .step('n1', { role: 'leader', term: 4 }),
      ),
    ).toMatch(/boot 2\) leads, and n1 .* boot 1\) has led/);
  });

  test('leaders of different terms at one time are no violation', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .step('n1', { role: 'leader', term: 4 })
          .step('n2', { role: 'leader', term: 5 })
          .step('n1', { role: 'leader', term: 4 }),
      ),
    ).toBe(null);
  });
});

describe('leader-append-only', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new LeaderAppendOnly(), tell);
  const leading = (stream: Stream): Stream =>
    stream
      .opened('n1')
      .wrote('n1', { term: 2, vote: 'n1', entries: [noop(1, 2), command(2, 2)] })
      .step('n1', { role: 'leader', term: 2 });

  test('a leader that cuts its log and leads on', () => {
    expect(
      found((stream) => leading(stream).wrote('n1', { cutFrom: 2 }).step('n1', { role: 'leader', term: 2 })),
    ).toBe('n1 cut its log from entry 2 on while it led term 2');
  });

  test('one that steps down and cuts at once is right', () => {
    expect(
      found((stream) =>
        leading(stream)
          .wrote('n1', { term: 3, cutFrom: 2, entries: [noop(2, 3)] })
          .step('n1', { term: 3 }),
      ),
    ).toBe(null);
  });

  test('a cut beyond the end removes nothing', () => {
    expect(
      found((stream) => leading(stream).wrote('n1', { cutFrom: 3 }).step('n1', { role: 'leader', term: 2 })),
    ).toBe(null);
  });
});

describe('log-matching', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new LogMatching(), tell);
  const n1 = (stream: Stream): Stream =>
    stream
      .opened('n1')
      .opened('n2')
      .wrote('n1', { entries: [configured(1, 1), command(2, 2, 'x')] });

  test('one index and term with two contents', () => {
    expect(
      found((stream) => n1(stream).wrote('n2', { entries: [configured(1, 1), command(2, 2, 'y')] })),
    ).toBe('n2 and n1 both hold entry 2 of term 2, but with different contents');
  });

  test('two configurations of one index and term', () => {
    expect(found((stream) => n1(stream).wrote('n2', { entries: [configured(1, 1, 'c2')] }))).toMatch(
      /different contents/,
    );
  });

  test('a no-op where the other has a command', () => {
    expect(found((stream) => n1(stream).wrote('n2', { entries: [configured(1, 1), noop(2, 2)] }))).toMatch(
      /different contents/,
    );
  });

  test('the same entry behind different ones', () => {
    expect(found((stream) => n1(stream).wrote('n2', { entries: [noop(1, 2), command(2, 2, 'x')] }))).toBe(
      'n2 and n1 both hold entry 2 of term 2, but entry 1 before it is of term 2 on n2 and of term 1 on n1',
    );
  });

  test('a gap, an overlap, and a term that goes back', () => {
    const next = (...entries: Parameters<typeof command>): string | null =>
      found((stream) => n1(stream).wrote('n1', { entries: [command(...entries)] }));
    expect(next(4, 2)).toBe('n1 wrote entry 4 after the end of its log at 2');
    expect(next(2, 2)).toBe('n1 wrote entry 2 after the end of its log at 2');
    expect(next(3, 1)).toBe('n1 wrote entry 3 of term 1 after an entry of term 2');
    expect(next(3, 2)).toBe(null);
  });

  test('a log recovered with another entry in its middle', () => {
    expect(
      found((stream) =>
        n1(stream)
          .wrote('n2', { entries: [noop(1, 2)] })
          .persisted('n1')
          .crashed('n1')
          .opened('n1', { log: [2, 2] }),
      ),
    ).toBe(
      'n1 recovered entry 2 of term 2 behind an entry of term 2, but it was written behind one of term 1',
    );
  });

  test('a place that a crash emptied may be written anew, unless someone else has its entry', () => {
    const rewritten = (stream: Stream): Stream =>
      stream
        .crashed('n1')
        .opened('n1')
        .wrote('n1', { entries: [configured(1, 1, 'c2')] });
    expect(found((stream) => rewritten(n1(stream)))).toBe(null);
    expect(found((stream) => rewritten(n1(stream).wrote('n2', { entries: [configured(1, 1)] })))).toMatch(
      /n1 and n1 both hold entry 1 of term 1, but with different contents/,
    );
  });
});

describe('leader-completeness', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new LeaderCompleteness(), tell);
  const committed = (stream: Stream): Stream =>
    stream
      .opened('n1')
      .opened('n2')
      .opened('n3')
      .wrote('n1', { term: 2, vote: 'n1', entries: [configured(1, 1), noop(2, 2)] })
      .step('n1', { role: 'leader', term: 2, commit: 2 });

  test('a later leader whose log ends before a committed entry', () => {
    expect(
      found((stream) =>
        committed(stream)
          .wrote('n2', { term: 3, entries: [configured(1, 1)] })
          .step('n2', { role: 'leader', term: 3 }),
      ),
    ).toBe('n2 leads term 3 without committed entry 2 of term 2: its log ends at 1');
  });

  test('a later leader with another entry in the place of a committed one', () => {
    expect(
      found((stream) =>
        committed(stream)
          .wrote('n2', { term: 3, entries: [configured(1, 1), noop(2, 3)] })
          .step('n2', { role: 'leader', term: 3 }),
      ),
    ).toBe('n2 leads term 3 without committed entry 2 of term 2: its log has one of term 3 there');
  });

  test('an entry committed in an earlier term while a leader without it leads', () => {
    expect(
      found((stream) =>
        committed(stream)
          .wrote('n2', { term: 3, entries: [configured(1, 1), noop(2, 2), noop(3, 3)] })
          .step('n2', { role: 'leader', term: 3 })
          .wrote('n1', { entries: [command(3, 2)] })
          .step('n1', { role: 'leader', term: 2, commit: 3 }),
      ),
    ).toBe('n2 leads term 3 without committed entry 3 of term 2: its log has one of term 3 there');
  });

  test('a leader of an earlier term, elected late, owes nothing', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .wrote('n1', { term: 5, entries: [noop(1, 5)] })
          .step('n1', { role: 'leader', term: 5, commit: 1 })
          .step('n2', { role: 'leader', term: 4 }),
      ),
    ).toBe(null);
  });
});

describe('state-machine-safety', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new StateMachineSafety(), tell);

  test('different entries at one index', () => {
    const other = (entry: ReturnType<typeof command>): string | null =>
      found((stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .applied('n1', command(1, 2, 'x'))
          .applied('n2', entry),
      );
    expect(other(command(1, 3, 'x'))).toBe(
      'n2 applied entry 1 of term 3, but n1 applied the one of term 2 at 3 ms',
    );
    expect(other(command(1, 2, 'y'))).toMatch(/but n1 applied another entry of the same term 2/);
    expect(other(noop(1, 2))).toMatch(/another entry of the same term/);
    expect(other(command(1, 2, 'x'))).toBe(null);
  });

  test('a gap, and an entry applied twice', () => {
    const then = (index: number): string | null =>
      found((stream) => stream.opened('n1').applied('n1', command(1, 1)).applied('n1', command(index, 1)));
    expect(then(3)).toBe('n1 applied entry 3 too early: the last one its state machine had was 1');
    expect(then(1)).toBe('n1 applied entry 1 again: the last one its state machine had was 1');
  });

  test('a new process begins again, and must apply the same', () => {
    const again = (entry: ReturnType<typeof command>): string | null =>
      found((stream) =>
        stream
          .opened('n1')
          .applied('n1', command(1, 1, 'x'))
          .crashed('n1')
          .opened('n1')
          .applied('n1', entry),
      );
    expect(again(command(1, 1, 'x'))).toBe(null);
    expect(again(command(1, 2, 'x'))).toMatch(
      /n1 applied entry 1 of term 2, but n1 applied the one of term 1/,
    );
    expect(again(command(2, 1, 'x'))).toMatch(/too early/);
  });

  test('a reopened storage keeps the state machine, which must go on', () => {
    const reopened = (index: number): string | null =>
      found((stream) =>
        stream
          .opened('n1')
          .applied('n1', command(1, 1))
          .opened('n1', { applied: 1 })
          .applied('n1', command(index, 1)),
      );
    expect(reopened(2)).toBe(null);
    expect(reopened(1)).toMatch(/again/);
  });

  test('after a stop a new node begins again in the same process', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .applied('n1', command(1, 1))
          .stopped('n1')
          .opened('n1')
          .applied('n1', command(1, 1)),
      ),
    ).toBe(null);
  });
});

describe('monotone', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new Monotone(), tell);
  const then = (seen: Parameters<Stream['step']>[1]): string | null =>
    found((stream) =>
      stream
        .opened('n1', { term: 3 })
        .step('n1', { term: 4, vote: 'n2', commit: 7, applied: 6 })
        .step('n1', seen),
    );

  test('what goes back within a boot', () => {
    expect(then({ term: 3, commit: 7, applied: 6 })).toBe('n1 went from term 4 back to term 3');
    expect(then({ term: 4, vote: 'n3', commit: 7, applied: 6 })).toBe(
      'n1 had a vote for n2 in term 4 and now has a vote for n3',
    );
    expect(then({ term: 4, vote: null, commit: 7, applied: 6 })).toMatch(/now has no vote/);
    expect(then({ term: 4, vote: 'n2', commit: 6, applied: 6 })).toBe(
      'n1 moved its commit index from 7 back to 6',
    );
    expect(then({ term: 4, vote: 'n2', commit: 7, applied: 5 })).toBe(
      'n1 moved its applied index from 6 back to 5',
    );
  });

  test('what goes forward', () => {
    expect(then({ term: 4, vote: 'n2', commit: 8, applied: 7 })).toBe(null);
    expect(then({ term: 5, vote: 'n3', commit: 7, applied: 6 })).toBe(null);
  });

  test('a core below what the storage recovered', () => {
    expect(found((stream) => stream.opened('n1', { term: 3 }).step('n1', { term: 2 }))).toMatch(
      /from term 3 back to term 2/,
    );
    expect(
      found((stream) => stream.opened('n1', { term: 3, vote: 'n2' }).step('n1', { term: 3, vote: 'n1' })),
    ).toMatch(/had a vote for n2 in term 3 and now has a vote for n1/);
  });

  test('unsaid and not durable, a term may be lost in a crash', () => {
    expect(
      found((stream) =>
        stream.opened('n1').step('n1', { term: 4 }).crashed('n1').opened('n1').step('n1', { term: 0 }),
      ),
    ).toBe(null);
  });

  test('a promise given in a term that the replica came back without', () => {
    const back = (seen: Parameters<Stream['opened']>[1]): string | null =>
      found((stream) => stream.opened('n1').sent('n1', 'n2', vote(4)).crashed('n1').opened('n1', seen));
    expect(back({ term: 3 })).toBe('n1 made promises in term 4 and came back in term 3');
    expect(back({ term: 4 })).toBe('n1 told n2 its vote of term 4 and came back with no vote');
    expect(back({ term: 4, vote: 'n3' })).toBe(
      'n1 told n2 its vote of term 4 and came back with a vote for n3',
    );
    expect(back({ term: 4, vote: 'n2' })).toBe(null);
    expect(back({ term: 5 })).toBe(null);
  });

  test('a second vote in one term, also after a restart, also its own', () => {
    const twice = (second: (stream: Stream) => Stream): string | null =>
      found((stream) =>
        second(
          stream.opened('n1').sent('n1', 'n2', vote(4)).crashed('n1').opened('n1', { term: 4, vote: 'n2' }),
        ),
      );
    expect(twice((stream) => stream.sent('n1', 'n3', vote(4)))).toBe(
      'n1 voted twice in term 4: for n2 and for n3',
    );
    expect(twice((stream) => stream.sent('n1', 'n3', requestVote(4)))).toMatch(/for n2 and for n1/);
    expect(twice((stream) => stream.sent('n1', 'n3', vote(4, false)))).toBe(null);
    expect(twice((stream) => stream.sent('n1', 'n2', vote(4)))).toBe(null);
    expect(twice((stream) => stream.sent('n1', 'n3', vote(5)))).toBe(null);
  });

  test('a boot number used again, unless the disk is another', () => {
    expect(found((stream) => stream.opened('n1', { boot: 2 }).opened('n1', { boot: 2 }))).toBe(
      'n1 opened with boot 2, after boot 2',
    );
    expect(
      found((stream) => stream.opened('n1', { boot: 2 }).opened('n1', { boot: 1, incarnation: 'other' })),
    ).toBe(null);
  });
});
