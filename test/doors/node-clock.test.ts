import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../src/doors/node-clock.ts';

const clock = nodeClock();

describe('the machine clock', () => {
  it('calls back no earlier than asked, by its own now', async () => {
    const early: number[] = [];
    const delays = Array.from({ length: 200 }, (_, i) => 1 + (i % 40) / 4);
    await Promise.all(
      delays.map(
        (delayMs) =>
          new Promise<void>((resolve) => {
            const due = clock.now() + delayMs;
            clock.setTimer(delayMs, () => {
              if (clock.now() < due) early.push(due - clock.now());
              resolve();
            });
          }),
      ),
    );
    expect(early).toEqual([]);
  });

  it('does not call back for a cleared timer, and clearing again is a no-op', async () => {
    let called = false;
    const cleared = clock.setTimer(1, () => {
      called = true;
    });
    clock.clearTimer(cleared);
    clock.clearTimer(cleared);
    await new Promise<void>((resolve) => clock.setTimer(10, resolve));
    expect(called).toBe(false);
  });

  it('does not fire at once for a delay beyond what the machine counts', async () => {
    let called = false;
    const far = clock.setTimer(2 ** 31 + 1000, () => {
      called = true;
    });
    await new Promise<void>((resolve) => clock.setTimer(20, resolve));
    expect(called).toBe(false);
    clock.clearTimer(far);
  });

  it('refuses a delay that is no number', () => {
    expect(() => clock.setTimer(Number.NaN, () => {})).toThrow(/delayMs must be a finite number .* got NaN/);
    expect(() => clock.setTimer(Number.POSITIVE_INFINITY, () => {})).toThrow(RangeError);
  });

  it('ends a turn after its promises and next ticks', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.endOfTurn(() => {
        order.push('end');
        resolve();
      });
      queueMicrotask(() => {
        order.push('microtask');
        queueMicrotask(() => order.push('its microtask'));
      });
      process.nextTick(() => order.push('tick'));
    });
    expect(order).toHaveLength(4);
    expect(order.at(-1)).toBe('end');
  });

  it('tells a wall time of this century and a now that never goes back', () => {
    expect(clock.wall()).toBeGreaterThan(Date.UTC(2024, 0));
    const first = clock.now();
    expect(clock.now()).toBeGreaterThanOrEqual(first);
  });
});
