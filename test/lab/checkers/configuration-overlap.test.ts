import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigurationOverlap } from '../../../lab/checkers/configuration-overlap.ts';
import { disjointQuorums, isQuorum, mayFollow, pairOf } from '../../../lab/checkers/quorums.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import { vote } from './messages.ts';
import { sentence } from './sentence.ts';
import { configured, floorAt, memberOf, noop, type Stream, snapshotAt, votersOf } from './stream.ts';

const joint = (id: string, incoming: readonly string[], outgoing: readonly string[]): Configuration => ({
  ...votersOf(id, ...incoming),
  outgoing: votersOf(id, ...outgoing).voters,
});

describe('configuration-overlap', () => {
  const found = (tell: (stream: Stream) => Stream): string | null =>
    sentence(new ConfigurationOverlap(), tell);
  const leads = { role: 'leader', term: 2 } as const;
  /** n1 leads term 2 by the votes of n1 and n2, with entries 1 (n1, n2, n3) and 2 committed. */
  const led = (stream: Stream): Stream =>
    stream
      .opened('n1')
      .opened('n2')
      .opened('n3')
      .sent('n2', 'n1', vote(2))
      .wrote('n1', { entries: [configured(1, 1), noop(2, 2)] })
      .step('n1', leads)
      .step('n1', { ...leads, commit: 2 });
  const appends = (stream: Stream, index: number, configuration: Configuration): Stream =>
    stream.wrote('n1', { entries: [configured(index, 2, 'c1', configuration)] });

  test('voters that change without a joint configuration', () => {
    const single = votersOf('3.2', 'n1', 'n2', 'n3', 'n4');
    expect(found((stream) => appends(led(stream), 3, single).step('n1', { ...leads, commit: 3 }))).toBe(
      'n1 took configuration 3.2 for committed, voters n1 n2 n3 n4, which may not follow 1.1: voters n1 n2 n3',
    );
  });

  test('a joint configuration left for voters that were never in it', () => {
    const through = (last: Configuration): string | null =>
      found((stream) => {
        appends(led(stream), 3, joint('3.2', ['n1', 'n2', 'n3', 'n4'], ['n1', 'n2', 'n3']));
        stream.step('n1', { ...leads, commit: 3 });
        return appends(stream, 4, last).step('n1', { ...leads, commit: 4 });
      });
    expect(through(votersOf('4.2', 'n1', 'n2', 'n4'))).toMatch(/4\.2 for committed, .* may not follow 3\.2/);
    expect(through(votersOf('4.2', 'n4', 'n3', 'n2', 'n1'))).toBe(null);
    expect(through(votersOf('4.2', 'n1', 'n2', 'n3'))).toBe(null);
  });

  test('an id that is not that of the entry', () => {
    expect(found((stream) => appends(led(stream), 3, votersOf('1.1', 'n1', 'n2', 'n3')))).toBe(
      'n1 wrote configuration 1.1 as entry 3 of term 2, which should be its id',
    );
  });

  test('a replica that goes by another configuration than the latest in its log', () => {
    const goesBy = (configuration: Configuration): string | null =>
      found((stream) =>
        appends(led(stream), 3, joint('3.2', ['n1'], ['n1', 'n2', 'n3'])).step('n1', {
          ...leads,
          commit: 2,
          configuration,
        }),
      );
    expect(goesBy(votersOf('1.1', 'n1', 'n2', 'n3'))).toBe(
      'n1 goes by configuration 1.1, but the latest in its log is 3.2: voters n1 with outgoing n1 n2 n3',
    );
    expect(goesBy(joint('3.2', ['n1'], ['n1', 'n2', 'n3']))).toBe(null);
  });

  test('a joint configuration forgotten when its entry is cut, or in a restart, and one that is not', () => {
    const uncommitted = joint('3.2', ['n1'], ['n1', 'n2', 'n3']);
    const first = votersOf('1.1', 'n1', 'n2', 'n3');
    const onceSeen = (change: (stream: Stream) => Stream, configuration: Configuration): string | null =>
      found((stream) =>
        change(appends(led(stream), 3, uncommitted)).step('n1', { term: 2, commit: 2, configuration }),
      );
    const cut = (stream: Stream): Stream => stream.wrote('n1', { cutFrom: 3 });
    const restarted = (stream: Stream): Stream =>
      stream.crashed('n1').opened('n1', {
        log: [1, 2, 2],
        configurations: [configured(1, 1), configured(3, 2, 'c1', uncommitted)],
      });
    expect(onceSeen(cut, first)).toBe(null);
    expect(onceSeen(cut, uncommitted)).toMatch(
      /goes by configuration 3\.2, but the latest in its log is 1\.1/,
    );
    expect(onceSeen(restarted, uncommitted)).toBe(null);
    expect(onceSeen(restarted, first)).toMatch(
      /goes by configuration 1\.1, but the latest in its log is 3\.2/,
    );
  });

  test('a snapshot with a configuration that was not in force there', () => {
    const uncommitted = joint('3.2', ['n1'], ['n1', 'n2', 'n3']);
    const stored = (configuration: Configuration): string | null =>
      found((stream) =>
        appends(led(stream), 3, uncommitted).snapshotStored('n1', snapshotAt(2, 2, configuration)),
      );
    expect(stored(uncommitted)).toBe(
      'n1 stored a snapshot after entry 2 with configuration 3.2, but 1.1 was in force there: voters n1 n2 n3',
    );
    expect(stored(votersOf('1.1', 'n1', 'n2', 'n3'))).toBe(null);
  });

  test('a log that begins, or is recovered, with a configuration that was not in force there', () => {
    const other = votersOf('1.1', 'n1', 'n2');
    expect(found((stream) => led(stream).wrote('n1', { floor: floorAt(2, 2, other) }))).toMatch(
      /^n1 lets its log begin after entry 2 with configuration 1\.1, but 1\.1 was in force there: voters n1 n2 n3$/,
    );
    const recovered = (floor: ReturnType<typeof floorAt>): string | null =>
      found((stream) => led(stream).crashed('n1').opened('n1', { floor }));
    expect(recovered(floorAt(2, 2, other))).toMatch(/^n1 recovered a log that begins after entry 2/);
    expect(recovered({ index: 2, term: 2, configuration: null })).toMatch(/with no configuration, but 1\.1/);
    expect(recovered(floorAt(2, 2))).toBe(null);
  });

  test('two configurations committed at one index', () => {
    const other = joint('3.2', ['n1', 'n2'], ['n1', 'n2', 'n3']);
    const follows = (configuration: Configuration): string | null =>
      found((stream) => {
        appends(led(stream), 3, joint('3.2', ['n1'], ['n1', 'n2', 'n3'])).step('n1', { ...leads, commit: 3 });
        const entries = [configured(1, 1), noop(2, 2), configured(3, 2, 'c1', configuration)];
        return stream.wrote('n2', { entries }).step('n2', { term: 2, commit: 3 });
      });
    expect(follows(other)).toBe('n2 took configuration 3.2 for committed, but at entry 3 it is 3.2');
    expect(follows(joint('3.2', ['n1'], ['n1', 'n2', 'n3']))).toBe(null);
  });

  test('a leader that too few of its own configuration voted for', () => {
    const elected = (...voters: readonly string[]): string | null =>
      found((stream) => {
        for (const id of ['n1', 'n2', 'n3', 'n4']) stream.opened(id);
        for (const id of voters) stream.sent(id, 'n1', vote(2));
        return stream.wrote('n1', { entries: [configured(1, 1), noop(2, 2)] }).step('n1', leads);
      });
    expect(elected('n4')).toBe(
      'n1 leads term 2 by configuration 1.1, voters n1 n2 n3, but only n1, n4 voted for it',
    );
    expect(elected('n4', 'n3')).toBe(null);
    const emptied = found((stream) =>
      stream
        .opened('n1')
        .opened('n2', { incarnation: 'emptied' })
        .sent('n2', 'n1', vote(2))
        .wrote('n1', { entries: [configured(1, 1)] })
        .step('n1', leads),
    );
    expect(emptied).toMatch(/but only n1, n2 voted for it/);
  });

  test('while voters change, both sets must have voted', () => {
    const elected = (...voters: readonly string[]): string | null =>
      found((stream) => {
        for (const id of ['n1', 'n2', 'n3', 'n4', 'n5']) stream.opened(id);
        for (const id of voters) stream.sent(id, 'n1', vote(2));
        const change = joint('2.1', ['n1', 'n4', 'n5'], ['n1', 'n2', 'n3']);
        return stream
          .wrote('n1', { entries: [configured(1, 1), configured(2, 1, 'c1', change), noop(3, 2)] })
          .step('n1', leads);
      });
    expect(elected('n4', 'n5')).toMatch(/but only n1, n4, n5 voted for it/);
    expect(elected('n2', 'n3')).toMatch(/but only n1, n2, n3 voted for it/);
    expect(elected('n2', 'n4')).toBe(null);
  });

  test('a leader whose configuration could decide apart from the committed one (Ongaro 2015)', () => {
    const four = votersOf('1.1', 'n1', 'n2', 'n3', 'n4');
    // n1 added n5 in term 2 and lost its lead; n2 removed n1 in term 3 and committed that; n1 comes back.
    const story = (stream: Stream): Stream => {
      for (const id of ['n1', 'n2', 'n3', 'n4', 'n5']) stream.opened(id);
      const first = configured(1, 1, 'c1', four);
      stream
        .sent('n2', 'n1', vote(2))
        .sent('n3', 'n1', vote(2))
        .wrote('n1', { entries: [first] });
      stream.step('n1', leads).step('n1', { ...leads, commit: 1 });
      appends(stream, 2, votersOf('2.2', 'n1', 'n2', 'n3', 'n4', 'n5')).step('n1', { term: 2, commit: 1 });
      stream.sent('n3', 'n2', vote(3)).sent('n4', 'n2', vote(3));
      const removed = joint('2.3', ['n2', 'n3', 'n4'], ['n1', 'n2', 'n3', 'n4']);
      const left = votersOf('3.3', 'n2', 'n3', 'n4');
      const entries = [first, configured(2, 3, 'c1', removed), configured(3, 3, 'c1', left)];
      stream.wrote('n2', { entries }).step('n2', { role: 'leader', term: 3, commit: 3 });
      stream.sent('n4', 'n1', vote(4)).sent('n5', 'n1', vote(4));
      return stream.step('n1', { role: 'leader', term: 4, commit: 1 });
    };
    expect(found(story)).toMatch(
      /^n1 leads term 4 by configuration 2\.2, voters n1 n2 n3 n4 n5, but 3\.3 is committed, voters n2 n3 n4: .* and .* could decide apart$/,
    );
  });

  test('a replaced incarnation that is listed again', () => {
    const emptied = { id: 'n3', incarnation: 'emptied' };
    const replaced = (last: (id: string) => Configuration): string | null =>
      found((stream) => {
        const outgoing = votersOf('3.2', 'n1', 'n2', 'n3').voters;
        appends(led(stream), 3, { ...votersOf('3.2', 'n1', 'n2', emptied), outgoing });
        stream.step('n1', { ...leads, commit: 3 });
        appends(stream, 4, { ...votersOf('4.2', 'n1', 'n2', emptied), retired: [memberOf('n3')] });
        stream.step('n1', { ...leads, commit: 4 });
        return appends(stream, 5, last('5.2'));
      });
    expect(
      replaced((id) => ({ ...votersOf(id, 'n1', 'n2', emptied), learners: votersOf(id, 'n3').voters })),
    ).toBe(
      'n1 wrote configuration 5.2 as entry 5 of term 2, and it lists n3 as incarnation disk-of-n3, which was replaced for ever',
    );
    expect(replaced((id) => votersOf(id, 'n1', 'n2', emptied))).toBe(null);
  });
});

describe('the arithmetic of quorums', () => {
  const set = fc.subarray(['n1', 'n2', 'n3', 'n4', 'n5'], { minLength: 1 });
  const any = fc
    .tuple(set, fc.option(set, { nil: [] }))
    .map(([voters, outgoing]) => joint('1.1', voters, outgoing));

  test('what it gives are quorums, and apart; configurations that may follow each other have none', () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const apart = disjointQuorums(a, b);
        if (apart) {
          const [here, there] = apart.map((pairs) => new Set(pairs));
          expect(isQuorum(a, here ?? new Set()) && isQuorum(b, there ?? new Set())).toBe(true);
          expect([...(here ?? [])].some((pair) => there?.has(pair))).toBe(false);
        }
        if (mayFollow(a, b)) expect(apart).toBe(null);
      }),
    );
  });

  test.each<[string, Configuration, Configuration, boolean]>([
    ['three and four', votersOf('1.1', 'n1', 'n2', 'n3'), votersOf('2.1', 'n1', 'n2', 'n3', 'n4'), false],
    [
      'three and five',
      votersOf('1.1', 'n1', 'n2', 'n3'),
      votersOf('2.1', 'n1', 'n2', 'n3', 'n4', 'n5'),
      true,
    ],
    [
      'three and a joint five',
      votersOf('1.1', 'n1', 'n2', 'n3'),
      joint('2.1', ['n1', 'n2', 'n3', 'n4', 'n5'], ['n1', 'n2', 'n3']),
      false,
    ],
    [
      'a pair and its emptied self',
      votersOf('1.1', 'n1'),
      votersOf('2.1', { id: 'n1', incarnation: 'emptied' }),
      true,
    ],
    ['nobody and anybody', votersOf('0.0'), votersOf('1.1', 'n1'), false],
  ])('%s', (_name, a, b, apart) => {
    expect(disjointQuorums(a, b) !== null).toBe(apart);
    expect(disjointQuorums(b, a) !== null).toBe(apart);
  });

  test('a majority is more than half, of each set', () => {
    const agreed = (...ids: readonly string[]): Set<string> => new Set(ids.map((id) => pairOf(memberOf(id))));
    const four = votersOf('1.1', 'n1', 'n2', 'n3', 'n4');
    expect([isQuorum(four, agreed('n1', 'n2')), isQuorum(four, agreed('n1', 'n2', 'n3'))]).toEqual([
      false,
      true,
    ]);
    const change = joint('2.1', ['n5'], ['n1', 'n2', 'n3']);
    expect([isQuorum(change, agreed('n1', 'n2')), isQuorum(change, agreed('n1', 'n2', 'n5'))]).toEqual([
      false,
      true,
    ]);
  });
});
