import type { Index } from '../../raft/entry.ts';
import type { MalformedRecord, SessionCommand, SessionId, SessionRecord } from './session-record.ts';

/** What became of a session entry when it was applied. Plain data, and equal on every replica. */
export type SessionOutcome =
  | { readonly kind: 'opened'; readonly id: SessionId; readonly window: number }
  /** The state machine applied the command with this entry; its result, encoded. */
  | { readonly kind: 'executed'; readonly result: Uint8Array }
  /** An earlier entry did. This is the result of then, and nothing was applied now. */
  | { readonly kind: 'repeated'; readonly result: Uint8Array }
  | { readonly kind: 'closed' }
  | { readonly kind: 'timed' }
  /** Nothing was applied now. */
  | { readonly kind: 'refused'; readonly reason: SessionRefusal; readonly why: string };

/**
 * - `session-gone`: never opened, closed, expired, or evicted: the table has no way to tell which.
 * - `acknowledged`: the client itself said before that it wants no answer to this sequence any more.
 * - `result-dropped`: it was applied, once; the result had to make place for later ones.
 * - `beyond-window`, `malformed`: no correct client sends that.
 */
export type SessionRefusal =
  | 'session-gone'
  | 'acknowledged'
  | 'result-dropped'
  | 'beyond-window'
  | 'malformed';

/** Either what became of the entry, or a command that is to be applied now; then call `executed`. */
export type SessionVerdict =
  | SessionOutcome
  | { readonly kind: 'execute'; readonly command: Uint8Array; executed(result: Uint8Array): SessionOutcome };

/** What was done since the node was opened. No part of the table. */
export interface SessionCounts {
  expired: number;
  evicted: number;
  /** Retries answered with the result of the first attempt. */
  repeated: number;
}

/** The whole table as plain data, in its order: least recently active first. Never changed once made. */
export interface SessionTableContent {
  readonly timeMs: number;
  readonly timeStepMaxMs: number;
  readonly resultBytesMax: number;
  readonly sessions: readonly SessionContent[];
}

export interface SessionContent {
  readonly id: SessionId;
  readonly timeoutMs: number;
  readonly window: number;
  readonly lastActiveMs: number;
  readonly lowestUnanswered: number;
  /** In the order they were executed. */
  readonly results: readonly KeptResult[];
}

export interface KeptResult {
  readonly sequence: number;
  /** Of the entry that executed it. */
  readonly index: Index;
  /** null: dropped. That it was executed is still known. */
  readonly bytes: Uint8Array | null;
}

interface Session {
  readonly id: SessionId;
  readonly timeoutMs: number;
  readonly window: number;
  lastActiveMs: number;
  /** Nothing below is kept; `lowestUnanswered <= sequence < lowestUnanswered + window` for all that is. */
  lowestUnanswered: number;
  readonly results: Map<number, KeptResult>;
}

/**
 * The sessions of the cluster's clients and what they were answered (dissertation 6.3): pure, and a function of
 * the log alone, so that it is the same on every replica that applied the same index. It is never given a clock
 * or an option; see `SessionLimits`.
 *
 * **At most once.** A command is executed only while its session is in the table, its sequence is not below
 * `lowestUnanswered`, and there is no result of it. When it is executed, one is kept. What takes it away again
 * (an acknowledgement, expiry, eviction, closing) leaves behind a `lowestUnanswered` above it, or no session of
 * that id for ever, since ids never recur: either refuses every later attempt. Bytes that are dropped leave the
 * fact behind. So no path leads from "executed" back to "execute".
 *
 * **Time.** Replicated time moves by stamps in entries: never back, and by `timeStepMaxMs` at most in one entry,
 * which is no more than a quarter of any timeout it was opened with (session-limits.ts). However wrong the clock of a
 * leader is, one entry therefore expires nobody who was active a little before; and since the leader's own
 * reckoning takes a jump of its clock for one such step (leader-time.ts), a jump of any size costs a session at
 * most that much of its timeout. Only a clock that runs too fast all the time makes sessions expire early, by as
 * much as it is too fast.
 *
 * **Bounds.** `sessionsMax` sessions, `window` results each, `resultBytesMax` bytes in all of them.
 */
export class SessionTable {
  readonly #counts: SessionCounts;
  /** Least recently active first. */
  readonly #sessions = new Map<string, Session>();
  /** The results that have bytes, by the index that executed them; oldest first. */
  readonly #kept = new Map<Index, { readonly session: Session; readonly sequence: number }>();
  #resultBytes = 0;
  #timeMs = 0;
  #timeStepMaxMs = 0;
  #resultBytesMax = 0;
  /** No session expires before; a bound that spares a look at each of them, and no state. */
  #nextExpiryMs = Number.POSITIVE_INFINITY;

  constructor(counts: SessionCounts) {
    this.#counts = counts;
  }

  static restored(content: SessionTableContent, counts: SessionCounts): SessionTable {
    const table = new SessionTable(counts);
    table.#timeMs = content.timeMs;
    table.#timeStepMaxMs = content.timeStepMaxMs;
    table.#resultBytesMax = content.resultBytesMax;
    const kept: { result: KeptResult; session: Session }[] = [];
    for (const { results, ...one } of content.sessions) {
      const session: Session = { ...one, results: new Map(results.map((r) => [r.sequence, r])) };
      table.#sessions.set(keyOf(one.id), session);
      for (const result of results) if (result.bytes !== null) kept.push({ result, session });
    }
    for (const { result, session } of kept.sort((a, b) => a.result.index - b.result.index)) {
      table.#kept.set(result.index, { session, sequence: result.sequence });
      table.#resultBytes += result.bytes?.length ?? 0;
    }
    table.#nextExpiryMs = table.#earliestExpiry();
    return table;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Replicated time: milliseconds of no clock in particular. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** The smallest that any session was opened with since there were none. 0 before the first. */
  get timeStepMaxMs(): number {
    return this.#timeStepMaxMs;
  }

  /** Of results kept. */
  get resultBytes(): number {
    return this.#resultBytes;
  }

  /** As it is now; what is done later does not show in it. Results are shared, not copied. */
  content(): SessionTableContent {
    return {
      timeMs: this.#timeMs,
      timeStepMaxMs: this.#timeStepMaxMs,
      resultBytesMax: this.#resultBytesMax,
      sessions: [...this.#sessions.values()].map((session) => ({
        ...session,
        results: [...session.results.values()],
      })),
    };
  }

  /** @param index - of the entry. */
  apply(index: Index, record: SessionRecord | MalformedRecord): SessionVerdict {
    if (record.kind === 'malformed') return refused('malformed', `the entry is malformed: ${record.reason}`);
    this.#advance(record.stampMs);
    switch (record.kind) {
      case 'time':
        return { kind: 'timed' };
      case 'open':
        return this.#open(index, record);
      case 'close':
        return this.#close(record.id);
      case 'command':
        return this.#command(index, record);
    }
  }

  #advance(stampMs: number): void {
    const latest = this.#timeMs + this.#timeStepMaxMs;
    const to = stampMs < latest ? stampMs : latest;
    if (to <= this.#timeMs) return;
    this.#timeMs = to;
    if (to <= this.#nextExpiryMs) return;
    for (const session of this.#sessions.values()) {
      if (to <= expiryOf(session)) continue;
      this.#remove(session);
      this.#counts.expired += 1;
    }
    this.#nextExpiryMs = this.#earliestExpiry();
  }

  /**
   * The new session is the one active last, so it is never evicted by its own opening. Where sessions were
   * opened with different steps, the smallest holds, for it was made for the shortest timeout.
   */
  #open(index: Index, record: Extract<SessionRecord, { kind: 'open' }>): SessionOutcome {
    const { salt, timeoutMs, window, sessionsMax, resultBytesMax, timeStepMaxMs } = record;
    if (this.#sessions.size === 0 || timeStepMaxMs < this.#timeStepMaxMs) {
      this.#timeStepMaxMs = timeStepMaxMs;
    }
    this.#resultBytesMax = resultBytesMax;
    this.#fitResults();
    const session: Session = {
      id: { index, salt },
      timeoutMs,
      window,
      lastActiveMs: this.#timeMs,
      lowestUnanswered: 1,
      results: new Map(),
    };
    this.#sessions.set(keyOf(session.id), session);
    if (expiryOf(session) < this.#nextExpiryMs) this.#nextExpiryMs = expiryOf(session);
    for (const oldest of this.#sessions.values()) {
      if (this.#sessions.size <= sessionsMax) break;
      this.#remove(oldest);
      this.#counts.evicted += 1;
    }
    return { kind: 'opened', id: session.id, window };
  }

  #close(id: SessionId): SessionOutcome {
    const session = this.#sessions.get(keyOf(id));
    if (session === undefined) return gone(id);
    this.#remove(session);
    return { kind: 'closed' };
  }

  #command(index: Index, record: SessionCommand): SessionVerdict {
    const { id, sequence, lowestUnanswered, command } = record;
    const session = this.#sessions.get(keyOf(id));
    if (session === undefined) return gone(id);
    this.#touch(session);
    this.#acknowledge(session, lowestUnanswered);
    if (sequence < session.lowestUnanswered) {
      const why = `sequence ${sequence} was acknowledged: all below ${session.lowestUnanswered} are`;
      return refused('acknowledged', why);
    }
    const known = session.results.get(sequence);
    if (known !== undefined) return this.#repeat(known);
    if (sequence >= session.lowestUnanswered + session.window) {
      const why = `sequence ${sequence} is beyond the window of ${session.window} from ${session.lowestUnanswered}`;
      return refused('beyond-window', why);
    }
    return {
      kind: 'execute',
      command,
      executed: (bytes) => {
        this.#keep(session, { sequence, index, bytes });
        return { kind: 'executed', result: bytes };
      },
    };
  }

  #repeat({ sequence, index, bytes }: KeptResult): SessionOutcome {
    if (bytes === null) {
      const why = `sequence ${sequence} was applied with entry ${index}, and its result is not kept any more`;
      return refused('result-dropped', why);
    }
    this.#counts.repeated += 1;
    return { kind: 'repeated', result: bytes };
  }

  #touch(session: Session): void {
    const key = keyOf(session.id);
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    session.lastActiveMs = this.#timeMs;
  }

  #acknowledge(session: Session, below: number): void {
    if (below <= session.lowestUnanswered) return;
    session.lowestUnanswered = below;
    for (const result of session.results.values()) {
      if (result.sequence < below) this.#forget(session, result);
    }
  }

  /** One that is larger than all may be together makes no place for itself by driving out the others. */
  #keep(session: Session, result: KeptResult & { readonly bytes: Uint8Array }): void {
    const { sequence, index, bytes } = result;
    if (bytes.length > this.#resultBytesMax) {
      session.results.set(sequence, { sequence, index, bytes: null });
      return;
    }
    session.results.set(sequence, result);
    this.#kept.set(index, { session, sequence });
    this.#resultBytes += bytes.length;
    this.#fitResults();
  }

  #fitResults(): void {
    for (const oldest of this.#kept.values()) {
      if (this.#resultBytes <= this.#resultBytesMax) break;
      this.#drop(oldest.session, oldest.sequence);
    }
  }

  /** Its place among the results stays, and so the order of all. */
  #drop({ results }: Session, sequence: number): void {
    const dropped = results.get(sequence);
    if (dropped === undefined || dropped.bytes === null)
      throw new Error(`sequence ${sequence} has no result`);
    results.set(sequence, { ...dropped, bytes: null });
    this.#kept.delete(dropped.index);
    this.#resultBytes -= dropped.bytes.length;
  }

  #remove(session: Session): void {
    for (const result of session.results.values()) this.#forget(session, result);
    this.#sessions.delete(keyOf(session.id));
  }

  #forget(session: Session, { sequence, index, bytes }: KeptResult): void {
    session.results.delete(sequence);
    if (bytes === null) return;
    this.#kept.delete(index);
    this.#resultBytes -= bytes.length;
  }

  #earliestExpiry(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions.values()) {
      if (expiryOf(session) < earliest) earliest = expiryOf(session);
    }
    return earliest;
  }
}

function keyOf({ index, salt }: SessionId): string {
  return `${index}.${salt}`;
}

/** The last moment of replicated time at which it lives. */
function expiryOf({ lastActiveMs, timeoutMs }: Session): number {
  return lastActiveMs + timeoutMs;
}

function gone({ index }: SessionId): SessionOutcome {
  return refused('session-gone', `session ${index} is closed, expired, evicted, or never was`);
}

function refused(reason: SessionRefusal, why: string): SessionOutcome {
  return { kind: 'refused', reason, why };
}
