import type { ClusterId, GroupId, Incarnation } from '../../src/raft/identity.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import type { WriteRequest } from '../../src/storage/contract.ts';
import { emptyLog, type LogState, stepsOf } from './log-state.ts';

/** What a storage must show when it is opened now: told by what it acknowledged and what is under way. */
export interface Expectation {
  /** null while no opening was acknowledged. */
  readonly incarnation: Incarnation | null;
  /** The highest that was acknowledged. */
  readonly boot: number;
  /** One that is sure; two while the second is being adopted. */
  readonly clusterIds: readonly (ClusterId | null)[];
  readonly groups: ReadonlyMap<GroupId, GroupExpectation>;
}

export interface GroupExpectation {
  /** What was acknowledged, then what the writes under way make of it, one after another. */
  readonly admissible: readonly {
    readonly log: LogState;
    readonly write: number;
    readonly isWhole: boolean;
  }[];
  /** All that the log ever was, the newest last: a tail that is lost leaves any of them. */
  readonly past: readonly LogState[];
  /** The last that was acknowledged. */
  readonly snapshot: ExpectedSnapshot | null;
  readonly snapshotsUnderWay: readonly ExpectedSnapshot[];
  /** Every one there ever was: damage may leave any of them. */
  readonly snapshots: readonly ExpectedSnapshot[];
}

export interface ExpectedSnapshot extends Pick<SnapshotMeta, 'index' | 'term' | 'configuration'> {
  readonly content: Uint8Array;
}

const emptyGroup: GroupExpectation = {
  admissible: [{ log: emptyLog, write: 0, isWhole: true }],
  past: [emptyLog],
  snapshot: null,
  snapshotsUnderWay: [],
  snapshots: [],
};

export function expectNothing(groups: readonly GroupId[]): Expectation {
  return {
    incarnation: null,
    boot: 0,
    clusterIds: [null],
    groups: new Map(groups.map((group) => [group, emptyGroup])),
  };
}

export function groupOf({ groups }: Expectation, group: GroupId): GroupExpectation {
  return groups.get(group) ?? emptyGroup;
}

/** The log once everything under way is durable. */
export function latestLog(expectation: Expectation, group: GroupId): LogState {
  return groupOf(expectation, group).admissible.at(-1)?.log ?? emptyLog;
}

export function submitted(expectation: Expectation, group: GroupId, request: WriteRequest): Expectation {
  const { admissible, past } = groupOf(expectation, group);
  const write = (admissible.at(-1)?.write ?? 0) + 1;
  const steps = stepsOf(latestLog(expectation, group), request);
  const next = steps.map((log, place) => ({ log, write, isWhole: place === steps.length - 1 }));
  return withGroup(expectation, group, { admissible: [...admissible, ...next], past: [...past, ...steps] });
}

export function acknowledged(expectation: Expectation, group: GroupId, write: number): Expectation {
  const { admissible } = groupOf(expectation, group);
  const first = admissible.findIndex((one) => one.write === write && one.isWhole);
  if (first === -1) throw new Error(`write ${write} of group ${group} was acknowledged out of order`);
  return withGroup(expectation, group, { admissible: admissible.slice(first) });
}

/** What was found is all there is: nothing is under way any more. */
export function found(expectation: Expectation, group: GroupId, log: LogState): Expectation {
  return withGroup(expectation, group, { admissible: [{ log, write: 0, isWhole: true }] });
}

export function withGroup(
  expectation: Expectation,
  group: GroupId,
  changed: Partial<GroupExpectation>,
): Expectation {
  const groups = new Map(expectation.groups);
  groups.set(group, { ...groupOf(expectation, group), ...changed });
  return { ...expectation, groups };
}
