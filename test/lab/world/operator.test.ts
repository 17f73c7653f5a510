import { describe, expect, it } from 'vitest';
import { isSo, Operator } from '../../../lab/world/operator.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import type { OrderedChange } from '../../../lab/world/world.ts';
import { MembershipAborted, MembershipRefused, OutcomeUnknown } from '../../../src/node/errors.ts';
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

const joint: Configuration = { ...four, outgoing: three.voters };

const refused = (reason: MembershipRefused['reason']) => (): Promise<never> =>
  Promise.reject(new MembershipRefused(reason, reason));

/** A cluster that answers each question as told, one after another, and becomes `four` when it says so. */
async function operate(answers: readonly (() => Promise<Configuration> | null)[], withinMs = 20_000) {
  const simulation = new Simulation({ seed: 1 });
  let settled: Configuration | null = three;
  let commitIndex = 4;
  const asked: NodeId[] = [];
  const late: string[] = [];
  const wrong: string[] = [];
  let overAtMs: number | null = null;
  const nowMs = (): number => simulation.nowUs / 1000;
  const operator = new Operator({
    cluster: {
      leader: () => 'n1',
      ask: (replica) => {
        asked.push(replica);
        return answers[asked.length - 1]?.() ?? null;
      },
      knows: () => ({ configuration: settled ?? joint, commitIndex }),
      settled: () => settled,
    },
    nowMs,
    schedule: (delayMs, label, callback) => void simulation.schedule(delayMs * 1000, label, callback),
    withinMs,
    late: (sentence) => late.push(sentence),
    wrong: (sentence) => wrong.push(sentence),
  });
  /** It says so, too. */
  const become = async (): Promise<Configuration> => {
    settled = four;
    commitIndex = 5;
    return four;
  };
  const start = (): void =>
    operator.change(addN4, () => {
      overAtMs = nowMs();
    });
  const run = async (): Promise<void> => {
    start();
    await simulation.run({ atUs: 60_000_000 });
  };
  return { asked, late, wrong, run, become, overAtMs: () => overAtMs };
}

describe('the operator', () => {
  it('is done when the cluster says so and it is so', async () => {
    const world = await operate([async () => world.become()]);
    await world.run();
    expect([world.asked, world.late, world.wrong, world.overAtMs()]).toEqual([['n1'], [], [], 0]);
  });

  it('asks again after a refusal, and when nobody listens', async () => {
    const world = await operate([refused('change-in-progress'), () => null, async () => world.become()]);
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
        void world.become();
        return Promise.reject(new OutcomeUnknown('nobody knows'));
      },
    ]);
    await world.run();
    expect([world.asked.length, world.late, world.overAtMs()]).toEqual([1, [], 100]);
  });

  it.each<[string, Configuration, string]>([
    ['another configuration', three, '1.1, which is not what was asked for'],
    ['one on its way', joint, '5.1, which is not what was asked for'],
    ['one that is not committed', four, '5.1, though it knows of no commitment after entry 4'],
    ['one of another term', votersOf('1.2', 'n4'), '1.2, though it goes by 1.1'],
    ['one that it does not go by', votersOf('3.1', 'n4'), '3.1, though it goes by 1.1'],
  ])('does not take %s for an answer', async (_name, answer, lie) => {
    const world = await operate([async () => answer, async () => world.become()]);
    await world.run();
    expect(world.wrong).toEqual([`asked to add n4, n1 said that it is so, with configuration ${lie}`]);
    expect([world.asked.length, world.late, world.overAtMs()]).toEqual([1, [], 0]);
  });

  it('does not put up with a refusal for no reason that passes', async () => {
    const failed = (): Promise<never> => Promise.reject(new RangeError('no such thing'));
    for (const [answer, said] of [
      [refused('retired'), 'the membership is not changed: retired'],
      [refused('already-member'), 'the membership is not changed: already-member'],
      [failed, 'no such thing'],
    ] as const) {
      const world = await operate([answer, async () => world.become()]);
      await world.run();
      expect(world.wrong).toEqual([`asked to add n4, n1 said: ${said}`]);
      expect([world.asked.length, world.late, world.overAtMs()]).toEqual([1, [], 0]);
    }
  });

  it('is told that it is so already only when it may have asked with success', async () => {
    const unknown = (): Promise<never> => Promise.reject(new OutcomeUnknown('nobody knows'));
    const aborted = (): Promise<never> => Promise.reject(new MembershipAborted('as it was'));
    const saidAfter = async (first: () => Promise<never>): Promise<readonly [number, readonly string[]]> => {
      const world = await operate([first, refused('already-member'), async () => world.become()]);
      await world.run();
      return [world.asked.length, world.wrong];
    };
    expect(await saidAfter(unknown)).toEqual([3, []]);
    expect(await saidAfter(aborted)).toEqual([
      2,
      ['asked to add n4, n1 said: the membership is not changed: already-member'],
    ]);
  });

  it('gives up when it takes too long, and says why', async () => {
    const refusing = Array.from({ length: 9 }, () => refused('term-not-committed'));
    const world = await operate(refusing, 500);
    await world.run();
    expect(world.late).toEqual([
      'within 500 ms after 0 ms the membership did not become what was asked for (add n4): n1 said: the membership is not changed: term-not-committed',
    ]);
    expect([world.asked.length, world.overAtMs()]).toEqual([5, 500]);
  });
});

describe('a change is so when', () => {
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
