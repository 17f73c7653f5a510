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
  read: 25,
  transfer: 6,
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
  'all of it, and nothing that holds back an election': {
    options: { checkQuorum: false, preVote: false },
    founders: [2, 6],
    weights: {
      ...rough,
      change: 60,
      abort: 30,
      compact: 15,
      duplicate: 80,
      crash: 8,
      restart: 30,
      failWrite: 6,
      wipe: 2,
      cut: 16,
    },
  },
  'members that lose their disks': {
    options: { checkQuorum: false },
    founders: [3, 6],
    weights: { ...rough, change: 15, abort: 2, wipe: 3, cut: 6 },
  },
} satisfies Record<string, Profile>;

describe('the core, in lockstep with the rules of the dissertation', () => {
  const sum = {
    changes: 0,
    joint: 0,
    installed: 0,
    wiped: 0,
    leaders: 0,
    truncated: 0,
    aborted: 0,
    transfers: 0,
    answers: 0,
  };

  test.each<[keyof typeof profiles, number]>([
    ['servers that stay', 3],
    ['leaders that come and go', 6],
    ['members that come and go', 6],
    ['members that lose their disks', 6],
    ['all of it, and nothing that holds back an election', 12],
  ])('does nothing that they do not allow: %s', (name, runs) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { seen } = new LockstepChaos(seed, profiles[name]).run(6000);
        for (const what of Object.keys(seen) as (keyof typeof seen)[]) sum[what] += seen[what];
      }),
      // A schedule is not made shorter by a smaller seed.
      { numRuns: runs, endOnFailure: true },
    );
  });

  test('and it did much: a chaos in which nothing happens would prove nothing', () => {
    const least = {
      changes: 10,
      joint: 20,
      installed: 2,
      wiped: 10,
      leaders: 40,
      truncated: 1,
      aborted: 1,
      transfers: 30,
      answers: 30,
    };
    for (const what of Object.keys(least) as (keyof typeof least)[]) {
      expect(sum[what], what).toBeGreaterThanOrEqual(least[what]);
    }
  });
});
