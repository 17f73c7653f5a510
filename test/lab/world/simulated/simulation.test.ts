import { describe, expect, it } from 'vitest';
import { Simulation, SimulationFailed } from '../../../../lab/world/simulated/simulation.ts';
import { play } from './play.ts';

const failureOf = (run: Promise<unknown>): Promise<SimulationFailed> =>
  run.then(
    () => {
      throw new Error('the run did not fail');
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(SimulationFailed);
      return error as SimulationFailed;
    },
  );

describe('virtual time', () => {
  it('jumps from event to event and stands still in each', async () => {
    const simulation = new Simulation({ seed: 1 });
    const seen: [string, number][] = [];
    const note = (name: string) => () => seen.push([name, simulation.nowUs]);
    simulation.schedule(50, 'b', note('b'));
    simulation.schedule(10, 'a', () => {
      note('a')();
      simulation.schedule(0, 'now', note('now'));
      simulation.schedule(40, 'c', note('c'));
    });
    expect(await simulation.run()).toBe('idle');
    expect(seen).toEqual([
      ['a', 10],
      ['now', 10],
      ['b', 50],
      ['c', 50],
    ]);
    expect(simulation.events).toBe(4);
    expect(simulation.pending).toBe(0);
  });

  it('stops at a moment, after the events of that moment, and goes on from there', async () => {
    const simulation = new Simulation({ seed: 1 });
    const seen: number[] = [];
    for (const at of [10, 20, 21, 30]) simulation.schedule(at, 'e', () => seen.push(at));
    expect(await simulation.run({ atUs: 20 })).toBe('time');
    expect(seen).toEqual([10, 20]);
    expect(simulation.nowUs).toBe(20);
    expect(await simulation.run({ atUs: 100 })).toBe('time');
    expect(seen).toEqual([10, 20, 21, 30]);
    expect(simulation.nowUs).toBe(100);
  });

  it('stops at once when its condition holds, and after a number of events', async () => {
    const simulation = new Simulation({ seed: 1 });
    let count = 0;
    for (let i = 0; i < 500; i++) simulation.schedule(i, 'e', () => count++);
    expect(await simulation.run({ when: () => true })).toBe('condition');
    expect(count).toBe(0);
    expect(await simulation.run({ when: () => count === 70 })).toBe('condition');
    expect(count).toBe(70);
    expect(await simulation.run({ eventsMax: 200 })).toBe('events');
    expect(count).toBe(270);
    expect(await simulation.run()).toBe('idle');
    expect(count).toBe(500);
  });

  it('runs no cancelled event', async () => {
    const simulation = new Simulation({ seed: 1 });
    const event = simulation.schedule(5, 'never', () => expect.unreachable());
    simulation.schedule(1, 'cancel', () => simulation.cancel(event));
    await simulation.run();
    expect(simulation.nowUs).toBe(1);
  });

  it('drains all that an event set off before the next one, however many awaits that is', async () => {
    const simulation = new Simulation({ seed: 1 });
    const seen: string[] = [];
    const deep = async (name: string, awaits: number): Promise<void> => {
      for (let i = 0; i < awaits; i++) await undefined;
      await new Promise<void>((resolve) => process.nextTick(resolve));
      for (let i = 0; i < awaits; i++) await undefined;
      queueMicrotask(() => process.nextTick(() => seen.push(`${name} done`)));
    };
    for (const [name, awaits] of [
      ['a', 300],
      ['b', 0],
      ['c', 40],
    ] as const) {
      simulation.schedule(5, name, () => {
        seen.push(name);
        void deep(name, awaits);
      });
    }
    await simulation.run();
    expect(seen).toEqual(['a', 'a done', 'b', 'b done', 'c', 'c done']);
  });

  it('refuses delays and moments that cannot be', async () => {
    const simulation = new Simulation({ seed: 1 });
    for (const delay of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => simulation.schedule(delay, 'x', () => {})).toThrow(/whole microseconds.*'x'/);
    }
    simulation.schedule(10, 'e', () => {});
    await simulation.run();
    await expect(simulation.run({ atUs: 9 })).rejects.toThrow(/cannot run back to 9 µs from 10 µs/);
    const running = simulation.run({ atUs: 20 });
    await expect(simulation.run()).rejects.toThrow(/running already/);
    await running;
    expect(() => new Simulation({ seed: 0.5 })).toThrow(RangeError);
    expect(() => new Simulation({ seed: 1, traceLines: 0 })).toThrow(/at least one line/);
  });
});

describe('the digest and the trace', () => {
  /** A program whose whole course hangs on chance; `awaits` is what must not matter. */
  async function course(seed: number, awaits: number): Promise<{ digest: string; trace: string[] }> {
    const simulation = new Simulation({ seed, traceLines: 10 });
    const random = simulation.random.stream('course');
    const actor = async (name: string): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        await simulation.sleep(random.integer(0, 5), name);
        for (let j = 0; j < awaits; j++) await undefined;
        simulation.record(`${name} ${random.integer(0, 100)}`);
        simulation.recordBytes(random.bytes(3));
      }
    };
    await play(simulation, () => Promise.all(['a', 'b', 'c'].map(actor)));
    return { digest: simulation.digest(), trace: simulation.trace() };
  }

  it('are equal for equal seeds, whatever the number of awaits, and differ for others', async () => {
    const first = await course(7, 0);
    expect(await course(7, 0)).toEqual(first);
    expect(await course(7, 1)).toEqual(first);
    expect(await course(7, 33)).toEqual(first);
    expect((await course(8, 0)).digest).not.toBe(first.digest);
    expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('are equal for two runs that take turns in one process', async () => {
    const alone = await course(3, 0);
    expect(await Promise.all([course(3, 2), course(4, 0), course(3, 5)])).toEqual([
      alone,
      await course(4, 0),
      alone,
    ]);
  });

  it('take in time, label, line and bytes, each of them', async () => {
    const digestOf = async (delay: number, label: string, line: string, bytes: number[]): Promise<string> => {
      const simulation = new Simulation({ seed: 1 });
      simulation.schedule(delay, label, () => {
        simulation.record(line);
        simulation.recordBytes(Uint8Array.from(bytes));
      });
      await simulation.run();
      return simulation.digest();
    };
    const digests = await Promise.all([
      digestOf(1, 'e', 'line', [1]),
      digestOf(2, 'e', 'line', [1]),
      digestOf(1, 'f', 'line', [1]),
      digestOf(1, 'e', 'lime', [1]),
      digestOf(1, 'e', 'line', [2]),
      digestOf(1, 'e', 'line', []),
    ]);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('can be asked for in between, and take lines and bytes of any length', () => {
    const simulation = new Simulation({ seed: 1 });
    const seen = new Set<string>([simulation.digest()]);
    for (const length of [0, 1, 8 * 1024, 8 * 1024 + 1, 70_000]) {
      simulation.record('ü'.repeat(length));
      seen.add(simulation.digest());
      simulation.recordBytes(new Uint8Array(length));
      expect(simulation.digest()).toBe(simulation.digest());
      seen.add(simulation.digest());
    }
    expect(seen.size).toBe(11);
  });

  it('keep the last lines with their moments, oldest first', async () => {
    const simulation = new Simulation({ seed: 1, traceLines: 3 });
    expect(simulation.trace()).toEqual([]);
    for (let i = 1; i <= 5; i++) simulation.schedule(i * 700_000, 'e', () => simulation.record(`line ${i}`));
    await simulation.run({ eventsMax: 2 });
    expect(simulation.trace()).toEqual(['0.700000s line 1', '1.400000s line 2']);
    await simulation.run();
    expect(simulation.trace()).toEqual(['2.100000s line 3', '2.800000s line 4', '3.500000s line 5']);
  });
});

describe('a failing simulation', () => {
  it('rejects with what an event threw, and when and where', async () => {
    const simulation = new Simulation({ seed: 1 });
    const cause = new TypeError('boom');
    simulation.schedule(1_500_000, 'the bad one', () => {
      throw cause;
    });
    simulation.schedule(1_500_000, 'never', () => expect.unreachable());
    const failure = await failureOf(simulation.run());
    expect(failure.cause).toBe(cause);
    expect(failure.message).toBe("the simulation failed at 1.500000s during 'the bad one': TypeError: boom");
    expect(failure).toMatchObject({
      code: 'KONTIKI_SIMULATION_FAILED',
      during: 'the bad one',
      atUs: 1_500_000,
    });
    expect(await failureOf(simulation.run())).toBe(failure);
  });

  it('rejects with a rejection that nobody handles', async () => {
    const simulation = new Simulation({ seed: 1 });
    const cause = new Error('lost');
    simulation.schedule(1, 'e', () => {
      void (async () => {
        await undefined;
        throw cause;
      })();
    });
    simulation.schedule(2, 'never', () => expect.unreachable());
    const failure = await failureOf(simulation.run());
    expect(failure.cause).toBe(cause);
    expect(failure.during).toBe('unhandled rejection');
  });

  it('rejects with an exception thrown in a microtask or a tick', async () => {
    for (const enqueue of [queueMicrotask, process.nextTick]) {
      const simulation = new Simulation({ seed: 1 });
      simulation.schedule(1, 'e', () =>
        enqueue(() => {
          throw new Error('late');
        }),
      );
      simulation.schedule(2, 'never', () => expect.unreachable());
      const failure = await failureOf(simulation.run());
      expect(failure.during).toBe('uncaught exception');
      expect(failure.message).toMatch(/Error: late/);
    }
  });

  it('lays a stray rejection at the door of the run that caused it', async () => {
    const good = new Simulation({ seed: 1 });
    const bad = new Simulation({ seed: 2 });
    for (let i = 1; i < 300; i++) good.schedule(i, 'e', () => {});
    bad.schedule(100, 'e', () => void Promise.reject(new Error('mine')));
    for (let i = 1; i < 100; i++) bad.schedule(i, 'e', () => {});
    const [ofGood, ofBad] = await Promise.allSettled([good.run(), bad.run()]);
    expect(ofGood).toEqual({ status: 'fulfilled', value: 'idle' });
    expect(ofBad.status).toBe('rejected');
  });

  it("gives the process's own listeners back when it is done", async () => {
    const before = process.rawListeners('unhandledRejection');
    const simulation = new Simulation({ seed: 1 });
    simulation.schedule(1, 'e', () => void Promise.reject(new Error('lost')));
    await failureOf(simulation.run());
    expect(process.rawListeners('unhandledRejection')).toEqual(before);
  });

  it('fails by order too, and keeps the first reason', async () => {
    const simulation = new Simulation({ seed: 1 });
    simulation.schedule(1, 'e', () => {
      simulation.fail('first', 'a check');
      simulation.fail('second', 'a check');
    });
    expect((await failureOf(simulation.run())).cause).toBe('first');
  });

  it('fails when its stop condition throws', async () => {
    const simulation = new Simulation({ seed: 1 });
    const failure = await failureOf(
      simulation.run({
        when: () => {
          throw new Error('bad condition');
        },
      }),
    );
    expect(failure.during).toBe('the stop condition');
  });

  it('fails when a moment never ends', async () => {
    const simulation = new Simulation({ seed: 1 });
    const again = (): void => {
      simulation.schedule(0, 'again', again);
    };
    again();
    expect((await failureOf(simulation.run())).message).toMatch(/time does not move on/);
  });
});
