import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LockstepChaos, type Profile, type Weights } from './models/lockstep-chaos.ts';

const rough: Weights = {
  deliver: 560,
  drop: 25,
  duplicate: 25,
  finish: 150,
  persist: 150,
  tick: 130,
  propose: 40,
  change: 0,
  abort: 0,
  compact: 0,
  crash: 3,
  restart: 12,
  failWrite: 1,
  wipe: 0,
  cut: 2,
};

const profiles: Record<string, Profile> = {
  'five servers that stay': { options: {}, founders: [2, 6], weights: rough },
  'leaders that come and go': {
    options: { preVote: false, checkQuorum: false },
    founders: [3, 6],
    weights: { ...rough, duplicate: 120, crash: 5, restart: 20, cut: 10 },
  },
  'members that come and go': {
    options: {},
    founders: [1, 5],
    weights: { ...rough, change: 35, abort: 5, compact: 4 },
  },
  'members that lose their disks, and few that hold back an election': {
    options: { checkQuorum: false },
    founders: [3, 6],
    weights: { ...rough, change: 15, abort: 2, compact: 4, wipe: 3, cut: 4 },
  },
};

describe('the core, in lockstep with the rules of the dissertation', () => {
  test.each(Object.keys(profiles))('does nothing that they do not allow: %s', (name) => {
    const profile = profiles[name];
    if (profile === undefined) throw new Error(name);
    const sum: Record<string, number> = {};
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { seen } = new LockstepChaos(seed, profile).run(5000);
        for (const [what, count] of Object.entries(seen)) sum[what] = (sum[what] ?? 0) + count;
      }),
      { numRuns: 12, endOnFailure: true },
    );
    console.log(name, sum);
    expect(sum['leaders']).toBeGreaterThan(0);
  });
});
