import { describe, expect, it } from 'vitest';
import {
  NotLeader,
  OutcomeUnknown,
  ProposalDropped,
  SessionExpired,
  SessionRefused,
} from '../../../src/node/errors.ts';
import { ClientSession, newSessionToken, type Unstamped } from '../../../src/node/sessions/client-session.ts';
import type { SessionOutcome } from '../../../src/node/sessions/session-table.ts';
import type { SessionToken } from '../../../src/node/sessions/session-token.ts';

const id = { index: 5, salt: 'ab'.repeat(8) };
const executed = (text: string): SessionOutcome => ({ kind: 'executed', result: Buffer.from(text) });
const refused = (reason: Extract<SessionOutcome, { kind: 'refused' }>['reason']): SessionOutcome => ({
  kind: 'refused',
  reason,
  why: 'so',
});

/** A session at a node that answers as told. */
function world(
  answer: (record: Unstamped, attempt: number) => SessionOutcome | Error | Promise<SessionOutcome>,
  resume?: SessionToken,
) {
  const sent: Unstamped[] = [];
  const session = new ClientSession<string, string>(
    {
      encode: (command) => {
        if (command === 'too large') throw new ProposalDropped('too large');
        return Buffer.from(command);
      },
      decode: (result) => Buffer.from(result).toString(),
      propose: async (record) => {
        sent.push(record);
        const given = answer(record, sent.length);
        if (given instanceof Error) throw given;
        return given;
      },
    },
    resume === undefined ? newSessionToken({ id, window: 3 }) : resume,
    { isResumed: resume !== undefined },
  );
  const sequences = () =>
    sent.map((record) =>
      record.kind === 'command' ? [record.sequence, record.lowestUnanswered] : record.kind,
    );
  return { session, sent, sequences };
}
const never = () => new Promise<SessionOutcome>(() => {});

describe('sequences', () => {
  it('count up from 1, and what was answered is acknowledged with the next', async () => {
    const { session, sequences } = world(() => executed('ok'));
    for (const command of ['a', 'b', 'c']) await session.propose(command);
    expect(sequences()).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(session.token).toEqual({
      id: `5.${id.salt}`,
      unanswered: [],
      nextSequence: 4,
      window: 3,
    });
  });

  it('stay unanswered through every error but a command too large, and are retried as they are', async () => {
    const errors = [new NotLeader(null), new OutcomeUnknown('late'), new ProposalDropped('overwritten')];
    const { session, sequences } = world((_record, attempt) => errors[attempt - 1] ?? executed('first'));
    await expect(session.propose('too large')).rejects.toBeInstanceOf(ProposalDropped);
    expect(session.unanswered).toEqual([]);
    await expect(session.propose('x')).rejects.toBeInstanceOf(NotLeader);
    expect([session.lastSequence, session.unanswered]).toEqual([1, [1]]);
    await expect(session.retry('x')).rejects.toBeInstanceOf(OutcomeUnknown);
    await expect(session.retry('x', { sequence: 1 })).rejects.toBeInstanceOf(ProposalDropped);
    expect(await session.retry('x')).toBe('first');
    expect(sequences()).toEqual(Array(4).fill([1, 1]));
    expect(session.unanswered).toEqual([]);
  });

  it('that were answered, given up or never assigned are not retried', async () => {
    const { session } = world((_record, attempt) => (attempt === 1 ? executed('ok') : new NotLeader(null)));
    await session.propose('a');
    await expect(session.retry('a')).rejects.toThrow(RangeError);
    await expect(session.retry('a', { sequence: 1 })).rejects.toThrow(/sequence 1 is not unanswered/);
    await expect(session.retry('a', { sequence: 7 })).rejects.toThrow(RangeError);
    await expect(session.propose('b')).rejects.toThrow(NotLeader);
    await expect(session.propose('c')).rejects.toThrow(NotLeader);
    await expect(session.retry('b')).rejects.toThrow(/say which sequence to retry: 2, 3 are unanswered/);
    session.giveUp(2);
    await expect(session.retry('b', { sequence: 2 })).rejects.toThrow(RangeError);
    await expect(session.retry('c')).rejects.toThrow(NotLeader);
  });
});

describe('the window', () => {
  it('is full when so many follow the lowest unanswered, whatever of them is answered', async () => {
    const { session, sent } = world((record) =>
      record.kind === 'command' && record.sequence === 1 ? never() : executed('ok'),
    );
    const first = session.propose('1');
    await session.propose('2');
    await session.propose('3');
    await expect(session.propose('4')).rejects.toMatchObject({
      code: 'KONTIKI_OVERLOADED',
      reason: 'session-window',
      outcomeKnown: true,
    });
    expect(sent).toHaveLength(3);
    expect([session.unanswered, session.lastSequence]).toEqual([[1], 3]);
    session.giveUp(1);
    expect(await session.propose('4')).toBe('ok');
    void first;
  });
});

describe('an error of the session', () => {
  it('says that nothing was applied when it was the only attempt, and not when there were others', async () => {
    const only = world(() => refused('session-gone'));
    const error = await only.session.propose('x').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SessionExpired);
    expect(error).toMatchObject({ reason: 'session-gone', outcomeKnown: true });

    const doubtful = world((_r, attempt) =>
      attempt === 1 ? new OutcomeUnknown('?') : refused('session-gone'),
    );
    await doubtful.session.propose('x').catch(() => {});
    await expect(doubtful.session.retry('x')).rejects.toMatchObject({ outcomeKnown: false });

    const harmless = world((_r, attempt) => (attempt === 1 ? new NotLeader(null) : refused('session-gone')));
    await harmless.session.propose('x').catch(() => {});
    await expect(harmless.session.retry('x')).rejects.toMatchObject({ outcomeKnown: true });

    const resumed = world(() => refused('session-gone'), {
      id: `5.${id.salt}`,
      unanswered: [1],
      nextSequence: 2,
      window: 3,
    });
    await expect(resumed.session.retry('x')).rejects.toMatchObject({ outcomeKnown: false });
  });

  it('says nothing of a sequence that may have been sent after the token was stored', async () => {
    // As documented: stored with the command, before it was sent; then that process was gone.
    const stored = newSessionToken({ id, window: 3 });
    const { session } = world(() => refused('session-gone'), JSON.parse(JSON.stringify(stored)));
    await expect(session.propose('x')).rejects.toMatchObject({ outcomeKnown: false });
  });

  it('takes another attempt that is still under way into account', async () => {
    const { session } = world((_record, attempt) => (attempt === 1 ? never() : refused('session-gone')));
    void session.propose('x');
    await expect(session.retry('x')).rejects.toMatchObject({ outcomeKnown: false });
  });

  it.each([
    ['session-gone', SessionExpired],
    ['acknowledged', SessionExpired],
    ['result-dropped', SessionExpired],
    ['beyond-window', SessionRefused],
    ['malformed', SessionRefused],
  ] as const)('%s is a %o', async (reason, type) => {
    const { session } = world(() => refused(reason));
    await expect(session.propose('x')).rejects.toBeInstanceOf(type);
    await expect(session.retry('x')).rejects.toMatchObject({ reason });
  });
});

describe('closing', () => {
  it('is done once, and takes a session that is gone for closed', async () => {
    for (const outcome of [{ kind: 'closed' } as const, refused('session-gone')]) {
      const { session, sequences } = world(() => outcome);
      await session.close();
      await session.close();
      expect(sequences()).toEqual(['close']);
      await expect(session.propose('x')).rejects.toMatchObject({ reason: 'session-gone' });
      expect(sequences()).toEqual(['close']);
    }
  });

  it('leaves in doubt what an earlier attempt may have done', async () => {
    const { session } = world((record) =>
      record.kind === 'close' ? { kind: 'closed' } : new OutcomeUnknown('late'),
    );
    await session.propose('x').catch(() => {});
    await session.close();
    await expect(session.retry('x')).rejects.toMatchObject({ reason: 'session-gone', outcomeKnown: false });
    await expect(session.propose('y')).rejects.toMatchObject({ reason: 'session-gone', outcomeKnown: true });
  });

  it('that failed may be tried again', async () => {
    const { session, sequences } = world((_r, attempt) =>
      attempt === 1 ? new NotLeader(null) : { kind: 'closed' },
    );
    await expect(session.close()).rejects.toBeInstanceOf(NotLeader);
    await session.close();
    expect(sequences()).toEqual(['close', 'close']);
  });
});

describe('a token', () => {
  const sound = { id: `5.${id.salt}`, unanswered: [2, 4], nextSequence: 5, window: 3 };

  it('goes through JSON, and the session goes on where it was', async () => {
    const { session, sequences } = world(() => executed('ok'), JSON.parse(JSON.stringify(sound)));
    expect(session.token).toEqual(sound);
    expect(await session.retry('d', { sequence: 4 })).toBe('ok');
    await expect(session.propose('e')).rejects.toMatchObject({ reason: 'session-window' });
    expect(await session.retry('b')).toBe('ok');
    expect(await session.propose('e')).toBe('ok');
    expect(sequences()).toEqual([
      [4, 2],
      [2, 2],
      [5, 5],
    ]);
  });

  it.each([
    ['no object', null],
    ['no id', { ...sound, id: undefined }],
    ['an id without salt', { ...sound, id: '5' }],
    ['the id of entry 0', { ...sound, id: `0.${id.salt}` }],
    ['an id with more than a salt', { ...sound, id: `5.${id.salt}0` }],
    ['a next sequence of 0', { ...sound, nextSequence: 0, unanswered: [] }],
    ['no window', { ...sound, window: undefined }],
    ['unanswered that is no list', { ...sound, unanswered: 2 }],
    ['unanswered twice', { ...sound, unanswered: [2, 2] }],
    ['unanswered out of order', { ...sound, unanswered: [4, 2] }],
    ['unanswered that was never assigned', { ...sound, unanswered: [2, 5] }],
    ['unanswered that is no number', { ...sound, unanswered: ['2'] }],
    ['more unanswered than the window', { ...sound, unanswered: [1, 4] }],
  ])('with %s is refused', (_what, token) => {
    expect(() => world(() => executed('ok'), token as never)).toThrow(/this is no token of a session/);
  });
});
