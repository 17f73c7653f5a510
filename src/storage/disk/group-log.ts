import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import { entryBytes } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, LogHole, LogStorage, RecoveredLog, WriteRequest } from '../contract.ts';
import { EntriesGone, type StorageFailed } from '../errors.ts';
import { mistakeIn } from '../write-mistake.ts';
import type { Backend } from './backends/backend.ts';
import type { LogEnd } from './block-header.ts';
import { isHole, type LiveBlock, type LiveBlocks } from './live-blocks.ts';
import type { OpenRecord } from './open-record.ts';
import { checkBlock, entriesOf, type StoredBlock } from './stored-block.ts';
import { TermRuns } from './term-runs.ts';

/** What a log asks of the shard it lives in. */
export interface LogShard {
  readonly backend: Backend;
  readonly work: Work;
  /** What the checksums of the storage's blocks begin with. */
  readonly seed: number;
  submit(log: GroupLog, request: WriteRequest): Promise<void>;
  submitRepair(log: GroupLog, entries: readonly Entry[]): Promise<RecoveredLog | null>;
  /** Why everything fails from now on; null while all is well. */
  readonly failure: StorageFailed | null;
  fail(what: string, cause: unknown): StorageFailed;
}

/** The log of one group in an open storage: the shard's writer moves its cursors. */
export class GroupLog implements LogStorage {
  readonly group: GroupId;
  readonly recovered: RecoveredLog;
  /** Shard and group, for an operator. */
  readonly place: string;
  readonly blocks: LiveBlocks<StoredBlock>;
  readonly #shard: LogShard;
  /** The log's terms up to the first entry that is missing, and the hard state, once everything handed over is written. */
  #queued: TermRuns;
  #queuedHardState: HardState;
  /** Whether anything will still be missing then. */
  #isQueuedDamaged: boolean;
  /** null once it is written. A damaged log is left as it is until something is to be written. */
  openRecord: OpenRecord | null;
  /** As of the last block submitted, whether that entry is held or not. */
  end: LogEnd;
  hardState: HardState;
  floor: LogFloor;
  nextNumber: number;
  durableNumber: number;

  constructor(
    shard: LogShard,
    group: GroupId,
    opened: {
      readonly recovered: RecoveredLog;
      readonly place: string;
      readonly blocks: LiveBlocks<StoredBlock>;
      readonly end: LogEnd;
      readonly nextNumber: number;
      readonly openRecord: OpenRecord | null;
    },
  ) {
    this.#shard = shard;
    this.group = group;
    this.recovered = opened.recovered;
    this.place = opened.place;
    this.blocks = opened.blocks;
    this.openRecord = opened.openRecord;
    this.hardState = opened.recovered.hardState;
    this.floor = opened.recovered.floor;
    this.end = opened.end;
    this.nextNumber = opened.nextNumber;
    this.durableNumber = opened.nextNumber - 1;
    this.#queued = TermRuns.of(opened.recovered);
    this.#queuedHardState = opened.recovered.hardState;
    this.#isQueuedDamaged = opened.recovered.damage !== null;
  }

  write(request: WriteRequest): Promise<void> {
    const queued = this.#queued;
    const mistake =
      this.#mistakeInForgetting(request) ??
      mistakeIn(request, {
        ownTerm: this.#queuedHardState.term,
        floorIndex: queued.floorIndex,
        lastIndex: queued.lastIndex,
        termAt: (index) => queued.termAt(index),
      });
    if (mistake !== null) return Promise.reject(this.#shard.fail(mistake, undefined));
    const { hardState, cutFrom, entries, floor } = request;
    if (this.#endsDamage(request)) this.#isQueuedDamaged = false;
    if (hardState !== undefined) this.#queuedHardState = hardState;
    if (cutFrom !== undefined) queued.cutFrom(cutFrom);
    for (const entry of entries) queued.append(entry);
    if (floor !== undefined) this.#queued = queued.withFloor(floor);
    return this.#shard.submit(this, request);
  }

  repair(entries: readonly Entry[]): Promise<RecoveredLog | null> {
    return this.#shard.submitRepair(this, entries);
  }

  /** It is durable; what was handed over meanwhile is not. */
  onRepaired(recovered: RecoveredLog): void {
    if (!this.#isQueuedDamaged) return;
    const { floorIndex: index, floorTerm: term } = this.#queued;
    this.#queued = TermRuns.of(recovered).withFloor({ index, term });
    this.#isQueuedDamaged = recovered.damage !== null;
  }

  /** None where the end is missing: what stands before it has to be written anew. */
  holes(): LogHole[] {
    if (this.openRecord !== null && this.openRecord.cutFrom <= this.end.index) return [];
    return this.blocks.gaps({ floorIndex: this.floor.index, lastIndex: this.end.index }).filter(isHole);
  }

  async read({ from, to, bytesMax }: { from: Index; to: Index; bytesMax: number }): Promise<Entry[]> {
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; ) {
      const block = this.#blockOf(index);
      const found = block === null ? null : await this.#entriesOf(block, index);
      if (block === null || found === null) {
        if (entries.length > 0) return entries;
        throw this.#shard.failure ?? new EntriesGone(`group ${this.group} holds no durable entry ${index}`);
      }
      for (const entry of found) {
        if (entry.index < index) continue;
        if (entry.index > to || entry.index > block.lastIndex) break;
        bytes += entryBytes(entry);
        if (entries.length > 0 && bytes > bytesMax) return entries;
        entries.push(entry);
      }
      index = block.lastIndex + 1;
    }
    return entries;
  }

  termAt(index: Index): Term | null {
    if (index <= this.floor.index) return index === this.floor.index ? this.floor.term : null;
    return this.blocks.termAt(index);
  }

  /** Reads a block for no one. @returns false when the storage has failed, or fails since it is not what was written. */
  async check({ block, firstIndex, lastIndex }: LiveBlock<StoredBlock>): Promise<boolean> {
    // Its first entries may lie below the floor, and its last ones may have been cut.
    const index = Math.min(Math.max(firstIndex, this.floor.index + 1), lastIndex);
    if (this.#blockOf(index)?.block !== block) return this.#shard.failure === null;
    return this.#unlessGone(block, index, () => checkBlock(block, this.#shard)).then(
      () => true,
      () => false,
    );
  }

  /** What is missing must be durable before anything behind it may be overwritten. */
  #mistakeInForgetting({ hardState }: WriteRequest): string | null {
    if (!this.#isQueuedDamaged || (hardState ?? this.#queuedHardState).missing !== undefined) return null;
    return 'a write to a damaged log whose hard state does not say that entries are missing';
  }

  /** A write that begins at or before a hole, or replaces the log; at a lost end, any does. */
  #endsDamage({ cutFrom, entries, floor }: WriteRequest): boolean {
    if (this.recovered.damage?.end === null) return true;
    if (entries.length > 0 || cutFrom !== undefined) return true;
    // One that the log does not hold takes the place of all of it, what is missing included.
    return floor !== undefined && this.#queued.termAt(floor.index) !== floor.term;
  }

  #blockOf(index: Index): LiveBlock<StoredBlock> | null {
    return index > this.floor.index ? this.blocks.find(index) : null;
  }

  /** null when the block was compacted away while it was being read: then its bytes say nothing of the disk. */
  #entriesOf({ block }: LiveBlock<StoredBlock>, index: Index): Promise<Entry[] | null> {
    return this.#unlessGone(block, index, () => entriesOf(block, this.#shard));
  }

  /** null when the block that held `index` was compacted or cut away meanwhile. */
  async #unlessGone<T>(block: StoredBlock, index: Index, body: () => Promise<T>): Promise<T | null> {
    const { header } = block;
    if (this.#shard.failure !== null) throw this.#shard.failure;
    try {
      return await body();
    } catch (cause) {
      if (this.#blockOf(index)?.block.header.number !== header.number) return null;
      const last = header.firstIndex + header.entryCount - 1;
      throw this.#shard.fail(
        `${this.place}: block ${header.number}, entries ${header.firstIndex} to ${last}, cannot be read`,
        cause,
      );
    }
  }
}
