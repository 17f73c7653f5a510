import { expect, it } from 'vitest';
import { firstViolation } from './first-violation.ts';
import {
  fewSessions,
  followersComeBackEmpty,
  leadersComeAndGo,
  noTrouble,
  restarts,
  slowOldVoters,
  twoAtOnce,
  twoJoin,
  writesAreRetried,
} from './trouble.ts';

it.each([
  ['no trouble', noTrouble],
  ['restarts', restarts],
  ['leaders that come and go', leadersComeAndGo],
  ['voters that join and leave in pairs', twoAtOnce],
  ['voters that join', twoJoin],
  ['newcomers that are faster than the old voters', slowOldVoters],
  ['followers that come back empty', followersComeBackEmpty],
  ['writes that are retried in sessions', writesAreRetried],
  ['more clients than sessions', fewSessions],
])(
  'without a planted bug, %s violates nothing',
  async (_name, trouble) => {
    expect((await firstViolation(trouble, 3))?.violation).toBeUndefined();
  },
  180_000,
);
