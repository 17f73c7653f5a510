import type { StorageInstance } from '../../src/storage/contract.ts';
import { StorageFailed, StorageRefused } from '../../src/storage/errors.ts';
import type { SimulatedRandom } from '../world/simulated/random.ts';
import { appendTo, groups } from './content.ts';
import {
  acknowledged,
  type Expectation,
  type ExpectedSnapshot,
  expectNothing,
  found,
  groupOf,
  latestLog,
  submitted,
  withGroup,
} from './expectation.ts';
import type { Image } from './image.ts';
import { Life, type StorageFactory } from './life.ts';
import { emptyLog, exactly } from './log-state.ts';
import { Medium } from './medium.ts';
import { checkDamagedLog, checkIdentity, checkLog, checkSnapshot, type ShownLog, showLog } from './shown.ts';
import { Wrong } from './wrong.ts';

/** How the process ends that went on from a state. */
export type Ending = 'close' | 'kill' | 'cut the power';

/**
 * What a storage made of a state. All but `clean` are said by the storage itself; `made anew` by its incarnation,
 * where it had promised nothing yet.
 */
export type Verdict = 'clean' | 'refused' | 'failed' | 'holes' | 'lost tail' | 'snapshot lost' | 'made anew';

export interface Judged {
  readonly factory: StorageFactory;
  readonly image: Image;
  readonly expectation: Expectation;
  readonly random: SimulatedRandom;
  readonly ending: Ending;
}

/**
 * A state that a crash left. It must be clean and exact, take one more write in each log, and show just that when
 * it is opened once more.
 *
 * @throws Wrong, or what the storage threw, which is wrong too.
 */
export async function judgeCrash(judged: Judged): Promise<void> {
  const opened = await opening(judged);
  const logs = await check(opened.life, opened.instance, judged.expectation);
  await goOn(opened, logs, judged);
}

/**
 * A stopped storage that was damaged in one place. It may be clean, and then goes on as one that crashed does; else
 * it says by name that something is lost, and whatever it says it holds is exact.
 *
 * @throws Wrong, or what the storage threw without a name.
 */
export async function judgeDamage(judged: Judged): Promise<Verdict> {
  const { expectation } = judged;
  try {
    const opened = await opening(judged);
    const { life, instance } = opened;
    if (isUnused(expectation) && instance.identity.incarnation !== expectation.incarnation) {
      const anew = expectNothing(groups);
      await goOn(opened, await check(life, instance, anew), { ...judged, expectation: anew });
      return 'made anew';
    }
    checkIdentity(expectation, instance.identity);
    const logs = new Map<string, ShownLog>();
    let verdict: Verdict = 'clean';
    for (const group of groups) {
      const expected = latestLog(expectation, group);
      const shown = await showLog(life, instance, group);
      logs.set(group, shown);
      const { damage } = shown.log.recovered;
      if (damage === null) checkLog(expectation, group, shown.state);
      else {
        await checkDamagedLog(life, shown, { expected, group });
        verdict = damage.end === null ? 'lost tail' : 'holes';
      }
      const isThere = await checkSnapshot(life, instance, { expected: groupOf(expectation, group), group });
      if (!isThere && verdict === 'clean') verdict = 'snapshot lost';
    }
    if (verdict === 'clean') await goOn(opened, logs, judged);
    return verdict;
  } catch (error) {
    if (error instanceof StorageRefused && error.reason === 'damaged') return 'refused';
    if (error instanceof StorageFailed) return 'failed';
    throw error;
  }
}

/** It voted for nobody, and holds nothing. */
function isUnused(expectation: Expectation): boolean {
  return groups.every((group) => {
    const { snapshots } = groupOf(expectation, group);
    return snapshots.length === 0 && exactly(latestLog(expectation, group)) === exactly(emptyLog);
  });
}

interface Opened {
  readonly medium: Medium;
  readonly life: Life;
  readonly instance: StorageInstance;
}

async function opening({ factory, image, random }: Judged): Promise<Opened> {
  const medium = new Medium(image);
  const life = new Life(factory, medium, random);
  return { medium, life, instance: await life.open() };
}

/** @throws Wrong unless all is there, nothing else is, and nothing is said to be missing. */
export async function check(
  life: Life,
  instance: StorageInstance,
  expectation: Expectation,
): Promise<ReadonlyMap<string, ShownLog>> {
  checkIdentity(expectation, instance.identity);
  const logs = new Map<string, ShownLog>();
  for (const group of groups) {
    const shown = await showLog(life, instance, group);
    const { damage } = shown.log.recovered;
    if (damage !== null) {
      throw new Wrong({ expected: `a log of ${group} that is whole`, found: `damage: ${damage.report}` });
    }
    checkLog(expectation, group, shown.state);
    if (!(await checkSnapshot(life, instance, { expected: groupOf(expectation, group), group }))) {
      throw new Wrong({ expected: `the snapshot of ${group} that was told`, found: 'an older one, or none' });
    }
    logs.set(group, shown);
  }
  return logs;
}

/** One more write in each log; then the process ends, and another finds just that. */
async function goOn(opened: Opened, logs: ReadonlyMap<string, ShownLog>, judged: Judged): Promise<void> {
  const { medium, life, instance } = opened;
  const { incarnation, boot, clusterId } = instance.identity;
  let expectation: Expectation = { ...judged.expectation, incarnation, boot, clusterIds: [clusterId] };
  for (const [group, { log, state }] of logs) {
    const meta = await life.driven(instance.snapshots(group).latest());
    const isIt = ({ index, term }: ExpectedSnapshot): boolean => index === meta?.index && term === meta.term;
    const snapshot = groupOf(expectation, group).snapshots.find(isIt) ?? null;
    expectation = withGroup(found(expectation, group, state), group, { snapshot, snapshotsUnderWay: [] });
    const request = { writeId: { boot, sequence: 1 }, ...appendTo(state, group) };
    expectation = submitted(expectation, group, request);
    await life.driven(log.write(request));
    expectation = acknowledged(expectation, group, 1);
  }
  if (judged.ending === 'close') await life.driven(instance.close());
  life.kill();
  const image = judged.ending === 'cut the power' ? medium.durableImage() : medium.image();
  const next = await opening({ ...judged, image });
  await check(next.life, next.instance, expectation);
  next.life.kill();
}
