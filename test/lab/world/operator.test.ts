import { describe, expect, it } from 'vitest';
import { isSo, Operator } from '../../../lab/world/operator.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import type { OrderedChange } from '../../../lab/world/world.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import { votersOf } from '../checkers/stream.ts';

const nothing: OrderedChange = {
  add: [],
  addLearners: [],
  promote: [],
  demote: [],
  remove: [],
  replace: [],
};
const addN4: OrderedChange = { ...nothing, add: ['n4'] };
const three = votersOf('1.1', 'n1', 'n2', 'n3');
const four = votersOf('5.1', 'n1', 'n2', 'n3', 'n4');

/** A cluster that answers each question as told, one after another, and becomes `four` when it says so. */
async function operate(answers: readonly (() => Promise<unknown> | null)[], withinMs = 20_000) {
  const simulation = new Simulation({ seed: 1 });
  let settled: Configuration | null = three;
  const asked: NodeId[] = [];
  const late: string[] = [];
  let overAtMs: number | null = null;
  const nowMs = (): number => simulation.nowUs / 1000;
  const operator = new Operator({
    cluster: {
      leader: () => 'n1',
      ask: (replica) => {
        asked.push(replica);
        return answers[asked.length - 1]?.() ?? null;
      },
      settled: () => settled,
    },
    nowMs,
    schedule: (delayMs, label, callback) => void simulation.schedule(delayMs * 1000, label, callback),
    withinMs,
    late: (sentence) => late.push(sentence),
  });
  const become = (): void => {
    settled = four;
  };
  const start = (): void =>
    operator.change(addN4, () => {
      overAtMs = nowMs();
    });
  const run = async (): Promise<void> => {
    start();
    await simulation.run({ atUs: 60_000_000 });
  };
  return { asked, late, run, become, overAtMs: () => overAtMs };
}

describe('the operator', () => {
  it('is done when the cluster says so and it is so', async () => {
    const world = await operate([async () => world.become()]);
    await world.run();
    expect([world.asked, world.late, world.overAtMs()]).toEqual([['n1'], [], 0]);
  });

  it('asks again after a refusal, and when nobody listens', async () => {
    const world = await operate([
      () => Promise.reject(new Error('change-in-progress')),
      () => null,
      async () => world.become(),
    ]);
    await world.run();
    expect([world.asked.length, world.late, world.overAtMs()]).toEqual([3, [], 200]);
  });

  it('asks again when no answer comes, and hears no late one', async () => {
    const world = await operate([() => new Promise(() => {}), async () => world.become()]);
    await world.run();
    expect([world.asked.length, world.overAtMs()]).toEqual([2, 5_100]);
  });

  it('looks first whether a change of unknown outcome has come about', async () => {
    const world = await operate([
      () => {
        world.become();
        return Promise.reject(new Error('outcome unknown'));
      },
    ]);
    await world.run();
    expect([world.asked.length, world.late, world.overAtMs()]).toEqual([1, [], 100]);
  });

  it('does not take an answer for the truth', async () => {
    const world = await operate([async () => {}, async () => world.become()]);
    await world.run();
    expect(world.asked).toHaveLength(2);
  });

  it('gives up when it takes too long, and says why', async () => {
    const refusing = Array.from({ length: 9 }, () => () => Promise.reject(new Error('retired')));
    const world = await operate(refusing, 500);
    await world.run();
    expect(world.late).toEqual([
      'within 500 ms after 0 ms the membership did not become what was asked for (add n4): n1 said: retired',
    ]);
    expect([world.asked.length, world.overAtMs()]).toEqual([5, 500]);
  });
});

describe('a change is so when', () => {
  const joint: Configuration = { ...four, outgoing: three.voters };
  const learning: Configuration = { ...three, learners: votersOf('1.1', 'n4').voters };
  it.each<[string, OrderedChange, Configuration, boolean]>([
    ['the added one votes', addN4, four, true],
    ['not while the change is under way', addN4, joint, false],
    ['not while it learns', addN4, learning, false],
    ['the added learner learns', { ...nothing, addLearners: ['n4'] }, learning, true],
    ['not while it is a stranger', { ...nothing, addLearners: ['n4'] }, three, false],
    ['the promoted one votes', { ...nothing, promote: ['n4'] }, four, true],
    ['not while it still learns', { ...nothing, promote: ['n4'] }, learning, false],
    ['the demoted one learns', { ...nothing, demote: ['n4'] }, learning, true],
    ['not while it still votes', { ...nothing, demote: ['n4'] }, four, false],
    ['the removed one is gone', { ...nothing, remove: ['n4'] }, three, true],
    ['not while it learns', { ...nothing, remove: ['n4'] }, learning, false],
    ['one took the place of the other', { ...nothing, replace: [{ id: 'n5', by: 'n4' }] }, four, true],
    ['not while both are there', { ...nothing, replace: [{ id: 'n1', by: 'n4' }] }, four, false],
    ['not while neither is', { ...nothing, replace: [{ id: 'n5', by: 'n4' }] }, three, false],
  ])('%s', (_name, change, configuration, so) => {
    expect(isSo(change, configuration)).toBe(so);
  });
});
