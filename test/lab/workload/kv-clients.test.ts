import { describe, expect, test } from 'vitest';
import { checkLinearizable } from '../../../lab/checkers/linearizability.ts';
import { NotLeader, OutcomeUnknown, Overloaded } from '../../../src/node/errors.ts';
import type { Answer } from './one-register.ts';
import { OneRegister } from './one-register.ts';

/** Differences of moments are off by less than a nanosecond. */
const inMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
const leads = (id: string): NotLeader => new NotLeader({ id, address: id });

describe('load', () => {
  test('it is about what was asked for, spread over clients, keys and kinds', async () => {
    const world = new OneRegister(() => ({ afterMs: 5 }));
    world.clients.start();
    await world.run(20_000);
    const { operations } = world.clients.history;
    expect(operations.length).toBeGreaterThan(1850);
    expect(operations.length).toBeLessThan(2150);
    const share = (of: (operation: (typeof operations)[number]) => unknown): Map<unknown, number> => {
      const counts = new Map<unknown, number>();
      for (const one of operations) counts.set(of(one), (counts.get(of(one)) ?? 0) + 1);
      return counts;
    };
    expect([...share(({ client }) => client).values()].every((count) => count > 400)).toBe(true);
    expect([...share(({ call }) => call.key).keys()].sort()).toEqual(['k1', 'k2', 'k3']);
    const kinds = share(({ call }) => call.kind);
    expect(kinds.get('read')).toBeGreaterThan(800);
    expect(kinds.get('write')).toBeGreaterThan(450);
    expect(kinds.get('cas')).toBeGreaterThan(300);
  });

  test('slow answers do not slow the schedule, but each client has one operation under way', async () => {
    const world = new OneRegister(() => ({ afterMs: 15 }));
    world.clients.start();
    await world.run(10_000);
    expect(world.clients.history.operations.length).toBeGreaterThan(900);
    const running = new Map<number, number>();
    for (const { client, calledAtMs, outcome } of world.clients.history.operations) {
      expect(calledAtMs).toBeGreaterThanOrEqual(running.get(client) ?? 0);
      running.set(client, outcome?.atMs ?? Number.POSITIVE_INFINITY);
    }
  });

  test('what was missed while nothing answered is not made up for in a burst', async () => {
    const world = new OneRegister(({ atMs }) => (atMs < 5000 ? 'silence' : { afterMs: 1 }));
    world.clients.start();
    await world.run(5000);
    const before = world.clients.history.operations.length;
    await world.run(2000);
    expect(world.clients.history.operations.length - before).toBeLessThan(230);
  });

  test('no value is written twice, and half of the compare-and-sets or more swap', async () => {
    const world = new OneRegister(() => ({ afterMs: 3 }), { spec: { mix: { read: 1, write: 1, cas: 8 } } });
    world.clients.start();
    await world.run(10_000);
    const { operations } = world.clients.history;
    const values = operations.flatMap(({ call }) => (call.kind === 'read' ? [] : [call.value]));
    expect(new Set(values).size).toBe(values.length);
    const cas = operations.flatMap(({ outcome }) =>
      outcome?.kind === 'ok' && outcome.result.kind === 'cas' ? [outcome.result.swapped] : [],
    );
    expect(cas.filter((swapped) => swapped).length * 2).toBeGreaterThan(cas.length);
    expect(cas).toContain(false);
  });

  test('equal seeds give equal histories, other seeds others', async () => {
    const played = async (seed: number): Promise<string> => {
      const world = new OneRegister((_attempt, number) => (number % 7 === 0 ? 'silence' : { afterMs: 4 }), {
        seed,
      });
      world.clients.start();
      await world.run(5000);
      return JSON.stringify(world.clients.history.operations);
    };
    const first = await played(3);
    expect(await played(3)).toBe(first);
    expect(await played(4)).not.toBe(first);
  });
});

describe('an overload', () => {
  const overload = { atMs: 1000, forMs: 500, operationsPerSecond: 1000 };
  const spec = { clients: 1, operationsPerSecond: 10, mix: { read: 0, write: 1, cas: 0 }, overload };
  const played = async (answer: (number: number) => Answer) => {
    const world = new OneRegister((_attempt, number) => answer(number), { spec });
    world.clients.start();
    await world.run(3000);
    const stopped = world.clients.stop();
    await world.run(2000);
    await stopped;
    const guests = world.clients.history.operations.filter(({ client }) => client >= spec.clients);
    return { guests, attempts: world.attempts };
  };

  test('comes at its rate though nobody answers, each guest with one operation', async () => {
    const { guests } = await played(() => 'silence');
    expect(guests.length).toBeGreaterThan(450);
    expect(guests.length).toBeLessThan(550);
    expect(new Set(guests.map(({ client }) => client)).size).toBe(guests.length);
    expect(guests[0]?.calledAtMs).toBeGreaterThanOrEqual(1000);
    expect(guests.at(-1)?.calledAtMs).toBeLessThan(1500);
    expect(guests.every(({ outcome }) => outcome?.kind === 'unknown')).toBe(true);
  });

  test('goes where it is refused as too much: nothing was done, and nothing is tried again', async () => {
    const { guests, attempts } = await played(() => ({
      afterMs: 2,
      error: new Overloaded('uncommitted-bytes', 'full'),
    }));
    expect(guests.every(({ outcome }) => outcome?.kind === 'failed' && outcome.error === 'Overloaded')).toBe(
      true,
    );
    const calls = new Set(guests.map(({ call }) => call));
    expect(attempts.filter(({ call }) => calls.has(call))).toHaveLength(guests.length);
  });

  test('is answered like everybody else, and no value is written twice', async () => {
    const { guests } = await played(() => ({ afterMs: 2 }));
    expect(guests.every(({ outcome }) => outcome?.kind === 'ok')).toBe(true);
    const values = guests.map(({ call }) => (call.kind === 'write' ? call.value : 0));
    expect(new Set(values).size).toBe(values.length);
  });
});

describe('one client', () => {
  const alone = { clients: 1, operationsPerSecond: 10 };
  const writes = { ...alone, mix: { read: 0, write: 1, cas: 0 } };
  const reads = { ...alone, mix: { read: 1, write: 0, cas: 0 } };

  interface Told {
    /** How the first operation ended, and after how many milliseconds. */
    readonly outcome: string;
    readonly afterMs: number;
    /** Whom it was tried at, and when, counted from its call. */
    readonly tried: readonly {
      readonly replica: string;
      readonly atMs: number;
      readonly timeoutMs: number;
    }[];
  }

  async function first(spec: typeof writes, answer: (number: number) => Answer): Promise<Told> {
    const world = new OneRegister((_attempt, number) => answer(number), { spec });
    world.clients.start();
    await world.run(150);
    const stopped = world.clients.stop();
    await world.run(2000);
    await stopped;
    const [operation] = world.clients.history.operations;
    if (!operation?.outcome) throw new Error('it has not ended');
    const { call, calledAtMs, outcome } = operation;
    return {
      outcome: outcome.kind === 'ok' ? 'ok' : `${outcome.kind}: ${outcome.error}`,
      afterMs: inMicroseconds(outcome.atMs - calledAtMs),
      tried: world.attempts
        .filter((attempt) => attempt.call === call)
        .map(({ replica, atMs, timeoutMs }) => ({
          replica,
          atMs: inMicroseconds(atMs - calledAtMs),
          timeoutMs: inMicroseconds(timeoutMs),
        })),
    };
  }

  const moments = (told: Told): number[] => told.tried.map(({ atMs }) => atMs);

  test('follows a hint to the leader at once, as the same operation', async () => {
    const told = await first(writes, (number) =>
      number <= 2 ? { afterMs: 5, error: leads(number === 1 ? 'n3' : 'n1') } : { afterMs: 5 },
    );
    // The first replica is drawn; of two different hints, at least the second is followed.
    expect(told.outcome).toBe('ok');
    expect(told.tried.at(-1)?.replica).toBe('n1');
    expect(moments(told).at(-1)).toBeLessThan(40);
    expect(told.tried.at(-1)?.timeoutMs).toBe(1000 - (moments(told).at(-1) ?? 0));
  });

  test('tries the next replica after a pause when there is no hint', async () => {
    const told = await first(writes, (number) =>
      number <= 3
        ? {
            afterMs: 5,
            error: number === 2 ? new Overloaded('pending-requests', 'full') : new NotLeader(null),
          }
        : { afterMs: 5 },
    );
    expect(told.outcome).toBe('ok');
    expect(moments(told)).toEqual([0, 25, 50, 75]);
    expect(new Set(told.tried.slice(0, 3).map(({ replica }) => replica)).size).toBe(3);
  });

  test('a hint back to the one that gave it is no busy loop', async () => {
    const world = new OneRegister(({ replica }) => ({ afterMs: 0, error: leads(replica) }), { spec: writes });
    world.clients.start();
    await world.run(1000);
    expect(world.attempts.length).toBeLessThan(60);
  });

  test('two replicas that name each other are no busy loop either', async () => {
    const world = new OneRegister(
      ({ replica }) => ({ afterMs: 0, error: leads(replica === 'n1' ? 'n2' : 'n1') }),
      { spec: writes },
    );
    world.clients.start();
    await world.run(1000);
    expect(world.attempts.length).toBeLessThan(1100);
  });

  test('stays with the replica that worked', async () => {
    const world = new OneRegister(
      ({ replica }) => (replica === 'n2' ? { afterMs: 1 } : { afterMs: 1, error: new NotLeader(null) }),
      { spec: writes },
    );
    world.clients.start();
    await world.run(3000);
    const firstAtLeader = world.attempts.findIndex(({ replica }) => replica === 'n2');
    expect(world.attempts.slice(firstAtLeader).every(({ replica }) => replica === 'n2')).toBe(true);
  });

  test('a write refused until the timeout surely had no effect', async () => {
    const told = await first(writes, () => ({ afterMs: 5, error: new NotLeader(null) }));
    expect(told.outcome).toBe('failed: timed out after NotLeader');
    expect(told.afterMs).toBe(1000);
  });

  test('a write that is not answered is unknown, and is not tried again', async () => {
    const told = await first(writes, () => 'silence');
    expect(told).toMatchObject({ outcome: 'unknown: timed out', afterMs: 1000 });
    expect(told.tried).toHaveLength(1);
  });

  test('a write of unknown outcome ends at once, and is not tried again', async () => {
    const told = await first(writes, () => ({ afterMs: 5, error: new OutcomeUnknown('lost contact') }));
    expect(told).toMatchObject({ outcome: 'unknown: OutcomeUnknown', afterMs: 5 });
    expect(told.tried).toHaveLength(1);
  });

  test('an error of which nothing is known leaves a write unknown', async () => {
    const told = await first(writes, () => ({ afterMs: 5, error: new Error('connection reset') }));
    expect(told).toMatchObject({ outcome: 'unknown: Error', afterMs: 5 });
  });

  test('a read has no effect, so it is tried again whatever happened', async () => {
    const told = await first(reads, (number) =>
      number === 1 ? { afterMs: 5, error: new OutcomeUnknown('lost contact') } : { afterMs: 5 },
    );
    expect(told).toMatchObject({ outcome: 'ok', afterMs: 30 });
  });

  test('a read that is not answered has failed', async () => {
    expect(await first(reads, () => 'silence')).toMatchObject({
      outcome: 'failed: timed out',
      afterMs: 1000,
    });
  });

  test('an answer after the timeout changes nothing', async () => {
    expect(await first(writes, () => ({ afterMs: 1200 }))).toMatchObject({
      outcome: 'unknown: timed out',
      afterMs: 1000,
    });
  });
});

describe('stopping', () => {
  test('no operation starts, those under way end, and then it resolves', async () => {
    const world = new OneRegister(() => ({ afterMs: 300 }));
    world.clients.start();
    await world.run(1000);
    const before = world.clients.history.operations.length;
    expect(world.clients.running).toBeGreaterThan(0);
    let stopped = false;
    void world.clients.stop().then(() => {
      stopped = true;
    });
    await world.run(100);
    expect(stopped).toBe(false);
    await world.run(250);
    expect(stopped).toBe(true);
    expect(world.clients.running).toBe(0);
    await world.run(5000);
    expect(world.clients.history.operations.length).toBe(before);
    expect(world.clients.history.counts().running).toBe(0);
  });

  test('what never answers ends with its timeout', async () => {
    const world = new OneRegister(() => 'silence');
    world.clients.start();
    await world.run(500);
    const stopped = world.clients.stop();
    await world.run(1000);
    await stopped;
    expect(world.clients.history.counts().running).toBe(0);
  });

  test('before anything is under way it resolves at once', async () => {
    const world = new OneRegister(() => 'silence');
    await world.clients.stop();
    expect(() => world.clients.start()).toThrow('started before');
  });
});

test('what the clients of a true copy see is linearizable, whatever happens to their attempts', async () => {
  const world = new OneRegister((_attempt, number): Answer => {
    switch (number % 11) {
      case 3:
        return { afterMs: 700, error: new OutcomeUnknown('lost'), applied: true };
      case 5:
        return 'silence';
      case 7:
        return { afterMs: 4, error: new NotLeader(null) };
      case 9:
        return { afterMs: 1500 };
      default:
        return { afterMs: 3 + ((number * 7) % 40) };
    }
  });
  world.clients.start();
  await world.run(60_000);
  const { history } = world.clients;
  expect(history.counts().unknown).toBeGreaterThan(50);
  expect(history.counts().acknowledged).toBeGreaterThan(500);
  expect(checkLinearizable(history.operations)).toBe(null);
});

test.each([
  [{ clients: 0 }, /clients must be a whole number of at least 1, not 0/],
  [{ keys: 1.5 }, /keys must be a whole number/],
  [{ mix: { read: 0, write: 0, cas: 0 } }, /the sum of the mix/],
  [{ operationsPerSecond: 0 }, /operationsPerSecond must be greater than 0/],
  [{ timeoutMs: Number.NaN }, /timeoutMs must be greater than 0, not NaN/],
])('a workload that cannot run is refused: %o', (wrong, message) => {
  expect(() => new OneRegister(() => 'silence', { spec: wrong })).toThrow(message);
});
