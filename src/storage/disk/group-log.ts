import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import { entryBytes } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, LogStorage, RecoveredLog, WriteRequest } from '../contract.ts';
import { EntriesGone, type StorageFailed } from '../errors.ts';
import { mistakeIn } from '../write-mistake.ts';
import type { Backend } from './backends/backend.ts';
import { bodyIsIntact, readEntries } from './block.ts';
import { headerLength, type LogEnd } from './block-header.ts';
import type { LiveBlock, LiveBlocks } from './live-blocks.ts';
import { TermRuns } from './term-runs.ts';

/** What a log asks of the shard it lives in. */
export interface LogShard {
  readonly backend: Backend;
  readonly work: Work;
  submit(log: GroupLog, request: WriteRequest): Promise<void>;
  /** Why everything fails from now on; null while all is well. */
  readonly failure: StorageFailed | null;
  fail(what: string, cause: unknown): StorageFailed;
}

/** The log of one group in an open storage: the shard's writer moves its cursors. */
export class GroupLog implements LogStorage {
  readonly group: GroupId;
  readonly recovered: RecoveredLog;
  readonly blocks: LiveBlocks;
  readonly #shard: LogShard;
  /** The log's terms, and the hard state's, once everything handed over is written. */
  #queued: TermRuns;
  #queuedTerm: Term;
  /** As of the last block submitted. */
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
      readonly blocks: LiveBlocks;
      readonly end: LogEnd;
      readonly nextNumber: number;
    },
  ) {
    this.#shard = shard;
    this.group = group;
    this.recovered = opened.recovered;
    this.blocks = opened.blocks;
    this.hardState = opened.recovered.hardState;
    this.floor = opened.recovered.floor;
    this.end = opened.end;
    this.nextNumber = opened.nextNumber;
    this.durableNumber = opened.nextNumber - 1;
    this.#queued = TermRuns.of(opened.recovered);
    this.#queuedTerm = opened.recovered.hardState.term;
  }

  write(request: WriteRequest): Promise<void> {
    const queued = this.#queued;
    const mistake = mistakeIn(request, {
      ownTerm: this.#queuedTerm,
      floorIndex: queued.floorIndex,
      lastIndex: queued.lastIndex,
      termAt: (index) => queued.termAt(index),
    });
    if (mistake !== null) return Promise.reject(this.#shard.fail(mistake, undefined));
    const { hardState, cutFrom, entries, floor } = request;
    if (hardState !== undefined) this.#queuedTerm = hardState.term;
    if (cutFrom !== undefined) queued.cutFrom(cutFrom);
    for (const entry of entries) queued.append(entry);
    if (floor !== undefined) this.#queued = queued.withFloor(floor);
    return this.#shard.submit(this, request);
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
    if (index === this.floor.index) return this.floor.term;
    const block = this.#blockOf(index);
    let term: Term | null = null;
    for (const run of block?.header.runs ?? []) if (run.firstIndex <= index) term = run.term;
    return term;
  }

  async repair(): Promise<null> {
    return null;
  }

  #blockOf(index: Index): LiveBlock | null {
    return index > this.floor.index ? this.blocks.find(index) : null;
  }

  /** null when the block was compacted away while it was being read: then its bytes say nothing of the disk. */
  async #entriesOf({ header, location }: LiveBlock, index: Index): Promise<Entry[] | null> {
    if (this.#shard.failure !== null) throw this.#shard.failure;
    try {
      const bytes = await this.#shard.backend.read(location);
      const start = headerLength(header.group, header.runs.length);
      if (!bodyIsIntact(header, start, bytes)) throw new Error('its checksum is wrong');
      return await readEntries(header, start, bytes, this.#shard.work);
    } catch (cause) {
      if (this.#blockOf(index)?.header.number !== header.number) return null;
      const last = header.firstIndex + header.entryCount - 1;
      throw this.#shard.fail(
        `block ${header.number} of group ${this.group}, entries ${header.firstIndex} to ${last}, cannot be read`,
        cause,
      );
    }
  }
}
