import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LockstepChaos, type Profile, type Weights } from './models/lockstep-chaos.ts';

const rough: Weights = {
  deliver: 450,
  drop: 25,
  duplicate: 25,
  finish: 200,
  persist: 400,
  tick: 160,
  propose: 40,
  change: 0,
  abort: 0,
  compact: 3,
  crash: 3,
  restart: 12,
  failWrite: 1,
  wipe: 0,
  cut: 6,
};

const profiles = {
  'servers that stay': { options: {}, founders: [2, 6], weights: rough },
  'leaders that come and go': {
    options: { preVote: false, checkQuorum: false },
    founders: [3, 6],
    weights: { ...rough, duplicate: 120, crash: 5, restart: 20, cut: 16 },
  },
  'members that come and go': {
    options: {},
    founders: [1, 5],
    weights: { ...rough, change: 35, abort: 5 },
  },
  'members that lose their disks': {
    options: { checkQuorum: false },
    founders: [3, 6],
    weights: { ...rough, change: 15, abort: 2, wipe: 3, cut: 6 },
  },
} satisfies Record<string, Profile>;

describe('the core, in lockstep with the rules of the dissertation', () => {
  //  what happens at least, in all runs together: a chaos in which nothing does would prove nothing
  test.each<[keyof typeof profiles, Partial<LockstepChaos['seen']>]>([
    ['servers that stay', { leaders: 8 }],
    ['leaders that come and go', { leaders: 15, truncated: 2 }],
    ['members that come and go', { leaders: 8, changes: 4, joint: 4, installed: 1 }],
    ['members that lose their disks', { leaders: 8, wiped: 6, joint: 4 }],
  ])('does nothing that they do not allow: %s', (name, expected) => {
    const sum = { changes: 0, joint: 0, installed: 0, wiped: 0, leaders: 0, truncated: 0, aborted: 0 };
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { seen } = new LockstepChaos(seed, profiles[name]).run(6000);
        for (const what of Object.keys(seen) as (keyof typeof seen)[]) sum[what] += seen[what];
      }),
      // A schedule is not made shorter by a smaller seed.
      { numRuns: 6, endOnFailure: true },
    );
    for (const what of Object.keys(expected) as (keyof typeof sum)[]) {
      expect(sum[what], what).toBeGreaterThanOrEqual(expected[what] ?? 0);
    }
  });
});
