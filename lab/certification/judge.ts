import { createHash } from 'node:crypto';
import type { Entry } from '../../src/raft/entry.ts';
import type { GroupId } from '../../src/raft/identity.ts';
import type { StorageIdentity } from '../../src/storage/contract.ts';
import { StorageFailed, StorageRefused } from '../../src/storage/errors.ts';
import { groups } from './content.ts';
import { type Expectation, type ExpectedSnapshot, expectNothing, groupOf, latestLog } from './expectation.ts';
import {
  describeLog,
  emptyLog,
  exactEntry,
  exactly,
  type LogState,
  lastIndexOf,
  termAt,
} from './log-state.ts';
import type { Look } from './look.ts';
import type { Shown, ShownGroup, ShownSnapshot } from './shown.ts';
import { asWrong, Wrong } from './wrong.ts';

/**
 * What a storage made of a state. All but `clean` are said by the storage itself; `made anew` by its incarnation,
 * where it had promised nothing yet. `put aside` it was, once refused, when it was told to.
 */
export type Verdict =
  | 'clean'
  | 'refused'
  | 'put aside'
  | 'failed'
  | 'holes'
  | 'lost tail'
  | 'snapshot lost'
  | 'made anew';

/**
 * A state that a crash left: clean and exact, and able to go on.
 *
 * @throws Wrong
 */
export function judgeCrash(look: Look, expectation: Expectation): void {
  if (look.shown === null) throw asWrong(look.error);
  if (look.isSecond)
    throw new Wrong({ expected: 'a storage that can be read', found: 'reading it failed once' });
  checkWhole(look.shown, expectation);
  if (look.onward !== null) throw look.onward;
}

/**
 * A stopped storage that was damaged in one place: as after a crash; or it says by name that something is lost, and
 * whatever it says it holds is exact.
 *
 * @throws Wrong
 */
export function judgeDamage(look: Look, expectation: Expectation): Verdict {
  const { shown, error } = look;
  if (shown === null) {
    if (look.replacement !== null) {
      judgeReplacement(look.replacement, expectation);
      return 'put aside';
    }
    if (error instanceof StorageRefused && error.reason === 'damaged') return 'refused';
    if (error instanceof StorageFailed) return 'failed';
    throw asWrong(error);
  }
  if (isUnused(expectation) && shown.identity.incarnation !== expectation.incarnation) {
    judgeCrash(look, expectNothing(groups));
    return 'made anew';
  }
  checkIdentity(expectation, shown.identity);
  let verdict: Verdict = 'clean';
  for (const [group, one] of shown.groups) {
    if (one.damage === null) {
      checkLog(expectation, group, one);
      checkStart(group, one);
    } else {
      checkDamagedLog(expectation, group, one);
      verdict = one.damage.end === null ? 'lost tail' : 'holes';
    }
    if (!isNewest(expectation, group, one.snapshot)) {
      if (verdict === 'clean') verdict = 'snapshot lost';
      const known = groupOf(expectation, group).snapshots.some((written) => isIt(written, one.snapshot));
      if (one.snapshot !== null && !known) throw neverWritten(group, one.snapshot);
    }
  }
  if (look.onward !== null) throw look.onward;
  return verdict;
}

/** Another server, which says where what it was is kept, holds nothing, and belongs to no other cluster. */
function judgeReplacement(
  { shown, error, onward }: NonNullable<Look['replacement']>,
  before: Expectation,
): void {
  if (shown === null) throw asWrong(error);
  const { incarnation, clusterId, putAside } = shown.identity;
  if (incarnation === before.incarnation) {
    throw new Wrong({
      expected: 'another incarnation',
      found: `${incarnation} again, whose promises are lost`,
    });
  }
  if (putAside === undefined)
    throw new Wrong({ expected: 'to be told what was put aside', found: 'nothing' });
  if (![null, ...before.clusterIds].includes(clusterId)) {
    throw new Wrong({ expected: `cluster ${before.clusterIds.join(' or ')}`, found: `cluster ${clusterId}` });
  }
  checkWhole(shown, expectNothing(groups));
  if (onward !== null) throw onward;
}

/** @throws Wrong unless all is there, nothing else is, and nothing is said to be missing. */
export function checkWhole(shown: Shown, expectation: Expectation): void {
  checkIdentity(expectation, shown.identity);
  for (const [group, one] of shown.groups) {
    if (one.damage !== null) {
      throw new Wrong({ expected: `a log of ${group} that is whole`, found: `damage: ${one.damage.report}` });
    }
    checkLog(expectation, group, one);
    if (isNewest(expectation, group, one.snapshot)) continue;
    const { snapshot } = groupOf(expectation, group);
    throw new Wrong({
      expected:
        snapshot === null ? 'no snapshot' : `the snapshot of ${group} at ${snapshot.index}, or a newer`,
      found: one.snapshot === null ? 'none' : `one at ${one.snapshot.meta.index}`,
    });
  }
}

/** It is the storage that it was. */
function checkIdentity(expectation: Expectation, identity: StorageIdentity): void {
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

/** It is what was acknowledged, or what writes under way made of it. */
function checkLog(expectation: Expectation, group: GroupId, { log }: ShownGroup): void {
  const { admissible } = groupOf(expectation, group);
  const text = exactly(log);
  if (admissible.some((one) => exactly(one.log) === text)) return;
  const [sure, ...later] = admissible.map((one) => describeLog(one.log));
  const underWay = later.length === 0 ? '' : `, or, under way: ${[...new Set(later)].join(' | ')}`;
  throw new Wrong({ expected: `in ${group}: ${sure}${underWay}`, found: `in ${group}: ${describeLog(log)}` });
}

/**
 * A log that says what it lacks: term and vote, the rest that it says it holds and the end that it claims are exact.
 * Where it does not know its end it may be what it was before, as it does not know either what replaced that. A floor
 * that is lost makes a hole of what lies below it, and so does one whose snapshot is lost, from an older snapshot on.
 */
function checkDamagedLog(expectation: Expectation, group: GroupId, shown: ShownGroup): void {
  const { log, damage, beyond } = shown;
  const expected = latestLog(expectation, group);
  const { past: logs, snapshots } = groupOf(expectation, group);
  const past = [...logs, ...snapshots.map(afterSnapshot)];
  const last = lastIndexOf(expected);
  checkStart(group, shown);
  const isRight = damage?.end === null ? isBeginningOfAny : isPartOf;
  if (!isSameHardState(log, expected) || !isRight({ log, beyond }, expected, past)) {
    throw new Wrong({
      expected: `in ${group}, as far as it is held: ${describeLog(expected)}`,
      found: `in ${group}: ${describeLog(log)}, said to be whole up to there: ${damage?.report}`,
    });
  }
  const end = damage?.end ?? null;
  if (end !== null && (end.index !== last || end.term !== termAt(expected, last))) {
    throw new Wrong({
      expected: `the end of ${group} at ${last}`,
      found: `${end.index} of term ${end.term}`,
    });
  }
  for (const [place, { from, to }] of (damage?.holes ?? []).entries()) {
    if (from > (damage?.holes[place - 1]?.to ?? lastIndexOf(log)) && from <= to && to <= last) continue;
    throw new Wrong({ expected: `holes in order up to entry ${last}`, found: `one from ${from} to ${to}` });
  }
}

/** What lies before the log is in a snapshot that is there, or is said to be missing. */
function checkStart(group: GroupId, { log, snapshot }: ShownGroup): void {
  const covered = snapshot?.meta.index ?? 0;
  if (log.floor.index <= covered) return;
  throw new Wrong({
    expected: `in ${group}: a snapshot of entry ${log.floor.index} or a later one, or a word that it is lost`,
    found: `in ${group}: ${snapshot === null ? 'none' : `one of entry ${covered}`}, and not a word`,
  });
}

/** A log that begins there, and holds nothing. */
function afterSnapshot({ index, term, configuration }: ExpectedSnapshot): LogState {
  return { ...emptyLog, floor: { index, term, configuration } };
}

type Held = Pick<ShownGroup, 'log' | 'beyond'>;

function isBeginningOfAny({ log, beyond }: Held, _expected: LogState, past: readonly LogState[]): boolean {
  const last = lastIndexOf(log);
  const { hardState } = log;
  const isBeginningOf = ({ floor, entries }: LogState): boolean =>
    exactly(log) === exactly({ hardState, floor, entries: entries.filter(({ index }) => index <= last) });
  return beyond.length === 0 && past.some(isBeginningOf);
}

function isPartOf({ log, beyond }: Held, expected: LogState, past: readonly LogState[]): boolean {
  const isIn = (entry: Entry, { entries }: LogState): boolean =>
    entries.some((one) => one.index === entry.index && exactEntry(one) === exactEntry(entry));
  const isHeld = (entry: Entry): boolean =>
    isIn(entry, expected) ||
    (entry.index <= expected.floor.index && past.some((before) => isIn(entry, before)));
  const isFloor = past.some(({ floor }) => JSON.stringify(floor) === JSON.stringify(log.floor));
  return isFloor && [...log.entries, ...beyond].every(isHeld);
}

function isSameHardState({ hardState }: LogState, expected: LogState): boolean {
  return exactly({ ...emptyLog, hardState }) === exactly({ ...emptyLog, hardState: expected.hardState });
}

/** It voted for nobody, and holds nothing. */
function isUnused(expectation: Expectation): boolean {
  return groups.every((group) => {
    const { snapshots } = groupOf(expectation, group);
    return snapshots.length === 0 && exactly(latestLog(expectation, group)) === exactly(emptyLog);
  });
}

/** The last that was acknowledged, or one under way after it. */
function isNewest(expectation: Expectation, group: GroupId, shown: ShownSnapshot | null): boolean {
  const { snapshot, snapshotsUnderWay } = groupOf(expectation, group);
  if (shown === null) return snapshot === null;
  return [snapshot, ...snapshotsUnderWay].some((one) => one !== null && isIt(one, shown));
}

function isIt(written: ExpectedSnapshot, shown: ShownSnapshot | null): boolean {
  if (shown === null) return false;
  const { meta, content } = shown;
  return (
    written.index === meta.index &&
    written.term === meta.term &&
    JSON.stringify(written.configuration) === JSON.stringify(meta.configuration) &&
    meta.digest === createHash('sha256').update(written.content).digest('hex') &&
    Buffer.compare(written.content, content) === 0
  );
}

function neverWritten(group: GroupId, { meta }: ShownSnapshot): Wrong {
  const { index, term, size } = meta;
  const found = `one of ${group} at ${index} of term ${term} with ${size} bytes that never was`;
  return new Wrong({ expected: 'a snapshot that was written', found });
}
