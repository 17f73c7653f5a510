import type { Entry, Index } from '../../src/raft/entry.ts';
import type { GroupId } from '../../src/raft/identity.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import type { LogDamage, LogStorage, StorageIdentity, StorageInstance } from '../../src/storage/contract.ts';
import { groups } from './content.ts';
import type { Life } from './life.ts';
import { exactEntry, type LogState, lastIndexOf } from './log-state.ts';
import { Wrong } from './wrong.ts';

/** Everything that an opened storage says it holds. */
export interface Shown {
  readonly identity: StorageIdentity;
  readonly groups: ReadonlyMap<GroupId, ShownGroup>;
}

export interface ShownGroup {
  /** Of a damaged log: the part before what is missing. */
  readonly log: LogState;
  readonly damage: LogDamage | null;
  /** What it says it holds after and between holes. */
  readonly beyond: readonly Entry[];
  readonly snapshot: ShownSnapshot | null;
}

export interface ShownSnapshot {
  readonly meta: SnapshotMeta;
  readonly content: Uint8Array;
}

const everything = Number.MAX_SAFE_INTEGER;

/** @throws Wrong when what it says of itself is not what it holds; else what the storage throws. */
export async function show(
  life: Life,
  instance: StorageInstance,
): Promise<{ readonly shown: Shown; readonly logs: ReadonlyMap<GroupId, LogStorage> }> {
  const logs = new Map<GroupId, LogStorage>();
  const shown = new Map<GroupId, ShownGroup>();
  for (const group of groups) {
    // As a node does: a snapshot that is lost is a hole in the log.
    const snapshot = await showSnapshot(life, instance, group);
    const log = await life.driven(instance.openLog(group, { snapshot: snapshot?.meta ?? null }));
    logs.set(group, log);
    shown.set(group, { ...(await showLog(life, log)), snapshot });
  }
  return { shown: { identity: instance.identity, groups: shown }, logs };
}

async function showLog(life: Life, log: LogStorage): Promise<Omit<ShownGroup, 'snapshot'>> {
  const { hardState, floor, lastIndex, damage } = log.recovered;
  const entries = await read(life, log, { from: floor.index + 1, to: lastIndex });
  const state: LogState = { hardState, floor, entries };
  checkOutline(log, state);
  const beyond: Entry[] = [];
  let next = lastIndex + 1;
  for (const { from, to } of damage?.holes ?? []) {
    beyond.push(...(await read(life, log, { from: next, to: from - 1 })));
    next = to + 1;
  }
  const end = damage?.end?.index ?? 0;
  beyond.push(...(await read(life, log, { from: next, to: end })));
  return { log: state, damage, beyond };
}

async function read(
  life: Life,
  log: LogStorage,
  { from, to }: { readonly from: Index; readonly to: Index },
): Promise<Entry[]> {
  return to < from ? [] : life.driven(log.read({ from, to, bytesMax: everything }));
}

async function showSnapshot(
  life: Life,
  instance: StorageInstance,
  group: GroupId,
): Promise<ShownSnapshot | null> {
  const snapshots = instance.snapshots(group);
  const meta = await life.driven(snapshots.latest());
  if (meta === null) return null;
  return { meta, content: await life.driven(snapshots.read(meta, { offset: 0, length: meta.size })) };
}

/** Term runs, configurations and terms agree with the entries themselves. */
function checkOutline(log: LogStorage, state: LogState): void {
  const { lastIndex, runs, configurations } = log.recovered;
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
  const told = configurations.map(exactEntry);
  const held = state.entries.filter(({ kind }) => kind === 'configuration').map(exactEntry);
  if (told.join('\n') === held.join('\n')) return;
  throw new Wrong({
    expected: `${held.length} configurations, as in the log`,
    found: `${told.length} or others`,
  });
}
