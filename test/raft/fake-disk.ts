import { createHash } from 'node:crypto';
import type { HardState, LogFloor, ReceiveSnapshotEffect, WriteEffect } from '../../src/raft/effect.ts';
import type { Entry, Index } from '../../src/raft/entry.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { sameSnapshot } from '../../src/raft/snapshot.ts';
import type { LogDamage } from '../../src/storage/contract.ts';

/** What a replica's storage holds: all of it survives a crash, except what is pending or being received. */
export interface FakeDisk {
  boot: number;
  /** 1 for the first disk of a replica; an emptied one is the next. */
  life: number;
  hardState: HardState;
  floor: LogFloor;
  /** Those after the floor; of a damaged disk those before what is missing. */
  entries: Entry[];
  /** What it lost since the log was last written to, and what it still holds behind that. */
  damage: DiskDamage | null;
  pending: WriteEffect[];
  /** While false, writes, loads and chunks wait to be finished one by one. */
  persistsAtOnce: boolean;
  /** Oldest first. */
  snapshots: StoredSnapshot[];
  /** Chunks handed over and not written, oldest first. */
  chunks: ReceiveSnapshotEffect[];
  receiving: {
    readonly transferId: ReceiveSnapshotEffect['transferId'];
    parts: Uint8Array[];
    size: number;
  } | null;
}

export interface DiskDamage {
  /** In order; the first follows the entries. Of a lost tail there is nothing that anyone could name. */
  readonly missing: readonly Entry[];
  readonly beyond: readonly Entry[];
  readonly tailIsLost: boolean;
}

export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  readonly data: Uint8Array;
}

export const noFloor: LogFloor = { index: 0, term: 0, configuration: null };

export function fakeDisk(
  held: { readonly entries: Entry[]; readonly hardState: HardState },
  life = 1,
): FakeDisk {
  return {
    boot: 0,
    life,
    ...held,
    floor: noFloor,
    damage: null,
    pending: [],
    persistsAtOnce: true,
    snapshots: [],
    chunks: [],
    receiving: null,
  };
}

export function entryOn({ floor, entries }: FakeDisk, index: Index): Entry | undefined {
  return entries[index - floor.index - 1];
}

/** As a storage says it: the last of the missing entries, or the one after them, is the anchor. */
export function foundDamage({ damage }: FakeDisk): LogDamage | null {
  if (damage === null) return null;
  const { missing, beyond, tailIsLost } = damage;
  const first = missing[0];
  const last = missing.at(-1);
  const end = beyond.at(-1) ?? last;
  if (tailIsLost || first === undefined || last === undefined || end === undefined)
    return { holes: [], end: null, report: 'the end is missing' };
  const { index, term } = beyond[0] ?? last;
  return {
    holes: [{ from: first.index, to: last.index, anchor: { index, term } }],
    end: { index: end.index, term: end.term },
    report: `${first.index} to ${last.index} are missing`,
  };
}

/** Does one pending write on the disk; it is not reported yet. */
export function writeOldest(disk: FakeDisk): WriteEffect | undefined {
  const write = disk.pending.shift();
  if (write === undefined) return undefined;
  if (write.hardState !== undefined) disk.hardState = write.hardState;
  // Whatever is written begins before what is missing, and takes the place of all that follows.
  const replaces = write.cutFrom !== undefined || write.entries.length > 0 || write.floor !== undefined;
  if (replaces || (disk.damage?.tailIsLost && write.hardState !== undefined)) disk.damage = null;
  if (write.cutFrom !== undefined) disk.entries.splice(write.cutFrom - disk.floor.index - 1);
  for (const entry of write.entries) {
    const next = disk.floor.index + disk.entries.length + 1;
    if (entry.index !== next)
      throw new Error(`a write appends entry ${entry.index} where ${next} comes next`);
    disk.entries.push(entry);
  }
  if (write.floor !== undefined) moveFloor(disk, write.floor);
  return write;
}

/** Writes one chunk; of the last one it tells whether the whole is stored. Nothing is reported yet. */
export function writeChunk(
  disk: FakeDisk,
): { readonly chunk: ReceiveSnapshotEffect; readonly end: 'more' | 'stored' | 'failed' } | null {
  const chunk = disk.chunks.shift();
  if (chunk === undefined) return null;
  const { transferId, snapshot, offset, data } = chunk;
  if (offset === 0) disk.receiving = { transferId, parts: [], size: 0 };
  if (disk.receiving === null || disk.receiving.size !== offset) {
    throw new Error(`a chunk at ${offset} of ${snapshot.index} follows no other`);
  }
  disk.receiving.parts.push(data);
  disk.receiving.size += data.length;
  if (disk.receiving.size < snapshot.size) return { chunk, end: 'more' };
  const whole = new Uint8Array(Buffer.concat(disk.receiving.parts));
  disk.receiving = null;
  if (digestOf(whole) !== snapshot.digest) return { chunk, end: 'failed' };
  storeSnapshot(disk, { meta: snapshot, data: whole });
  return { chunk, end: 'stored' };
}

/** One snapshot at a time is shown: the latest. Older ones go with the next floor. */
export function storeSnapshot(disk: FakeDisk, snapshot: StoredSnapshot): void {
  disk.snapshots.push(snapshot);
  disk.snapshots.sort((a, b) => a.meta.index - b.meta.index);
}

export function latestSnapshot({ snapshots }: FakeDisk): StoredSnapshot | null {
  return snapshots.at(-1) ?? null;
}

export function snapshotOn({ snapshots }: FakeDisk, meta: SnapshotMeta): StoredSnapshot | undefined {
  return snapshots.find((one) => sameSnapshot(one.meta, meta));
}

/** The fake state machine is the list of what it applied, so its snapshot is that list. */
export function snapshotOf(
  applied: readonly Entry[],
  at: Pick<SnapshotMeta, 'index' | 'term' | 'configuration'>,
): StoredSnapshot {
  const text = `[${applied.slice(0, at.index).map(encoded).join()}]`;
  const data = new TextEncoder().encode(text);
  return { meta: { ...at, size: data.length, digest: digestOf(data) }, data };
}

export function restoredFrom({ data }: StoredSnapshot): Entry[] {
  const entries = JSON.parse(new TextDecoder().decode(data)) as Entry[];
  return entries.map((entry) =>
    entry.kind === 'command' ? { ...entry, payload: Uint8Array.from(entry.payload) } : entry,
  );
}

/** Every snapshot holds all the entries of the one before it. */
const known = new WeakMap<Entry, string>();

function encoded(entry: Entry): string {
  const before = known.get(entry);
  if (before !== undefined) return before;
  const plain = entry.kind === 'command' ? { ...entry, payload: [...entry.payload] } : entry;
  const text = JSON.stringify(plain);
  known.set(entry, text);
  return text;
}

function digestOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function moveFloor(disk: FakeDisk, floor: LogFloor): void {
  const latest = latestSnapshot(disk)?.meta.index ?? 0;
  if (floor.index > latest) throw new Error(`a floor at ${floor.index} above the snapshot at ${latest}`);
  if (floor.index <= disk.floor.index)
    throw new Error(`a floor goes from ${disk.floor.index} to ${floor.index}`);
  const holds = entryOn(disk, floor.index)?.term === floor.term;
  disk.entries = holds ? disk.entries.slice(floor.index - disk.floor.index) : [];
  disk.floor = floor;
  disk.snapshots = disk.snapshots.filter(({ meta }) => meta.index >= floor.index);
}
