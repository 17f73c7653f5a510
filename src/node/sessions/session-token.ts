import type { SessionId } from './session-record.ts';

/**
 * A session as plain data, for another replica, or another process, to go on with. It tells what was unanswered
 * when it was read: read it anew after each answer, and store it, with the command, before a call whose outcome
 * must not be lost with this process.
 */
export interface SessionToken {
  readonly id: string;
  /** Sequences below `nextSequence` that had no answer and were not given up, ascending. */
  readonly unanswered: readonly number[];
  readonly nextSequence: number;
  readonly window: number;
}

export function formatSessionId({ index, salt }: SessionId): string {
  return `${index}.${salt}`;
}

/** @throws RangeError for what no session can have given. */
export function parseSessionToken(token: SessionToken): { id: SessionId; token: SessionToken } {
  const { id, unanswered, nextSequence, window } = (token ?? {}) as Partial<SessionToken>;
  const [, index = '', salt = ''] = /^(\d{1,16})\.([0-9a-f]{16})$/.exec(String(id)) ?? [];
  if (!isCount(Number(index))) throw wrong(`id ${String(id)}`);
  if (!isCount(nextSequence)) throw wrong(`nextSequence ${String(nextSequence)}`);
  if (!isCount(window)) throw wrong(`window ${String(window)}`);
  if (!Array.isArray(unanswered)) throw wrong(`unanswered ${String(unanswered)}`);
  let last = 0;
  for (const sequence of unanswered as readonly unknown[]) {
    if (!isCount(sequence) || sequence <= last || sequence >= nextSequence) {
      throw wrong(`unanswered ${String(sequence)}, which is not between ${last} and ${nextSequence}`);
    }
    last = sequence;
  }
  const [lowest = nextSequence] = unanswered;
  if (nextSequence - lowest > window)
    throw wrong(`unanswered ${lowest}, more than ${window} before the next`);
  const copy = { id: `${index}.${salt}`, unanswered: [...unanswered], nextSequence, window };
  return { id: { index: Number(index), salt }, token: copy };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function wrong(what: string): RangeError {
  return new RangeError(`this is no token of a session: ${what}`);
}
