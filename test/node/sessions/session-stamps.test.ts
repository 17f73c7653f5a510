import { describe, expect, it } from 'vitest';
import { type LeaderState, SessionStamps } from '../../../src/node/sessions/session-stamps.ts';
import { ManualClock } from '../manual-clock.ts';

const follower: LeaderState = {
  role: 'follower',
  hardState: { term: 1, votedFor: null },
  appliedIndex: 2,
  termStartIndex: 0,
};
const leader: LeaderState = { ...follower, role: 'leader', termStartIndex: 2 };

function world(size = 1) {
  const clock = new ManualClock();
  const table = { size, timeMs: 500, timeStepMaxMs: 100 };
  const proposed: number[] = [];
  const stamps = new SessionStamps(
    clock,
    () => table,
    (stampMs) => proposed.push(stampMs),
  );
  return { clock, table, proposed, stamps };
}

describe('an idle leader', () => {
  it('with sessions proposes the time every half of a step', () => {
    const { clock, proposed, stamps } = world();
    stamps.look(leader);
    clock.advance(49);
    expect(proposed).toEqual([]);
    clock.advance(1);
    expect(proposed).toEqual([550]);
    clock.advance(150);
    expect(proposed).toEqual([550, 600, 650, 700]);
  });

  it('without sessions proposes nothing and sets no timer, and begins with the first', () => {
    const { clock, table, proposed, stamps } = world(0);
    stamps.look(leader);
    clock.advance(10_000);
    expect([proposed, clock.timersSet]).toEqual([[], 0]);
    table.size = 1;
    stamps.look(leader);
    clock.advance(50);
    expect(proposed).toHaveLength(1);
    table.size = 0;
    stamps.look(leader);
    clock.advance(10_000);
    expect([proposed.length, clock.timersSet]).toEqual([1, 0]);
  });

  it('that lost its office, or its core, proposes nothing any more', () => {
    for (const lost of [follower, null]) {
      const { clock, proposed, stamps } = world();
      stamps.look(leader);
      stamps.look(lost);
      clock.advance(10_000);
      expect([proposed, clock.timersSet]).toEqual([[], 0]);
    }
  });
});

describe('a busy leader', () => {
  it('proposes no entry of its own: every session entry carries the time', () => {
    const { clock, proposed, stamps } = world();
    stamps.look(leader);
    const stamped: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      clock.advance(30);
      stamped.push(stamps.stamp());
    }
    expect(proposed).toEqual([]);
    expect(stamped).toEqual(Array.from({ length: 20 }, (_, i) => 530 + 30 * i));
    clock.advance(50);
    expect(proposed).toHaveLength(1);
  });
});

it('a follower stamps nothing that would move time', () => {
  const { stamps } = world();
  expect(stamps.stamp()).toBe(0);
  stamps.look(follower);
  expect(stamps.stamp()).toBe(0);
});
