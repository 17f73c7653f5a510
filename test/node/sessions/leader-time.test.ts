import { describe, expect, it } from 'vitest';
import { LeaderTime } from '../../../src/node/sessions/leader-time.ts';

const table = (timeMs: number) => ({ timeMs, timeStepMaxMs: 100 });
const leads = (term: number, termApplied = true) => ({ term, termApplied });

describe("the leader's reckoning of replicated time", () => {
  it('is the time of the table at the begin of its term plus what passed since it was elected', () => {
    const time = new LeaderTime();
    expect(time.reckon(5_000, leads(1, false), table(700))).toBe(700);
    expect(time.reckon(5_060, leads(1, false), table(700))).toBe(700);
    // Its own term is applied: what was waited for that counts too.
    expect(time.reckon(5_080, leads(1), table(720))).toBe(800);
    expect(time.reckon(5_090, leads(1), table(800))).toBe(810);
  });

  it('counts nothing while others lead or nobody does', () => {
    const time = new LeaderTime();
    time.reckon(0, leads(1), table(0));
    expect(time.reckon(50, leads(1), table(0))).toBe(50);
    expect(time.reckon(1_000_000, leads(3), table(60))).toBe(60);
    expect(time.reckon(1_000_030, leads(3), table(60))).toBe(90);
  });

  it('takes a jump of the clock for one step, and never makes up for the rest', () => {
    const time = new LeaderTime();
    time.reckon(0, leads(1), table(0));
    expect(time.reckon(1e12, leads(1), table(0))).toBe(100);
    expect(time.reckon(1e12 + 10, leads(1), table(100))).toBe(110);
    // Backwards it stands still, and goes on from there.
    expect(time.reckon(0, leads(1), table(110))).toBe(110);
    expect(time.reckon(10, leads(1), table(110))).toBe(120);
  });

  it('is whole milliseconds, and loses no fractions', () => {
    const time = new LeaderTime();
    time.reckon(0, leads(1), table(0));
    for (let i = 1; i <= 9; i += 1) time.reckon(i * 0.7, leads(1), table(0));
    expect(time.reckon(7, leads(1), table(0))).toBe(7);
  });
});
