import { nodeRandom } from '../doors/node-random.ts';
import type { Random } from '../doors/random.ts';
import { Histogram } from '../metrics/histogram.ts';
import type { HardState } from '../raft/effect.ts';
import type { ConfigurationEntry, Entry, Index, Term } from '../raft/entry.ts';
import { entryBytes, runsOf } from '../raft/entry.ts';
import type { ClusterId, GroupId } from '../raft/identity.ts';
import type {
  LogFloor,
  LogStorage,
  RecoveredLog,
  SnapshotStorage,
  Storage,
  StorageIdentity,
  StorageInstance,
  StorageOpenRequest,
  StorageStats,
  WriteRequest,
} from './contract.ts';
import { EntriesGone, StorageFailed, StorageRefused } from './errors.ts';
import { MemorySnapshots } from './memory-snapshots.ts';
import { refuseBadName } from './names.ts';
import { mistakeIn } from './write-mistake.ts';

/** What outlives a closed instance. */
interface Kept {
  identity: StorageIdentity | null;
  readonly groups: Map<GroupId, Group>;
  open: boolean;
}

interface Group {
  hardState: HardState;
  floor: LogFloor;
  /** Those after the floor. */
  entries: Entry[];
  readonly snapshots: MemorySnapshots;
}

/**
 * A storage without a disk, for tests and examples: what it holds survives a reopened node of this
 * process, and nothing more. It keeps the contract otherwise: one opener at a time, boots that grow,
 * ordered atomic writes.
 */
export function memoryStorage(doors: { readonly random?: Random } = {}): Storage {
  const random = doors.random ?? nodeRandom();
  const kept: Kept = { identity: null, groups: new Map(), open: false };
  return {
    async open(request: StorageOpenRequest): Promise<StorageInstance> {
      refuseBadName('id', request.id);
      if (kept.open)
        throw new StorageRefused('in-use', 'this memory storage is open already; close that one first');
      kept.identity = identityFor(request, kept.identity, random);
      // It was created just now, or emptied.
      if (kept.identity.boot === 1) kept.groups.clear();
      kept.open = true;
      return new MemoryInstance(kept, kept.identity);
    },
  };
}

function identityFor(
  { id, clusterId, forget }: StorageOpenRequest,
  known: StorageIdentity | null,
  random: Random,
): StorageIdentity {
  const created = (): StorageIdentity => {
    const incarnation = Buffer.from(random.bytes(8)).toString('hex');
    return { id, incarnation, boot: 1, clusterId: null };
  };
  if (known === null) return created();
  if (known.id !== id) {
    throw new StorageRefused(
      'other-replica',
      `this memory storage belongs to replica ${known.id}, not to ${id}`,
    );
  }
  if (clusterId !== undefined && known.clusterId !== null && known.clusterId !== clusterId) {
    throw new StorageRefused(
      'other-cluster',
      `this memory storage belongs to cluster ${known.clusterId}, not to ${clusterId}`,
    );
  }
  return known.incarnation === forget ? created() : { ...known, boot: known.boot + 1 };
}

class MemoryInstance implements StorageInstance {
  /** It does nothing by itself. */
  readonly failed = new Promise<never>(() => {});
  readonly #kept: Kept;
  #identity: StorageIdentity;
  readonly #counts = { writes: 0, blocks: 0, syncs: 0, bytesWritten: 0, rawBytes: 0, pendingWrites: 0 };
  readonly #syncLatency = new Histogram();
  readonly #opened = new Set<GroupId>();
  #failure: StorageFailed | null = null;
  #closing: Promise<void> | null = null;

  constructor(kept: Kept, identity: StorageIdentity) {
    this.#kept = kept;
    this.#identity = identity;
  }

  get identity(): StorageIdentity {
    return this.#identity;
  }

  get failure(): StorageFailed | null {
    return this.#failure;
  }

  async adoptCluster(clusterId: ClusterId): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const known = this.#identity.clusterId;
    if (known !== null && known !== clusterId)
      throw this.fail(`it belongs to cluster ${known}, not to ${clusterId}`);
    this.#identity = { ...this.#identity, clusterId };
    this.#kept.identity = this.#identity;
  }

  async openLog(name: GroupId): Promise<LogStorage> {
    if (this.#failure !== null) throw this.#failure;
    refuseBadName('group', name);
    if (this.#opened.has(name)) throw new Error(`the log of group ${name} is open already`);
    this.#opened.add(name);
    return new MemoryLog(this, this.group(name));
  }

  snapshots(name: GroupId): SnapshotStorage {
    refuseBadName('group', name);
    return this.group(name).snapshots.door(() => this.#failure);
  }

  stats(): StorageStats {
    return { ...this.#counts, syncLatency: this.#syncLatency.value() };
  }

  /** Once: another instance may have opened the storage by the time this one is closed again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // What was handed over resolves first: it takes one microtask each.
    while (this.#counts.pendingWrites > 0) await Promise.resolve();
    this.fail('it is closed');
    this.#kept.open = false;
  }

  group(name: GroupId): Group {
    let group = this.#kept.groups.get(name);
    if (group === undefined) {
      group = {
        hardState: { term: 0, votedFor: null },
        floor: { index: 0, term: 0, configuration: null },
        entries: [],
        snapshots: new MemorySnapshots(),
      };
      this.#kept.groups.set(name, group);
    }
    return group;
  }

  fail(why: string): StorageFailed {
    this.#failure ??= new StorageFailed(`the memory storage failed: ${why}`);
    return this.#failure;
  }

  /** Runs one write later in this turn, in order. */
  async later(bytes: number, apply: () => void): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    this.#counts.pendingWrites += 1;
    await Promise.resolve();
    this.#counts.pendingWrites -= 1;
    if (this.#failure !== null) throw this.#failure;
    apply();
    this.#counts.writes += 1;
    this.#counts.blocks += 1;
    this.#counts.syncs += 1;
    // There is no disk to wait for.
    this.#syncLatency.observe(0);
    this.#counts.bytesWritten += bytes;
    this.#counts.rawBytes += bytes;
  }
}

class MemoryLog implements LogStorage {
  readonly recovered: RecoveredLog;
  readonly #instance: MemoryInstance;
  readonly #group: Group;

  constructor(instance: MemoryInstance, group: Group) {
    this.#instance = instance;
    this.#group = group;
    const { hardState, floor, entries } = group;
    this.recovered = {
      hardState,
      floor,
      lastIndex: floor.index + entries.length,
      runs: runsOf(entries),
      configurations: entries.filter((entry): entry is ConfigurationEntry => entry.kind === 'configuration'),
      damage: null,
    };
  }

  write(request: WriteRequest): Promise<void> {
    const bytes = request.entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    return this.#instance.later(bytes, () => this.#apply(request));
  }

  async read({ from, to, bytesMax }: { from: Index; to: Index; bytesMax: number }): Promise<Entry[]> {
    if (this.#instance.failure !== null) throw this.#instance.failure;
    const { floor, entries } = this.#group;
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of entries.slice(Math.max(0, from - floor.index - 1), to - floor.index)) {
      bytes += entryBytes(entry);
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    if (found[0]?.index !== from) throw new EntriesGone(`the memory storage holds no entry ${from}`);
    return found;
  }

  termAt(index: Index): Term | null {
    return termAt(this.#group, index);
  }

  /** Memory is never damaged. */
  async repair(): Promise<null> {
    return null;
  }

  #apply(request: WriteRequest): void {
    const group = this.#group;
    const mistake = mistakeIn(request, {
      ownTerm: group.hardState.term,
      floorIndex: group.floor.index,
      lastIndex: group.floor.index + group.entries.length,
      termAt: (index) => termAt(group, index),
    });
    if (mistake !== null) throw this.#instance.fail(mistake);
    const { hardState, cutFrom, entries, floor } = request;
    if (hardState !== undefined) group.hardState = hardState;
    if (cutFrom !== undefined) group.entries.length = cutFrom - 1 - group.floor.index;
    for (const entry of entries) group.entries.push(entry);
    if (floor !== undefined) moveFloor(group, floor);
  }
}

function termAt({ floor, entries }: Group, index: Index): Term | null {
  return index === floor.index ? floor.term : (entries[index - floor.index - 1]?.term ?? null);
}

/** Same term at its index: what follows stays. Another term, or beyond the end: the log begins anew. */
function moveFloor(group: Group, floor: LogFloor): void {
  const agrees = termAt(group, floor.index) === floor.term;
  group.entries = agrees ? group.entries.slice(floor.index - group.floor.index) : [];
  group.floor = floor;
  group.snapshots.dropBelow(floor.index);
}
