import { describe, expect, it } from 'vitest';
import { StallWatch } from '../../src/node/stall-watch.ts';
import { ManualClock } from './manual-clock.ts';

function setUp() {
  const clock = new ManualClock();
  const seen: string[] = [];
  const applied = { index: 0 };
  const watch = new StallWatch(clock, { storageStallMs: 100, applyStallMs: 1000 }, () => applied.index, {
    stalled: (what, forMs) => seen.push(`${what} for ${forMs}`),
    answered: (what) => seen.push(`${what} goes on`),
  });
  const pass = (ms: number): void => {
    clock.advance(ms);
    clock.endTurn();
  };
  return { clock, seen, applied, watch, pass };
}

describe('a write', () => {
  it('that takes as long as is bearable is noticed, and its end too', () => {
    const { watch, seen, pass } = setUp();
    watch.writeBegun();
    pass(99);
    expect(seen).toEqual([]);
    pass(1);
    expect(seen).toEqual(['storage for 100']);
    pass(500);
    expect(seen).toHaveLength(1);
    watch.writeEnded();
    expect(seen).toEqual(['storage for 100', 'storage goes on']);
  });

  it('that follows another is late once the disk has not answered anything for so long', () => {
    const { watch, seen, pass } = setUp();
    watch.writeBegun();
    pass(60);
    watch.writeBegun();
    pass(30);
    watch.writeEnded();
    pass(90);
    expect(seen).toEqual([]);
    pass(10);
    // It was handed over 130 ms ago, 30 before the disk answered the one before it.
    expect(seen).toEqual(['storage for 100']);
  });

  it('that ended just in time is not taken for late, though the timer ran first', () => {
    const { clock, watch, seen } = setUp();
    watch.writeBegun();
    // The process stood still: the timer is due, and so is the completion.
    clock.advance(5000);
    watch.writeEnded();
    clock.endTurn();
    expect(seen).toEqual([]);
  });

  it('in a storage that was given up is of no interest any more', () => {
    const { clock, watch, seen, pass } = setUp();
    watch.writeBegun();
    pass(100);
    watch.stop();
    pass(1000);
    expect(seen).toEqual(['storage for 100']);
    expect(clock.timersSet).toBe(0);
  });

  it('leaves one timer, however many there are', () => {
    const { clock, watch, pass } = setUp();
    for (let i = 0; i < 50; i += 1) {
      watch.writeBegun();
      watch.writeEnded();
    }
    expect(clock.timersSet).toBe(1);
    pass(100);
    expect(clock.timersSet).toBe(0);
  });
});

describe('commands being applied', () => {
  it('are late only when none of them ended for long enough', () => {
    const { watch, seen, applied, pass } = setUp();
    watch.applyBegun();
    for (let i = 1; i <= 5; i += 1) {
      pass(900);
      applied.index = i;
    }
    pass(1000);
    expect(seen).toEqual([]);
    pass(1000);
    expect(seen).toEqual(['state-machine for 1000']);
    applied.index = 6;
    pass(1000);
    expect(seen).toEqual(['state-machine for 1000', 'state-machine goes on']);
    watch.applyEnded();
    expect(seen).toHaveLength(2);
  });
});
