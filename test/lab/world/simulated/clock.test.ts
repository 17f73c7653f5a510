import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../../../lab/world/simulated/clock.ts';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';
import type { Clock } from '../../../../src/doors/clock.ts';

const EPOCH_MS = 1_767_225_600_000;

function begin(): {
  simulation: Simulation;
  machine: SimulatedClock;
  program: SimulatedProcess;
  clock: Clock;
  fired: [string, number][];
  timer: (name: string, delayMs: number) => ReturnType<Clock['setTimer']>;
} {
  const simulation = new Simulation({ seed: 1 });
  const machine = new SimulatedClock({ simulation, name: 'n1', originUs: 1_000_000 });
  const program = new SimulatedProcess(simulation, 'n1');
  const clock = machine.door(program);
  const fired: [string, number][] = [];
  const timer = (name: string, delayMs: number) =>
    clock.setTimer(delayMs, () => fired.push([name, simulation.nowUs]));
  return { simulation, machine, program, clock, fired, timer };
}

describe('a simulated clock', () => {
  it('shows virtual time in milliseconds, monotonic and wall', async () => {
    const { simulation, clock } = begin();
    expect(clock.now()).toBe(1000);
    expect(clock.wall()).toBe(EPOCH_MS);
    await simulation.run({ atUs: 1_500 });
    expect(clock.now()).toBe(1001.5);
    expect(clock.wall()).toBe(EPOCH_MS + 1.5);
  });

  it('fires timers once and in time, those of one moment in order', async () => {
    const { simulation, fired, timer } = begin();
    timer('b', 2);
    timer('a', 1);
    timer('b too', 2);
    timer('fraction', 0.0001);
    timer('past', -5);
    await simulation.run();
    expect(fired).toEqual([
      ['past', 0],
      ['fraction', 1],
      ['a', 1000],
      ['b', 2000],
      ['b too', 2000],
    ]);
  });

  it('fires no cleared timer, and takes clearing twice, or too late, as nothing', async () => {
    const { simulation, clock, fired, timer } = begin();
    const cleared = timer('cleared', 1);
    const early = timer('early', 0);
    const late = timer('late', 2);
    clock.clearTimer(cleared);
    clock.clearTimer(cleared);
    await simulation.run({ atUs: 1_500 });
    clock.clearTimer(early);
    await simulation.run();
    clock.clearTimer(late);
    expect(fired).toEqual([
      ['early', 0],
      ['late', 2000],
    ]);
  });

  it('refuses a delay that is no number', () => {
    const { clock } = begin();
    expect(() => clock.setTimer(Number.NaN, () => {})).toThrow(/n1: a timer needs a delay, got NaN/);
    expect(() => clock.setTimer(Number.POSITIVE_INFINITY, () => {})).toThrow(RangeError);
  });

  it('calls back at the end of a turn after everything already due at that moment', async () => {
    const { simulation, clock, fired, timer } = begin();
    simulation.schedule(1000, 'turn', () => {
      clock.endOfTurn(() => fired.push(['end', simulation.nowUs]));
    });
    timer('same moment', 1);
    await simulation.run();
    expect(fired).toEqual([
      ['same moment', 1000],
      ['end', 1000],
    ]);
  });

  it('fires overdue timers late after a jump forwards, earliest due first, and others sooner', async () => {
    const { simulation, machine, clock, fired, timer } = begin();
    timer('30', 30);
    timer('10', 10);
    timer('100', 100);
    await simulation.run({ atUs: 5_000 });
    machine.jump(50_000);
    expect(clock.now()).toBe(1055);
    expect(clock.wall()).toBe(EPOCH_MS + 55);
    await simulation.run();
    expect(fired).toEqual([
      ['10', 5_000],
      ['30', 5_000],
      ['100', 50_000],
    ]);
  });

  it('holds timers up after a jump backwards', async () => {
    const { simulation, machine, clock, fired, timer } = begin();
    timer('10', 10);
    await simulation.run({ atUs: 5_000 });
    machine.jump(-500_000);
    expect(clock.now()).toBe(505);
    expect(clock.wall()).toBe(EPOCH_MS - 495);
    await simulation.run();
    expect(fired).toEqual([['10', 510_000]]);
  });

  it('moves only the wall clock when told so', async () => {
    const { simulation, machine, clock, fired, timer } = begin();
    timer('10', 10);
    machine.jumpWall(-3_000);
    expect(clock.now()).toBe(1000);
    expect(clock.wall()).toBe(EPOCH_MS - 3);
    await simulation.run();
    expect(fired).toEqual([['10', 10_000]]);
  });

  it('runs fast or slow, with the timers that wait', async () => {
    const { simulation, machine, clock, fired, timer } = begin();
    timer('10', 10);
    timer('20', 20);
    await simulation.run({ atUs: 4_000 });
    machine.setRate(2000);
    await simulation.run({ atUs: 10_000 });
    expect(fired).toEqual([['10', 7_000]]);
    expect(clock.now()).toBe(1016);
    machine.setRate(500);
    expect(machine.ratePerMille).toBe(500);
    await simulation.run();
    expect(fired[1]).toEqual(['20', 18_000]);
    expect(clock.now()).toBe(1020);
  });

  it('never fires a timer before its own time, whatever is done to the clock', async () => {
    const change = fc.record({
      afterUs: fc.nat(5_000),
      jumpUs: fc.integer({ min: -20_000, max: 20_000 }),
      ratePerMille: fc.integer({ min: 1, max: 3_000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 10 }),
        fc.array(change, { maxLength: 6 }),
        async (delays, changes) => {
          const { simulation, machine, clock } = begin();
          let firedCount = 0;
          for (const delay of delays) {
            const due = clock.now() + delay;
            clock.setTimer(delay, () => {
              firedCount += 1;
              expect(clock.now()).toBeGreaterThanOrEqual(due);
            });
          }
          for (const { afterUs, jumpUs, ratePerMille } of changes) {
            await simulation.run({ atUs: simulation.nowUs + afterUs });
            machine.jump(jumpUs);
            machine.setRate(ratePerMille);
          }
          await simulation.run();
          expect(firedCount).toBe(delays.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('refuses jumps and rates that are no whole numbers', () => {
    const { machine } = begin();
    expect(() => machine.jump(0.5)).toThrow(/whole microseconds, got 0.5/);
    expect(() => machine.jumpWall(Number.NaN)).toThrow(RangeError);
    for (const rate of [0, -1, 1.5, Number.NaN])
      expect(() => machine.setRate(rate)).toThrow(/whole per mille/);
  });

  it('goes on after its process died, and fires none of its timers', async () => {
    const { simulation, machine, program, clock, fired, timer } = begin();
    timer('never', 10);
    await simulation.run({ atUs: 5_000 });
    program.kill();
    clock.endOfTurn(() => fired.push(['never', 0]));
    timer('never either', 1);
    machine.jump(100_000);
    const next = machine.door(new SimulatedProcess(simulation, 'n1 again'));
    next.setTimer(10, () => fired.push(['next', simulation.nowUs]));
    await simulation.run();
    expect(next.now()).toBe(1115);
    expect(fired).toEqual([['next', 15_000]]);
  });

  it('fires timers that came due in a pause when it ends, unless they are cleared first', async () => {
    const { simulation, program, clock, fired, timer } = begin();
    clock.setTimer(1, () => {
      fired.push(['first', simulation.nowUs]);
      clock.clearTimer(second);
    });
    const second = timer('second', 2);
    timer('third', 3);
    program.pause();
    await simulation.run({ atUs: 50_000 });
    expect(fired).toEqual([]);
    program.resume();
    await simulation.run();
    expect(fired).toEqual([
      ['first', 50_000],
      ['third', 50_000],
    ]);
  });
});
