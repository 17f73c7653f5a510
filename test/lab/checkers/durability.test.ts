import { describe, expect, test } from 'vitest';
import { AcknowledgedWrites } from '../../../lab/checkers/acknowledged-writes.ts';
import type { Checker } from '../../../lab/checkers/checker.ts';
import { DurableBeforeSend } from '../../../lab/checkers/durable-before-send.ts';
import { PersistedSurvives } from '../../../lab/checkers/persisted-survives.ts';
import type { StateDigest } from '../../../lab/checkers/replica-equality.ts';
import { ReplicaEquality } from '../../../lab/checkers/replica-equality.ts';
import { History } from '../../../lab/workload/history.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import type { Message } from '../../../src/raft/message.ts';
import {
  accepted,
  append,
  heartbeat,
  heartbeatAnswer,
  preVote,
  rejected,
  requestVote,
  vote,
} from './messages.ts';
import { command, noop, Stream } from './stream.ts';

function sentence(checker: Checker, tell: (stream: Stream) => Stream): string | null {
  const { violation } = tell(new Stream(checker));
  if (violation) expect(violation.checker).toBe(checker.name);
  return violation?.sentence ?? null;
}

describe('durable-before-send', () => {
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new DurableBeforeSend(), tell);
  /** n2 has written this, says that to n1 before it is durable, and again after. */
  const beforeAndAfter = (written: Parameters<Stream['wrote']>[1], message: Message): (string | null)[] => [
    found((stream) => stream.opened('n2').wrote('n2', written).sent('n2', 'n1', message)),
    found((stream) => stream.opened('n2').wroteDurably('n2', written).sent('n2', 'n1', message)),
  ];

  test.each([
    ['a granted vote', vote(4), { term: 4, vote: 'n1' }, 'n2 granted n1 its vote in term 4'],
    ['a request for votes', requestVote(4), { term: 4, vote: 'n2' }, 'n2 asked n1 for its vote in term 4'],
    ['a heartbeat', heartbeat(4), { term: 4, vote: 'n2' }, 'n2 led n1 in term 4'],
    ['an append', append(4), { term: 4, vote: 'n2' }, 'n2 led n1 in term 4'],
  ])('%s needs the vote durable', (_name, message, hardState, did) => {
    expect(beforeAndAfter(hardState, message)).toEqual([`${did}, but only term 0 was durable`, null]);
  });

  test('a vote durable for somebody else, or for nobody, is no such vote', () => {
    expect(beforeAndAfter({ term: 4, vote: 'n3' }, vote(4))[1]).toBe(
      'n2 granted n1 its vote in term 4, but its durable vote of that term was for n3',
    );
    expect(beforeAndAfter({ term: 4 }, vote(4))[1]).toMatch(/of that term was not given/);
  });

  test.each([
    ['an accepted append', accepted(2, 2), 'AppendEntriesResponse'],
    ['a heartbeat answer', heartbeatAnswer(2, 2), 'HeartbeatResponse'],
  ])('%s needs term and entries durable', (_name, message, kind) => {
    const entries = [noop(1, 2), command(2, 2)];
    const said = `n2 told n1 in ${kind} of term 2 that it holds up to entry 2`;
    expect(beforeAndAfter({ term: 2, entries }, message)).toEqual([
      `${said}, but only term 0 was durable`,
      null,
    ]);
    expect(
      found((stream) =>
        stream
          .opened('n2')
          .wroteDurably('n2', { term: 2, entries: [noop(1, 2)] })
          .wrote('n2', { entries: [command(2, 2)] })
          .sent('n2', 'n1', message),
      ),
    ).toBe(`${said}, but only entry 1 was durable`);
  });

  test('entries about to be cut are not durable, though written once', () => {
    expect(
      found((stream) =>
        stream
          .opened('n2')
          .wroteDurably('n2', { term: 2, entries: [noop(1, 2), command(2, 2), command(3, 2)] })
          .wrote('n2', { term: 3, cutFrom: 2, entries: [noop(2, 3), noop(3, 3)] })
          .sent('n2', 'n1', accepted(2, 3)),
      ),
    ).toMatch(/but only entry 1 was durable/);
  });

  test('a match index where the leader holds another entry, or none', () => {
    const against = (...leaders: Parameters<typeof noop>[]): string | null =>
      found((stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .wroteDurably('n1', { term: 3, vote: 'n1', entries: leaders.map((entry) => noop(...entry)) })
          .step('n1', { role: 'leader', term: 3 })
          .wroteDurably('n2', { term: 3, entries: [noop(1, 2), noop(2, 2)] })
          .sent('n2', 'n1', accepted(3, 2)),
      );
    expect(against([1, 2], [2, 3])).toMatch(/but its entry there is of term 2, and that of n1 is of term 3$/);
    expect(against([1, 2])).toMatch(/and the log of n1 ends at 1$/);
    expect(against([1, 2], [2, 2])).toBe(null);
  });

  test.each([
    ['a refused vote', vote(9, false)],
    ['a pre-vote', preVote(9)],
    ['a rejected append', rejected(9)],
    ['an answer that holds nothing', heartbeatAnswer(9, 0)],
    ['what is verified but not claimed', accepted(9, 0, 5)],
  ])('%s promises nothing', (_name, message) => {
    expect(beforeAndAfter({ term: 9 }, message)).toEqual([null, null]);
  });

  test('what was recovered is durable', () => {
    expect(
      found((stream) =>
        stream
          .opened('n2', { term: 4, vote: 'n1', log: [1, 4] })
          .sent('n2', 'n1', vote(4))
          .sent('n2', 'n1', accepted(4, 2)),
      ),
    ).toBe(null);
  });

  test('an acknowledged write of an earlier boot is not one of this boot', () => {
    expect(
      found((stream) =>
        stream
          .opened('n2')
          .wrote('n2', { term: 4, vote: 'n1' })
          .crashed('n2')
          .opened('n2')
          .sent('n2', 'n1', vote(4)),
      ),
    ).toMatch(/only term 0 was durable/);
  });

  test('nothing is said before the storage is open', () => {
    expect(found((stream) => stream.sent('n2', 'n1', vote(4)))).toBe(
      'n2 sent VoteResponse before it opened its storage',
    );
  });
});

describe('persisted-survives', () => {
  type Recovered = Parameters<Stream['opened']>[1];
  const found = (tell: (stream: Stream) => Stream): string | null => sentence(new PersistedSurvives(), tell);
  /** Durable: term 2 with a vote for n1, entries of terms 1 2 2. Under way: a cut at 3, then terms 3 3. */
  const recovering = (recovered: Recovered): string | null =>
    found((stream) =>
      stream
        .opened('n1')
        .wroteDurably('n1', { term: 2, vote: 'n1', entries: [noop(1, 1), noop(2, 2), noop(3, 2)] })
        .wrote('n1', { term: 3, cutFrom: 3 })
        .wrote('n1', { entries: [noop(3, 3)] })
        .wrote('n1', { entries: [noop(4, 3)] })
        .crashed('n1')
        .opened('n1', recovered),
    );

  test.each<[string, Recovered]>([
    ['all that was acknowledged', { term: 2, vote: 'n1', log: [1, 2, 2] }],
    ['a hard state ahead of its write', { term: 3, log: [1, 2, 2] }],
    ['the first write under way too', { term: 3, log: [1, 2] }],
    ['the second too', { term: 3, log: [1, 2, 3] }],
    ['all of them', { term: 3, log: [1, 2, 3, 3] }],
  ])('it may recover %s', (_name, recovered) => {
    expect(recovering(recovered)).toBe(null);
  });

  test.each<[string, Recovered, RegExp]>([
    [
      'less than acknowledged',
      { term: 2, vote: 'n1', log: [1] },
      /^n1 persisted entry 2 of term 2, never cut it, and recovered a log that ends at 1$/,
    ],
    ['nothing', { term: 2, vote: 'n1', log: [] }, /^n1 persisted entry 1 of term 1, never cut it/],
    [
      'something else',
      { term: 2, vote: 'n1', log: [1, 1] },
      /^n1 persisted entry 2 of term 2, .* recovered one of term 1 in its place$/,
    ],
    ['a later write without the earlier', { term: 3, log: [1, 2, 2, 3] }, /^n1 recovered a log it never had/],
    ['more than was ever written', { term: 3, log: [1, 2, 3, 3, 3] }, /^n1 recovered a log it never had/],
    [
      'an older term',
      { term: 1, log: [1, 2, 2] },
      /^n1 recovered term 1 with no vote, having persisted term 2 with a vote for n1$/,
    ],
    ['no vote', { term: 2, log: [1, 2, 2] }, /term 2 with no vote, having persisted term 2 with a vote/],
    ['another vote', { term: 2, vote: 'n3', log: [1, 2, 2] }, /term 2 with a vote for n3/],
    ['a term never written', { term: 9, log: [1, 2, 2] }, /^n1 recovered term 9/],
    [
      'another disk',
      { incarnation: 'other' },
      /^n1 came back as incarnation other, having lost the disk of disk-of-n1$/,
    ],
  ])('it may not recover %s', (_name, recovered, expected) => {
    expect(recovering(recovered)).toMatch(expected);
  });

  test('what was recovered must survive the next crash', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .wrote('n1', { entries: [noop(1, 1)] })
          .crashed('n1')
          .opened('n1', { log: [1] })
          .crashed('n1')
          .opened('n1', { log: [] }),
      ),
    ).toMatch(/^n1 persisted entry 1 of term 1, never cut it/);
  });

  test('a storage reopened in a living process is judged alike', () => {
    expect(
      found((stream) =>
        stream
          .opened('n1')
          .wroteDurably('n1', { entries: [noop(1, 1)] })
          .opened('n1', { log: [], applied: 1 }),
      ),
    ).toMatch(/^n1 persisted entry 1/);
  });
});

describe('acknowledged-writes', () => {
  /** Client 0 was told that 7 is written to k; then this happened. */
  const found = (tell: (stream: Stream) => Stream): string | null => {
    const history = new History();
    const write = history.call(0, { kind: 'write', key: 'k', value: 7 }, 10);
    history.ok(write, { kind: 'write' }, 20);
    const unknown = history.call(1, { kind: 'write', key: 'k', value: 8 }, 10);
    history.unknown(unknown, 'timed out', 30);
    const decode = (payload: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(payload));
    return sentence(new AcknowledgedWrites(history, decode), (stream) =>
      tell(stream.opened('n1').opened('n2')).finish(),
    );
  };
  const set = (index: number, value: number): ReturnType<typeof command> =>
    command(index, 1, JSON.stringify({ kind: 'write', key: 'k', value }));
  const told = 'client 0 wrote 7 to k (operation 0, 10..20 ms) was acknowledged at 20 ms and is lost';

  test('one that all replicas applied is safe', () => {
    expect(
      found((stream) => stream.applied('n1', noop(1, 1), set(2, 7)).applied('n2', noop(1, 1), set(2, 7))),
    ).toBe(null);
  });

  test('one that nobody applied is lost', () => {
    expect(found((stream) => stream.applied('n1', set(1, 8)))).toBe(`${told}: no replica ever applied it`);
  });

  test('one that was applied before every replica lost it is lost', () => {
    const twoCrashes = (stream: Stream): Stream =>
      stream
        .applied('n1', set(1, 7))
        .applied('n2', set(1, 7))
        .crashed('n1')
        .crashed('n2')
        .opened('n1')
        .opened('n2');
    expect(found(twoCrashes)).toBe(`${told}: no running replica has applied entry 1 any more`);
    expect(found((stream) => twoCrashes(stream).applied('n1', set(1, 8)))).toBe(
      `${told}: n1 applied something else as entry 1`,
    );
    expect(found((stream) => twoCrashes(stream).applied('n1', set(1, 7)))).toBe(null);
  });

  test('a replica that lags, or is down, loses nothing', () => {
    expect(found((stream) => stream.applied('n1', set(1, 7)))).toBe(null);
    expect(found((stream) => stream.applied('n1', set(1, 7)).crashed('n2'))).toBe(null);
  });

  test('a command applied at two indexes is found at once', () => {
    expect(found((stream) => stream.applied('n1', set(1, 7), set(2, 7)))).toBe(
      'the command that sets k to 7 was applied twice: as entry 1 and, on n1, as entry 2',
    );
  });

  test('an entry that is no command of the workload', () => {
    expect(found((stream) => stream.applied('n1', command(1, 1, '"what"')))).toBe(
      'n1 applied entry 1, which is no command of the workload',
    );
  });
});

describe('replica-equality', () => {
  const digests = new Map<NodeId, StateDigest>();
  const found = (steps: readonly [NodeId, number, number][]): string | null =>
    sentence(new ReplicaEquality((id) => digests.get(id) ?? null), (stream) => {
      digests.clear();
      for (const [id, appliedIndex, digest] of steps) {
        digests.set(id, { appliedIndex, digest, content: digest });
        stream.applied(id, command(appliedIndex, 1));
      }
      return stream;
    });

  test('different states at one index', () => {
    expect(
      found([
        ['n1', 1, 10],
        ['n2', 1, 10],
        ['n1', 2, 20],
        ['n2', 2, 21],
      ]),
    ).toBe('n2 and n1 have different states after entry 2 (digests 21 and 20)');
  });

  test('equal states, at whatever time they are reached', () => {
    expect(
      found([
        ['n1', 1, 10],
        ['n1', 2, 20],
        ['n2', 1, 10],
        ['n2', 2, 20],
        ['n1', 1, 10],
      ]),
    ).toBe(null);
  });
});
