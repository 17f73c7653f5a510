import { describe, expect, test } from 'vitest';
import { CommitQuorum } from '../../../lab/checkers/commit-quorum.ts';
import { ConfigurationOverlap } from '../../../lab/checkers/configuration-overlap.ts';
import { DamageRemembered } from '../../../lab/checkers/damage-remembered.ts';
import { DamageRepaired } from '../../../lab/checkers/damage-repaired.ts';
import { DurableBeforeSend } from '../../../lab/checkers/durable-before-send.ts';
import { LogMatching } from '../../../lab/checkers/log-matching.ts';
import { PersistedSurvives } from '../../../lab/checkers/persisted-survives.ts';
import type { RottenFiles } from '../../../lab/scenario/scenario.ts';
import type { Message } from '../../../src/raft/message.ts';
import { accepted, requestVote, vote } from './messages.ts';
import { sentence } from './sentence.ts';
import { command, configured, floorAt, noop, type Stream, votersOf } from './stream.ts';

type Recovered = NonNullable<Parameters<Stream['opened']>[1]>;

/** Terms 1 1 2 2 2 3, and a vote for n1 in term 3. */
const log = [configured(1, 1), noop(2, 1), noop(3, 2), command(4, 2), command(5, 2), noop(6, 3)];
const voted = { term: 3, vote: 'n1' } as const;
const missing = { index: 6, term: 3 };
/** Entries 3 and 4 are missing. */
const holes: Recovered = {
  ...voted,
  log: [1, 1],
  damage: {
    holes: [{ from: 3, to: 4, anchor: { index: 5, term: 2 } }],
    end: { index: 6, term: 3 },
  },
};
/** From entry 4 on, or later: that is not known. */
const lostTail: Recovered = { ...voted, log: [1, 1, 2], damage: { holes: [], end: null } };

const written = (stream: Stream): Stream =>
  stream.opened('n2').wroteDurably('n2', { ...voted, entries: log });
const rotten = (stream: Stream): Stream => written(stream).rotted('n2').crashed('n2');

describe('persisted-survives, of a disk that rotted', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new PersistedSurvives(), tell);
  const recovering = (recovered: Recovered): string | null =>
    found((stream) => rotten(stream).opened('n2', recovered));
  const withHoles = (...at: NonNullable<Recovered['damage']>['holes']): Recovered => ({
    ...holes,
    damage: { holes: at, end: missing },
  });

  test.each<[string, Recovered]>([
    ['that holes are in the middle', holes],
    [
      'an anchor that is itself the last missing entry',
      withHoles({ from: 3, to: 4, anchor: { index: 4, term: 2 } }),
    ],
    [
      'several holes',
      withHoles(
        { from: 3, to: 3, anchor: { index: 4, term: 2 } },
        { from: 6, to: 6, anchor: { index: 6, term: 3 } },
      ),
    ],
    ['that the end is missing', lostTail],
    ['that all of it may be missing', { ...lostTail, log: [] }],
    ['nothing, for nothing of the log was hit', { ...voted, log: [1, 1, 2, 2, 2, 3] }],
  ])('it may say %s', (_name, recovered) => {
    expect(recovering(recovered)).toBe(null);
  });

  test.each<[string, Recovered, RegExp]>([
    ['nothing of what is lost', { ...voted, log: [1, 1] }, /^n2 persisted entry 3 of term 2, never cut it/],
    [
      'an older term',
      { ...holes, term: 2 },
      /^n2 recovered term 2 with a vote for n1, having persisted term 3/,
    ],
    ['no vote', { ...holes, vote: null }, /^n2 recovered term 3 with no vote, having persisted term 3/],
    [
      'a later term',
      { ...lostTail, term: 4, vote: null },
      /^n2 recovered term 4 with no vote, having persisted term 3/,
    ],
    [
      'a hole that begins too late',
      { ...holes, damage: { holes: [{ from: 4, to: 4, anchor: { index: 5, term: 2 } }], end: missing } },
      /claims a hole from 4 on in a log that is held up to 2 and no further$/,
    ],
    ['no hole at all', withHoles(), /claims no hole in a log that is held up to 2/],
    [
      'a hole beyond the end',
      withHoles({ from: 3, to: 7, anchor: { index: 7, term: 3 } }),
      /claims a hole from 3 to 7 after entry 2 of 6$/,
    ],
    [
      'holes that overlap',
      withHoles(
        { from: 3, to: 4, anchor: { index: 5, term: 2 } },
        { from: 4, to: 5, anchor: { index: 6, term: 3 } },
      ),
      /claims a hole from 4 to 5 after entry 4 of 6$/,
    ],
    [
      'an anchor that was another entry',
      withHoles({ from: 3, to: 4, anchor: { index: 5, term: 3 } }),
      /claims a hole from 3 to 4 with entry 5 of term 3 for its anchor, and that was one of term 2$/,
    ],
    [
      'an anchor further on',
      withHoles({ from: 3, to: 4, anchor: { index: 6, term: 3 } }),
      /with entry 6 of term 3 for its anchor$/,
    ],
    [
      'an earlier end',
      {
        ...holes,
        damage: { holes: [{ from: 3, to: 4, anchor: { index: 5, term: 2 } }], end: { index: 5, term: 2 } },
      },
      /claims an end at entry 5 of term 2, and it was entry 6 of term 3$/,
    ],
    [
      'another last entry',
      {
        ...holes,
        damage: { holes: [{ from: 3, to: 4, anchor: { index: 5, term: 2 } }], end: { index: 6, term: 2 } },
      },
      /claims an end at entry 6 of term 2, and it was entry 6 of term 3$/,
    ],
    [
      'an invented entry before the hole',
      { ...holes, log: [1, 2] },
      /claims entry 2 of term 2, and it was one of term 1$/,
    ],
    ['an invented entry before a lost end', { ...lostTail, log: [1, 1, 3] }, /entry 3 of term 3, and it was/],
    [
      'more than there was',
      { ...lostTail, log: [1, 1, 2, 2, 2, 3, 3] },
      /entry 7 of term 3, and there was none$/,
    ],
    [
      'holes without an end',
      { ...lostTail, damage: { holes: [{ from: 4, to: 4, anchor: { index: 5, term: 2 } }], end: null } },
      /claims holes in a log of which the end is missing$/,
    ],
    [
      'another beginning',
      { ...lostTail, log: [2], floor: floorAt(2, 1) },
      /claims a log that begins after 2, and it began after 0$/,
    ],
    ['to be another server', { ...lostTail, incarnation: 'other' }, /having lost the disk of disk-of-n2$/],
  ])('it may not say %s', (_name, recovered, expected) => {
    expect(recovering(recovered)).toMatch(expected);
  });

  describe('of which the snapshot is lost', () => {
    const compacted = (stream: Stream): Stream =>
      written(stream).wroteDurably('n2', { entries: [], floor: floorAt(4, 2) });
    const lost = (...at: NonNullable<Recovered['damage']>['holes']): Recovered => ({
      ...voted,
      log: [],
      damage: { holes: at, end: missing },
    });
    const anchor = { index: 4, term: 2 };
    const opening = (recovered: Recovered, what: 'snapshots' | 'blocks' = 'snapshots'): string | null =>
      found((stream) => compacted(stream).rotted('n2', what).crashed('n2').opened('n2', recovered));

    test('it may say that what that held is missing, all of it or from an older one on', () => {
      expect(opening(lost({ from: 1, to: 4, anchor }))).toBe(null);
      expect(opening({ ...lost({ from: 3, to: 4, anchor }), floor: floorAt(2, 1) })).toBe(null);
      // A block reaches further back than its floor.
      expect(opening(lost({ from: 1, to: 2, anchor: { index: 3, term: 2 } }))).toBe(null);
    });

    test('it may not say so when no snapshot rotted, nor another end, nor less than is missing', () => {
      const all = { from: 1, to: 4, anchor };
      expect(opening(lost(all), 'blocks')).toMatch(/claims a log that begins after 0, and it began after 4$/);
      const early = { ...lost(all), damage: { holes: [all], end: { index: 5, term: 2 } } };
      expect(opening(early)).toMatch(/claims an end at entry 5 of term 2, and it was entry 6 of term 3$/);
      expect(opening(lost({ ...all, from: 2 }))).toMatch(/claims a hole from 2 on/);
      expect(opening(lost({ ...all, anchor: { index: 4, term: 1 } }))).toMatch(/that was one of term 2$/);
      expect(opening({ ...voted, log: [] })).toMatch(/^n2 persisted entry 5 of term 2, never cut it/);
    });

    test('its floor stands again once a newer one is stored, and what is held behind it shows again', () => {
      const stored = (stream: Stream): Stream =>
        compacted(stream)
          .rotted('n2', 'snapshots')
          .crashed('n2')
          .opened('n2', lost({ from: 1, to: 4, anchor }))
          .crashed('n2');
      const again = { ...voted, floor: floorAt(4, 2) };
      expect(found((stream) => stored(stream).opened('n2', { ...again, log: [2, 3] }))).toBe(null);
      expect(found((stream) => stored(stream).opened('n2', { ...again, log: [2] }))).toMatch(
        /recovered a log|persisted/,
      );
    });

    test("it may have a leader's log in its place, up to where its floor still tells of more", () => {
      const over = (stream: Stream): Stream =>
        compacted(stream)
          .rotted('n2', 'snapshots')
          .crashed('n2')
          .opened('n2', lost({ from: 1, to: 4, anchor }))
          .wroteDurably('n2', { ...voted, missing, cutFrom: 1, entries: log.slice(0, 2) })
          .crashed('n2');
      const damage = { holes: [{ from: 3, to: 4, anchor }], end: anchor };
      const told: Recovered = { ...voted, missing, log: [1, 1], damage };
      expect(found((stream) => over(stream).opened('n2', told))).toBe(null);
      const whole = (stream: Stream): Stream =>
        over(stream)
          .opened('n2', told)
          .wroteDurably('n2', { entries: log.slice(2), cutFrom: 3 })
          .crashed('n2')
          .opened('n2', { ...voted, missing, log: [1, 1, 2, 2, 2, 3] });
      expect(found(whole)).toBe(null);
      expect(found((stream) => over(stream).opened('n2', { ...told, log: [1, 2] }))).toMatch(/claims/);
    });
  });

  test('damage where nothing rotted is a false alarm', () => {
    const reported = (tell: (stream: Stream) => Stream): string | null =>
      found((stream) => tell(written(stream)).crashed('n2').opened('n2', holes));
    const expected = 'n2 says that its log is damaged, and nothing rotted on its disk: block 2';
    expect(reported((stream) => stream)).toBe(expected);
    expect(reported((stream) => stream.rotted('n1'))).toBe(expected);
    expect(reported((stream) => stream.rotted('n2'))).toBe(null);
  });

  test('what rotted may show long after, when it is read', () => {
    const whole: Recovered = { ...voted, log: [1, 1, 2, 2, 2, 3] };
    const foundAfter = (openings: number): string | null =>
      found((stream) => {
        let told = rotten(stream);
        for (let at = 0; at < openings; at += 1) told = told.opened('n2', whole);
        return told.opened('n2', holes);
      });
    expect([foundAfter(0), foundAfter(1), foundAfter(5)]).toEqual([null, null, null]);
  });

  test('a write under way may be there or not, and nothing else', () => {
    const recovered = (end: { index: number; term: number }, recoveredTerm = 3): string | null =>
      found((stream) =>
        written(stream)
          .wrote('n2', { cutFrom: 5, entries: [noop(5, 3)] })
          .rotted('n2')
          .crashed('n2')
          .opened('n2', {
            ...voted,
            term: recoveredTerm,
            log: [1, 1],
            damage: { holes: [{ from: 3, to: 4, anchor: { index: 4, term: 2 } }], end },
          }),
      );
    expect(recovered({ index: 6, term: 3 })).toBe(null);
    expect(recovered({ index: 5, term: 3 })).toBe(null);
    expect(recovered({ index: 4, term: 2 })).toMatch(/an end at entry 4 of term 2/);
  });

  test('a lost end shows what it had cut off, as it once was, and a hole does not', () => {
    const cut = (recovered: Recovered): string | null =>
      found((stream) =>
        written(stream)
          .wroteDurably('n2', { cutFrom: 5, entries: [noop(5, 3)] })
          .rotted('n2')
          .crashed('n2')
          .opened('n2', { ...voted, ...recovered }),
      );
    expect(cut({ log: [1, 1, 2, 2, 2, 3], damage: { holes: [], end: null } })).toBe(null);
    expect(cut({ log: [1, 1, 2, 2, 2], damage: { holes: [], end: null } })).toBe(null);
    expect(cut({ log: [1, 1, 2, 2, 2, 2], damage: { holes: [], end: null } })).toMatch(
      /claims entry 5 of term 2/,
    );
    const end = { index: 5, term: 3 };
    expect(
      cut({
        log: [1, 1, 2, 2, 2],
        damage: { holes: [{ from: 6, to: 6, anchor: { index: 6, term: 3 } }], end: { index: 6, term: 3 } },
      }),
    ).toMatch(/claims entry 5 of term 2, and it was one of term 3$/);
    expect(cut({ log: [1, 1, 2], damage: { holes: [{ from: 4, to: 4, anchor: end }], end } })).toBe(null);
  });

  test('what is missing is said again at every opening, until it is repaired', () => {
    const then = (first: Recovered, tell: (stream: Stream) => Stream): string | null =>
      found((stream) => tell(rotten(stream).opened('n2', first)));
    const noted = (stream: Stream): Stream => stream.wroteDurably('n2', { ...voted, missing }).crashed('n2');
    const unknown = { index: null, term: 3 };
    const notedUnknown = (stream: Stream): Stream =>
      stream.wroteDurably('n2', { ...voted, missing: unknown }).crashed('n2');
    expect(then(holes, (stream) => stream.crashed('n2').opened('n2', holes))).toBe(null);
    expect(then(holes, (stream) => noted(stream).opened('n2', { ...holes, missing }))).toBe(null);
    expect(then(holes, (stream) => noted(stream).opened('n2', holes))).toMatch(
      /recovered term 3 with a vote for n1, having persisted term 3 with a vote for n1, missing up to 6 of term 3/,
    );
    const prefix: Recovered = { ...voted, log: [1, 1, 2] };
    expect(then(lostTail, (stream) => stream.crashed('n2').opened('n2', prefix))).toMatch(
      /^n2 lost what it held up to entry 6 of term 3, .* ends at 3, and does not say that so much is missing$/,
    );
    expect(
      then(lostTail, (stream) => notedUnknown(stream).opened('n2', { ...prefix, missing: unknown })),
    ).toBe(null);
    const tooLittle = { index: 5, term: 2 };
    expect(
      then(lostTail, (stream) =>
        stream
          .wroteDurably('n2', { ...voted, missing: tooLittle })
          .crashed('n2')
          .opened('n2', { ...prefix, missing: tooLittle }),
      ),
    ).toMatch(/does not say that so much is missing$/);
    const repaired = (stream: Stream): Stream => noted(stream.repaired('n2', 3, 6));
    const whole: Recovered = { ...voted, log: [1, 1, 2, 2, 2, 3], missing };
    expect(then(holes, (stream) => repaired(stream).opened('n2', whole))).toBe(null);
    expect(then(holes, (stream) => repaired(stream).opened('n2', { ...prefix, log: [1, 1] }))).not.toBe(null);
  });

  test('after the leader took the place of what was missing, that is the log', () => {
    const replaced = (recovered: readonly number[]): string | null =>
      found((stream) =>
        rotten(stream)
          .opened('n2', holes)
          .wroteDurably('n2', { ...voted, missing })
          .wroteDurably('n2', { cutFrom: 3, entries: [noop(3, 4)] })
          .wroteDurably('n2', voted)
          .crashed('n2')
          .opened('n2', { ...voted, log: recovered }),
      );
    expect(replaced([1, 1, 4])).toBe(null);
    expect(replaced([1, 1])).toMatch(/^n2 persisted entry 3 of term 4/);
    expect(replaced([1, 1, 2, 2, 2, 3])).toMatch(/recovered one of term 2 in its place$/);
  });

  test('only promises that rotted may make another server, and never one that was there', () => {
    const lost = (what: RottenFiles, incarnation: string): string | null =>
      found((stream) =>
        written(stream.opened('n1')).rotted('n2', what).crashed('n2').opened('n2', { incarnation, boot: 1 }),
      );
    for (const what of ['hard-state', 'identity', 'floor'] as const) expect(lost(what, 'other')).toBe(null);
    expect(lost('hard-state', 'disk-of-n1')).toMatch(/having lost the disk of disk-of-n2$/);
    expect(lost('blocks', 'other')).toMatch(/having lost the disk of disk-of-n2$/);
  });
});

describe('damage-remembered', () => {
  const asks = (index: number, term: number, inTerm = 4): Message => ({
    ...requestVote(inTerm),
    kind: 'RequestVote',
    term: inTerm,
    leadershipTransfer: false,
    lastLogIndex: index,
    lastLogTerm: term,
  });
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new DamageRemembered(), tell);
  const votes = (recovered: Recovered, ...last: [number, number]): string | null =>
    found((stream) =>
      rotten(stream)
        .opened('n2', recovered)
        .received('n2', 'n3', asks(...last))
        .wroteDurably('n2', { term: 4, vote: 'n3', missing })
        .sent('n2', 'n3', vote(4)),
    );

  test.each<[string, Recovered]>([
    ['holes', holes],
    ['a lost end', lostTail],
  ])('with %s a vote goes to whoever holds as much as was promised', (_name, recovered) => {
    expect(votes(recovered, 6, 3)).toBe(null);
    expect(votes(recovered, 4, 4)).toBe(null);
    expect(votes(recovered, 9, 3)).toBe(null);
    expect(votes(recovered, 5, 3)).toBe(
      'n2 granted n3, whose log ends with entry 5 of term 3, its vote in term 4 ' +
        'while it lacks what it held up to entry 6 of term 3',
    );
    expect(votes(recovered, 9, 2)).toMatch(/^n2 granted n3, whose log ends with entry 9 of term 2/);
  });

  test('a refusal is free, and so is a vote of a disk that is whole', () => {
    const refused = (stream: Stream): Stream =>
      rotten(stream).opened('n2', holes).received('n2', 'n3', asks(2, 1)).sent('n2', 'n3', vote(4, false));
    expect(found(refused)).toBe(null);
    expect(
      found((stream) =>
        written(stream)
          .received('n2', 'n3', asks(6, 3))
          .sent('n2', 'n3', vote(4))
          .sent('n2', 'n1', requestVote(5)),
      ),
    ).toBe(null);
  });

  test('nobody campaigns until it holds as much again, repaired or replaced', () => {
    const campaigns = (tell: (stream: Stream) => Stream, recovered = holes): string | null =>
      found((stream) => tell(rotten(stream).opened('n2', recovered)).sent('n2', 'n1', requestVote(5)));
    const expected = 'n2 campaigned in term 5 while it lacks what it held up to entry 6 of term 3';
    expect(campaigns((stream) => stream)).toBe(expected);
    expect(campaigns((stream) => stream.crashed('n2').opened('n2', holes))).toBe(expected);
    expect(campaigns((stream) => stream.repaired('n2', 3, 6))).toBe(null);
    const replaced = (term: number) => (stream: Stream) =>
      stream.wroteDurably('n2', { cutFrom: 3, entries: [noop(3, term)] });
    expect(campaigns(replaced(3))).toBe(expected);
    expect(campaigns(replaced(4))).toBe(null);
    expect(campaigns((stream) => stream.wrote('n2', { cutFrom: 3, entries: [noop(3, 4)] }))).toBe(expected);
    const caughtUp = (stream: Stream): Stream => stream.wroteDurably('n2', { entries: log.slice(3) });
    expect(campaigns(caughtUp, lostTail)).toBe(null);
    expect(campaigns((stream) => stream.wroteDurably('n2', { entries: log.slice(3, 5) }), lostTail)).toBe(
      expected,
    );
  });

  test('an emptied disk owes nothing', () => {
    expect(
      found((stream) =>
        rotten(stream)
          .opened('n2', holes)
          .crashed('n2')
          .wiped('n2')
          .opened('n2', { incarnation: 'other' })
          .sent('n2', 'n1', requestVote(5)),
      ),
    ).toBe(null);
  });
});

describe('damage-repaired', () => {
  const found = (tell: (stream: Stream) => Stream): string | null =>
    sentence(new DamageRepaired(), (stream) => tell(rotten(stream)).finish());
  const step = (stream: Stream, lacks?: typeof missing): Stream =>
    stream.step('n2', { term: 3, vote: 'n1', ...(lacks === undefined ? {} : { missing: lacks }) });

  test('wants damage to be found', () => {
    expect(found((stream) => stream.opened('n2', { ...voted, log: [1, 1, 2, 2, 2, 3] }))).toBe(
      'no log was ever found damaged',
    );
  });

  test('wants all of it back, and the replica to know it', () => {
    expect(found((stream) => step(stream.opened('n2', holes), missing))).toBe(
      'n2 lost what it held up to entry 6 of term 3, and never got it back',
    );
    expect(found((stream) => step(stream.opened('n2', holes).repaired('n2', 3, 6), missing))).toBe(
      'n2 holds again as much as it had, and still says that entries are missing',
    );
    expect(found((stream) => step(step(stream.opened('n2', holes), missing).repaired('n2', 3, 6)))).toBe(
      null,
    );
  });

  test('misses nothing of a disk that was emptied since', () => {
    const wiped = (stream: Stream): Stream =>
      step(stream.opened('n2', holes), missing).crashed('n2').wiped('n2');
    expect(found((stream) => wiped(stream).opened('n2', { incarnation: 'other' }))).toBe(
      'no log was ever found damaged',
    );
  });
});

describe('of a log with something missing', () => {
  test('no more is acknowledged than is held before it, until it is repaired', () => {
    const said = (matchIndex: number, tell: (stream: Stream) => Stream = (stream) => stream): string | null =>
      sentence(new DurableBeforeSend(), (stream) =>
        tell(rotten(stream).opened('n2', holes)).sent('n2', 'n1', accepted(3, matchIndex)),
      );
    expect(said(2)).toBe(null);
    expect(said(6)).toMatch(/holds up to entry 6, but only entry 2 was durable$/);
    expect(said(3)).toMatch(/holds up to entry 3, but only entry 2 was durable$/);
    expect(said(6, (stream) => stream.repaired('n2', 3, 6))).toBe(null);
    expect(said(7, (stream) => stream.repaired('n2', 3, 6))).toMatch(/but only entry 6 was durable$/);
  });

  test('what was acknowledged before counts as long as votes are given by it, and no longer', () => {
    const commits = (tell: (stream: Stream) => Stream): string | null =>
      sentence(new CommitQuorum(), (stream) =>
        tell(
          rotten(
            stream
              .opened('n1')
              .opened('n3')
              .wroteDurably('n1', { ...voted, entries: log })
              .step('n1', { role: 'leader', term: 3, vote: 'n1' }),
          ),
        ).step('n1', { role: 'leader', term: 3, vote: 'n1', commit: 6 }),
      );
    expect(commits((stream) => stream.opened('n2', holes))).toBe(null);
    expect(commits((stream) => stream.opened('n2', lostTail))).toBe(null);
    expect(
      commits((stream) =>
        stream.opened('n2', holes).wroteDurably('n2', { term: 4, cutFrom: 3, entries: [noop(3, 4)] }),
      ),
    ).toMatch(/only n1 held it durably$/);
  });

  test('an entry follows the end of what is held, and after a repair that of all of it', () => {
    const writes = (index: number, tell: (stream: Stream) => Stream): string | null =>
      sentence(new LogMatching(), (stream) =>
        tell(rotten(stream).opened('n2', holes)).wrote('n2', { entries: [noop(index, 4)] }),
      );
    const held = (stream: Stream): Stream => stream;
    const repaired = (stream: Stream): Stream => stream.repaired('n2', 3, 6);
    expect(writes(3, held)).toBe(null);
    expect(writes(7, held)).toBe('n2 wrote entry 7 after the end of its log at 2');
    expect(writes(7, repaired)).toBe(null);
    expect(writes(3, repaired)).toBe('n2 wrote entry 3 after the end of its log at 6');
  });

  test('what nobody else holds is still the entry of that index and term', () => {
    const again = (text: string): string | null =>
      sentence(new LogMatching(), (stream) =>
        rotten(stream)
          .opened('n2', lostTail)
          .opened('n1')
          .wrote('n1', { entries: [...log.slice(0, 3), command(4, 2, text)] }),
      );
    expect(again('4')).toBe(null);
    expect(again('other')).toMatch(/both hold entry 4 of term 2, but with different contents$/);
  });

  test('a configuration that was missing is in force again once it is repaired', () => {
    const second = configured(4, 2, 'c1', votersOf('4.2', 'n1', 'n2'));
    const goesBy = (configuration: Parameters<Stream['step']>[1]['configuration'], isRepaired: boolean) =>
      sentence(new ConfigurationOverlap(), (stream) => {
        stream
          .opened('n2')
          .wroteDurably('n2', { ...voted, entries: [...log.slice(0, 3), second, ...log.slice(4)] })
          .rotted('n2')
          .crashed('n2')
          .opened('n2', holes);
        if (isRepaired) stream.repaired('n2', 3, 6);
        return stream.step('n2', configuration === undefined ? { term: 3 } : { term: 3, configuration });
      });
    const first = votersOf('1.1', 'n1', 'n2', 'n3');
    expect(goesBy(first, false)).toBe(null);
    expect(goesBy(second.configuration, true)).toBe(null);
    expect(goesBy(second.configuration, false)).toMatch(
      /goes by configuration 4.2, but the latest in its log is 1.1/,
    );
    expect(goesBy(first, true)).toMatch(/goes by configuration 1.1, but the latest in its log is 4.2/);
  });
});
