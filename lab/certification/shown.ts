import { createHash } from 'node:crypto';
import type { GroupId } from '../../src/raft/identity.ts';
import type {
  LogStorage,
  RecoveredLog,
  StorageIdentity,
  StorageInstance,
} from '../../src/storage/contract.ts';
import type { Expectation, ExpectedSnapshot, GroupExpectation } from './expectation.ts';
import { groupOf } from './expectation.ts';
import type { Life } from './life.ts';
import { describeLog, exactEntry, exactly, type LogState, lastIndexOf, termAt } from './log-state.ts';
import { Wrong } from './wrong.ts';

const everything = Number.MAX_SAFE_INTEGER;

/** @throws Wrong when it is not the storage that it was. */
export function checkIdentity(expectation: Expectation, identity: StorageIdentity): void {
  const { incarnation, boot, clusterIds } = expectation;
  if (incarnation === null) return;
  if (identity.incarnation !== incarnation) {
    throw new Wrong({ expected: `incarnation ${incarnation}`, found: `another, ${identity.incarnation}` });
  }
  if (identity.boot <= boot) {
    throw new Wrong({ expected: `a boot above ${boot}, which was told`, found: `boot ${identity.boot}` });
  }
  if (clusterIds.includes(identity.clusterId)) return;
  throw new Wrong({ expected: `cluster ${clusterIds.join(' or ')}`, found: `cluster ${identity.clusterId}` });
}

/** A log as its storage shows it, read to the end of what it says it holds. */
export interface ShownLog {
  readonly log: LogStorage;
  readonly state: LogState;
}

/** @throws Wrong when what it says of itself is not what it holds. */
export async function showLog(life: Life, instance: StorageInstance, group: GroupId): Promise<ShownLog> {
  const log = await life.driven(instance.openLog(group));
  const { hardState, floor, lastIndex } = log.recovered;
  const from = floor.index + 1;
  const entries =
    lastIndex < from ? [] : await life.driven(log.read({ from, to: lastIndex, bytesMax: everything }));
  const state: LogState = { hardState, floor, entries };
  checkOutline(log, state);
  return { log, state };
}

/** Term runs, configurations and terms agree with the entries themselves. */
function checkOutline(log: LogStorage, state: LogState): void {
  const { lastIndex, runs, configurations }: RecoveredLog = log.recovered;
  if (lastIndexOf(state) !== lastIndex) {
    throw new Wrong({ expected: `entries up to ${lastIndex}`, found: `as many as ${state.entries.length}` });
  }
  for (const { index, term } of state.entries) {
    const run = runs.findLast(({ firstIndex }) => firstIndex <= index);
    if (run?.term === term && log.termAt(index) === term) continue;
    throw new Wrong({
      expected: `term ${term} at entry ${index}, as the entry says`,
      found: `${run?.term} in the runs, ${log.termAt(index)} when asked`,
    });
  }
  const told = configurations.map(exactEntry).join('\n');
  const held = state.entries.filter(({ kind }) => kind === 'configuration').map(exactEntry);
  if (told !== held.join('\n')) {
    throw new Wrong({ expected: 'the configurations in the log', found: `${configurations.length} others` });
  }
}

/** @throws Wrong when it is neither what was acknowledged nor what writes under way made of it. */
export function checkLog(expectation: Expectation, group: GroupId, state: LogState): void {
  const { admissible } = groupOf(expectation, group);
  const text = exactly(state);
  if (admissible.some(({ log }) => exactly(log) === text)) return;
  const [sure, ...later] = admissible.map(({ log }) => describeLog(log));
  const underWay = later.length === 0 ? '' : `, or, under way: ${[...new Set(later)].join(' | ')}`;
  throw new Wrong({
    expected: `in ${group}: ${sure}${underWay}`,
    found: `in ${group}: ${describeLog(state)}`,
  });
}

/**
 * @returns whether the newest that was acknowledged is there, or one of those under way.
 * @throws Wrong when it is none that was ever written.
 */
export async function checkSnapshot(
  life: Life,
  instance: StorageInstance,
  { expected, group }: { readonly expected: GroupExpectation; readonly group: GroupId },
): Promise<boolean> {
  const snapshots = instance.snapshots(group);
  const meta = await life.driven(snapshots.latest());
  if (meta === null) return expected.snapshot === null;
  const content = await life.driven(snapshots.read(meta, { offset: 0, length: meta.size }));
  const isIt = (one: ExpectedSnapshot | null): boolean =>
    one !== null &&
    one.index === meta.index &&
    one.term === meta.term &&
    JSON.stringify(one.configuration) === JSON.stringify(meta.configuration) &&
    meta.digest === createHash('sha256').update(one.content).digest('hex') &&
    Buffer.compare(one.content, content) === 0;
  if ([expected.snapshot, ...expected.snapshotsUnderWay].some(isIt)) return true;
  if (expected.snapshots.some(isIt)) return false;
  throw new Wrong({
    expected: 'a snapshot that was written',
    found: `one of ${group} at ${meta.index} of term ${meta.term} with ${meta.size} bytes that never was`,
  });
}

/**
 * A log that says what it lacks: what it says it holds must be exact, and so must be the end that it claims.
 *
 * @throws Wrong
 */
export async function checkDamagedLog(
  life: Life,
  { log, state }: ShownLog,
  { expected, group }: { readonly expected: LogState; readonly group: GroupId },
): Promise<void> {
  const { damage, lastIndex } = log.recovered;
  if (damage === null) return;
  const last = lastIndexOf(expected);
  const whole = exactly({ ...expected, entries: expected.entries.filter(({ index }) => index <= lastIndex) });
  if (lastIndex > last || exactly(state) !== whole) {
    throw new Wrong({
      expected: `in ${group}: the beginning of ${describeLog(expected)}`,
      found: `in ${group}: ${describeLog(state)}, said to be whole up to ${lastIndex}`,
    });
  }
  const end = { index: last, term: termAt(expected, last) };
  if (damage.end !== null && (damage.end.index !== end.index || damage.end.term !== end.term)) {
    throw new Wrong({
      expected: `in ${group}: an end at ${end.index} of term ${end.term}`,
      found: `${damage.end.index} of term ${damage.end.term}`,
    });
  }
  let next = lastIndex + 1;
  for (const { from, to } of damage.holes) {
    if (from < next || to < from || to > last) {
      throw new Wrong({ expected: `holes in order up to entry ${last}`, found: `one from ${from} to ${to}` });
    }
    if (from > next) await checkHeld(life, log, { expected, from: next, to: from - 1 });
    next = to + 1;
  }
  if (damage.end !== null && next <= last) await checkHeld(life, log, { expected, from: next, to: last });
}

async function checkHeld(
  life: Life,
  log: LogStorage,
  { expected, from, to }: { readonly expected: LogState; readonly from: number; readonly to: number },
): Promise<void> {
  const read = await life.driven(log.read({ from, to, bytesMax: everything }));
  const written = expected.entries.filter(({ index }) => from <= index && index <= to);
  if (read.map(exactEntry).join('\n') === written.map(exactEntry).join('\n')) return;
  throw new Wrong({ expected: `entries ${from} to ${to} as written`, found: 'others' });
}
