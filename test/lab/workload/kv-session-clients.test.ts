import { describe, expect, it } from 'vitest';
import type { KvResult } from '../../../lab/workload/history.ts';
import type { KvCommand } from '../../../lab/workload/kv.ts';
import { KvClients } from '../../../lab/workload/kv-clients.ts';
import { SimulatedClock } from '../../../lab/world/simulated/clock.ts';
import { SimulatedProcess } from '../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import { NotLeader, OutcomeUnknown, SessionExpired } from '../../../src/node/errors.ts';
import type { SessionToken } from '../../../src/node/sessions/session-token.ts';
import { spec } from './one-register.ts';

type Answer = { readonly afterMs: number; readonly error?: Error } | 'silence';

/** One client that writes in sessions, at replicas that answer as told. */
function world(
  answer: (attempt: number, token: SessionToken) => Answer,
  opening: (attempt: number) => Answer = () => ({ afterMs: 1 }),
) {
  const simulation = new Simulation({ seed: 1 });
  const sent: string[] = [];
  let attempts = 0;
  let openings = 0;
  const reply = <T>(given: Answer, value: T): Promise<T> =>
    new Promise((resolve, reject) => {
      if (given === 'silence') return;
      const { error } = given;
      simulation.schedule(given.afterMs * 1000, 'answer', () => (error ? reject(error) : resolve(value)));
    });
  const process = new SimulatedProcess(simulation, 'clients');
  const clients = new KvClients({
    clock: new SimulatedClock({ simulation, name: 'clients', originUs: 0 }).door(process),
    random: simulation.random.stream('clients'),
    spec: {
      ...spec,
      clients: 1,
      operationsPerSecond: 10,
      mix: { read: 0, write: 1, cas: 0 },
      timeoutMs: 200,
      sessions: true,
    },
    target: {
      replicas: () => ['n1', 'n2', 'n3'],
      propose: () => Promise.reject(new Error('not in a session')),
      read: () => Promise.reject(new Error('nothing reads')),
      openSession: (replica) => {
        openings += 1;
        sent.push(`${replica} open`);
        const token = { id: `${openings}.${'0'.repeat(16)}`, unanswered: [], nextSequence: 1, window: 1 };
        return reply(opening(openings), token);
      },
      proposeIn: (replica, token, command: KvCommand): Promise<KvResult> => {
        attempts += 1;
        const sequence = token.unanswered[0] ?? token.nextSequence;
        const how = token.unanswered.length === 0 ? 'new' : 'retry';
        sent.push(`${replica} session ${token.id.split('.')[0]} ${how} ${sequence} value ${command.value}`);
        return reply(answer(attempts, token), { kind: 'write', index: attempts });
      },
    },
  });
  clients.start();
  return {
    sent,
    clients,
    run: (ms: number) => simulation.run({ atUs: simulation.nowUs + ms * 1000 }),
    outcomes: () => clients.history.operations.map(({ outcome }) => outcome?.kind ?? 'running'),
    /** Without the replica, which is chosen by chance at first. */
    lines: () => sent.map((line) => line.slice(3)),
  };
}

describe('a client with a session', () => {
  it('opens it once, and counts its writes', async () => {
    const { run, lines, outcomes } = world(() => ({ afterMs: 5 }));
    await run(400);
    expect(lines().slice(0, 4)).toEqual([
      'open',
      'session 1 new 1 value 1',
      'session 1 new 2 value 2',
      'session 1 new 3 value 3',
    ]);
    expect(new Set(outcomes())).toEqual(new Set(['ok']));
  });

  it.each([
    ['an unknown outcome', { afterMs: 5, error: new OutcomeUnknown('?') } as const],
    ['no answer at all', 'silence' as const],
  ])('retries after %s, elsewhere, under the same sequence, until there is an answer', async (_what, bad) => {
    const { run, sent, lines, outcomes } = world((attempt) => (attempt <= 3 ? bad : { afterMs: 5 }));
    await run(1000);
    expect(lines().slice(1, 6)).toEqual([
      'session 1 new 1 value 1',
      'session 1 retry 1 value 1',
      'session 1 retry 1 value 1',
      'session 1 retry 1 value 1',
      'session 1 new 2 value 2',
    ]);
    expect(new Set(sent.slice(1, 4).map((line) => line.slice(0, 2))).size).toBe(3);
    expect(outcomes()[0]).toBe('ok');
  });

  it('proposes anew, under the same sequence, what surely had no effect', async () => {
    const refusal = { afterMs: 1, error: new NotLeader(null) };
    const { run, lines } = world((attempt) => (attempt <= 2 ? refusal : { afterMs: 5 }));
    await run(250);
    expect(lines().slice(1, 4)).toEqual(Array(3).fill('session 1 new 1 value 1'));
  });

  it('opens another when it expired: what surely was not applied goes on there, what may have been is unknown', async () => {
    const gone = (isOnly: boolean) => ({
      afterMs: 1,
      error: new SessionExpired('session-gone', 'so', isOnly),
    });
    const harmless = world((attempt) => (attempt === 1 ? gone(true) : { afterMs: 5 }));
    await harmless.run(300);
    expect(harmless.lines().slice(1, 4)).toEqual([
      'session 1 new 1 value 1',
      'open',
      'session 2 new 1 value 1',
    ]);
    expect(harmless.outcomes()[0]).toBe('ok');

    const doubtful = world((attempt) =>
      attempt === 1 ? 'silence' : attempt === 2 ? gone(false) : { afterMs: 5 },
    );
    await doubtful.run(800);
    expect(doubtful.lines().slice(1, 5)).toEqual([
      'session 1 new 1 value 1',
      'session 1 retry 1 value 1',
      'open',
      'session 2 new 1 value 2',
    ]);
    expect(doubtful.outcomes().slice(0, 2)).toEqual(['unknown', 'ok']);
  });

  it('tries to open one until it has one; the write was not sent meanwhile', async () => {
    const { run, lines, outcomes } = world(
      () => ({ afterMs: 5 }),
      (opening) =>
        opening === 1
          ? 'silence'
          : opening === 2
            ? { afterMs: 1, error: new OutcomeUnknown('?') }
            : { afterMs: 1 },
    );
    await run(500);
    expect(lines().slice(0, 4)).toEqual(['open', 'open', 'open', 'session 3 new 1 value 1']);
    expect(outcomes()[0]).toBe('ok');
  });

  it('gives up one timeout after it was stopped: unknown what was sent, failed what never was', async () => {
    const sent = world(() => 'silence');
    await sent.run(150);
    const stopped = sent.clients.stop();
    await sent.run(250);
    await stopped;
    expect(sent.outcomes()).toEqual(['unknown']);

    const unsent = world(
      () => ({ afterMs: 5 }),
      () => 'silence',
    );
    await unsent.run(150);
    const alsoStopped = unsent.clients.stop();
    await unsent.run(250);
    await alsoStopped;
    expect(unsent.outcomes()).toEqual(['failed']);
  });
});
