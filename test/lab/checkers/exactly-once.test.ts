import { describe, expect, it } from 'vitest';
import { AcknowledgedWrites } from '../../../lab/checkers/acknowledged-writes.ts';
import type { WorldObservation } from '../../../lab/checkers/checker.ts';
import { ExactlyOnce } from '../../../lab/checkers/exactly-once.ts';
import type { KvResult } from '../../../lab/workload/history.ts';
import { History } from '../../../lab/workload/history.ts';
import type { KvCommand } from '../../../lab/workload/kv.ts';
import { msgpackCodec } from '../../../src/node/command-codec.ts';
import { encodeSessionRecord } from '../../../src/node/sessions/session-record.ts';
import type { SessionOutcome } from '../../../src/node/sessions/session-table.ts';

const codec = msgpackCodec<unknown>();
const write = (value: number): KvCommand => ({ kind: 'write', key: 'k', value });

/** What replicas do with entries of one session, told step by step to the checker. */
class Told {
  readonly history = new History();
  readonly checkers = [
    new ExactlyOnce({
      history: this.history,
      decodeCommand: (payload) => codec.decode(payload),
      decodeResult: (result) => codec.decode(result),
      digestOf: (replica) => ({ appliedIndex: this.#gave.get(replica) ?? 0 }),
    }),
    new AcknowledgedWrites(this.history, (payload) => codec.decode(payload)),
  ] as const;
  readonly found: (string | undefined)[] = [undefined, undefined];
  /** The last entry with which each state machine was given a command. */
  readonly #gave = new Map<string, number>();

  /** @param takesEffect - on the state machine; as the outcome says, unless told otherwise. */
  applied(
    replica: string,
    index: number,
    value: number,
    outcome: SessionOutcome,
    takesEffect = outcome.kind === 'executed',
  ): this {
    if (takesEffect) this.#gave.set(replica, index);
    const payload = encodeSessionRecord({
      kind: 'command',
      stampMs: 0,
      id: { index: 1, salt: '0'.repeat(16) },
      sequence: value,
      lowestUnanswered: 1,
      command: codec.encode(write(value)),
    });
    const entry = { kind: 'session', index, term: 1, payload } as const;
    return this.#observe({
      atMs: index,
      replica,
      kind: 'replica',
      observation: { kind: 'applied', entry, result: outcome },
    });
  }

  /** A client's write of this value, and how it ended. */
  client(value: number, ending: KvResult | 'failed' | 'unknown'): this {
    const operation = this.history.call(0, { kind: 'write', key: 'k', value }, 0);
    if (ending === 'failed') this.history.failed(operation, 'NotLeader', 1);
    else if (ending === 'unknown') this.history.unknown(operation, 'OutcomeUnknown', 1);
    else this.history.ok(operation, ending, 1);
    return this;
  }

  /** What exactly-once found, at the end too. */
  get sentence(): string | null {
    return this.found[0] ?? this.checkers[0].finish(99)?.sentence ?? null;
  }

  #observe(world: WorldObservation): this {
    for (const [at, checker] of this.checkers.entries()) {
      this.found[at] ??= checker.observe(world)?.sentence;
    }
    return this;
  }
}

const result = (index: number): Uint8Array => codec.encode({ kind: 'write', index });
const executed = (index: number): SessionOutcome => ({ kind: 'executed', result: result(index) });
const repeated = (index: number): SessionOutcome => ({ kind: 'repeated', result: result(index) });
const refused = (reason: 'session-gone' | 'acknowledged'): SessionOutcome => ({
  kind: 'refused',
  reason,
  why: 'so',
});

describe('exactly-once holds', () => {
  it('of a retry that is answered with the first result, on every replica', () => {
    const told = new Told();
    for (const replica of ['n1', 'n2'])
      told.applied(replica, 5, 7, executed(5)).applied(replica, 6, 7, repeated(5));
    told.client(7, { kind: 'write', index: 5 });
    expect(told.sentence).toBeNull();
    expect(told.found[1]).toBeUndefined();
  });

  it('of an unknown outcome with and without an effect, and of a failure without one', () => {
    const told = new Told().applied('n1', 5, 7, executed(5));
    told.client(7, 'unknown').client(8, 'unknown').client(9, 'failed');
    expect(told.sentence).toBeNull();
  });

  it('of a refused retry', () => {
    const told = new Told().applied('n1', 5, 7, executed(5)).applied('n1', 6, 7, refused('session-gone'));
    expect(told.client(7, 'unknown').sentence).toBeNull();
  });
});

describe('exactly-once catches', () => {
  it.each<[string, (told: Told) => Told, RegExp]>([
    [
      'a second effect on the same replica',
      (told) => told.applied('n1', 5, 7, executed(5)).applied('n1', 6, 7, executed(6)),
      /^the command that sets k to 7 took effect twice: as entry 5 and, on n1, as entry 6$/,
    ],
    [
      'a second effect on another replica, which had not seen the first',
      (told) => told.applied('n1', 5, 7, executed(5)).applied('n2', 6, 7, executed(6)),
      /took effect twice: as entry 5 and, on n2, as entry 6$/,
    ],
    [
      'a table that claims a repetition of what it let take effect',
      (told) => told.applied('n1', 5, 7, executed(5)).applied('n1', 6, 7, repeated(5), true),
      /^n1, at entry 6, calls it repeated, and its state machine was given command$/,
    ],
    [
      'a table that claims an effect which was none',
      (told) => told.applied('n1', 5, 7, executed(5), false),
      /calls it executed, and its state machine was given no command$/,
    ],
    [
      'a retry answered with another result than the first',
      (told) => told.applied('n1', 5, 7, executed(5)).applied('n1', 6, 7, repeated(6)),
      /answered .* with \{"kind":"write","index":6\}; its first result was .*"index":5\}, of entry 5$/,
    ],
    [
      'a retry answered with a result that nobody produced',
      (told) => told.applied('n1', 6, 7, repeated(5)),
      /and nobody ever applied it$/,
    ],
    [
      'a replica that refuses what another executed',
      (told) => told.applied('n1', 5, 7, executed(5)).applied('n2', 5, 7, refused('session-gone')),
      /^n2, at entry 5, calls it refused \(session-gone\), and n1 executed$/,
    ],
    [
      'replicas that refuse for different reasons',
      (told) =>
        told.applied('n1', 5, 7, refused('acknowledged')).applied('n2', 5, 7, refused('session-gone')),
      /calls it refused \(session-gone\), and n1 refused \(acknowledged\)$/,
    ],
    [
      'an acknowledgement without an effect',
      (told) => told.client(7, { kind: 'write', index: 5 }),
      /was acknowledged, and no replica applied it$/,
    ],
    [
      'an answer to the client that is not the first result',
      (told) => told.applied('n1', 5, 7, executed(5)).client(7, { kind: 'write', index: 6 }),
      /was answered \{"kind":"write","index":6\}; its first result was/,
    ],
    [
      'an effect of what failed',
      (told) => told.applied('n1', 5, 7, executed(5)).client(7, 'failed'),
      /said that it had no effect, and n1 applied it as entry 5$/,
    ],
  ])('%s', (_what, tell, sentence) => {
    expect(tell(new Told()).sentence).toMatch(sentence);
  });
});

it('acknowledged-writes counts what a session executed, and not its repetitions', () => {
  const twice = new Told().applied('n1', 5, 7, executed(5)).applied('n2', 6, 7, executed(6));
  expect(twice.found[1]).toMatch(/was applied twice: as entry 5 and, on n2, as entry 6$/);
});
