import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue, type ScheduledEvent } from '../../../../lab/world/simulated/event-queue.ts';

function drain(queue: EventQueue): ScheduledEvent[] {
  const events: ScheduledEvent[] = [];
  for (let event = queue.peek(); event !== null; event = queue.peek()) {
    queue.take(event);
    events.push(event);
  }
  return events;
}

const nothing = (): void => {};

describe('the event queue', () => {
  it('gives events by time, those of one moment in order of insertion, and no cancelled one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ atUs: fc.nat(20), cancelled: fc.boolean() }), { maxLength: 300 }),
        (plan) => {
          const queue = new EventQueue();
          const events = plan.map(({ atUs }, i) => queue.push(atUs, String(i), nothing));
          events.forEach((event, i) => {
            if (plan[i]?.cancelled) queue.cancel(event);
          });
          const expected = events
            .filter((_, i) => !plan[i]?.cancelled)
            .sort((a, b) => a.atUs - b.atUs || a.sequence - b.sequence);
          expect(queue.size).toBe(expected.length);
          expect(drain(queue)).toEqual(expected);
          expect(queue.size).toBe(0);
        },
      ),
    );
  });

  it('keeps its order when thousands of cancelled events are thrown out', () => {
    const queue = new EventQueue();
    const events = Array.from({ length: 5000 }, (_, i) => queue.push((i * 7919) % 1000, '', nothing));
    for (const [i, event] of events.entries()) if (i % 5 !== 0) queue.cancel(event);
    expect(queue.size).toBe(1000);
    const drained = drain(queue);
    expect(drained).toHaveLength(1000);
    for (let i = 1; i < drained.length; i++) {
      const [a, b] = [drained[i - 1], drained[i]];
      expect((a?.atUs ?? 0) - (b?.atUs ?? 0) || (a?.sequence ?? 0) - (b?.sequence ?? 0)).toBeLessThan(0);
    }
  });

  it('takes a second cancel, and a cancel after the event, as nothing', () => {
    const queue = new EventQueue();
    const first = queue.push(1, 'first', nothing);
    const second = queue.push(2, 'second', nothing);
    queue.cancel(second);
    queue.cancel(second);
    expect(queue.size).toBe(1);
    expect(queue.peek()).toBe(first);
    queue.take(first);
    queue.cancel(first);
    expect(queue.size).toBe(0);
    expect(queue.peek()).toBeNull();
    expect(() => queue.take(first)).toThrow(/without peek/);
  });
});
