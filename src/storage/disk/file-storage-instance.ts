import type { DirectoryLock } from '../../doors/disk.ts';
import { Histogram } from '../../metrics/histogram.ts';
import type { Configuration } from '../../raft/configuration.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Index } from '../../raft/entry.ts';
import type { ClusterId, GroupId } from '../../raft/identity.ts';
import type {
  LogStorage,
  OpenLogOptions,
  SnapshotMeta,
  SnapshotStorage,
  StorageIdentity,
  StorageInstance,
  StorageSpace,
  StorageStats,
} from '../contract.ts';
import { type LostPromises, StorageFailed, StorageRefused } from '../errors.ts';
import { refuseBadName } from '../names.ts';
import { asRefusal } from './as-refusal.ts';
import { damagedLog } from './damaged-log.ts';
import { describeVerdict } from './describe-verdict.ts';
import type { FileStorageSettings } from './file-storage.ts';
import { type FloorRecord, writeFloor } from './floor-file.ts';
import type { GroupLog } from './group-log.ts';
import { groupsIn, readRecords } from './group-records.ts';
import { HardStateFiles } from './hard-state-file.ts';
import { type IdentityRecord, writeIdentity } from './identity-file.ts';
import { type Judgement, judgeOpening } from './judge-opening.ts';
import { latestReadable } from './latest-readable.ts';
import { MarkFile } from './mark-file.ts';
import { refuseMissingCodec } from './missing-codec.ts';
import { openedLog } from './opened-log.ts';
import { type OpenedShard, openShard, shardName } from './opened-shard.ts';
import { hardStateOf, type Records, type RefusedVerdict, recover, type Verdict } from './recover.ts';
import { Scrub } from './scrub.ts';
import type { Commit, ShardHost } from './shard.ts';
import { shardNumberOf } from './shard-number.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import { SpaceWatch } from './space-watch.ts';

/** One open of a directory: its small files, its shards, and the logs in them. */
export class FileStorageInstance implements StorageInstance, ShardHost {
  readonly #settings: FileStorageSettings;
  readonly #lock: DirectoryLock;
  readonly seed: number;
  #identity: IdentityRecord;
  #hardStates: HardStateFiles | null = null;
  #hasHardState = true;
  #lostHardState: string | null = null;
  #marks: MarkFile | null = null;
  #space: SpaceWatch | null = null;
  readonly #shards: OpenedShard[] = [];
  readonly #opened = new Set<GroupId>();
  readonly #logs: GroupLog[] = [];
  readonly #scrub: Scrub;
  readonly #snapshots = new Map<GroupId, SnapshotFiles>();
  #failure: StorageFailed | null = null;
  #tellFailed: (failure: StorageFailed) => void = () => {};
  readonly failed = new Promise<StorageFailed>((resolve) => {
    this.#tellFailed = resolve;
  });
  #closing: Promise<void> | null = null;
  readonly #counts = { writes: 0, blocks: 0, syncs: 0, bytesWritten: 0, rawBytes: 0 };
  readonly #syncLatency = new Histogram();

  private constructor(
    settings: FileStorageSettings,
    found: { readonly identity: IdentityRecord; readonly seed: number; readonly lock: DirectoryLock },
  ) {
    this.#settings = settings;
    this.#identity = found.identity;
    this.seed = found.seed;
    this.#lock = found.lock;
    this.#scrub = new Scrub(settings.doors.clock, settings.scrub, () => this.#logs);
  }

  /** @throws StorageRefused when what is there is damaged; nothing is changed then, and all is closed. */
  static async open(
    settings: FileStorageSettings,
    found: {
      readonly identity: IdentityRecord;
      readonly isNew: boolean;
      readonly seed: number;
      readonly lock: DirectoryLock;
    },
  ): Promise<FileStorageInstance> {
    const instance = new FileStorageInstance(settings, found);
    try {
      await instance.#openFiles(found);
      if (found.isNew) instance.#refuseUnlessEmpty();
      else await instance.#refuseDamage();
      instance.#refuseMissingCodec();
      await instance.#files().hardStates.settle();
      for (const { shard } of instance.#shards) await shard.backend.settle();
      const identity = { ...found.identity, boot: found.identity.boot + 1 };
      await writeIdentity(settings.doors.disk, settings.directory, identity);
      instance.#identity = identity;
      instance.#scrub.start();
      return instance;
    } catch (error) {
      await instance.#closeFiles();
      throw error;
    }
  }

  get identity(): StorageIdentity {
    const { id, incarnation, boot, clusterId, putAside: aside } = this.#identity;
    if (aside === undefined) return { id, incarnation, boot, clusterId };
    const putAside = { directory: `${this.#settings.directory}/${aside.folder}`, why: aside.why };
    return { id, incarnation, boot, clusterId, putAside };
  }

  /** Of which anything is there, sorted. Of a group whose log is open it may not be told any more. */
  get groups(): GroupId[] {
    return groupsIn(this.#files(), this.#shards);
  }

  /** What is lost of term and vote where the log was opened without them; null where they are known. */
  get lostHardState(): string | null {
    return this.#lostHardState;
  }

  async adoptCluster(clusterId: ClusterId): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const known = this.#identity.clusterId;
    if (known === clusterId) return;
    if (known !== null)
      throw this.fail(`the storage belongs to cluster ${known}, not to ${clusterId}`, undefined);
    const identity = { ...this.#identity, clusterId };
    try {
      await writeIdentity(this.#settings.doors.disk, this.#settings.directory, identity);
    } catch (cause) {
      throw this.fail('the cluster id could not be made durable', cause);
    }
    this.#identity = identity;
  }

  async openLog(group: GroupId, { snapshot }: OpenLogOptions = {}): Promise<LogStorage> {
    if (this.#failure !== null) throw this.#failure;
    refuseBadName('group', group);
    if (this.#opened.has(group)) throw new Error(`the log of group ${group} is open already`);
    this.#opened.add(group);
    const { shard, found } = this.#shardOf(group);
    const judgement = await this.#judgeToOpen(group, snapshot).catch((error: unknown) => {
      throw asRefusal(this.#settings.directory, error);
    });
    const { verdict, dead } = judgement;
    if (isRefused(verdict)) throw this.#refusal(group, verdict, await this.#lostPromises());
    const log = await openedLog({ shard, found, group, place: this.#placeOf(group) }, verdict, judgement);
    if (verdict.kind === 'clean') {
      await shard.inTurn(() => shard.begin(log));
      if (dead !== null) shard.compact(group, dead);
    }
    found.forget(group);
    this.#logs.push(log);
    return log;
  }

  /** At most once. */
  watchSpace(tell: (space: StorageSpace) => void): void {
    if (this.#settings.reserveBytes === 0) return;
    this.#space = new SpaceWatch(this.#settings, tell);
  }

  snapshots(group: GroupId): SnapshotStorage {
    refuseBadName('group', group);
    return this.#snapshotsOf(group);
  }

  stats(): StorageStats {
    const pendingWrites = this.#shards.reduce((sum, { shard }) => sum + shard.pending, 0);
    return { ...this.#counts, pendingWrites, syncLatency: this.#syncLatency.value() };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- what shards ask

  get work() {
    return this.#settings.doors.work;
  }

  get codec() {
    return this.#settings.codec;
  }

  get failure(): StorageFailed | null {
    return this.#failure;
  }

  /** Poisons the instance: nothing more is written, and everyone hears why. The first reason stays. */
  fail(what: string, cause: unknown): StorageFailed {
    if (this.#failure === null) {
      const why = cause instanceof Error ? `: ${cause.message}` : '';
      this.#failure = new StorageFailed(`${this.#settings.directory}: ${what}${why}`, { cause });
      for (const { shard } of this.#shards) shard.rejectQueued(this.#failure);
      if (this.#closing === null) this.#tellFailed(this.#failure);
    }
    return this.#failure;
  }

  async saveHardState(group: GroupId, hardState: HardState): Promise<void> {
    await this.#files().hardStates.write(group, hardState);
  }

  async saveFloor(group: GroupId, floor: FloorRecord): Promise<void> {
    const { directory, doors } = this.#settings;
    await writeFloor(doors.disk, { directory, group }, floor, this.seed);
    this.#files().marks.set(group, { lowestNumber: floor.lowestNumber });
  }

  dropSnapshotsBelow(group: GroupId, index: Index): Promise<void> {
    return this.#snapshotsOf(group).dropBelow(index);
  }

  mark(group: GroupId, durableNumber: number): void {
    this.#files().marks.set(group, { durableNumber });
  }

  prepareMark(group: GroupId, durableNumber: number): void {
    this.#files().marks.prepare(group, durableNumber);
  }

  now(): number {
    return this.#settings.doors.clock.now();
  }

  written(writes: number): void {
    this.#counts.writes += writes;
  }

  synced({ blocks, bytes, rawBytes, tookMs }: Commit): void {
    this.#counts.blocks += blocks;
    this.#counts.bytesWritten += bytes;
    this.#counts.rawBytes += rawBytes;
    this.#counts.syncs += 1;
    this.#syncLatency.observe(tookMs);
    this.#space?.written(bytes);
  }

  // ---- opening

  async #openFiles({ isNew }: { readonly isNew: boolean }): Promise<void> {
    const settings = this.#settings;
    const { directory, doors, shards } = settings;
    const { disk, clock } = doors;
    const names = await disk.list(directory);
    // Both are made before a storage's identity is. Made anew, they would say that it never voted.
    this.#hasHardState = isNew || (await HardStateFiles.exist(disk, directory));
    this.#hardStates = this.#hasHardState
      ? await HardStateFiles.open(disk, directory, this.seed)
      : HardStateFiles.lost();
    this.#marks = await MarkFile.open(disk, `${directory}/mark`, this.seed, {
      clock,
      onFailed: (cause) => this.fail('the mark could not be written', cause),
    });
    for (let number = 0; number < shards; number += 1) {
      const isThere = isNew || names.includes(shardName(number));
      const place = { ...settings, seed: this.seed, number, isThere };
      this.#shards.push(await openShard(place, this.#marks, this));
    }
    await disk.syncDirectory(directory);
  }

  /** The identity is written last when a storage is made: without it there can be nothing else yet. */
  #refuseUnlessEmpty(): void {
    const { hardStates, marks } = this.#files();
    const isEmpty = this.#shards.every(({ found }) => found.isEmpty);
    if (isEmpty && hardStates.isEmpty && marks.groups.length === 0) return;
    const what = 'the identity file is missing, but there is a log';
    throw new StorageRefused(
      'damaged',
      `${this.#settings.directory}: ${what}. Keep a copy; restore ` +
        'the directory from where it is intact, or replace this replica.',
      { lostPromises: { what, configurations: [] } },
    );
  }

  async #refuseDamage(): Promise<void> {
    for (const group of this.groups) {
      const { verdict } = await this.#judge(group);
      if (verdict.kind === 'tail-lost') this.#shardOf(group).lostNumbers.set(group, verdict.lost.to);
      if (isRefused(verdict)) throw this.#refusal(group, verdict, await this.#lostPromises());
    }
    if (this.#hasHardState || this.#settings.logAlone === true) return;
    // It may have voted, though it never had an entry.
    throw damagedLog(this.#settings.directory, bothFilesMissing, { configurations: [] });
  }

  async #lostPromises(): Promise<Omit<LostPromises, 'what'>> {
    const configurations: (Configuration | null)[] = [];
    for (const group of this.groups) {
      const { shard, found } = this.#shardOf(group);
      const { records, floor } = await this.#judge(group);
      const snapshot = await this.#snapshotsOf(group).latest();
      configurations.push(
        await latestReadable({ records, floor, snapshot, found: found.wholeOf(group) }, shard),
      );
    }
    return { configurations };
  }

  #refuseMissingCodec(): void {
    const { directory, doors } = this.#settings;
    for (const group of this.groups) {
      const { lowestNumber } = this.#files().marks.find(group);
      const blocks = this.#shardOf(group).found.of(group);
      refuseMissingCodec(blocks, { directory, group, lowestNumber }, doors.work);
    }
  }

  async #judge(group: GroupId): Promise<{ verdict: Verdict; records: Records; floor: FloorRecord | null }> {
    const { directory, doors } = this.#settings;
    const places = { disk: doors.disk, directory, seed: this.seed, ...this.#files() };
    const { records, floor } = await readRecords(group, places, this.#shardOf(group).found);
    const verdict = recover(records);
    if (this.#settings.logAlone !== true || verdict.kind !== 'hard-state-lost')
      return { verdict, records, floor };
    this.#lostHardState = `${this.#placeOf(group)}: ${describeVerdict(verdict)}`;
    const assumed = { ...records, hardState: hardStateOf(records) };
    return { verdict: recover(assumed), records: assumed, floor };
  }

  /** @returns also what the durable floor made useless; null without one. */
  async #judgeToOpen(
    group: GroupId,
    snapshot: SnapshotMeta | null | undefined,
  ): Promise<Judgement & { readonly dead: Pick<FloorRecord, 'index' | 'lowestNumber'> | null }> {
    const { records, floor } = await this.#judge(group);
    const { found } = this.#shardOf(group);
    const judgement = await judgeOpening({
      records,
      floor,
      liveOf: (numbers) => found.liveOf(group, numbers),
      snapshot,
      latest: () => this.#snapshotsOf(group).latest(),
      damagedAhead: () => this.#snapshotsOf(group).damagedAhead,
    });
    if (floor === null) return { ...judgement, dead: null };
    const index = Math.min(floor.index, judgement.floor?.index ?? 0);
    return { ...judgement, dead: { index, lowestNumber: floor.lowestNumber } };
  }

  #refusal(group: GroupId, verdict: RefusedVerdict, lost: Omit<LostPromises, 'what'>): StorageRefused {
    const what = this.#hasHardState ? describeVerdict(verdict) : bothFilesMissing;
    return damagedLog(this.#settings.directory, `${this.#placeOf(group)}: ${what}`, lost);
  }

  #placeOf(group: GroupId): string {
    return `shard ${this.#shardNumberOf(group)}, group ${group}`;
  }

  // ---- closing

  async #close(): Promise<void> {
    await this.#scrub.stop();
    this.#space?.stop();
    for (const { shard } of this.#shards) await shard.idle();
    this.fail('the storage is closed', undefined);
    // What was handed over while something was being removed, or another shard was at work, is under way.
    for (const { shard } of this.#shards) await shard.idle();
    for (const snapshots of this.#snapshots.values()) await snapshots.idle();
    await this.#closeFiles();
    await this.#lock.release();
  }

  /** Every file is closed whatever the others do; a file that fails to close holds nothing unsaid. */
  async #closeFiles(): Promise<void> {
    await this.#marks?.close().catch(() => {});
    await this.#hardStates?.close().catch(() => {});
    for (const { shard } of this.#shards) await shard.backend.close().catch(() => {});
  }

  /** One object for each group, since it must know what else is under way in its folder. */
  #snapshotsOf(group: GroupId): SnapshotFiles {
    let snapshots = this.#snapshots.get(group);
    if (snapshots === undefined) {
      const directory = `${this.#settings.directory}/snapshots-${group}`;
      const place = { directory, seed: this.seed, failure: () => this.#failure };
      snapshots = new SnapshotFiles(this.#settings.doors.disk, place);
      this.#snapshots.set(group, snapshots);
    }
    return snapshots;
  }

  #files(): { readonly hardStates: HardStateFiles; readonly marks: MarkFile } {
    if (this.#hardStates === null || this.#marks === null) throw new Error('the storage is not open yet');
    return { hardStates: this.#hardStates, marks: this.#marks };
  }

  #shardOf(group: GroupId): OpenedShard {
    const shard = this.#shards[this.#shardNumberOf(group)];
    if (shard === undefined) throw new Error(`there is no shard for group ${group}`);
    return shard;
  }

  #shardNumberOf(group: GroupId): number {
    return shardNumberOf(group, this.#settings.shards);
  }
}

const bothFilesMissing = 'both hard-state files are missing, so it is not known how this replica voted';

function isRefused(verdict: Verdict): verdict is RefusedVerdict {
  return verdict.kind === 'hard-state-lost' || verdict.kind === 'floor-lost';
}
